//! A rendered stream and a keyring become the stream with the right keys in it, or a refusal.
//!
//! The way of a document: `stream` cuts and parses, `survey` finds Secrets and consumers, `decide` says which
//! keys they get, `secret`, `external_secret` and `consumers` edit, and [`Rewritten`] is what leaves. Nothing leaves before every
//! edited document was parsed again and compared with what was meant.

mod chosen;
mod consumers;
mod decide;
mod decided;
mod external_secret;
mod keep;
mod look;
mod preflight;
mod secret;
mod stream;
mod survey;
mod user;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

pub use chosen::Chosen;
pub use consumers::ANNOTATION;
pub use look::{matching, mounts, refuse_hooks, surveyed};
pub use preflight::preflight;
pub use secret::Show;
pub use stream::{Rewritten, STDIN, is_blank, is_from_helm4};
pub use survey::{Survey, markers, named_fields};
pub use user::{UserKey, UserValues};

use crate::config::{Emit, Instance, Mode, Selection, Source as SourceConfig};
use crate::lock::{self, Lock};
use crate::manifest::{EditError, Patch};
use crate::profile::{Consumer, Profile};
use crate::report::{Exit, Finding, Refusal, list};
use crate::rules::unmounted_key;
use crate::source::Source;
use crate::values::Known;
use decide::{Answer, Question};
use decided::Decided;
use secret::Own;
use stream::{Document, Stream};
use survey::{FoundPod, FoundSecret};

/// Opens the external source that a keyring has for a Secret of this name, if it has one.
pub type Opener<'o> = dyn Fn(&Selection, &str) -> Option<Box<dyn Source>> + 'o;

/// What is to be rendered, and how.
pub struct Request<'r> {
    /// The keyrings to look for, each in its environment.
    pub selections: &'r [Selection],
    /// The values that Helm got, as far as they are known.
    pub values: &'r Known,
    /// Names of Secrets that keyrings outside of this run see to.
    pub claimed: BTreeSet<String>,
    /// Profiles of keyrings that have no such environment: what the stream holds of them, nobody sees to.
    pub guarded: &'r [Profile],
    /// The lock; `None` where there is no configuration file beside which it could lie.
    pub lock: Option<&'r Lock>,
    /// A stream that holds no target passes as it is.
    pub allow_no_target: bool,
    /// How keys are written.
    pub show: Show,
    /// Opens a configured external source, for a Secret of this name.
    pub open: &'r Opener<'r>,
}

/// The output, and what to say beside it.
pub struct Outcome<'a> {
    /// What goes to stdout.
    pub stream: Rewritten<'a>,
    /// Warnings and notes for stderr.
    pub findings: Vec<Finding>,
}

/// An edit in the stream: a range, and what stands there afterwards.
type Part = (std::ops::Range<usize>, Zeroizing<String>);
type Parts = Vec<Part>;

/// Puts the keys of every keyring that the stream has a place for into it.
///
/// # Errors
/// Everything that the table of `docs/render.md` refuses, each with place, reason and way out. Then nothing may be printed.
pub fn render<'a>(bytes: &'a [u8], request: &Request<'_>) -> Result<Outcome<'a>, Refusal> {
    let stream = Stream::new(bytes);
    let mut findings = stream.oddities();
    let mut parts = Parts::new();
    let mut claimed = request.claimed.clone();
    let mut read = Vec::new();
    for selection in request.selections {
        if let Some(finding) = selection.wrong_external_secret() {
            return Err(finding.at(selection.place.clone()).into());
        }
        read.push((selection, survey::read(&stream, &selection.profile, &selection.instance)?));
    }
    let mut targets = Vec::new();
    for (selection, documents) in &read {
        let surveys = survey::survey(&stream, documents, &selection.profile, &selection.instance)?;
        if !surveys.is_empty() && !request.allow_no_target {
            whole::refuse_misnamed(&stream, selection, documents, &surveys)?;
        }
        surveys.iter().try_for_each(|survey| refuse_itself(selection, survey))?;
        // All sources that are needed are opened before the first is read, so that they are read side by side.
        let open = |name: &str| match selection.emit {
            // The operator reads the keys.
            Some(Emit::ExternalSecret) => None,
            _ => (request.open)(selection, name),
        };
        let surveys: Vec<_> = surveys.into_iter().map(|survey| (open(&survey.name), survey)).collect();
        targets.push((*selection, documents, surveys));
    }
    if targets.iter().all(|(_, _, surveys)| surveys.is_empty()) && !request.allow_no_target {
        return Err(whole::no_target(request.selections).into());
    }
    for (selection, documents, surveys) in &targets {
        if surveys.is_empty() {
            continue;
        }
        claimed.extend(surveys.iter().map(|(_, survey)| survey.name.clone()));
        let run = Run { stream: &stream, selection, request };
        let (edits, found) = run.render(documents, surveys)?;
        whole::refuse_overlap(&parts, &edits)?;
        parts.extend(edits);
        findings.extend(found);
    }
    for (selection, documents) in &read {
        whole::refuse_unclaimed(&stream, &selection.profile, documents, &claimed)?;
    }
    for profile in request.guarded {
        let documents = survey::read(&stream, profile, &Instance::default())?;
        whole::refuse_unclaimed(&stream, profile, &documents, &claimed)?;
    }
    Ok(Outcome { stream: Rewritten::new(bytes, parts), findings })
}

