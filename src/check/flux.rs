//! Flux: `HelmRelease`.

use std::path::Path;

use zeroize::Zeroizing;

use super::facts::{Deployment, ValuesFrom};
use super::reader::Reader;
use super::text::Text;
use super::values::{self, Mapping};
use crate::manifest::shown_name;
use crate::values::{Layer, Request};
use crate::yaml::{Data, Node, Value};

/// Looks at a HelmRelease.
pub fn helm_release(at: Mapping<'_, '_>, reader: &mut Reader<'_, '_>) {
    let Some(spec) = at.value.get("spec") else { return };
    let under = |node: &'_ Node<'_>, key: &str| -> Option<usize> {
        node.entries().iter().rposition(|(name, _)| name.text() == Some(key))
    };
    let written = under(at.node, "spec").and_then(|index| {
        let (_, spec) = at.node.entries().get(index)?;
        spec.entries().get(under(spec, "values")?).map(|(_, values)| values)
    });
    if let (Some(value), Some(node)) = (spec.get("values"), written) {
        values::look(Mapping { value, node, ..at }, reader);
    }
    reader.facts.deployments.extend(deployment(at.value, spec, reader.text, reader.root));
}

fn deployment(object: &Value, spec: &Value, text: &Text<'_>, root: &Path) -> Option<Deployment> {
    let word = |path: [&str; 2]| object.at(path).and_then(Value::text);
    let name = word(["metadata", "name"]).unwrap_or("(no name)");
    let own = word(["metadata", "namespace"]).map(str::to_owned);
    let chart = spec.at(["chart", "spec", "chart"]);
    let said = chart.or_else(|| object.at(["metadata", "name"]))?;
    // A path in a GitRepository begins with a dot or holds a slash; anything else is a chart's name.
    let local = chart.and_then(Value::text).map(|chart| root.join(chart)).filter(|at| at.join("Chart.yaml").is_file());
    let layer = |values: &Value| Layer {
        file: text.file.to_owned(),
        text: Zeroizing::new(text.text.to_owned()),
        stands: text.stands.clone(),
        mapping: Some(values.clone()),
    };
    let mut from = Vec::new();
    let mut unknown = None;
    let listed = match spec.get("valuesFrom").map(|from| &from.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    };
    for item in listed {
        let field = |key: &str| item.get(key).and_then(Value::text);
        match (field("kind"), field("name"), field("targetPath")) {
            (Some("ConfigMap"), Some(name), None) => from.push(ValuesFrom {
                namespace: own.clone(),
                name: name.to_owned(),
                key: field("valuesKey").unwrap_or("values.yaml").to_owned(),
                optional: matches!(item.get("optional").map(|optional| &optional.data), Some(Data::Bool(true))),
            }),
            // The right place for a key: what it holds is not known here.
            _ => unknown = Some("`valuesFrom` takes values from a Secret or to a path".to_owned()),
        }
    }
    Some(Deployment {
        title: format!("HelmRelease/{}", shown_name(name)),
        place: text.place(said.span.start..said.span.end),
        chart: chart.and_then(Value::text).map(|chart| chart.rsplit('/').next().unwrap_or(chart).to_owned()),
        namespace: spec.get("targetNamespace").and_then(Value::text).map(str::to_owned).or(own),
        request: Request {
            chart: local,
            layers: spec.get("values").map(layer).into_iter().collect(),
            ..Request::default()
        },
        from,
        unknown,
        plugin: false,
    })
}
