//! One run: parameters → grants → Helm → checks → keys; everything is known to be right before anything is printed.

use std::ffi::OsString;
use std::path::Path;

use zeroize::Zeroizing;

use super::access::Access;
use super::application::Application;
use super::helm::Helm;
use super::parameters::Parameters;
use super::quiet::Quiet;
use super::readable::{empty, refuse_unreadable};
use super::repository::Repository;
use super::sidecar::{Sidecar, hidden};
use super::template::Template;
use crate::check;
use crate::child::Group;
use crate::config::{Emit, Selection};
use crate::profile::Profile;
use crate::render::{self, Chosen, Request, Show};
use crate::report::{Finding, Refusal};
use crate::sealed::GivenMasterKey;
use crate::source::{Deadline, Run, Source, Sources};
use crate::values::{self, Known};

/// What Argo CD is given. It holds keys.
pub struct Generated {
    /// The manifests.
    pub stream: Zeroizing<Vec<u8>>,
    /// What there is to say.
    pub findings: Vec<Finding>,
}

/// Renders the chart in `repository` for the Application, with its keys in it. `variable` looks up what Argo CD says.
///
/// # Errors
/// All that DESIGN and the sidecar refuse. Then nothing may be printed.
pub fn generate(
    variable: &dyn Fn(&str) -> Option<String>,
    sidecar: &Path,
    repository: &Repository,
) -> Result<Generated, Refusal> {
    let application = Application::read(variable)?;
    let sidecar = Sidecar::read(sidecar).map_err(hidden)?;
    let deadline = Deadline::after(sidecar.timeout);
    let parameters = Parameters::parse(&variable(super::PARAMETERS).unwrap_or_default())?;
    let template = Template::new(&application, &parameters, repository, &sidecar.schemes)?;
    let access = Access {
        application: &application,
        parameters: &parameters,
        repository,
        sidecar: &sidecar,
        namespace: &template.namespace,
    };
    // What is committed is never let through unseen.
    let allows_no_target = sidecar.allows_no_target && !application.is_hydrated();
    let named = access.chosen()?;
    if let Some((chosen, _)) = &named {
        refuse_commits(&application, &chosen.selections)?;
    }
    let program = sidecar.helm.clone().map_or_else(|| OsString::from("helm"), OsString::from);
    let helm = Helm { program, repository, template: &template, deadline };
    let stream = helm.template(parameters.dependency_build, parameters.passes_credentials)?;
    if render::is_blank(&stream) {
        return Err(empty().into());
    }
    let (chosen, mut findings) = match named {
        Some(named) => named,
        None => {
            let mut notes = Vec::new();
            let overrides = access.overrides();
            let chosen = Chosen::by_stream(&stream, &overrides, allows_no_target, &mut notes).map_err(adapted)?;
            refuse_commits(&application, &chosen.selections)?;
            (chosen, notes)
        }
    };
    // Helm has read them: what cannot be read here, a binary file of `file-parameters` say, is unknown, and not wrong.
    let unreadable = |error: values::Error| Known::Unknown { reason: format!("they cannot be read here ({error})") };
    let known = values::read(&template.request()).unwrap_or_else(unreadable);
    let run = Run::within(deadline.left().unwrap_or_default()).in_group(Group::Ours).patient();
    let sources = Sources::of(run);
    let run = Delivery { chosen: &chosen, known: &known, template: &template, allows_no_target };
    run.check(variable).map_err(adapted)?;
    let (stream, found) = run.rendered(&stream, &sources).map_err(adapted)?;
    refuse_unreadable(&stream)?;
    sources.close();
    findings.extend(found);
    Ok(Generated { stream, findings })
}

/// A rendered chart on its way to its keys.
struct Delivery<'d> {
    chosen: &'d Chosen,
    known: &'d Known,
    template: &'d Template,
    allows_no_target: bool,
}

