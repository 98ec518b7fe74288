//! Helm's command line: what Argo CD's own Helm support passes, and the same to our reader of values.
//!
//! Source: `util/helm/cmd.go` and `reposerver/repository/repository.go` of Argo CD 3.2. Two things differ, and neither in
//! what is rendered: inline values go through stdin instead of a temporary file, and names are in order instead of in a
//! random one.

use std::ffi::OsString;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::application::Application;
use super::parameters::{Assignments, Parameters};
use super::repository::{Repository, ValuesFile};
use super::substitute::substitute;
use crate::report::{Finding, Refusal};
use crate::values::{Layer, Request, Set, SetKind, Stands, escaped_commas};

/// How messages call the values of the parameter `values`.
const INLINE: &str = "<parameter values>";

/// One `helm template`. No `Debug`: values may be keys.
pub struct Template {
    release: String,
    /// The namespace for the chart; empty if nobody said one.
    pub namespace: String,
    kube_version: String,
    api_versions: Vec<String>,
    sets: Vec<Set>,
    values_files: Vec<ValuesFile>,
    inline: Option<Zeroizing<String>>,
    skips_crds: bool,
    skips_schema: bool,
    skips_tests: bool,
}

impl Template {
    /// What an Application asks for.
    ///
    /// # Errors
    /// A file that it may not name, a version that is none.
    pub fn new(
        application: &Application,
        parameters: &Parameters,
        repository: &Repository,
        schemes: &[String],
    ) -> Result<Self, Refusal> {
        let put_in = |text: &String| substitute(text, &application.variables);
        let names: Vec<String> = parameters.values_files.iter().map(put_in).collect();
        let mut findings = foreign(&parameters.values_files, application);
        if !findings.is_empty() {
            return Err(Refusal(findings));
        }
        let values_files = match repository.values_files(&names, parameters.ignores_missing, schemes) {
            Ok(files) => files,
            Err(Refusal(found)) => {
                findings.extend(found);
                Vec::new()
            }
        };
        let set = |kind: SetKind, map: &Assignments| -> Vec<Set> {
            let text = |text: &Zeroizing<String>| escaped_commas(&Zeroizing::new(put_in(text)));
            let one = |(name, value): (&String, &Zeroizing<String>)| assignment(kind, name, &text(value));
            map.iter().map(one).collect()
        };
        let mut sets = [set(SetKind::Typed, &parameters.set), set(SetKind::String, &parameters.set_string)].concat();
        for (name, path) in &parameters.set_file {
            let file = match is_plain_path(name) {
                true => repository.named(&put_in(path), "a file of `file-parameters`"),
                false => {
                    Err(Finding::usage("parameter-value", "a name in `file-parameters` is no plain path of values")
                        .help(r"no `=` and no comma; a backslash only in `\.`, for a dot within a name"))
                }
            };
            match file {
                Ok(file) => {
                    let file = PathBuf::from(".").join(file).display().to_string();
                    sets.push(assignment(SetKind::File, name, &escaped_commas(&file)));
                }
                Err(finding) => findings.push(finding),
            }
        }
        if parameters.release.as_ref().is_some_and(|name| name.contains("{{")) {
            findings.push(
                Finding::usage("parameter-value", "parameter `release-name` is a template, which helm would fill in")
                    .help("write the name itself"),
            );
        }
        let version = parameters.kube_version.as_ref().unwrap_or(&application.kube_version);
        let kube_version = kube_version(version).unwrap_or_else(|| {
            findings.push(
                Finding::usage("parameter-value", "parameter `kube-version` is no version")
                    .help("write it like \"1.31.2\""),
            );
            String::new()
        });
        if !findings.is_empty() {
            return Err(Refusal(findings));
        }
        let own = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        Ok(Self {
            release: own(&parameters.release, application.release()),
            namespace: own(&parameters.namespace, &application.namespace),
            kube_version,
            api_versions: match parameters.api_versions.as_slice() {
                [] => application.api_versions.clone(),
                own => own.to_vec(),
            },
            sets,
            values_files,
            inline: parameters.values.clone(),
            skips_crds: parameters.skips_crds,
            skips_schema: parameters.skips_schema,
            skips_tests: parameters.skips_tests,
        })
    }

    /// The words behind `helm`, for the chart in the working directory.
    pub fn words(&self) -> Vec<OsString> {
        // A value of its own word, and beginning with `--`, Helm would take for one of its flags.
        let word = |flag: &str, value: &str| format!("{flag}={value}");
        let of_values = |file: &ValuesFile| word("--values", file.word());
        let named = [("--namespace", &self.namespace), ("--kube-version", &self.kube_version)];
        let switches = [
            ("--include-crds", !self.skips_crds),
            ("--skip-schema-validation", self.skips_schema),
            ("--skip-tests", self.skips_tests),
        ];
        let words = ["template".to_owned(), ".".to_owned(), word("--name-template", &self.release)].into_iter();
        words
            .chain(named.into_iter().filter(|(_, value)| !value.is_empty()).map(|(flag, value)| word(flag, value)))
            .chain(self.sets.iter().map(|set| word(set.kind.flag(), &set.text)))
            .chain(self.values_files.iter().map(of_values))
            .chain(self.inline.iter().map(|_| word("--values", "-")))
            .chain(self.api_versions.iter().map(|version| word("--api-versions", version)))
            .chain(switches.into_iter().filter(|(_, is_on)| *is_on).map(|(flag, _)| flag.to_owned()))
            .map(OsString::from)
            .collect()
    }

