//! The parameters of the plugin: which there are, and what an Application sets.
//!
//! Argo CD checks nothing of them, so a misspelt name would be as good as none. Their names are those of Argo CD's own
//! example plugin for Helm, and of the fields of `spec.source.helm`, written with dashes.

use std::collections::BTreeMap;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::report::{Finding, Refusal, list, nearest};
use crate::schema::shown;

/// What form a parameter has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `string`
    Text,
    /// `string`: true or false.
    Switch,
    /// `array`
    List,
    /// `map`
    Map,
}

impl Kind {
    /// The member of the Application that holds it.
    pub fn member(self) -> &'static str {
        match self {
            Self::Text | Self::Switch => "string",
            Self::List => "array",
            Self::Map => "map",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Text => "string: TEXT",
            Self::Switch => "string: \"true\"",
            Self::List => "array: [ONE, TWO]",
            Self::Map => "map: {NAME: VALUE}",
        }
    }
}

/// A parameter that there is.
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Its form.
    pub kind: Kind,
    /// What it is, for the user interface and the documentation.
    pub title: &'static str,
}

const fn known(name: &'static str, kind: Kind, title: &'static str) -> Known {
    Known { name, kind, title }
}

/// All parameters, in the order in which they are announced.
pub const KNOWN: [Known; 18] = [
    known("keyring", Kind::Text, "Only this keyring of keyring.yaml; without it all that have the environment"),
    known(
        "environment",
        Kind::Text,
        "The environment in keyring.yaml; without it the one of the namespace, or the only one",
    ),
    known("lock", Kind::Text, "The lock: a path in the repository, or its text where a chart carries none"),
    known(
        "values-files",
        Kind::List,
        "Values files: beside the chart, or /PATH from the root of the repository; globs too",
    ),
    known("ignore-missing-value-files", Kind::Switch, "Leave out values files that are not there"),
    known("values", Kind::Text, "Values as YAML, over the values files"),
    known("helm-parameters", Kind::Map, "Single values, as helm's --set"),
    known("helm-string-parameters", Kind::Map, "Single values that stay text, as helm's --set-string"),
    known("file-parameters", Kind::Map, "Single values from files of the repository, as helm's --set-file"),
    known("release-name", Kind::Text, "The release's name; without it the Application's"),
    known("namespace", Kind::Text, "The namespace for the chart; without it the destination's"),
    known("kube-version", Kind::Text, "The Kubernetes version for the chart; without it the destination's"),
    known("api-versions", Kind::List, "The API versions for the chart; without them the destination's"),
    known("skip-crds", Kind::Switch, "Leave out the folder crds"),
    known("skip-tests", Kind::Switch, "Leave out the chart's tests"),
    known("skip-schema-validation", Kind::Switch, "Do not validate the values with the chart's schema"),
    known("dependency-build", Kind::Text, "auto (once helm misses one), always or never"),
    known("pass-credentials", Kind::Switch, "Pass a Helm repository's credentials on to other hosts too"),
];

/// As long as a name in keyring.yaml.
const NAME_LEN_MAX: usize = 63;

/// When dependencies are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DependencyBuild {
    /// Once Helm has said that one is missing.
    #[default]
    Auto,
    /// Before each render.
    Always,
    /// Not at all.
    Never,
}

/// Names and values, in the order of the names. The values may be keys.
pub type Assignments = BTreeMap<String, Zeroizing<String>>;

/// What an Application sets. No `Debug`: values may be keys.
#[derive(Default)]
pub struct Parameters {
    /// `keyring`
    pub keyring: Option<String>,
    /// `environment`
    pub environment: Option<String>,
    /// `lock`
    pub lock: Option<String>,
    /// `values-files`
    pub values_files: Vec<String>,
    /// `ignore-missing-value-files`
    pub ignores_missing: bool,
    /// `values`
    pub values: Option<Zeroizing<String>>,
    /// `helm-parameters`
    pub set: Assignments,
    /// `helm-string-parameters`
    pub set_string: Assignments,
    /// `file-parameters`
    pub set_file: Assignments,
    /// `release-name`
    pub release: Option<String>,
    /// `namespace`
    pub namespace: Option<String>,
    /// `kube-version`
    pub kube_version: Option<String>,
    /// `api-versions`
    pub api_versions: Vec<String>,
    /// `skip-crds`
    pub skips_crds: bool,
    /// `skip-tests`
    pub skips_tests: bool,
    /// `skip-schema-validation`
    pub skips_schema: bool,
    /// `dependency-build`
    pub dependency_build: DependencyBuild,
    /// `pass-credentials`
    pub passes_credentials: bool,
}

/// One item of the list.
#[derive(Deserialize)]
struct Item {
    name: String,
    string: Option<String>,
    array: Option<Vec<String>>,
    map: Option<BTreeMap<String, String>>,
}

/// What one parameter is set to.
enum Given {
    Text(Zeroizing<String>),
    List(Vec<String>),
    Map(Assignments),
}

