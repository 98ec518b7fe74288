//! Helm's command line: what it says about release, chart and values.

use std::path::Path;

/// The sub-commands that render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `helm install`
    Install,
    /// `helm upgrade`
    Upgrade,
    /// `helm template`
    Template,
}

impl Verb {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Template => "template",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Install, Self::Upgrade, Self::Template].into_iter().find(|verb| verb.word() == word)
    }
}

/// Flags of install, upgrade and template that take a value in the next word, in Helm 3.17 to 4.3.
const WITH_VALUE: [&str; 46] = [
    "api-versions",
    "burst-limit",
    "ca-file",
    "cert-file",
    "color",
    "colour",
    "content-cache",
    "description",
    "history-max",
    "key-file",
    "keyring",
    "kube-apiserver",
    "kube-as-group",
    "kube-as-user",
    "kube-ca-file",
    "kube-context",
    "kube-tls-server-name",
    "kube-token",
    "kube-version",
    "kubeconfig",
    "labels",
    "name-template",
    "namespace",
    "output",
    "output-dir",
    "password",
    "post-renderer",
    "post-renderer-args",
    "qps",
    "registry-config",
    "repo",
    "repository-cache",
    "repository-config",
    "set",
    "set-file",
    "set-json",
    "set-literal",
    "set-string",
    "show-only",
    "timeout",
    "username",
    "values",
    "version",
    KEYRING_ENVIRONMENT,
    KEYRING_CONFIG,
    KEYRING_TIMEOUT,
];
const SHORT: [(char, &str); 9] = [
    ('a', "api-versions"),
    ('f', "values"),
    ('g', "generate-name"),
    ('h', "help"),
    ('i', "install"),
    ('l', "labels"),
    ('n', "namespace"),
    ('o', "output"),
    ('s', "show-only"),
];
/// What only helm-keyring understands, and its name in `render`.
const OWN: [(&str, &str); 7] = [
    (KEYRING_ENVIRONMENT, "environment"),
    (KEYRING_CONFIG, "config"),
    ("keyring-allow-empty", "allow-empty"),
    ("keyring-allow-no-target", "allow-no-target"),
    ("keyring-show-keys", "show-keys"),
    ("keyring-stats", "stats"),
    (KEYRING_TIMEOUT, "timeout"),
];
/// Flags that say which cluster and namespace, which every command of Helm takes.
const CLUSTER: [&str; 12] = [
    "namespace",
    "kubeconfig",
    "kube-context",
    "kube-apiserver",
    "kube-as-group",
    "kube-as-user",
    "kube-ca-file",
    "kube-insecure-skip-tls-verify",
    "kube-tls-server-name",
    "kube-token",
    "burst-limit",
    "qps",
];
/// What switches a flag off, as Go reads it.
const OFF: [&str; 6] = ["0", "f", "F", "false", "FALSE", "False"];
const KEYRING_ENVIRONMENT: &str = "keyring-environment";
const KEYRING_CONFIG: &str = "keyring-config";
const KEYRING_TIMEOUT: &str = "keyring-timeout";
/// Flags of values, which `render` knows under the same names.
const VALUES: [&str; 6] = ["values", "set", "set-string", "set-file", "set-json", "set-literal"];
/// Flags that say where a chart comes from and what it renders with: those that a render beforehand needs too.
const CHART: [&str; 21] = [
    "api-versions",
    "ca-file",
    "cert-file",
    "dependency-update",
    "devel",
    "enable-dns",
    "generate-name",
    "insecure-skip-tls-verify",
    "key-file",
    "keyring",
    "kube-version",
    "name-template",
    "pass-credentials",
    "password",
    "plain-http",
    "repo",
    "skip-schema-validation",
    "username",
    "verify",
    "version",
    "disable-openapi-validation",
];

/// A flag, and its value if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flag {
    name: String,
    value: Option<String>,
}

impl Flag {
    fn word(&self) -> String {
        self.value.as_ref().map_or_else(|| format!("--{}", self.name), |value| format!("--{}={value}", self.name))
    }
}

/// A command line behind `helm keyring`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What Helm is to do.
    pub verb: Verb,
    /// All words behind it, without those that are for helm-keyring alone.
    pub words: Vec<String>,
    flags: Vec<Flag>,
    positional: Vec<String>,
}

