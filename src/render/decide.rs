//! When are keys delivered: the table of `docs/render.md`, one function a question.

use super::stream::Stream;
use super::survey::{FoundField, FoundSecret, Survey, fields, named_fields};
use super::user::{UserKey, UserValues};
use crate::config::{Mode, Selection, Source as SourceConfig};
use crate::key::{self, KeyText, Policy};
use crate::keyring::Ring;
use crate::profile::{FieldName, FieldSpec, Slot};
use crate::report::{Exit, Finding, Refusal, list, nearest};
use crate::source::{Numbered, Source};
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What the decision is made from.
pub struct Question<'q, 'a> {
    /// Keyring, environment and all settings.
    pub selection: &'q Selection,
    /// The user's values.
    pub user: &'q UserValues<'q>,
    /// The stream, for places.
    pub stream: &'q Stream<'a>,
    /// Whether `--no-lock` was given.
    pub no_lock: bool,
    /// The external source, if one is configured.
    pub source: Option<&'q dyn Source>,
}

/// The rings of one Secret, in the order of the profile, and what to warn of.
pub struct Answer<'p> {
    /// A ring for each of the Secret's fields.
    pub rings: Vec<Ring<'p>>,
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
        let mut findings = Vec::new();
        let numbered = match (self.source, self.selection.mode) {
            (Some(source), _) => self.fetched(survey, source)?,
            (None, Mode::Dev) => self.kept_or_made(survey, &mut findings)?,
            (None, Mode::Gitops) => self.given(survey)?,
        };
        let rings = self.judged(survey, numbered, &mut findings)?;
        self.refuse_lost_numbers(survey, &rings)?;
        if self.source.is_some() {
            self.refuse_conflict(&rings, &mut findings)?;
        }
        findings.extend(reused(&rings));
        Ok(Answer { rings, findings })
    }

    fn is_gitops(&self) -> bool {
        self.selection.mode == Mode::Gitops
    }

    /// The lock comes with the commands around it; until then an external source has to be vouched for by hand.
    fn refuse_unlocked(&self) -> Option<Finding> {
        (self.source.is_some() && self.is_gitops() && !self.no_lock).then(|| {
            Finding::error(Exit::Lock, "no-lock", format!("{} has no lock", self.title()))
                .found("without a lock nothing tells whether these keys are the ones that data was encrypted with")
                .help("make sure of that yourself, then pass `--no-lock`")
        })
    }

    fn refuse_rotation(&self, ring: &FieldSpec) -> Option<Finding> {
        let (path, place) = self.user.rotates(ring).filter(|_| self.is_gitops())?;
        Some(
            Finding::refused("rotate-in-gitops", format!("{path} is on"))
                .at(place)
                .found("without a cluster the chart puts a new random key in place of the old one, at every render")
                .help(format!(
                    "take {path} out, and add a key to the source: the new key becomes active when it is delivered"
                )),
        )
    }

    fn refuse_reference(&self, ring: &FieldSpec) -> Result<Option<Finding>, Refusal> {
        let UserKey::Given { key, place } = self.user.key(ring)? else { return Ok(None) };
        Ok(key::unresolved(&key).map(|reference| unresolved(&ring.name.to_string(), &reference.to_string()).at(place)))
    }

    // --- the three ways to a ring ---

    /// An external source: all its keys are delivered.
    fn fetched(&self, survey: &Survey<'_, '_, '_>, source: &dyn Source) -> Result<Vec<Numbered>, Refusal> {
        let rings: Vec<&FieldSpec> = survey.spec.fields.iter().collect();
        source.fetch(&rings).map_err(|error| {
            let finding =
                Finding::error(Exit::Source, "source-failed", format!("{}: {}", source.describe(), error.message));
            finding.found(format!("for {}; nothing was printed", self.title())).help(error.help).into()
        })
    }

    /// The user's own key in the values: the chart has put it into the Secret.
    fn given(&self, survey: &Survey<'_, '_, '_>) -> Result<Vec<Numbered>, Refusal> {
        let Some(secret) = &survey.secret else {
            return Err(Finding::usage("no-source", format!("the keys of Secret `{}` come from nowhere", survey.name))
                .found("the chart renders no Secret, and no source is configured")
                .help("configure a source in keyring.yaml (`helm-keyring init` writes one), or pass `--source`")
                .into());
        };
        let held = fields(&secret.object, survey.spec);
        let mut rings = Vec::new();
        let mut refused = Vec::new();
        for (index, ring) in survey.spec.fields.iter().enumerate() {
            match self.user.key(ring)? {
                UserKey::Unknown { reason } => refused.push(unknown_values(ring, &reason)),
                UserKey::Empty { place } => refused.push(auto_generated(ring).at(place)),
                UserKey::Given { key, place } => {
                    let numbered = self.stream_ring(ring, index, secret, &held)?;
                    let active = numbered.values().next_back();
                    if active.is_some_and(|active| same_text(active, &key)) {
                        rings.push(numbered);
                    } else {
                        let finding = Finding::refused(
                            "key-conflict",
                            format!("the stream's `{}` is not the key in the values", ring.name),
                        );
                        refused.push(
                            finding
                                .at(place)
                                .at(self.stream.place_in(secret.document, secret.object.offset()))
                                .found("these are not the values that the stream was rendered with, or the chart does not use the key")
                                .found("a chart that prints the key without quotes also changes one with `: `, ` #` or a leading sign in it")
                                .help("pass the same `-f` and `--set` to helm and to helm-keyring"),
                        );
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
                Some(secret) => self.stream_ring(ring, index, secret, &fields(&secret.object, survey.spec))?,
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
        held: &[FoundField<'_, '_>],
    ) -> Result<Numbered, Refusal> {
        let mut by_slot = BTreeMap::new();
        for field in held.iter().filter(|field| field.ring == index && !field.value.is_blank()) {
            let key = field_text(field).ok_or_else(|| {
                Finding::refused("unreadable", format!("`{}` in `data` is not base64", field.name))
                    .at(self.stream.place_in(secret.document, field.value.node.start))
                    .help("let the chart encode it (`b64enc`), or put it into `stringData`")
            })?;
            by_slot.insert(field.slot, key);
        }
        if let FieldName::Numbered(..) = ring.name {
            let numbers = by_slot.into_iter();
            return Ok(numbers
                .filter_map(|(slot, key)| if let Slot::Number(n) = slot { Some((n, key)) } else { None })
                .collect());
        }
        let Some(active) = by_slot.remove(&Slot::Active) else { return Ok(Numbered::new()) };
        Ok((0..).zip(by_slot.remove(&Slot::Previous).into_iter().chain([active])).collect())
    }

    // --- what speaks against a ring ---

    /// Rings that keep the invariant and whose keys fit the policy, each without the newline that may end it.
    fn judged<'p>(
        &self,
        survey: &Survey<'_, '_, 'p>,
        numbered: Vec<Numbered>,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Ring<'p>>, Refusal> {
        let mut rings = Vec::new();
        let mut refused = Vec::new();
        for (spec, keys) in survey.spec.fields.iter().zip(numbered) {
            let mut fit = Numbered::new();
            let newest = keys.keys().next_back().copied();
            for (number, key) in keys {
                // What the chart took over from the cluster is not new: it stays, whatever it is like.
                let is_new = self.is_gitops() && (self.source.is_some() || Some(number) == newest);
                let is_previous = Some(number) != newest;
                let name = spec
                    .field(Slot::Number(number))
                    .or_else(|| spec.field(Slot::Previous).filter(|_| is_previous))
                    .unwrap_or_else(|| spec.name.to_string());
                match self.judge(spec, &name, key, is_new, findings) {
                    Ok(key) => {
                        fit.insert(number, key);
                    }
                    Err(finding) => refused.push(finding),
                }
            }
            if refused.is_empty() {
                match Ring::new(spec, fit) {
                    Ok(ring) => rings.push(ring),
                    Err(error) => {
                        let from = self.source.map_or_else(|| "the stream".to_owned(), Source::describe);
                        let finding = Finding::error(Exit::Source, "broken-keyring", format!("{from}: {error}"));
                        refused.push(finding.help("bring the missing key back; never renumber the others"));
                    }
                }
            }
        }
        if refused.is_empty() { Ok(rings) } else { Err(Refusal(refused)) }
    }

    /// A key as it is delivered. What speaks against a new one is only said of another.
    fn judge(
        &self,
        spec: &FieldSpec,
        name: &str,
        key: KeyText,
        is_new: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<KeyText, Finding> {
        if let Some(reference) = key::unresolved(&key) {
            return Err(unresolved(name, &reference.to_string()));
        }
        if self.is_gitops() && key::is_made_up(&key) {
            return Err(Finding::refused("made-up-key", format!("`{name}` was made up in dev mode"))
                .found("it carries the mark of a made-up key; outside dev no such key is delivered")
                .help("make a real one: `openssl rand -base64 32`"));
        }
        let trimmed = match spec.policy.judge(&key) {
            // Only of what comes from outside and is new: what a chart holds already is what encrypted the data.
            Err(misfit) if self.source.is_some() && misfit.is_only_a_newline() => key.without_one_newline(),
            _ => None,
        };
        if trimmed.is_some() {
            let title = format!("`{name}`: the newline at its end was taken off");
            findings.push(Finding::note("trimmed-newline", title).help("store it without one (`printf %s`)"));
        }
        let key = trimmed.unwrap_or(key);
        match spec.policy.judge(&key) {
            Err(misfit) if is_new => return Err(wrong_length(name, &spec.policy, &misfit.to_string())),
            Err(misfit) => findings.push(
                Finding::warning("key-length", format!("`{name}`: {misfit}"))
                    .found(format!("expected {}", spec.policy)),
            ),
            Ok(seen) => {
                findings.extend(seen.note.map(|note| Finding::note("key-length", format!("`{name}`: {seen}, {note}"))))
            }
        }
        if let Some(weakness) = key::weakness(&key) {
            let title = format!("`{name}` can be guessed: {weakness}");
            if is_new {
                return Err(Finding::refused("weak-key", title).help("make a random one: `openssl rand -base64 32`"));
            }
            findings.push(Finding::warning("weak-key", title));
        }
        Ok(key)
    }

    /// A number that the Secret or a consumer names must be in the ring: else a key would get lost.
    fn refuse_lost_numbers(&self, survey: &Survey<'_, '_, '_>, rings: &[Ring<'_>]) -> Result<(), Refusal> {
        let delivered: Vec<String> = rings.iter().flat_map(Ring::delivered).map(|(name, _)| name).collect();
        let mut refused = Vec::new();
        let lost = |name: &str, holder: &str| {
            Finding::refused("lost-key", format!("{holder} has `{name}`, which the keyring lacks"))
                .found(format!("the keyring has {}", list(&quoted(&delivered))))
                .help("data may be encrypted with it: bring the key into the source; never leave a number out")
        };
        if let Some(secret) = &survey.secret {
            let held = fields(&secret.object, survey.spec).into_iter();
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
                        refused.push(dangling(field.name, &pod.object.title(), &delivered).at(place));
                    }
                    _ => {}
                }
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Refusal(refused)) }
    }

    /// A key in the values that the source does not hold is one that data may be encrypted with. Where the application
    /// takes the text itself for the key, another spelling is another key.
    fn refuse_conflict(&self, rings: &[Ring<'_>], findings: &mut Vec<Finding>) -> Result<(), Refusal> {
        for ring in rings {
            let UserKey::Given { key, place } = self.user.key(ring.spec())? else { continue };
            if ring.keys().iter().any(|known| known.same_as(&key)) {
                continue;
            }
            let bytes = key::decode(&key);
            let same_bytes = ring.keys().iter().any(|known| key::decode(known).expose() == bytes.expose());
            if same_bytes && matches!(ring.spec().policy, Policy::Bytes { .. }) {
                let title = format!("`{}`: the source spells the key in the values another way", ring.spec().name);
                findings.push(
                    Finding::warning("key-spelling", title)
                        .at(place)
                        .help("make sure that the application reads both alike"),
                );
                continue;
            }
            return Err(Finding::refused(
                "key-conflict",
                format!("the key in the values is not in the keyring of {}", self.title()),
            )
            .at(place)
            .found("data may be encrypted with it, and it would be replaced")
            .help("bring this key into the source under its number first, then take it out of the values")
            .into());
        }
        Ok(())
    }

    /// `KEYRING/ENVIRONMENT`
    fn title(&self) -> String {
        match &self.selection.environment {
            Some(environment) => format!("{}/{environment}", self.selection.keyring),
            None => self.selection.keyring.clone(),
        }
    }
}

