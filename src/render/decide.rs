//! When are keys delivered: the table of `docs/render.md`, one function a question.

use super::decided::{Decided, Likeness};
use super::stream::Stream;
use super::survey::{FoundSecret, Survey, named_fields};
use super::user::{UserKey, UserValues};
use crate::config::{Emit, Mode, Selection, Source as SourceConfig};
use crate::held::{self, HeldField, fields};
use crate::judge::{Candidate, Judge, first_field};
use crate::key::{self, KeyText, Policy};
use crate::keyring::Numbered;
use crate::lock::{self, Checked, Held, Lock, Owner, Standing};
use crate::profile::{FieldSpec, Slot};
use crate::report::{Exit, Finding, Place, Refusal, list};
use crate::rules::{
    auto_generated_key, dangling_key_ref, key_conflict, reused_key, rotate_in_gitops, unresolved_reference,
};
use crate::source::{self, Source};

/// What the decision is made from.
pub struct Question<'q, 'a> {
    /// Keyring, environment and all settings.
    pub selection: &'q Selection,
    /// The user's values.
    pub user: &'q UserValues<'q>,
    /// The stream, for places.
    pub stream: &'q Stream<'a>,
    /// The lock; `None` where there is no configuration file beside which it could lie.
    pub lock: Option<&'q Lock>,
    /// The external source, if one is configured.
    pub source: Option<&'q dyn Source>,
}

/// The rings of one Secret, in the order of the profile, and what to warn of.
pub struct Answer<'p> {
    /// A ring for each of the Secret's fields.
    pub rings: Vec<Decided<'p>>,
    /// Warnings and notes.
    pub findings: Vec<Finding>,
}