    /// What Helm reads from stdin.
    pub fn stdin(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.inline.as_ref().map(|text| Zeroizing::new(text.as_bytes().to_vec()))
    }

    /// The same values for our own reader.
    pub fn request(&self) -> Request {
        let inline = self.inline.iter().map(|text| Layer {
            file: INLINE.to_owned(),
            text: text.clone(),
            stands: Stands::Whole,
            mapping: None,
        });
        Request {
            chart: Some(PathBuf::from(".")),
            files: self.values_files.iter().map(|file| file.word().to_owned()).collect(),
            layers: inline.collect(),
            set: self.sets.clone(),
            ..Request::default()
        }
    }

    /// The values files of the repository, for the rules.
    pub fn files(&self) -> Vec<String> {
        let file = |file: &ValuesFile| match file {
            ValuesFile::File(name) => Some(name.clone()),
            ValuesFile::Address(_) => None,
        };
        self.values_files.iter().filter_map(file).collect()
    }

    /// Whether values come from addresses, which only Helm sees.
    pub fn has_addresses(&self) -> bool {
        self.values_files.iter().any(|file| matches!(file, ValuesFile::Address(_)))
    }

    /// The inline values and how messages call them.
    pub fn inline(&self) -> Option<(&'static str, &str)> {
        self.inline.as_ref().map(|text| (INLINE, text.as_str()))
    }
}

fn assignment(kind: SetKind, name: &str, value: &str) -> Set {
    Set { kind, text: Zeroizing::new(format!("{name}={value}")), place: None }
}

/// Values files of another source of the Application, which Argo CD does not hand to a plugin.
fn foreign(names: &[String], application: &Application) -> Vec<Finding> {
    let is_foreign = |name: &&String| {
        let reference = name.strip_prefix('$').and_then(|rest| rest.split_once('/'));
        reference.is_some_and(|(source, _)| {
            let plain = source.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            plain && !source.is_empty() && !application.variables.contains_key(source)
        })
    };
    let finding = |_: &String| {
        Finding::usage("foreign-values-file", "a values file of another source of the Application")
            .found("Argo CD hands a plugin only its own source (argoproj/argo-cd#12476)")
            .help("put the file into this source's repository")
    };
    names.iter().filter(is_foreign).map(finding).collect()
}

/// A path of values in which nothing can end it early: more than one assignment in a name, or an escaped `=`, would bring a
/// path past the look at it.
fn is_plain_path(name: &str) -> bool {
    let ends = |c: char| c.is_control() || "=,\\".contains(c);
    !name.is_empty() && !name.replace(r"\.", ".").contains(ends)
}

/// A version as Argo CD passes it on: its numbers, without a `v` before and without what follows them. `None`: it is none.
fn kube_version(version: &str) -> Option<String> {
    let version = version.trim_start();
    if version.is_empty() {
        return Some(String::new());
    }
    let version = version.strip_prefix('v').unwrap_or(version);
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let parts: Vec<&str> = version[..end].trim_end_matches('.').split('.').collect();
    // `1..2`: what follows the first number is left out, as there.
    let known: Vec<&str> = parts.iter().copied().take_while(|part| !part.is_empty()).collect();
    let plain = |part: &&str| part.parse::<u64>().map(|number| number.to_string()).ok();
    if known.first().is_some_and(|first| first.len() > 1 && first.starts_with('0')) {
        return None;
    }
    let numbers: Option<Vec<String>> = known.iter().map(plain).collect();
    numbers.filter(|numbers| numbers.len() >= 2).map(|numbers| numbers.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_early() {
        for (name, is_plain) in [
            ("a.b[0].c-d_e", true),
            (r"a\.b/c", true),
            ("a=b", false),
            ("a,b", false),
            (r"a\", false),
            (r"a\=b", false),
            ("", false),
        ] {
            assert_eq!(is_plain_path(name), is_plain, "{name}");
        }
    }

    #[test]
    fn versions_are_passed_on_without_their_suffix() {
        for (version, expected) in [
            ("", Some("")),
            ("1.31.2", Some("1.31.2")),
            ("v1.30.4-eks-a737599", Some("1.30.4")),
            ("1.29+", Some("1.29")),
            ("1", None),
            ("x", None),
            ("01.31.2", None),
        ] {
            assert_eq!(kube_version(version).as_deref(), expected, "{version}");
        }
    }
}