/// A Secret is not delivered from itself: a key that gets lost there would be lost for good.
fn refuse_itself(selection: &Selection, survey: &Survey<'_, '_, '_>) -> Result<(), Refusal> {
    let own = survey.secret.as_ref().and_then(|found| found.object.namespace);
    let namespace = own.or(selection.namespace.as_deref());
    let target = match (selection.emit, &survey.secret) {
        (Some(Emit::ExternalSecret), _) => Some(external_name(survey)),
        (Some(Emit::Secret), None) => Some(own_name(survey)),
        _ => None,
    };
    let reads = |source: &SourceConfig, name: &str| source.reads_secret(name, namespace);
    let is_itself = |name: &&str| selection.source.as_ref().is_some_and(|source| reads(source, name));
    let Some(secret) = [Some(survey.name.as_str()), target.as_deref()].into_iter().flatten().find(is_itself) else {
        return Ok(());
    };
    let title = format!("Secret {secret} is to be delivered from itself");
    Err(Finding::usage("source-is-target", title)
        .at(selection.place.clone())
        .found("what runs would become its own source, and a key that gets lost there would be lost for good")
        .help("keep the keys in a Secret of another name or cluster; `helm-keyring adopt` takes them over")
        .into())
}

/// How one Secret's keys are delivered.
enum Delivery {
    /// In the Secret that the stream holds.
    Chart,
    /// In a Secret of ours, under this name.
    Own(String),
    /// In a Secret of this name that the External Secrets operator makes.
    External(String),
    /// The Secret exists elsewhere.
    Elsewhere,
}

impl Delivery {
    /// The name of the Secret that consumers are pointed at, if it is another one than theirs.
    fn target(&self) -> Option<&str> {
        match self {
            Self::Own(name) | Self::External(name) => Some(name),
            Self::Chart | Self::Elsewhere => None,
        }
    }
}

/// A Secret of the profile for which everything is decided.
struct Settled<'s, 't, 'a, 'p> {
    survey: &'s Survey<'t, 'a, 'p>,
    delivery: Delivery,
    rings: Vec<Decided<'p>>,
}

/// One selection on its way through the stream.
struct Run<'r, 'a> {
    stream: &'r Stream<'a>,
    selection: &'r Selection,
    request: &'r Request<'r>,
}