impl Question<'_, '_> {
    /// Decides which keys one Secret gets.
    ///
    /// # Errors
    /// All that speaks against it, at once where that is possible.
    pub fn decide<'p>(&self, survey: &Survey<'_, '_, 'p>) -> Result<Answer<'p>, Refusal> {
        let mut refused: Vec<Finding> = self.refuse_unlocked().into_iter().collect();
        for ring in &survey.spec.fields {
            refused.extend(self.refuse_rotation(ring));
            refused.extend(
                self.refuse_reference(ring).map_or_else(|refusal| refusal.0, |finding| finding.into_iter().collect()),
            );
        }
        if !refused.is_empty() {
            return Err(Refusal(refused));
        }
        let mut findings = self.source.map(Source::warnings).unwrap_or_default();
        let rings =
            if self.is_external_secret() { self.lines_alone(survey)? } else { self.with_keys(survey, &mut findings)? };
        self.refuse_lost_numbers(survey, &rings)?;
        if self.is_from_outside() {
            self.refuse_conflict(&rings, &mut findings)?;
        }
        findings.extend(reused(&rings));
        Ok(Answer { rings, findings })
    }

    fn is_gitops(&self) -> bool {
        self.selection.mode == Mode::Gitops
    }

    /// Whether another program delivers the keys, and nobody reads them here.
    fn is_external_secret(&self) -> bool {
        self.selection.emit == Some(Emit::ExternalSecret)
    }

    fn is_from_outside(&self) -> bool {
        self.source.is_some() || self.is_external_secret()
    }

    /// The lines that vouch for this keyring and environment, if there are any.
    fn lines(&self) -> Option<(&Lock, Owner<'_>)> {
        let (lock, owner) = (self.lock?, self.selection.owner()?);
        lock.lines_of(owner).next().map(|_| (lock, owner))
    }

    /// An external source needs a lock, or nothing tells whether its keys are the ones that data was encrypted with.
    fn refuse_unlocked(&self) -> Option<Finding> {
        if !self.is_from_outside() || !self.is_gitops() || self.lines().is_some() {
            return None;
        }
        Some(self.no_lock())
    }

    fn no_lock(&self) -> Finding {
        match (self.lock, self.selection.owner()) {
            (Some(lock), Some(owner)) => lock::nothing_locked(lock, owner),
            _ => Finding::error(Exit::Lock, "no-lock", format!("{} has no lock", self.title()))
                .found("a lock speaks of an environment, and without keyring.yaml there is none")
                .help("write a keyring.yaml with `helm-keyring init`, then lock the keys with `helm-keyring lock`"),
        }
    }

    fn refuse_rotation(&self, ring: &FieldSpec) -> Option<Finding> {
        let (path, place) = self.user.rotates(ring).filter(|_| self.is_gitops())?;
        Some(rotate_in_gitops::finding(&path, place))
    }

    fn refuse_reference(&self, ring: &FieldSpec) -> Result<Option<Finding>, Refusal> {
        let UserKey::Given { key, place } = self.user.key(ring)? else { return Ok(None) };
        Ok(key::unresolved(&key)
            .map(|reference| unresolved_reference::finding(&ring.name.to_string(), &reference.to_string()).at(place)))
    }

    /// All that the values alone tell against a ring.
    pub fn wrong_in_values(&self, ring: &FieldSpec) -> Result<Vec<Finding>, Refusal> {
        let mut refused: Vec<Finding> = self.refuse_rotation(ring).into_iter().collect();
        refused.extend(self.refuse_reference(ring)?);
        if !refused.is_empty() || !self.is_gitops() || self.selection.has_external_source() || ring.values.is_none() {
            return Ok(refused);
        }
        match self.user.key(ring)? {
            // Spelled out, so it is this chart.
            UserKey::Empty { place: Some(place) } => refused.push(auto_generated_key::finding(ring).at(place)),
            UserKey::Given { key, place } => {
                let judge = Judge { from: "the values", gitops: true, trims: false };
                let path = ring.values.as_ref().map_or_else(|| first_field(ring), |values| values.key.clone());
                let judged = judge.key(ring, &path, key, true, &mut Vec::new());
                refused.extend(judged.err().map(|finding| finding.at(place)));
            }
            UserKey::Empty { place: None } | UserKey::Unknown { .. } => {}
        }
        Ok(refused)
    }

    // --- the ways to a ring ---

    /// Another program reads the keys: which ones there are, the lock knows.
    fn lines_alone<'p>(&self, survey: &Survey<'_, '_, 'p>) -> Result<Vec<Decided<'p>>, Refusal> {
        let Some((lock, owner)) = self.lines() else { return Err(self.no_lock().into()) };
        let specs: Vec<&'p FieldSpec> = survey.spec.fields.iter().collect();
        Ok(lock::locked(lock, owner, &specs)?.into_iter().map(Decided::Locked).collect())
    }

    /// The keys themselves, compared with the lock and judged.
    fn with_keys<'p>(
        &self,
        survey: &Survey<'_, '_, 'p>,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Decided<'p>>, Refusal> {
        let numbered = match (self.source, self.selection.mode) {
            (Some(source), _) => self.fetched(survey, source)?,
            (None, Mode::Dev) => self.kept_or_made(survey, findings)?,
            (None, Mode::Gitops) => self.given(survey)?,
        };
        let candidates = self.locked(survey, numbered, findings)?;
        self.judged(survey, candidates, findings)
    }

    /// An external source: all its keys are delivered.
    fn fetched(&self, survey: &Survey<'_, '_, '_>, source: &dyn Source) -> Result<Vec<Numbered>, Refusal> {
        let rings: Vec<&FieldSpec> = survey.spec.fields.iter().collect();
        source::fetch(source, &rings, &self.title())
    }

    /// The user's own key in the values: the chart has put it into the Secret.
    fn given(&self, survey: &Survey<'_, '_, '_>) -> Result<Vec<Numbered>, Refusal> {
        let Some(secret) = &survey.secret else {
            return Err(Finding::usage("no-source", format!("the keys of Secret `{}` come from nowhere", survey.name))
                .found("the chart renders no Secret, and no source is configured")
                .help("configure a source in keyring.yaml (`helm-keyring init` writes one), or pass `--source`")
                .into());
        };
        let held = fields(&secret.object, |name| survey.spec.slot(name));
        let mut rings = Vec::new();
        let mut refused = Vec::new();
        for (index, ring) in survey.spec.fields.iter().enumerate() {
            match self.user.key(ring)? {
                UserKey::Unknown { reason } => refused.push(unknown_values(ring, &reason)),
                UserKey::Empty { place } => refused.push(auto_generated_key::finding(ring).at(place)),
                UserKey::Given { key, place } => {
                    let numbered = self.stream_ring(ring, index, secret, &held)?;
                    let active = numbered.values().next_back();
                    if active.is_some_and(|active| same_text(active, &key)) {
                        rings.push(numbered);
                    } else {
                        let stream = self.stream.place_in(secret.document, secret.object.offset());
                        refused.push(key_conflict::with_the_stream(&ring.name.to_string(), place, stream));
                    }
                }
            }
        }
        if refused.is_empty() { Ok(rings) } else { Err(Refusal(refused)) }
    }

    /// dev: what the stream holds is kept; what is missing is made up.
    fn kept_or_made(&self, survey: &Survey<'_, '_, '_>, findings: &mut Vec<Finding>) -> Result<Vec<Numbered>, Refusal> {
        let mut rings = Vec::new();
        for (index, ring) in survey.spec.fields.iter().enumerate() {
            let mut numbered = match &survey.secret {
                Some(secret) => {
                    self.stream_ring(ring, index, secret, &fields(&secret.object, |name| survey.spec.slot(name)))?
                }
                None => Numbered::new(),
            };
            if numbered.is_empty() {
                let made = key::make_up(&ring.policy).map_err(|e| Finding::refused("made-up-key", e.to_string()))?;
                numbered.insert(0, made);
                let name = ring.variable.clone().unwrap_or_else(|| first_field(ring));
                findings.push(Finding::warning(
                    "made-up-key",
                    format!("{name} not set - using randomly generated key. This is not suitable for production!"),
                ));
            }
            rings.push(numbered);
        }
        Ok(rings)
    }

    /// The ring that the stream's Secret holds; empty texts are none. `stringData` wins over `data`, as in the API.
    fn stream_ring(
        &self,
        ring: &FieldSpec,
        index: usize,
        secret: &FoundSecret<'_, '_>,
        held: &[HeldField<'_, '_>],
    ) -> Result<Numbered, Refusal> {
        held::ring(held, index, ring).map_err(|field| {
            Finding::refused("unreadable", format!("`{}` in `data` is not base64", field.name))
                .at(self.stream.place_in(secret.document, field.value.node.start))
                .help("let the chart encode it (`b64enc`), or put it into `stringData`")
                .into()
        })
    }

    // --- what speaks against a ring ---

    /// What the lock says: its keys are delivered as they are locked, newer ones are judged as new.
    fn locked(
        &self,
        survey: &Survey<'_, '_, '_>,
        numbered: Vec<Numbered>,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Vec<Candidate>>, Refusal> {
        let Some((lock, owner)) = self.lines().filter(|_| self.is_gitops()) else {
            return Ok(numbered.into_iter().map(|keys| self.unlocked(keys)).collect());
        };
        let held: Vec<Held<'_>> =
            survey.spec.fields.iter().zip(&numbered).map(|(spec, keys)| Held { spec, keys }).collect();
        let verified = lock::verify(lock, owner, &held)?;
        let is_new = |key: &Checked| matches!(key.standing, Standing::New { .. });
        if self.selection.source == Some(SourceConfig::Live) && verified.rings.iter().flatten().any(is_new) {
            let title = format!("the running Secret of {} has a key that the lock lacks", self.title());
            return Err(Finding::error(Exit::Lock, "lock-behind", title)
                .at(Place::file(lock.file()))
                .found("from a running Secret only keys are delivered that the lock knows")
                .help(format!("`helm-keyring adopt -e {}` takes it over", owner.environment))
                .into());
        }
        findings.extend(verified.findings);
        let candidate = |Checked { number, key, standing }| Candidate {
            number,
            key,
            is_new: matches!(standing, Standing::New { .. }),
        };
        Ok(verified.rings.into_iter().map(|keys| keys.into_iter().map(candidate).collect()).collect())
    }

    /// Without a lock the user's own key is new; what the chart took over from the cluster beside it stays.
    fn unlocked(&self, keys: Numbered) -> Vec<Candidate> {
        let newest = keys.keys().next_back().copied();
        let is_new = |number| self.is_gitops() && Some(number) == newest;
        keys.into_iter().map(|(number, key)| Candidate { number, key, is_new: is_new(number) }).collect()
    }

    fn judged<'p>(
        &self,
        survey: &Survey<'_, '_, 'p>,
        candidates: Vec<Vec<Candidate>>,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Decided<'p>>, Refusal> {
        let from = self.source.map_or_else(|| "the stream".to_owned(), Source::describe);
        let judge = Judge { from: &from, gitops: self.is_gitops(), trims: self.source.is_some() };
        let mut rings = Vec::new();
        let mut refused = Vec::new();
        for (spec, keys) in survey.spec.fields.iter().zip(candidates) {
            match judge.ring(spec, keys, findings) {
                Ok(ring) => rings.push(Decided::Held(ring)),
                Err(Refusal(found)) => refused.extend(found),
            }
        }
        if refused.is_empty() { Ok(rings) } else { Err(Refusal(refused)) }
    }

    /// A number that the Secret or a consumer names must be in the ring: else a key would get lost.
    fn refuse_lost_numbers(&self, survey: &Survey<'_, '_, '_>, rings: &[Decided<'_>]) -> Result<(), Refusal> {
        let delivered: Vec<String> = rings.iter().flat_map(Decided::fields).collect();
        let mut refused = Vec::new();
        let lost = |name: &str, holder: &str| {
            let finding = Finding::refused("lost-key", format!("{holder} has `{name}`, which the keyring lacks"))
                .found(format!("the keyring has {}", list(&quoted(&delivered))))
                .help("data may be encrypted with it: bring the key into the source; never leave a number out");
            match self.is_external_secret() {
                true => finding.help("the keyring is what the lock has: then run `helm-keyring lock`"),
                false => finding,
            }
        };
        if let Some(secret) = &survey.secret {
            let held = fields(&secret.object, |name| survey.spec.slot(name)).into_iter();
            for field in held.filter(|f| !delivered.iter().any(|name| name == f.name) && !f.value.is_blank()) {
                let place = self.stream.place_in(secret.document, field.value.node.start);
                refused.push(lost(field.name, &secret.object.title()).at(place));
            }
        }
        for pod in &survey.pods {
            for field in named_fields(pod) {
                let place = self.stream.place_in(pod.document, field.offset);
                match survey.spec.slot(field.name) {
                    Some((_, Slot::Previous)) if field.optional => {}
                    Some(_) if !delivered.iter().any(|name| name == field.name) => {
                        refused.push(lost(field.name, &pod.object.title()).at(place));
                    }
                    None if survey.spec.only_these_fields => {
                        refused.push(dangling_key_ref::finding(field.name, &pod.object.title(), &delivered).at(place));
                    }
                    _ => {}
                }
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Refusal(refused)) }
    }

    /// A key in the values that the source does not hold is one that data may be encrypted with. Where the application
    /// takes the text itself for the key, another spelling is another key.
    fn refuse_conflict(&self, rings: &[Decided<'_>], findings: &mut Vec<Finding>) -> Result<(), Refusal> {
        for ring in rings {
            let spec = ring.spec();
            let UserKey::Given { key, place } = self.user.key(spec)? else { continue };
            match ring.likeness(&key, self.lock)? {
                Likeness::Same => {}
                Likeness::OtherSpelling if matches!(spec.policy, Policy::Bytes { .. }) => {
                    let title = format!("`{}`: the source spells the key in the values another way", spec.name);
                    findings.push(
                        Finding::warning("key-spelling", title)
                            .at(place.clone())
                            .help("make sure that the application reads both alike"),
                    );
                }
                Likeness::OtherSpelling | Likeness::None => {
                    return Err(key_conflict::finding(&self.title(), place).into());
                }
            }
            if self.is_external_secret() {
                let title = format!("a locked key of `{}` stands in the values, and is not needed there", spec.name);
                findings.push(
                    Finding::note("key-in-values", title)
                        .at(place)
                        .found("the operator takes it from the store; the values are read by more people")
                        .help("take it out of the values"),
                );
            }
        }
        Ok(())
    }

    fn title(&self) -> String {
        self.selection.title()
    }
}

impl Selection {
    /// Whether the keys come from outside the chart.
    pub fn has_external_source(&self) -> bool {
        !matches!(self.source, None | Some(SourceConfig::Values { .. }))
    }
}

/// Templates trim, and print a newline here and there.
fn same_text(a: &KeyText, b: &KeyText) -> bool {
    KeyText::from(a.expose().trim_ascii().to_vec()).same_as(&KeyText::from(b.expose().trim_ascii().to_vec()))
}

fn quoted(names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("`{name}`")).collect()
}

fn unknown_values(ring: &FieldSpec, reason: &str) -> Finding {
    Finding::usage(
        "unknown-values",
        format!("whether `{}` is the user's own key cannot be told: {reason}", first_field(ring)),
    )
    .help("pass the values that helm got (`-f`, `--set`), or configure a source in keyring.yaml")
}

fn reused(rings: &[Decided<'_>]) -> Vec<Finding> {
    let all: Vec<_> = rings.iter().flat_map(Decided::delivered).collect();
    let mut found = Vec::new();
    for (i, (name, key)) in all.iter().enumerate() {
        if let Some((first, _)) = all[..i].iter().find(|(_, other)| other.is_same(key)) {
            found.push(reused_key::in_one_application(name, first));
        }
    }
    found
}
