//! Helm as a child: the render, and the dependencies that it misses.
//!
//! It sees nothing of a store: its environment is a short list. It stays in our process group, which the plugin server
//! ends as a whole. What it says of a failure is told without secrets and without the server's own paths.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::parameters::DependencyBuild;
use super::repository::Repository;
use super::template::Template;
use super::words;
use crate::child::{Call, Failure, Group};
use crate::report::{Finding, Place, Refusal};
use crate::source::Deadline;
use crate::yaml::Value;

/// Argo CD takes no larger answer from a plugin.
const OUT_MAX_BYTES: usize = 100 << 20;
/// Where Helm finds its own files, and what it logs in with at registries.
const VARIABLES: [&str; 7] = [
    "HELM_CACHE_HOME",
    "HELM_CONFIG_HOME",
    "HELM_DATA_HOME",
    "HELM_REGISTRY_CONFIG",
    "HELM_REPOSITORY_CACHE",
    "HELM_REPOSITORY_CONFIG",
    "DOCKER_CONFIG",
];
/// What Helm 3 and 4 say where a dependency is not in `charts/`.
const MISSING: [&str; 2] =
    ["found in Chart.yaml, but missing in charts/ directory", "found in requirements.yaml, but missing in charts"];
const LOCK: &str = "Chart.lock";
/// Helm's own files while it builds dependencies: in the repository's copy, which the plugin server removes whatever
/// happens, and gone before the chart is rendered. Helm loads the chart while it builds, and would take the index of a
/// repository in it for a file of the chart, which may not be large; what is hidden in `templates/` it always ignores.
const HOME: &str = "templates/.helm-keyring-";

/// A Helm for one run.
pub struct Helm<'h> {
    /// The program.
    pub program: OsString,
    /// Where the chart is.
    pub repository: &'h Repository,
    /// What is asked of it.
    pub template: &'h Template,
    /// When it must be done.
    pub deadline: Deadline,
}