impl Parameters {
    /// Reads the JSON list of an Application; nothing and `null` are no parameters.
    ///
    /// # Errors
    /// What is no such list, unknown names, other forms and values than those that there are: all at once.
    pub fn parse(json: &str) -> Result<Self, Refusal> {
        if json.trim().is_empty() {
            return Ok(Self::default());
        }
        let items: Option<Vec<Item>> = serde_json::from_str(json).map_err(|error| {
            // serde's own words would quote a value.
            Finding::usage("wrong-parameters", "the parameters are no list of {name, string, array or map}")
                .found(format!("line {}, column {} of ARGOCD_APP_PARAMETERS", error.line(), error.column()))
                .help("write them under `spec.source.plugin.parameters`, see docs/argocd.md")
        })?;
        let mut parameters = Self::default();
        let mut findings = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for item in items.into_iter().flatten() {
            if seen.contains(&item.name) {
                findings.push(twice(&item.name));
                continue;
            }
            seen.push(item.name.clone());
            let taken = given(item).and_then(|(name, given)| parameters.take(name, given));
            findings.extend(taken.err());
        }
        if findings.is_empty() { Ok(parameters) } else { Err(Refusal(findings)) }
    }

    fn take(&mut self, known: &'static Known, given: Given) -> Result<(), Finding> {
        match (known.name, given) {
            (_, Given::Text(text)) if text.is_empty() => {}
            ("values", Given::Text(text)) => self.values = Some(text),
            (name, Given::Text(text)) => return self.take_text(name, &text),
            ("values-files", Given::List(names)) => self.values_files = names,
            (_, Given::List(names)) => self.api_versions = names,
            ("helm-parameters", Given::Map(map)) => self.set = map,
            ("helm-string-parameters", Given::Map(map)) => self.set_string = map,
            (_, Given::Map(map)) => self.set_file = map,
        }
        Ok(())
    }

    fn take_text(&mut self, name: &'static str, text: &str) -> Result<(), Finding> {
        let own = || Some(text.to_owned());
        match name {
            "keyring" => self.keyring = Some(word_of(name, text)?),
            "environment" => self.environment = Some(word_of(name, text)?),
            "lock" => self.lock = own(),
            "release-name" => self.release = own(),
            "namespace" => self.namespace = own(),
            "kube-version" => self.kube_version = own(),
            "ignore-missing-value-files" => self.ignores_missing = switch(name, text)?,
            "skip-crds" => self.skips_crds = switch(name, text)?,
            "skip-tests" => self.skips_tests = switch(name, text)?,
            "skip-schema-validation" => self.skips_schema = switch(name, text)?,
            "pass-credentials" => self.passes_credentials = switch(name, text)?,
            _ => {
                self.dependency_build = match text {
                    "auto" => DependencyBuild::Auto,
                    "always" => DependencyBuild::Always,
                    "never" => DependencyBuild::Never,
                    _ => return Err(wrong_word(name, "auto, always or never")),
                }
            }
        }
        Ok(())
    }
}

/// The parameter that is meant, and what it is set to. An empty text is as good as none, as the user interface leaves it.
fn given(item: Item) -> Result<(&'static Known, Given), Finding> {
    let Item { name, string, array, map } = item;
    let known = KNOWN.iter().find(|known| known.name == name).ok_or_else(|| unknown(&name))?;
    let in_map = map.iter().flatten().flat_map(|(name, text)| [name, text]);
    if string.iter().chain(array.iter().flatten()).chain(in_map).any(|text| text.contains('\0')) {
        return Err(wrong_word(&name, "text without a NUL"));
    }
    let own =
        |map: BTreeMap<String, String>| map.into_iter().map(|(name, text)| (name, Zeroizing::new(text))).collect();
    match (known.kind, string, array, map) {
        (Kind::List, None, array, None) => Ok((known, Given::List(array.unwrap_or_default()))),
        (Kind::Map, None, None, map) => Ok((known, Given::Map(map.map(own).unwrap_or_default()))),
        (Kind::Text | Kind::Switch, text, None, None) => {
            Ok((known, Given::Text(Zeroizing::new(text.unwrap_or_default()))))
        }
        (kind, string, array, _) => {
            let found = match (string, array) {
                (Some(_), _) => "string",
                (None, Some(_)) => "array",
                (None, None) => "map",
            };
            Err(Finding::usage("parameter-type", format!("parameter `{name}` is no `{found}`"))
                .help(format!("write `{{name: {name}, {}}}`", kind.example())))
        }
    }
}

/// A name as keyring.yaml has them.
fn word_of(name: &str, text: &str) -> Result<String, Finding> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.len() <= NAME_LEN_MAX && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(wrong_word(name, "a name: at most 63 letters, digits, `-`, `_` and `.`")),
    }
}

fn switch(name: &str, text: &str) -> Result<bool, Finding> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong_word(name, "\"true\" or \"false\"")),
    }
}

