//! The sidecar's own configuration: where keys come from, and who may use which.
//!
//! It is mounted by whoever runs Argo CD. A repository is not trusted with the store, so what its `keyring.yaml` says of
//! sources counts for nothing here. Format: `schema/sidecar.schema.json`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::config::{self, Emit, SecretStore, Source};
use crate::profile::NamePattern;
use crate::report::{Exit, Finding, Refusal};
use crate::schema::Document;

/// Where it is mounted, unless the plugin manifest says otherwise.
pub const FILE: &str = "/etc/helm-keyring/sidecar.yaml";
/// The JSON Schema of it; what it shares with `keyring.yaml` stands there.
pub const SCHEMA: &str = include_str!("../../schema/sidecar.schema.json");

/// Well below the 60 seconds after which Argo CD ends a run, and shows no reason.
const TIMEOUT_SECONDS: u64 = 40;
/// What Argo CD itself allows where nobody says otherwise.
const SCHEMES: [&str; 2] = ["https", "http"];
const SHARED: &str = "keyring.schema.json#";
/// The root of the repository, in a grant's sealed file.
const REPOSITORY: &str = "{repository}";

/// The sidecar's configuration.
pub struct Sidecar {
    /// The Helm to run.
    pub helm: Option<PathBuf>,
    /// How long a run may take.
    pub timeout: Duration,
    /// From where Helm may fetch values files.
    pub schemes: Vec<String>,
    /// Whether a chart without a place for a key passes.
    pub allows_no_target: bool,
    grants: Vec<Grant>,
    folder: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    helm: Option<PathBuf>,
    timeout: Option<u64>,
    values_file_schemes: Option<Vec<String>>,
    #[serde(default)]
    allow_no_target: bool,
    #[serde(default)]
    grants: Vec<Grant>,
}

/// Projects and namespaces that may use keyrings in environments.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grant {
    projects: Vec<NamePattern>,
    namespaces: Vec<NamePattern>,
    keyrings: Vec<NamePattern>,
    environments: Vec<NamePattern>,
    source: Json,
    profile: Option<String>,
    emit: Option<Emit>,
    secret_store: Option<SecretStore>,
}

/// Who asks for which keys.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The project; empty before Argo CD 3.0.
    pub project: &'a str,
    /// The destination's namespace.
    pub namespace: &'a str,
    /// The keyring.
    pub keyring: &'a str,
    /// The environment.
    pub environment: &'a str,
}

/// What a grant gives.
pub struct Granted {
    /// Where the keys come from; paths are resolved.
    pub source: Source,
    /// How the chart spells its keys, where the grant says it: a shipped name or an absolute path.
    pub profile: Option<String>,
    /// In what form the keys are delivered, where the grant says it.
    pub emit: Option<Emit>,
    /// The store of the External Secrets Operator.
    pub secret_store: Option<SecretStore>,
    /// The file of the repository that the source reads, if it reads one.
    pub file: Option<PathBuf>,
}

impl Sidecar {
    /// Reads the file. Without one, nobody is granted anything.
    ///
    /// # Errors
    /// A file that cannot be read or does not fit its schema.
    pub fn read(file: &Path) -> Result<Self, Refusal> {
        if file == Path::new(FILE) && !file.exists() {
            return Ok(Self::of(
                Content {
                    helm: None,
                    timeout: None,
                    values_file_schemes: None,
                    allow_no_target: false,
                    grants: Vec::new(),
                },
                file,
            ));
        }
        Self::checked(Document::read(file)?, file)
    }

    fn checked(document: Document, file: &Path) -> Result<Self, Refusal> {
        let content: Content = document.checked(&whole_schema()?)?;
        let mut findings = Vec::new();
        for (number, grant) in content.grants.iter().enumerate() {
            let place = || document.place_of(&format!("/grants/{number}/source"));
            findings.extend(unknown_placeholder(&grant.source).map(|finding| finding.at(place())));
            findings.extend(misplaced_repository(&grant.source).map(|finding| finding.at(place())));
            findings.extend(ambiguous_placeholders(&grant.source).map(|finding| finding.at(place())));
        }
        if findings.is_empty() { Ok(Self::of(content, file)) } else { Err(Refusal(findings)) }
    }

