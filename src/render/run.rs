//! One keyring on its way through the stream: decide, then edit.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{Answer, Question};
use super::decided::{self, Decided};
use super::delivery::Delivery;
use super::secret::{self, Own};
use super::stream::{Document, Part, Stream};
use super::survey::{FoundPod, FoundSecret, Survey};
use super::{Request, UserValues, consumers, keep};
use crate::config::{Mode, Selection};
use crate::lock;
use crate::manifest::{EditError, Patch};
use crate::profile::Consumer;
use crate::report::{Exit, Finding, Refusal, list};
use crate::rules::unmounted_key;
use crate::source::Source;

/// A Secret of the profile for which everything is decided.
struct Settled<'s, 't, 'a, 'p> {
    survey: &'s Survey<'t, 'a, 'p>,
    delivery: Delivery,
    rings: Vec<Decided<'p>>,
}

/// One selection on its way through the stream.
pub struct Run<'r, 'a> {
    pub stream: &'r Stream<'a>,
    pub selection: &'r Selection,
    pub request: &'r Request<'r>,
}

impl<'a> Run<'_, 'a> {
    pub fn render<'t>(
        &self,
        documents: &'t [Document<'a>],
        surveys: &[(Option<Box<dyn Source>>, Survey<'t, 'a, '_>)],
    ) -> Result<(Vec<Part>, Vec<Finding>), Refusal> {
        let user = UserValues::new(self.request.values, &self.selection.profile, &self.selection.instance)?;
        self.refuse_strangers()?;
        let mut patches: Vec<Patch<'t, 'a>> = documents.iter().map(|document| Patch::new(&document.tree)).collect();
        let mut parts = Vec::new();
        let mut findings = Vec::new();
        let mut settled = Vec::new();
        for (source, survey) in surveys {
            let delivery = Delivery::of(self.selection, self.stream, survey, &user, source.is_some())?;
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

    fn edit_secret<'t>(
        &self,
        settled: &Settled<'_, 't, 'a, '_>,
        documents: &'t [Document<'a>],
        patches: &mut [Patch<'t, 'a>],
        parts: &mut Vec<Part>,
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
                    namespace: survey.namespace(),
                    keyring: &self.selection.keyring,
                    environment: self.environment(),
                    keep: self.keeps(),
                    in_helm4: self.stream.is_from_helm4(),
                };
                let frame = self.selection.template.as_deref();
                let text = secret::own(&own, frame, survey.spec, &delivered, &self.request.show)?;
                parts.push(self.stream.put_before(survey.first_consumer(), &text));
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
    pub fn keeps(&self) -> bool {
        self.selection.keep && self.selection.mode == Mode::Gitops
    }

    /// A Secret that is added has one namespace, and a name of its own.
    fn refuse_bad_place(&self, survey: &Survey<'_, '_, '_>, name: &str) -> Result<(), Refusal> {
        let namespaces: BTreeSet<Option<&str>> = survey.consumers().map(|pod| pod.object.namespace).collect();
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
            if let Some(object) = document.objects().iter().find(|o| o.is_secret() && o.name == name) {
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
        for pod in survey.consumers() {
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
            for pod in survey.consumers() {
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

    /// The environment's name, as marks and annotations have it.
    pub fn environment(&self) -> &str {
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

    fn edit_refused(&self, document: &Document<'_>, error: &EditError) -> Refusal {
        Finding::refused("cannot-edit", format!("document {}: {error}", document.piece + 1))
            .at(self.stream.place_in(document, error.offset()))
            .found("only bytes that certainly belong to the keys are ever changed")
            .help("write it out plainly in the chart's template: block style, no anchors, each key once")
            .into()
    }
}

fn patch_of<'p, 't, 'a>(
    patches: &'p mut [Patch<'t, 'a>],
    documents: &[Document<'a>],
    document: &Document<'a>,
) -> &'p mut Patch<'t, 'a> {
    let at = documents.iter().position(|d| d.piece == document.piece).unwrap_or(0);
    &mut patches[at]
}