impl<'a> Run<'_, 'a> {
    fn render<'t>(
        &self,
        documents: &'t [Document<'a>],
        surveys: &[(Option<Box<dyn Source>>, Survey<'t, 'a, '_>)],
    ) -> Result<(Parts, Vec<Finding>), Refusal> {
        let user = UserValues::new(self.request.values, &self.selection.profile, &self.selection.instance)?;
        self.refuse_strangers()?;
        let mut patches: Vec<Patch<'t, 'a>> = documents.iter().map(|document| Patch::new(&document.tree)).collect();
        let mut parts = Parts::new();
        let mut findings = Vec::new();
        let mut settled = Vec::new();
        for (source, survey) in surveys {
            let delivery = self.delivery(survey, &user, source.is_some())?;
            let question = Question {
                selection: self.selection,
                user: &user,
                stream: self.stream,
                lock: self.request.lock,
                source: source.as_deref(),
            };
            let Answer { rings, findings: found } = question.decide(survey)?;
            findings.extend(found);
            findings.extend(self.unread(survey, &rings));
            settled.push(Settled { survey, delivery, rings });
        }
        for secret in &settled {
            self.edit_secret(secret, documents, &mut patches, &mut parts)?;
            self.edit_consumers(secret, documents, &mut patches)?;
        }
        if self.selection.annotate {
            self.annotate(&settled, documents, &mut patches)?;
        }
        for (document, patch) in documents.iter().zip(patches) {
            if !patch.is_empty() {
                let range = document.offset..self.stream.piece(document.piece).end;
                let edited = patch.apply().map_err(|error| self.edit_refused(document, &error))?;
                parts.push((range, edited));
            }
        }
        Ok((parts, findings))
    }

    /// Lines of the lock that the profile has no field for: locked keys that nothing would deliver.
    fn refuse_strangers(&self) -> Result<(), Refusal> {
        let (Some(lock), Some(owner)) = (self.request.lock, self.selection.owner()) else { return Ok(()) };
        let found = lock::strangers(lock, owner, &self.selection.profile);
        if found.is_empty() { Ok(()) } else { Err(Refusal(found)) }
    }

    /// Whether the stream's Secret, one of ours, or one elsewhere holds the keys.
    fn delivery(
        &self,
        survey: &Survey<'_, '_, '_>,
        user: &UserValues<'_>,
        external: bool,
    ) -> Result<Delivery, Refusal> {
        let told_none = user.renders_none(survey.spec) == Some(true);
        let delivery = match (self.selection.emit, &survey.secret) {
            (Some(Emit::None), Some(secret)) => {
                return Err(Finding::refused(
                    "emit-conflict",
                    format!("`emit: none`, but the chart renders Secret `{}`", survey.name),
                )
                .at(self.stream.place_in(secret.document, secret.object.offset()))
                .found("a key that the chart made up would be applied")
                .help("take `emit: none` out, or tell the chart that the Secret exists elsewhere")
                .into());
            }
            (Some(Emit::ExternalSecret), _) => Delivery::External(external_name(survey)),
            (_, Some(_)) => Delivery::Chart,
            (Some(Emit::Secret), None) => Delivery::Own(own_name(survey)),
            (Some(Emit::None), None) => Delivery::Elsewhere,
            (None, None) if told_none => Delivery::Elsewhere,
            (None, None) => return Err(self.missing_secret(survey, user).into()),
        };
        if matches!(delivery, Delivery::Elsewhere) && !external {
            return Err(Finding::usage("no-source", format!("which keys Secret `{}` holds is not known", survey.name))
                .found("the chart renders no Secret, and no source is configured")
                .help("configure a source in keyring.yaml (`helm-keyring init` writes one), or pass `--source`")
                .into());
        }
        Ok(delivery)
    }

    fn missing_secret(&self, survey: &Survey<'_, '_, '_>, user: &UserValues<'_>) -> Finding {
        let consumers = survey.pods.iter().filter(|pod| pod.is_consumer());
        let mut finding = Finding::refused(
            "no-target",
            format!("pods read Secret `{}`, which the stream does not hold", survey.name),
        );
        for pod in consumers {
            finding = finding.at(self.stream.place_in(pod.document, pod.object.offset()));
        }
        let why = user.unknown().map_or_else(
            || "the values do not say that the chart renders none".to_owned(),
            |reason| format!("whether the chart was told to render none is not known: {reason}"),
        );
        finding
            .found(why)
            .help("if the Secret exists elsewhere, say `emit: none`")
            .help("if helm-keyring is to make one, say `emit: Secret`")
    }

    fn edit_secret<'t>(
        &self,
        settled: &Settled<'_, 't, 'a, '_>,
        documents: &'t [Document<'a>],
        patches: &mut [Patch<'t, 'a>],
        parts: &mut Parts,
    ) -> Result<(), Refusal> {
        let Settled { survey, delivery, rings } = settled;
        let delivered: Vec<_> = rings.iter().flat_map(Decided::keys).collect();
        match (delivery, &survey.secret) {
            (Delivery::Chart, Some(secret)) => {
                let patch = patch_of(patches, documents, secret.document);
                secret::fill(patch, &secret.object, survey.spec, &delivered, &self.request.show)
                    .map_err(|error| self.edit_refused(secret.document, &error))?;
                self.refuse_immutable(secret, patch)?;
                if self.keeps() {
                    keep::mark(patch, &secret.object).map_err(|error| self.edit_refused(secret.document, &error))?;
                }
            }
            (Delivery::Own(name), _) => {
                self.refuse_bad_place(survey, name)?;
                let own = Own {
                    name,
                    namespace: namespace(survey),
                    keyring: &self.selection.keyring,
                    environment: self.environment(),
                    keep: self.keeps(),
                    in_helm4: self.stream.is_from_helm4(),
                };
                let frame = self.selection.template.as_deref();
                let text = secret::own(&own, frame, survey.spec, &delivered, &self.request.show)?;
                parts.push(self.inserted_before(first_consumer(survey), &text));
            }
            (Delivery::External(name), secret) => {
                if let Some(secret) = secret {
                    let patch = patch_of(patches, documents, secret.document);
                    secret::empty(patch, &secret.object, survey.spec)
                        .map_err(|error| self.edit_refused(secret.document, &error))?;
                    self.refuse_immutable(secret, patch)?;
                }
                self.refuse_left_behind(survey, name, documents)?;
                self.refuse_bad_place(survey, name)?;
                parts.extend(self.external_secret(survey, name, rings)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn refuse_immutable(&self, secret: &FoundSecret<'_, 'a>, patch: &Patch<'_, 'a>) -> Result<(), Refusal> {
        if patch.is_empty() || !secret::is_immutable(secret) {
            return Ok(());
        }
        let title = format!("Secret `{}` is immutable, and its keys would change", secret.object.name);
        Err(Finding::refused("immutable-secret", title)
            .at(self.stream.place_in(secret.document, secret.object.offset()))
            .help("take `immutable: true` out of the chart's Secret")
            .into())
    }

    /// Nobody wants to keep what `dev` makes up.
    fn keeps(&self) -> bool {
        self.selection.keep && self.selection.mode == Mode::Gitops
    }

    /// A Secret that is added has one namespace, and a name of its own.
    fn refuse_bad_place(&self, survey: &Survey<'_, '_, '_>, name: &str) -> Result<(), Refusal> {
        let namespaces: BTreeSet<Option<&str>> =
            survey.pods.iter().filter(|pod| pod.is_consumer()).map(|pod| pod.object.namespace).collect();
        if namespaces.len() > 1 {
            let names: Vec<&str> = namespaces.into_iter().map(|n| n.unwrap_or("(the release's)")).collect();
            return Err(Finding::refused(
                "two-namespaces",
                format!("pods in namespaces {} read `{}`", list(&names), survey.name),
            )
            .found("one Secret cannot be in both")
            .help("render them apart, or let the chart make its Secrets")
            .into());
        }
        for piece in self.stream.naming(name) {
            let Ok(document) = self.stream.parse(piece) else { continue };
            if let Some(object) = document.objects().iter().find(|o| o.kind == "Secret" && o.name == name) {
                return Err(Finding::refused(
                    "duplicate-secret",
                    format!("the stream holds a Secret `{name}` already"),
                )
                .at(self.stream.place_in(&document, object.offset()))
                .found("the Secret that gets the keys would have this name")
                .help("rename the other one")
                .into());
            }
        }
        Ok(())
    }

    fn edit_consumers<'t>(
        &self,
        settled: &Settled<'_, 't, 'a, '_>,
        documents: &'t [Document<'a>],
        patches: &mut [Patch<'t, 'a>],
    ) -> Result<(), Refusal> {
        let Settled { survey, delivery, rings } = settled;
        for pod in survey.pods.iter().filter(|pod| pod.is_consumer()) {
            let patch = patch_of(patches, documents, pod.document);
            let refused = |error: EditError| self.edit_refused(pod.document, &error);
            consumers::complete(patch, pod, rings).map_err(refused)?;
            if let Some(name) = delivery.target() {
                consumers::repoint(patch, pod, survey.spec, name).map_err(refused)?;
            }
            if let Delivery::External(_) = delivery {
                consumers::require(patch, pod, rings).map_err(refused)?;
            }
        }
        Ok(())
    }

    /// One annotation a pod template, over all rings that it reads, from however many Secrets.
    fn annotate<'t>(
        &self,
        settled: &[Settled<'_, 't, 'a, '_>],
        documents: &'t [Document<'a>],
        patches: &mut [Patch<'t, 'a>],
    ) -> Result<(), Refusal> {
        let mut pods: BTreeMap<(usize, usize), (&FoundPod<'t, 'a>, Vec<&Decided<'_>>)> = BTreeMap::new();
        for Settled { survey, rings, .. } in settled {
            for pod in survey.pods.iter().filter(|pod| pod.is_consumer()) {
                let read = rings
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| consumers::reads(pod, survey.spec, *i))
                    .map(|(_, ring)| ring);
                pods.entry((pod.document.piece, pod.pod.offset())).or_insert((pod, Vec::new())).1.extend(read);
            }
        }
        let context = [self.selection.keyring.as_str(), self.environment()];
        for (pod, rings) in pods.into_values() {
            let Some(template) = consumers::template(pod) else { continue };
            let fingerprint = decided::annotation(&rings, &context)
                .map_err(|error| Finding::error(Exit::Io, "no-fingerprint", error.to_string()))?;
            consumers::annotate(patch_of(patches, documents, pod.document), template, fingerprint)
                .map_err(|error| self.edit_refused(pod.document, &error))?;
        }
        Ok(())
    }

    fn environment(&self) -> &str {
        self.selection.environment.as_deref().unwrap_or_default()
    }

    /// A field that is delivered and that no pod reads.
    fn unread(&self, survey: &Survey<'_, '_, '_>, rings: &[Decided<'_>]) -> Vec<Finding> {
        let unread = rings.iter().enumerate().filter(|(i, ring)| {
            let through_env = ring.spec().consumers.contains(&Consumer::SecretKeyRef);
            !survey.pods.iter().any(|pod| consumers::reads(pod, survey.spec, *i) || (pod.reads_all && through_env))
        });
        unread.map(|(_, ring)| unmounted_key::unread(&ring.spec().name.to_string(), &survey.name)).collect()
    }

    /// A document put before a piece.
    fn inserted_before(&self, piece: usize, document: &str) -> Part {
        let range = self.stream.piece(piece);
        let bytes = &self.stream.bytes()[range.clone()];
        let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let at = range.start + bom;
        let behind = &bytes[bom..];
        let mut lines = behind.split(|b| matches!(b, b'\n' | b'\r'));
        let is_marker =
            |line: &[u8]| line.strip_prefix(b"---").is_some_and(|rest| matches!(rest, [] | [b' ' | b'\t', ..]));
        let text = if lines.next().is_some_and(is_marker) {
            format!("---\n{document}")
        } else if has_directive(behind) {
            format!("{document}...\n")
        } else {
            format!("{document}---\n")
        };
        (at..at, Zeroizing::new(text))
    }

    fn edit_refused(&self, document: &Document<'_>, error: &EditError) -> Refusal {
        Finding::refused("cannot-edit", format!("document {}: {error}", document.piece + 1))
            .at(self.stream.place_in(document, error.offset()))
            .found("only bytes that certainly belong to the keys are ever changed")
            .help("write it out plainly in the chart's template: block style, no anchors, each key once")
            .into()
    }
}