    fn of(content: Content, file: &Path) -> Self {
        let Content { helm, timeout, values_file_schemes, allow_no_target, grants } = content;
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        Self {
            // A name is found on the PATH; a path is the sidecar's, and never one of the repository.
            helm: helm.map(|helm| if helm.components().count() > 1 { folder.join(helm) } else { helm }),
            timeout: Duration::from_secs(timeout.unwrap_or(TIMEOUT_SECONDS)),
            schemes: values_file_schemes.unwrap_or_else(|| SCHEMES.map(str::to_owned).to_vec()),
            allows_no_target: allow_no_target,
            grants,
            folder,
        }
    }

    /// What is granted to who asks; `None`: nothing. `root` is that of the repository.
    ///
    /// # Errors
    /// Two grants that fit; a name that could be more than a name where it stands in a path.
    pub fn granted(&self, asked: Asked<'_>, root: &Path) -> Result<Option<Granted>, Refusal> {
        let fits = |patterns: &[NamePattern], name: &str| patterns.iter().any(|pattern| pattern.fits(name));
        let mut fitting = self.grants.iter().filter(|grant| {
            !asked.project.is_empty()
                && fits(&grant.projects, asked.project)
                && fits(&grant.namespaces, asked.namespace)
                && fits(&grant.keyrings, asked.keyring)
                && fits(&grant.environments, asked.environment)
        });
        let Some(grant) = fitting.next() else { return Ok(None) };
        if fitting.next().is_some() {
            return Err(Finding::usage("ambiguous-grant", format!("several grants fit project {}", asked.project))
                .found(asked.what())
                .help("whoever runs the sidecar: make them exclude each other; the first is never just taken")
                .into());
        }
        let mut source = grant.source.clone();
        let mut from_repository = false;
        each_text(&mut source, &mut |text| {
            from_repository |= text.contains(REPOSITORY);
            *text = filled(text, asked, root);
        });
        if asked.names().iter().any(|name| !is_plain(name)) && source != grant.source {
            return Err(Finding::refused("odd-name", "a name that stands in a path has a form of its own")
                .found(asked.what())
                .help("letters, digits, `-`, `_` and single `.`, with a letter or a digit first")
                .into());
        }
        let source: Source = serde_json::from_value(source)
            .map_err(|_| Finding::error(Exit::Usage, "bad-grant", "a grant's source is none once names are put in"))?;
        let profile = grant.profile.as_ref().map(|profile| match crate::profile::shipped(profile) {
            Some(_) => profile.clone(),
            None => self.folder.join(profile).display().to_string(),
        });
        let file = match &source {
            Source::Sealed { file, .. } if from_repository => Some(file.clone()),
            _ => None,
        };
        Ok(Some(Granted {
            source: source.relative_to(&self.folder),
            profile,
            emit: grant.emit,
            secret_store: grant.secret_store.clone(),
            file,
        }))
    }
}

impl Asked<'_> {
    /// What is asked for, in words.
    pub fn what(&self) -> String {
        let Self { namespace, keyring, environment, .. } = self;
        format!("asked for: keyring {keyring} in environment {environment}, for namespace {namespace}")
    }

    fn names(&self) -> [&str; 4] {
        [self.project, self.namespace, self.keyring, self.environment]
    }
}

/// The names that may stand in a source.
const PLACEHOLDERS: [&str; 6] = ["{project}", "{namespace}", "{keyring}", "{environment}", REPOSITORY, "{n}"];

fn filled(text: &str, asked: Asked<'_>, root: &Path) -> String {
    let values = [asked.project, asked.namespace, asked.keyring, asked.environment];
    let named = PLACEHOLDERS.iter().zip(values).fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    named.replace(REPOSITORY, &root.display().to_string())
}

/// A name that is one part of a path and nothing else.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !name.contains("..")
}

fn each_text(value: &mut Json, with: &mut impl FnMut(&mut String)) {
    match value {
        Json::String(text) => with(text),
        Json::Array(items) => items.iter_mut().for_each(|item| each_text(item, with)),
        Json::Object(map) => map.values_mut().for_each(|value| each_text(value, with)),
        _ => {}
    }
}

fn unknown_placeholder(source: &Json) -> Option<Finding> {
    let mut found = false;
    each_text(&mut source.clone(), &mut |text| {
        let known = PLACEHOLDERS.iter().fold(text.clone(), |text, name| text.replace(name, ""));
        found |= known.contains(['{', '}']);
    });
    found.then(|| {
        Finding::usage("unknown-placeholder", "a source has a `{…}` that stands for nothing")
            .help(format!("there are {}", crate::report::list(&PLACEHOLDERS)))
    })
}