impl Helm<'_> {
    /// What the chart renders.
    ///
    /// # Errors
    /// Helm's own words, without secrets; that it cannot be run, or does not end in time.
    pub fn template(&self, build: DependencyBuild, pass_credentials: bool) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        if build == DependencyBuild::Always {
            self.build_dependencies(pass_credentials)?;
        }
        let had_lock = self.chart().join(LOCK).exists();
        let render = || {
            let done = self.run(&self.template.words(), &[], self.template.stdin());
            if !had_lock {
                // Helm 3 writes one while it renders, and could then not build dependencies (helm/helm#6870).
                let _ = std::fs::remove_file(self.chart().join(LOCK));
            }
            done
        };
        let done = match render() {
            Err(Failed::Ended(_, said))
                if build == DependencyBuild::Auto && MISSING.iter().any(|m| said.contains(m)) =>
            {
                self.build_dependencies(pass_credentials)?;
                render()
            }
            done => done,
        };
        Ok(done.map_err(|failed| self.told(TEMPLATE, failed))?)
    }

    /// `helm dependency build`, with the repositories that `Chart.yaml` names. Helm knows none of its own there, unless
    /// whoever runs the sidecar gave it a list with credentials.
    fn build_dependencies(&self, pass_credentials: bool) -> Result<(), Refusal> {
        let addresses = self.addresses()?;
        let mut folders = addresses.iter().filter_map(|address| address.strip_prefix("file://"));
        if folders.any(|folder| !self.repository.holds_folder(Path::new(folder))) {
            return Err(Finding::refused(
                "outside-repository",
                "a dependency of the chart is a folder outside of the repository",
            )
            .at(Place::file("Chart.yaml"))
            .help("put it into the repository, and name it with `file://../NAME`")
            .into());
        }
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let home = Home::new(self.chart());
        let is_given = std::env::var_os("HELM_REPOSITORY_CONFIG").is_some_and(|file| !file.is_empty());
        let set = home.variables(is_given);
        let is_remote = |address: &&String| address.starts_with("https://") || address.starts_with("http://");
        for (number, address) in addresses.iter().filter(|_| !is_given).filter(is_remote).enumerate() {
            let name = format!("repository-{number}");
            let mut add = words(&["repo", "add", &name, address]);
            add.extend(pass_credentials.then(|| "--pass-credentials".into()));
            self.run(&add, &set, None).map_err(|failed| self.told("helm repo add", failed))?;
        }
        let built = self.run(&words(&["dependency", "build", "."]), &set, None);
        built.map(|_| ()).map_err(|failed| self.told("helm dependency build", failed).into())
    }

    /// Where `Chart.yaml` and its lock say that dependencies are, each once: Helm fetches what the lock says. What cannot be
    /// read here, nobody has looked at.
    fn addresses(&self) -> Result<Vec<String>, Finding> {
        let mut found: Vec<String> = Vec::new();
        for file in ["Chart.yaml", LOCK, "requirements.yaml", "requirements.lock"] {
            if self.chart().join(file).symlink_metadata().is_err() {
                continue;
            }
            let odd = |why: String| {
                Finding::refused(
                    "odd-chart",
                    format!("{file} cannot be looked at before dependencies are built: {why}"),
                )
                .at(Place::file(file))
                .help("write it plainly, in UTF-8; or commit packaged dependencies in `charts/`")
            };
            let text = std::fs::read_to_string(self.chart().join(file)).map_err(|error| odd(error.to_string()))?;
            // Helm's parser ends lines at these, and ours does not.
            if text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']) {
                return Err(odd("it has line breaks of another kind".to_owned()));
            }
            let about = Value::parse(&text, 0).map_err(|error| odd(error.to_string()))?;
            let dependencies = about.get("dependencies").and_then(Value::list).unwrap_or_default();
            if is_misspelt(&about, "dependencies") || dependencies.iter().any(|one| is_misspelt(one, "repository")) {
                return Err(odd("helm reads names in any case, and one here is not written as usual".to_owned()));
            }
            for address in dependencies.iter().filter_map(|one| one.get("repository")?.text()) {
                if !found.iter().any(|known| known == address) {
                    found.push(address.to_owned());
                }
            }
        }
        Ok(found)
    }

    fn run(
        &self,
        words: &[OsString],
        set: &[(&str, String)],
        stdin: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let command: Vec<OsString> = [self.program.clone()].into_iter().chain(words.iter().cloned()).collect();
        let call = Call {
            command: &command,
            variables: &VARIABLES,
            prefixes: &[],
            set,
            folder: Some(self.chart()),
            stdin,
            out_max_bytes: OUT_MAX_BYTES,
            group: Group::Ours,
        };
        let output = call.run(self.deadline.end()).map_err(Failed::NotDone)?;
        if !output.status.success() {
            let how = match (output.status.code(), output.status.signal()) {
                (Some(code), _) => format!("ended with exit code {code}"),
                (None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
            };
            return Err(Failed::Ended(how, Zeroizing::new(String::from_utf8_lossy(&output.err).into_owned())));
        }
        if output.has_more {
            return Err(Failed::TooMuch);
        }
        Ok(output.out)
    }

    fn chart(&self) -> &Path {
        self.repository.chart()
    }

    fn told(&self, what: &str, failed: Failed) -> Finding {
        let finding = |title: String| Finding::refused("helm-failed", title);
        match failed {
            Failed::NotDone(Failure::TooLate) => {
                finding(format!("{what} did not end within {}", self.deadline.in_words()))
                    .help("does a dependency's repository answer? Packaged dependencies in `charts/` need none")
            }
            Failed::NotDone(failure @ Failure::NotRun(_)) => Finding::usage("helm-failed", format!("{what} {failure}"))
                .help("whoever runs the sidecar: it needs a `helm` on its PATH, or `helm` in its configuration"),
            Failed::NotDone(failure @ Failure::KeptOpen) => finding(format!("{what} {failure}"))
                .help("whoever runs the sidecar: is its `helm` a script that leaves something running?"),
            Failed::NotDone(failure) => finding(format!("{what} {failure}")).help("refresh the Application"),
            Failed::TooMuch => finding(format!("{what} printed more than {} MiB", OUT_MAX_BYTES >> 20))
                .help("Argo CD takes no larger answer from a plugin"),
            Failed::Ended(how, said) => {
                let lines = words::public(&said, self.template, self.repository);
                let silent = lines.is_empty().then(|| format!("it {how}, and said nothing; was there enough memory?"));
                let finding = finding(format!("{what} failed")).at(Place::file("Chart.yaml"));
                let finding = lines.into_iter().chain(silent).fold(finding, Finding::found);
                match what == TEMPLATE {
                    true if self.template.has_addresses() => {
                        finding.help("a values file comes from an address: does it answer, and is the file there?")
                    }
                    true => finding
                        .help("the same on your machine, in the chart's folder: helm template . with these values"),
                    false => {
                        finding.help("Argo CD hands a plugin no credentials: commit packaged dependencies in `charts/`")
                    }
                }
            }
        }
    }
}