/// Whether a directive stands before the document; comments and blank lines may come first.
fn has_directive(piece: &[u8]) -> bool {
    let mut lines = piece.split(|b| matches!(b, b'\n' | b'\r'));
    lines.find(|line| !matches!(line.trim_ascii_start(), [] | [b'#', ..])).is_some_and(|line| line.starts_with(b"%"))
}

fn own_name(survey: &Survey<'_, '_, '_>) -> String {
    if survey.spec.only_these_fields { survey.name.clone() } else { external_name(survey) }
}

/// Never the name of the chart's own Secret, which may be there and stay.
fn external_name(survey: &Survey<'_, '_, '_>) -> String {
    match survey.name.ends_with(survey::OWN_SUFFIX) {
        true => survey.name.clone(),
        false => format!("{}{}", survey.name, survey::OWN_SUFFIX),
    }
}

/// The consumers' namespace, if their documents say one.
fn namespace<'t>(survey: &Survey<'t, '_, '_>) -> Option<&'t str> {
    survey.pods.iter().filter(|pod| pod.is_consumer()).find_map(|pod| pod.object.namespace)
}

/// The piece of the first consumer.
fn first_consumer(survey: &Survey<'_, '_, '_>) -> usize {
    survey.pods.iter().filter(|pod| pod.is_consumer()).map(|pod| pod.document.piece).min().unwrap_or(0)
}

fn patch_of<'p, 't, 'a>(
    patches: &'p mut [Patch<'t, 'a>],
    documents: &[Document<'a>],
    document: &Document<'a>,
) -> &'p mut Patch<'t, 'a> {
    let at = documents.iter().position(|d| d.piece == document.piece).unwrap_or(0);
    &mut patches[at]
}

#[cfg(test)]
mod tests;