/// `{project}-{keyring}` is the same for project `a` with keyring `b-c` and project `a-b` with keyring `c`: the keys of
/// another project.
fn ambiguous_placeholders(source: &Json) -> Option<Finding> {
    let mut found = false;
    each_text(&mut source.clone(), &mut |text| {
        let names = |part: &str| PLACEHOLDERS[..4].iter().map(|name| part.matches(name).count()).sum::<usize>();
        found |= text.split('/').any(|part| names(part) > 1);
    });
    found.then(|| {
        Finding::usage("ambiguous-placeholder", "two names stand in one part of a path")
            .found(
                "`{project}-{keyring}` is the same for project a with keyring b-c, and for project a-b with keyring c",
            )
            .help("put a `/` between them")
    })
}

/// A file of the repository may be sealed, and nothing else: a `sops` file says itself which server is asked.
fn misplaced_repository(source: &Json) -> Option<Finding> {
    let mut others = source.clone();
    if let Some(file) = others.pointer_mut("/sealed/file") {
        let rest = file.as_str().and_then(|file| file.strip_prefix(REPOSITORY)).map(str::to_owned);
        if let Some(rest) = rest {
            *file = Json::String(rest);
        }
    }
    let mut found = false;
    each_text(&mut others, &mut |text| found |= text.contains(REPOSITORY));
    found.then(|| {
        Finding::usage("misplaced-repository", "`{repository}` may only begin the file of a `sealed` source")
            .found("whatever else reads a file of the repository would let the repository choose what is asked")
            .help("write `sealed: {file: \"{repository}/PATH\", masterKeyFile: FILE}`")
    })
}

/// The schema with what it takes from that of `keyring.yaml`.
fn whole_schema() -> Result<String, Refusal> {
    let broken = |_| Finding::error(Exit::Io, "broken-schema", "a schema of this program is broken; please report it");
    let mut own: Json = serde_json::from_str(&SCHEMA.replace(SHARED, "#")).map_err(broken)?;
    let shared: Json = serde_json::from_str(config::SCHEMA).map_err(broken)?;
    if let (Some(own), Some(shared)) = (own["$defs"].as_object_mut(), shared["$defs"].as_object()) {
        own.extend(shared.iter().map(|(name, rule)| (name.clone(), rule.clone())));
    }
    Ok(own.to_string())
}