impl Line {
    /// The flag that lets Helm 3 go on although hooks could not be looked at.
    pub const ALLOW_UNSEEN_HOOKS: &'static str = "keyring-allow-unseen-hooks";

    /// Reads a command line; `None` if its first word is no sub-command that renders.
    pub fn parse(words: &[String]) -> Option<Self> {
        let (first, rest) = words.split_first()?;
        let mut line = Self { verb: Verb::of(first)?, words: Vec::new(), flags: Vec::new(), positional: Vec::new() };
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                line.words.push(word.clone());
                line.words.extend(rest.clone().cloned());
                line.positional.extend(rest.cloned());
                break;
            }
            let Some(mut flag) = flag(word) else {
                line.words.push(word.clone());
                line.positional.push(word.clone());
                continue;
            };
            let mut taken = vec![word.clone()];
            if flag.value.is_none() && WITH_VALUE.contains(&flag.name.as_str()) {
                flag.value = rest.next().inspect(|value| taken.push((*value).clone())).cloned();
            }
            let is_own = OWN.iter().any(|(own, _)| *own == flag.name) || flag.name == Self::ALLOW_UNSEEN_HOOKS;
            if !is_own {
                line.words.extend(taken);
            }
            line.flags.push(flag);
        }
        Some(line)
    }

    /// Whether a flag is there, and not switched off. A flag with a value cannot be switched off, whatever its value.
    pub fn has(&self, name: &str) -> bool {
        let Some(last) = self.flags.iter().rev().find(|flag| flag.name == name) else { return false };
        WITH_VALUE.contains(&name) || !last.value.as_deref().is_some_and(|value| OFF.contains(&value))
    }

    /// A file of values that can be read only once, or would hang: whoever looks into it takes it away from Helm.
    pub fn read_once(&self) -> Option<&str> {
        let paths = self.flags.iter().filter_map(|flag| {
            let value = flag.value.as_deref()?;
            match flag.name.as_str() {
                "values" => Some(value.split(',').collect::<Vec<_>>()),
                "set-file" => Some(value.split(',').filter_map(|pair| Some(pair.split_once('=')?.1)).collect()),
                _ => None,
            }
        });
        let is_odd = |path: &&str| *path == "-" || Path::new(path).metadata().is_ok_and(|found| !found.is_file());
        paths.flatten().find(is_odd)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|flag| flag.name == name)?.value.as_deref()
    }

    /// The release's name, where it stands on the command line.
    pub fn release(&self) -> Option<&str> {
        let is_named = self.verb == Verb::Upgrade || self.positional.len() > 1;
        self.positional.first().map(String::as_str).filter(|_| is_named)
    }

    /// The chart as it is named.
    pub fn chart(&self) -> Option<&str> {
        match self.verb {
            Verb::Upgrade => self.positional.get(1),
            Verb::Install | Verb::Template => self.positional.last(),
        }
        .map(String::as_str)
    }

    /// Whether Helm keeps what the release was given before: asked to, or given nothing new. `is_given`: whether the values
    /// of the command line are any.
    pub fn keeps_old_values(&self, is_given: bool) -> bool {
        let asked = self.has("reuse-values") || self.has("reset-then-reuse-values");
        self.verb == Verb::Upgrade && !self.has("reset-values") && (asked || !is_given)
    }

    /// The words of `render` that say the same: values, chart, namespace, and what is for helm-keyring alone.
    pub fn render_words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for flag in self.flags.iter().filter(|flag| VALUES.contains(&flag.name.as_str())) {
            words.extend(flag.value.as_ref().map(|value| format!("--{}={value}", flag.name)));
        }
        // What is fetched from elsewhere is no folder, whatever stands here under its name.
        words.extend(self.chart().filter(|_| self.value("repo").is_none()).map(|chart| format!("--chart={chart}")));
        words.extend(self.value("namespace").map(|value| format!("--namespace={value}")));
        for (own, render) in OWN.into_iter().filter(|(own, _)| self.has(own)) {
            let value = self.value(own).filter(|_| WITH_VALUE.contains(&own));
            words.push(value.map_or_else(|| format!("--{render}"), |value| format!("--{render}={value}")));
        }
        words
    }

    /// The words that lead another command of Helm to the same cluster and namespace.
    pub fn cluster_words(&self) -> Vec<String> {
        self.flags.iter().filter(|flag| CLUSTER.contains(&flag.name.as_str())).map(Flag::word).collect()
    }

    /// The words of a `helm template` that renders the same chart, hooks included. `before`: whether stdin has values that
    /// come before all others.
    pub fn template_words(&self, before: bool) -> Vec<String> {
        let mut words = vec![Verb::Template.word().to_owned()];
        words.extend(self.release().map(str::to_owned));
        words.extend(self.chart().map(str::to_owned));
        words.extend(before.then(|| "--values=-".to_owned()));
        for flag in &self.flags {
            if VALUES.contains(&flag.name.as_str()) || CHART.contains(&flag.name.as_str()) || flag.name == "namespace" {
                words.push(flag.word());
            }
        }
        if self.verb == Verb::Upgrade {
            words.push("--is-upgrade".to_owned());
        }
        words
    }
}