impl Selection {
    /// Whether the keys come from outside the chart.
    pub fn has_external_source(&self) -> bool {
        !matches!(self.source, None | Some(SourceConfig::Values { .. }))
    }
}

/// The texts of a field in the Secret, decoded.
pub fn field_text(field: &FoundField<'_, '_>) -> Option<KeyText> {
    let text = field.value.text()?;
    if !field.encoded {
        return Some(KeyText::from(text.as_bytes().to_vec()));
    }
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(text.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
    STANDARD.decode(&compact).ok().map(KeyText::from)
}

/// Templates trim, and print a newline here and there.
fn same_text(a: &KeyText, b: &KeyText) -> bool {
    KeyText::from(a.expose().trim_ascii().to_vec()).same_as(&KeyText::from(b.expose().trim_ascii().to_vec()))
}

fn first_field(ring: &FieldSpec) -> String {
    ring.field(Slot::Number(0)).unwrap_or_else(|| ring.name.to_string())
}

fn quoted(names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("`{name}`")).collect()
}

fn unresolved(name: &str, reference: &str) -> Finding {
    Finding::refused("unresolved-reference", format!("`{name}` is {reference}"))
        .found("its letters themselves would become the key")
        .help("resolve it before the render, or let helm-keyring fetch the key from a source")
}