/// What is wrong with the sidecar's own configuration, for people who must not know it: nothing but that it is.
pub fn hidden(refusal: Refusal) -> Refusal {
    let code = refusal.exit();
    let ids: Vec<&str> = refusal.0.iter().map(|finding| finding.id).collect();
    Finding::error(code, "sidecar-config", "the sidecar's own configuration is wrong")
        .found(format!("what is wrong there: {}", crate::report::list(&ids)))
        .help("whoever runs the sidecar: `helm-keyring argocd test` there says where and why")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANTS: &str = "\
apiVersion: helm-keyring/v1
kind: Sidecar
timeout: 30
grants:
  - projects: [observability]
    namespaces: [obs, obs-*]
    keyrings: [lightrun]
    environments: [production]
    source: {vault: {path: \"secret/{project}/{namespace}/{keyring}/{environment}\"}}
  - projects: [\"*\"]
    namespaces: [trial]
    keyrings: [\"*\"]
    environments: [trial]
    profile: mine.yaml
    source: {sealed: {file: \"{repository}/keys/trial.sealed\", masterKeyFile: trial.key}}
";

    fn sidecar(text: &str) -> Result<Sidecar, Refusal> {
        let file = Path::new("/etc/helm-keyring/sidecar.yaml");
        Sidecar::checked(Document::parse("sidecar.yaml", text.to_owned())?, file)
    }

    fn granted(project: &str, namespace: &str, keyring: &str, environment: &str) -> Result<Option<Granted>, Refusal> {
        let asked = Asked { project, namespace, keyring, environment };
        sidecar(GRANTS).unwrap().granted(asked, Path::new("/tmp/_cmp_server/1"))
    }

    #[test]
    fn every_property_is_documented() {
        let page = include_str!("../../docs/argocd.md");
        config::testing::assert_documents(page, SCHEMA);
    }

    #[test]
    fn the_documented_configurations_are_valid() {
        let blocks = config::testing::code_blocks(include_str!("../../docs/argocd.md"), "yaml");
        let whole: Vec<&String> = blocks.iter().filter(|block| block.contains("kind: Sidecar")).collect();
        assert_eq!(whole.len(), 1);
        let granted = |text: &str| sidecar(text).map(|sidecar| sidecar.grants.len());
        assert_eq!(granted(whole[0]).unwrap(), 1);
        let source = blocks.iter().find(|block| block.contains("{repository}")).unwrap();
        let head = GRANTS.split("    source:").next().unwrap();
        assert_eq!(granted(&format!("{head}{source}")).unwrap(), 1);
    }

    #[test]
    fn a_grant_fits_by_all_of_its_names() {
        let path =
            |namespace: &str| match granted("observability", namespace, "lightrun", "production").unwrap()?.source {
                Source::Vault(stored) => Some(stored.place.path),
                _ => None,
            };
        assert_eq!(path("obs").as_deref(), Some("secret/observability/obs/lightrun/production"));
        assert_eq!(path("obs-eu").as_deref(), Some("secret/observability/obs-eu/lightrun/production"));
        assert_eq!(path("kube-system"), None);
        assert!(granted("other", "obs", "lightrun", "production").unwrap().is_none());
        assert!(granted("observability", "obs", "devmesh", "production").unwrap().is_none());
        assert!(granted("observability", "obs", "lightrun", "staging").unwrap().is_none());
        assert!(granted("", "trial", "x", "trial").unwrap().is_none(), "Argo CD before 3.0 names no project");
    }

    #[test]
    fn paths_are_those_of_the_sidecar_or_of_the_repository() {
        let granted = granted("any", "trial", "x", "trial").unwrap().unwrap();
        let expected = Source::Sealed {
            file: "/tmp/_cmp_server/1/keys/trial.sealed".into(),
            master_key_file: Some("/etc/helm-keyring/trial.key".into()),
        };
        assert_eq!(granted.source, expected);
        assert_eq!(granted.file, Some("/tmp/_cmp_server/1/keys/trial.sealed".into()));
        assert_eq!(granted.profile.as_deref(), Some("/etc/helm-keyring/mine.yaml"));
    }

    #[test]
    fn a_name_does_not_climb_out_of_a_path() {
        for project in ["../other", "a/b", "a..b", ".a", ""] {
            let asked = Asked { project, namespace: "obs", keyring: "lightrun", environment: "production" };
            let text = GRANTS.replace("[observability]", "[\"*\"]");
            let granted = sidecar(&text).unwrap().granted(asked, Path::new("/r"));
            assert!(granted.is_err() || granted.is_ok_and(|granted| granted.is_none()), "{project}");
        }
    }

    #[test]
    fn two_grants_that_fit_are_refused() {
        let text = GRANTS.replace("[trial]\n    keyrings", "[\"*\"]\n    keyrings").replace("[trial]", "[\"*\"]");
        let asked =
            Asked { project: "observability", namespace: "obs", keyring: "lightrun", environment: "production" };
        let refusal = sidecar(&text).unwrap().granted(asked, Path::new("/r")).err().unwrap();
        assert_eq!(refusal.0[0].id, "ambiguous-grant");
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_its_place() {
        let refused = |from: &str, to: &str| sidecar(&GRANTS.replacen(from, to, 1)).err().unwrap().0.remove(0);
        let finding = refused("{namespace}/", "{nmespace}/");
        assert_eq!((finding.id, finding.places[0].to_string().as_str()), ("unknown-placeholder", "sidecar.yaml:9:5"));
        assert_eq!(refused("sealed: {file: \"{repository}", "sops: {file: \"{repository}").id, "unknown-property");
        let sops = "sops: {file: \"{repository}/a.yaml\"}";
        let sealed = "sealed: {file: \"{repository}/keys/trial.sealed\", masterKeyFile: trial.key}";
        assert_eq!(refused(sealed, sops).id, "misplaced-repository");
        assert_eq!(refused(sealed, "sealed: {file: \"a/{repository}\"}").id, "misplaced-repository");
        assert_eq!(refused("{project}/{namespace}", "{project}-{namespace}").id, "ambiguous-placeholder");
        assert_eq!(refused("timeout: 30", "timeout: 120").id, "wrong-value");
        assert_eq!(refused("projects: [observability]", "projects: []").id, "wrong-value");
    }
}
