//! A chart, rendered two times with the user's helm: what differs, and what Helm 4 breaks on the way to a post-renderer.

use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::helm::broken_by_helm4;
use crate::report::{Finding, Place, Refusal};
use crate::rules::random_template;
use crate::unstable::{differences, explained, of_chart};

/// What is wrong with the chart. Without helm, its templates are read instead.
///
/// # Errors
/// A chart that helm cannot render.
pub fn findings(chart: &Path, values: &[String]) -> Result<Vec<Finding>, Refusal> {
    let Some(first) = rendered(chart, values)? else { return Ok(read_instead(chart)) };
    let second = rendered(chart, values)?.unwrap_or_default();
    let mut found = explained(&differences(&first, &second), chart);
    found.extend(broken_by_helm4("<helm template>", &first));
    Ok(found)
}

/// What `helm template` prints; `None` where there is no helm.
fn rendered(chart: &Path, values: &[String]) -> Result<Option<Zeroizing<String>>, Refusal> {
    let program = std::env::var_os("HELM_BIN").filter(|bin| !bin.is_empty()).unwrap_or_else(|| "helm".into());
    let mut helm = Command::new(program);
    helm.args(["template", "release-name"]).arg(chart).args(values.iter().map(|file| format!("--values={file}")));
    let Ok(output) = helm.stdin(Stdio::null()).output() else { return Ok(None) };
    if !output.status.success() {
        // Helm's own words may quote a line of a Secret.
        return Err(Finding::usage("no-render", format!("helm cannot render {}", chart.display()))
            .help("`helm template` with the same values says why")
            .into());
    }
    Ok(Some(Zeroizing::new(String::from_utf8_lossy(&output.stdout).into_owned())))
}

fn read_instead(chart: &Path) -> Vec<Finding> {
    let mut found = vec![
        Finding::warning("helm-not-there", "helm cannot be run, so the chart's templates are only read")
            .help("install helm, or name it with HELM_BIN: then the chart is rendered twice and compared"),
    ];
    for (file, calls, text) in of_chart(chart).unwrap_or_default() {
        let name = chart.join(file).display().to_string();
        found.extend(calls.iter().map(|call| {
            let place = Place::shown_in_text(&*name, &text, call.start..call.end);
            random_template::finding(call.function, call.guarded, place)
        }));
    }
    found
}