fn wrong_word(name: &str, expected: &str) -> Finding {
    Finding::usage("parameter-value", format!("parameter `{name}` must be {expected}"))
        .found("found another word")
        .help(format!("write {expected}, or take it out"))
}

fn twice(name: &str) -> Finding {
    Finding::usage("parameter-twice", format!("parameter {} is set twice", word(name)))
        .help("keep one; `.argocd-source.yaml` in the repository sets parameters too")
}

fn unknown(name: &str) -> Finding {
    let finding = Finding::usage("unknown-parameter", format!("there is no parameter {}", word(name)));
    let meant = match name {
        // As Argo CD's own Helm support calls them, where these are not alike.
        "valuesObject" => Some("values"),
        "valueFiles" => Some("values-files"),
        "parameters" => Some("helm-parameters"),
        _ => nearest(name, KNOWN.iter().map(|known| known.name)),
    };
    match meant {
        _ if name == "mode" => {
            finding.found("under Argo CD nothing is ever made up").help("take it out: there is no `dev` here")
        }
        Some(meant) => finding.help(format!("did you mean `{meant}`?")),
        None => finding.help(format!("there are {}", list(&KNOWN.map(|known| known.name)))),
    }
}

fn word(name: &str) -> String {
    shown(name).unwrap_or_else(|| "of this name".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        Parameters::parse(json).err().unwrap().to_string()
    }

    #[test]
    fn each_parameter_is_taken() {
        let item = |known: &Known| {
            let given = match (known.kind, known.name) {
                (Kind::Text, "dependency-build") => serde_json::json!("never"),
                (Kind::Text, name) => serde_json::json!(format!("a-{name}")),
                (Kind::Switch, _) => serde_json::json!("true"),
                (Kind::List, name) => serde_json::json!([name]),
                (Kind::Map, name) => serde_json::json!({"to": name}),
            };
            serde_json::json!({"name": known.name, known.kind.member(): given})
        };
        let json = serde_json::Value::from(KNOWN.iter().map(item).collect::<Vec<_>>()).to_string();
        let Parameters {
            keyring,
            environment,
            lock,
            values_files,
            ignores_missing,
            values,
            set,
            set_string,
            set_file,
            release,
            namespace,
            kube_version,
            api_versions,
            skips_crds,
            skips_tests,
            skips_schema,
            dependency_build,
            passes_credentials,
        } = Parameters::parse(&json).unwrap();
        let texts = [keyring, environment, lock, release, namespace, kube_version].map(Option::unwrap);
        assert_eq!(texts, ["a-keyring", "a-environment", "a-lock", "a-release-name", "a-namespace", "a-kube-version"]);
        assert_eq!(values.unwrap().as_str(), "a-values");
        assert_eq!([values_files, api_versions].concat(), ["values-files", "api-versions"]);
        let maps = [set, set_string, set_file].map(|map| map["to"].to_string());
        assert_eq!(maps, ["helm-parameters", "helm-string-parameters", "file-parameters"]);
        assert_eq!([ignores_missing, skips_crds, skips_tests, skips_schema, passes_credentials], [true; 5]);
        assert_eq!(dependency_build, DependencyBuild::Never);
    }

    #[test]
    fn every_parameter_is_documented() {
        let page = include_str!("../../docs/argocd.md");
        for known in &KNOWN {
            assert!(page.contains(&format!("`{}`", known.name)), "{}", known.name);
        }
    }

    #[test]
    fn nothing_is_no_parameters() {
        for json in ["", "null", "[]", r#"[{"name": "skip-crds", "string": ""}, {"name": "values-files"}]"#] {
            let parameters = Parameters::parse(json).unwrap_or_else(|refusal| panic!("{json}: {refusal}"));
            assert!(!parameters.skips_crds && parameters.values_files.is_empty());
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_once_and_without_values() {
        assert_eq!(
            refused(
                r#"[{"name": "value-files", "array": ["a"]}, {"name": "values", "array": ["hunter2"]},
                    {"name": "skip-crds", "string": "hunter2"}, {"name": "mode", "string": "dev"},
                    {"name": "skip-crds", "string": "true"}]"#
            ),
            "\
error[unknown-parameter]: there is no parameter `value-files`
   = help: did you mean `values-files`?

error[parameter-type]: parameter `values` is no `array`
   = help: write `{name: values, string: TEXT}`

error[parameter-value]: parameter `skip-crds` must be \"true\" or \"false\"
   = note: found another word
   = help: write \"true\" or \"false\", or take it out

error[unknown-parameter]: there is no parameter `mode`
   = note: under Argo CD nothing is ever made up
   = help: take it out: there is no `dev` here

error[parameter-twice]: parameter `skip-crds` is set twice
   = help: keep one; `.argocd-source.yaml` in the repository sets parameters too
"
        );
        assert!(!refused(r#"[{"name": "values", "string": {"a": "hunter2"}}]"#).contains("hunter2"));
    }
}