fn dangling(name: &str, reader: &str, delivered: &[String]) -> Finding {
    let finding = Finding::refused("dangling-key-ref", format!("{reader} reads `{name}`, which is not delivered"))
        .found(format!("the Secret holds nothing but {}", list(&quoted(delivered))));
    match nearest(name, delivered.iter().map(String::as_str)) {
        Some(meant) => finding.help(format!("did the chart mean `{meant}`?")),
        None => finding.help("mend the reference in the chart"),
    }
}

fn wrong_length(name: &str, policy: &Policy, misfit: &str) -> Finding {
    Finding::refused("key-length", format!("`{name}`: {misfit}"))
        .found(format!("expected {policy}"))
        .help("make one: `openssl rand -base64 32`; a key that data is already encrypted with must be kept as it is")
}

fn auto_generated(ring: &FieldSpec) -> Finding {
    let path = ring.values.as_ref().map_or("", |values| values.key.as_str());
    Finding::refused("auto-generated-key", format!("{path} is empty"))
        .found(format!(
            "the chart would make up another `{}` at every render, and what was encrypted so far is lost",
            first_field(ring)
        ))
        .found(format!("expected {}", ring.policy))
        .help("let the key come from a source: `helm-keyring init` writes a keyring.yaml")
        .help("on a trial, make one with `openssl rand -base64 32` and pass it with `-f`")
}

fn unknown_values(ring: &FieldSpec, reason: &str) -> Finding {
    Finding::usage(
        "unknown-values",
        format!("whether `{}` is the user's own key cannot be told: {reason}", first_field(ring)),
    )
    .help("pass the values that helm got (`-f`, `--set`), or configure a source in keyring.yaml")
}

fn reused(rings: &[Ring<'_>]) -> Vec<Finding> {
    let all: Vec<(String, &KeyText)> = rings.iter().flat_map(Ring::delivered).collect();
    let mut found = Vec::new();
    for (i, (name, key)) in all.iter().enumerate() {
        if let Some((first, _)) = all[..i].iter().find(|(_, other)| other.same_as(key)) {
            found.push(
                Finding::warning("reused-key", format!("`{name}` is the same key as `{first}`"))
                    .help("give each its own key"),
            );
        }
    }
    found
}