impl Delivery<'_> {
    /// What the values alone tell, as written and as merged.
    fn check(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), Refusal> {
        let Chosen { selections, lock, .. } = self.chosen;
        selections.iter().try_for_each(|selection| selection.check_mode(lock.as_ref(), variable))?;
        let profiles: Vec<Profile> = selections.iter().map(|selection| selection.profile.clone()).collect();
        let mut found = render::preflight(selections, self.known).err().map_or_else(Vec::new, |refusal| refusal.0);
        let written = check::of_values_files(&self.template.files(), &profiles).into_iter();
        let inline = self.template.inline().map(|(name, text)| check::of_values(name, text, &profiles));
        let is_new = |finding: &Finding, known: &[Finding]| {
            finding.exit().is_some() && !known.iter().any(|k| k.id == finding.id && k.places == finding.places)
        };
        for finding in written.chain(inline.into_iter().flatten()) {
            if is_new(&finding, &found) {
                found.push(finding);
            }
        }
        if found.is_empty() { Ok(()) } else { Err(Refusal(found)) }
    }

    fn rendered(&self, stream: &[u8], sources: &Sources) -> Result<(Zeroizing<Vec<u8>>, Vec<Finding>), Refusal> {
        let Chosen { selections, claimed, guarded, lock } = self.chosen;
        let request = Request {
            selections,
            values: self.known,
            claimed: claimed.clone(),
            guarded,
            lock: lock.as_ref(),
            allow_no_target: self.allows_no_target,
            show: Show::Keys,
            open: &|selection, _| quiet(sources, selection),
        };
        let outcome = render::render(stream, &request)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(stream.len() + (64 << 10)));
        if starts_as_json(outcome.stream.chunks().next().unwrap_or_default()) {
            bytes.extend_from_slice(b"---\n");
        }
        outcome.stream.chunks().for_each(|chunk| bytes.extend_from_slice(chunk));
        Ok((bytes, outcome.findings))
    }
}

/// The source of a selection, as it is.
pub fn open(sources: &Sources, selection: &Selection) -> Option<Box<dyn Source>> {
    let master = |configured: Option<&Path>| GivenMasterKey::of_process(configured.map(Path::to_owned));
    sources.open(selection.source.as_ref()?, selection, &master)
}

fn quiet(sources: &Sources, selection: &Selection) -> Option<Box<dyn Source>> {
    let kind = selection.source.as_ref()?.name();
    let source = open(sources, selection)?;
    Some(Box::new(Quiet { source, name: format!("the {kind} source of {}", selection.title()) }))
}

/// The source hydrator commits what is printed: nothing with a key in it may be.
fn refuse_commits(application: &Application, selections: &[Selection]) -> Result<(), Refusal> {
    let is_safe = |selection: &Selection| matches!(selection.emit, Some(Emit::None | Emit::ExternalSecret));
    match selections.iter().find(|selection| !is_safe(selection)) {
        Some(selection) if application.is_hydrated() => {
            Err(Finding::refused("hydrator", format!("the keys of {} would be committed to git", selection.title()))
                .found("KUBE_VERSION is empty: the source hydrator asks, which commits what a plugin prints")
                .help("say `emit: ExternalSecret` or `emit: none` in keyring.yaml: both are without keys")
                .into())
        }
        _ => Ok(()),
    }
}

/// The same refusal as of the pipe, with what can be done here.
fn adapted(Refusal(findings): Refusal) -> Refusal {
    let adapted = |mut finding: Finding| {
        // Flags are for whoever types; and there is no stream that anybody could look at.
        finding.help.retain(|help| {
            !["`-f`", "`--allow", "`--source", "`--profile", "`--emit", "<parameter lock>"]
                .iter()
                .any(|flag| help.contains(flag))
        });
        finding.places.retain(|place| place.file != render::STDIN);
        if finding.id == "no-target" {
            finding
                .help
                .push("a chart without keys needs no plugin: use `helm`; else put a keyring.yaml beside it".to_owned());
            finding.help.push("whoever runs the sidecar may let such charts pass: `allowNoTarget`".to_owned());
        }
        finding
    };
    Refusal(findings.into_iter().map(adapted).collect())
}

/// YAML whose first document is in flow style would be taken for JSON.
fn starts_as_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}
