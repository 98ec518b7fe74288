//! `helm-keyring guard`: a policy for the cluster, on stdout.

use std::path::Path;

use super::which::{ProfileArg, Which};
use super::{Done, process};
use crate::config::{Config, Overrides, Selection};
use crate::guard::{self, Error, Guarded};
use crate::profile;
use crate::report::{Exit, Finding, Refusal, list};

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring guard -e production | kubectl apply -f -
  helm-keyring guard --profile lightrun --namespace obs --secret obs-backend

Needs Kubernetes 1.30 or later. It reads no key. What it cannot stop: docs/guard.md.";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    profile: ProfileArg,
    /// The Secret's name [default: keyring.yaml's or the profile's; else any that holds such fields]
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// Deny the deletion of the Secret and of its namespace too
    #[arg(long)]
    deny_delete: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let selections = selections(args)?;
    let chosen: Vec<Chosen<'_>> = selections.iter().map(Chosen::new).collect();
    let guarded = chosen.iter().map(|chosen| chosen.guarded(args)).collect::<Result<Vec<_>, _>>()?.concat();
    if let (Some(_), true) = (&args.secret, guarded.len() > 1) {
        let title = format!("`--secret` names one Secret, but {} are meant", guarded.len());
        let finding = Finding::usage("secret-id", title)
            .help("choose one with `--keyring`, or name each in keyring.yaml: `instance: {secret: …}`");
        return Err(Refusal::from(finding).into());
    }
    let text = guard::manifests(&guarded, args.deny_delete).map_err(refusal)?;
    process::print([text.as_bytes()])?;
    Ok(guarded.iter().filter_map(wide).collect())
}

/// From the configuration file, or from a profile alone.
fn selections(args: &Args) -> Result<Vec<Selection>, Refusal> {
    let overrides = Overrides { profile: args.profile.profile.clone(), ..args.which.overrides() };
    if let Some(config) = Config::find(Path::new(""), &overrides)? {
        return config.select(&overrides);
    }
    match (&args.profile.profile, &args.which.environment) {
        (Some(reference), None) => {
            let profile = profile::load(reference, Path::new(""))?;
            Ok(vec![Selection::without_config(profile, &overrides)?])
        }
        _ => {
            let shipped: Vec<&str> = profile::shipped_names().collect();
            Err(Finding::usage("no-config", "what to guard is not known: there is no keyring.yaml")
                .found(format!("shipped profiles: {}", list(&shipped)))
                .help("write one with `helm-keyring init`, name it with `--config`, or name a profile with `--profile`")
                .into())
        }
    }
}

/// What is to be guarded of one keyring.
struct Chosen<'c> {
    selection: &'c Selection,
    namespace: Option<&'c str>,
}

impl<'c> Chosen<'c> {
    fn new(selection: &'c Selection) -> Self {
        Self { selection, namespace: selection.namespace.as_deref() }
    }

    fn guarded(&self, args: &Args) -> Result<Vec<Guarded<'c>>, Refusal> {
        let namespace = self.namespace.filter(|name| !is_name(name) || name.contains('.') || name.len() > 63);
        let secret = args.secret.as_deref().filter(|name| !is_name(name) || name.len() > 253);
        if let Some(flag) = namespace.map(|_| "--namespace").or(secret.map(|_| "--secret")) {
            return Err(Finding::usage("bad-name", format!("`{flag}` is no name that Kubernetes would take"))
                .help("write it as `kubectl get` prints it")
                .into());
        }
        let secrets = self.selection.profile.secrets.iter();
        let all = secrets.map(|spec| Guarded {
            keyring: &self.selection.keyring,
            environment: self.selection.environment.as_deref(),
            namespace: self.namespace,
            secret: args.secret.clone().or_else(|| self.selection.secret_name(spec)),
            spec,
        });
        Ok(all.collect())
    }
}

/// Small letters, digits, `-` and `.`, a letter or a digit at both ends.
fn is_name(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
    let outer = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.bytes().all(inner) && outer(name.bytes().next()) && outer(name.bytes().last())
}

/// A guard that no name narrows holds for more than was perhaps meant.
fn wide(guarded: &Guarded<'_>) -> Option<Finding> {
    let (secrets, help) = match (&guarded.secret, guarded.namespace) {
        (Some(_), Some(_)) => return None,
        (None, Some(_)) => ("every Secret of the namespace that holds such fields", "`--secret NAME` narrows it"),
        (Some(_), None) => ("Secrets of this name in every namespace", "`--namespace NAME` narrows it"),
        (None, None) => {
            ("every Secret of the cluster that holds such fields", "`--namespace NAME` and `--secret NAME` narrow it")
        }
    };
    Some(Finding::note("wide-guard", format!("the guard of {} is for {secrets}", guarded.keyring)).help(help))
}

fn refusal(error: Error) -> Refusal {
    let finding = match &error {
        Error::SameName(_) => Finding::usage("same-name", error.to_string())
            .help("print them one at a time with `--keyring`, or rename one in keyring.yaml"),
        Error::NoNamespace(_) => Finding::usage("no-namespace", error.to_string())
            .help("name it with `--namespace`, or write `namespace:` into the environment"),
        Error::Write(_) => Finding::error(Exit::Io, "io", error.to_string()),
    };
    finding.into()
}