/// Whether a mapping has a name that Go's JSON reader takes for this one, and that is written otherwise.
fn is_misspelt(value: &Value, name: &str) -> bool {
    let plain = |key: &str| key.replace('\u{17f}', "s").replace('\u{212a}', "k").to_lowercase();
    value.map().into_iter().flatten().any(|(key, _)| key != name && plain(key) == name)
}

const TEMPLATE: &str = "helm template";

/// Why Helm gave nothing.
enum Failed {
    NotDone(Failure),
    TooMuch,
    /// How it ended, and what it said.
    Ended(String, Zeroizing<String>),
}

/// A place for Helm's own files, removed with the value.
struct Home {
    folder: PathBuf,
    /// The chart's folder that it lies in, if the chart has none of its own.
    around: Option<PathBuf>,
}

impl Home {
    fn new(chart: &Path) -> Self {
        let folder = chart.join(format!("{HOME}{}", std::process::id()));
        let around = folder.parent().filter(|around| !around.exists()).map(Path::to_owned);
        Self { folder, around }
    }

    /// Runs share no cache: Helm writes its indexes while others would read them.
    fn variables(&self, has_repositories: bool) -> Vec<(&'static str, String)> {
        let below = |name: &str| self.folder.join(name).display().to_string();
        let repositories = ("HELM_REPOSITORY_CONFIG", below("repositories.yaml"));
        [("HELM_CACHE_HOME", below("cache")), ("HELM_REPOSITORY_CACHE", below("cache/repository"))]
            .into_iter()
            .chain((!has_repositories).then_some(repositories))
            .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        // Only if it is empty.
        self.around.iter().for_each(|around| drop(std::fs::remove_dir(around)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_helms_own_files() {
        let chart = tempfile::tempdir().unwrap();
        let templates = chart.path().join("templates");
        let used = || {
            let home = Home::new(chart.path());
            let variables = home.variables(false);
            assert_eq!(
                variables.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
                ["HELM_CACHE_HOME", "HELM_REPOSITORY_CACHE", "HELM_REPOSITORY_CONFIG"]
            );
            // Of what Helm loads of a chart: nothing hidden in `templates/`.
            assert!(variables.iter().all(|(_, path)| Path::new(path).starts_with(&home.folder)));
            assert_eq!(home.variables(true).len(), 2, "a list of repositories that is given stays");
            std::fs::create_dir_all(home.folder.join("cache/repository")).unwrap();
        };
        used();
        assert!(!templates.exists());
        std::fs::create_dir(&templates).unwrap();
        used();
        assert!(templates.exists() && std::fs::read_dir(&templates).unwrap().next().is_none());
    }
}