/// A word as a flag. Of joined short flags (`-if values.yaml`) the last one counts, as it takes the value.
fn flag(word: &str) -> Option<Flag> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        return Some(Flag { name: name.to_owned(), value });
    }
    let short = word.strip_prefix('-').filter(|short| !short.is_empty())?;
    for (at, letter) in short.char_indices() {
        let name = SHORT.iter().find(|(own, _)| *own == letter)?.1;
        let rest = &short[at + letter.len_utf8()..];
        if WITH_VALUE.contains(&name) || rest.is_empty() || rest.starts_with('=') {
            let value = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest).to_owned());
            return Some(Flag { name: name.to_owned(), value });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn release_chart_and_values_are_found_wherever_they_stand() {
        for text in [
            "upgrade -i lr ./chart -f a.yaml --set=x=1 --timeout 5m --wait",
            "upgrade --values a.yaml --timeout=5m lr --set x=1 ./chart",
            "upgrade -if a.yaml --set x=1 -- lr ./chart",
            "upgrade -fa.yaml --set x=1 lr --kube-version 1.30 ./chart --keyring-environment production",
        ] {
            let line = line(text);
            assert_eq!((line.release(), line.chart()), (Some("lr"), Some("./chart")), "{text}");
            let words = line.render_words();
            for word in ["--values=a.yaml", "--set=x=1", "--chart=./chart"] {
                assert!(words.iter().any(|own| own == word), "{text}: {words:?}");
            }
        }
        assert_eq!(line("template ./chart").chart(), Some("./chart"));
        assert_eq!(line("install ./chart -g").release(), None);
        assert!(Line::parse(&["rollback".to_owned(), "lr".to_owned()]).is_none());
    }

    #[test]
    fn what_is_for_helm_keyring_alone_does_not_reach_helm() {
        let line =
            line("template lr ./chart --keyring-environment production --keyring-config=k.yaml --keyring pub.gpg");
        assert_eq!(line.words, ["lr", "./chart", "--keyring", "pub.gpg"]);
        let words = line.render_words();
        assert!(
            words.contains(&"--environment=production".to_owned()) && words.contains(&"--config=k.yaml".to_owned())
        );
    }

    #[test]
    fn a_flag_with_a_value_is_never_off_and_a_switch_is_off_as_go_reads_it() {
        let line = line("template lr ./c --output-dir false --post-renderer=0 --reuse-values=F --wait=true");
        assert!(line.has("output-dir") && line.has("post-renderer") && line.has("wait") && !line.has("reuse-values"));
    }

    #[test]
    fn what_can_be_read_only_once_is_known() {
        assert_eq!(line("template lr ./c -f a.yaml,-").read_once(), Some("-"));
        assert_eq!(line("template lr ./c --set-file a=/dev/stdin").read_once(), Some("/dev/stdin"));
        assert_eq!(line("template lr ./c -f Cargo.toml --set-file a=Cargo.lock -f nowhere").read_once(), None);
    }

    #[test]
    fn old_values_are_kept_when_helm_keeps_them() {
        for (text, kept) in [
            ("upgrade lr ./chart", true),
            ("upgrade lr ./chart -f a", false),
            ("upgrade lr ./chart -f a --reuse-values", true),
            ("upgrade lr ./chart -f a --reuse-values=false", false),
            ("upgrade lr ./chart --set a=1 --reset-then-reuse-values", true),
            ("upgrade lr ./chart --reset-values", false),
            ("install lr ./chart", false),
        ] {
            let is_given = text.contains("-f") || text.contains("--set");
            assert_eq!(line(text).keeps_old_values(is_given), kept, "{text}");
        }
    }
}
