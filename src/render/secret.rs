//! The ring enters a Secret: the chart's own, or a frame of ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Environment, UndefinedBehavior, context};
use zeroize::Zeroizing;

use super::keep;
use super::stream::HELM4_FILE;
use super::survey::FoundSecret;
use crate::held::fields;
use crate::key::KeyText;
use crate::manifest::{Cursor, EditError, New, Object, Patch};
use crate::profile::{SecretSpec, Slot};
use crate::report::{Exit, Finding, Place, Refusal};
use crate::yaml;

/// The frame of an own Secret where no other is given. It never sees a key.
const FRAME: &str = include_str!("frame.yaml");
/// Enough for any frame; stops an endless one.
const FUEL: u64 = 100_000;

/// How a key text is written into the Secret.
pub enum Show {
    /// As it is, in base64.
    Keys,
    /// As a placeholder, for a terminal.
    Placeholders,
}

impl Show {
    fn written(&self, field: &str, key: &KeyText) -> Zeroizing<String> {
        match self {
            Self::Keys => Zeroizing::new(STANDARD.encode(key.expose())),
            Self::Placeholders => {
                Zeroizing::new(format!("<{field}: {} bytes, hidden; --show-keys shows it>", key.len()))
            }
        }
    }
}

/// Puts fields into a Secret's `data`, and takes the chart's own out of `stringData` and `data`.
///
/// # Errors
/// A layout that cannot be edited.
pub fn fill<'t, 'a>(
    patch: &mut Patch<'t, 'a>,
    secret: &Object<'t, 'a>,
    spec: &SecretSpec,
    delivered: &[(String, &KeyText)],
    show: &Show,
) -> Result<(), EditError> {
    refuse_unclear(secret)?;
    let is_delivered = |name: &str| delivered.iter().any(|(field, _)| field == name);
    // An empty `previous` field that nothing is delivered for is the chart's own business.
    let goes = |name: &str| spec.slot(name).is_some_and(|(_, slot)| slot != Slot::Previous || is_delivered(name));
    if matches!(show, Show::Keys) && is_right(secret, spec, delivered) {
        return Ok(());
    }
    take_out(patch, secret, &["stringData"], &goes)?;
    if let Some(data) = secret.root.get("data") {
        patch.remove_entries(&data, &goes)?;
    }
    let entries = delivered.iter().map(|(field, key)| (field.clone(), New::Text(show.written(field, key))));
    patch.put(&secret.root, "data", "stringData", entries.collect())
}

/// Takes all fields of the rings out of a Secret: another one gets the keys. Also an empty `previous` field, which no
/// reader is left for.
///
/// # Errors
/// A layout that cannot be edited.
pub fn empty<'t, 'a>(patch: &mut Patch<'t, 'a>, secret: &Object<'t, 'a>, spec: &SecretSpec) -> Result<(), EditError> {
    if fields(secret, |name| spec.slot(name)).is_empty() {
        return Ok(());
    }
    refuse_unclear(secret)?;
    take_out(patch, secret, &["data", "stringData"], &|name| spec.slot(name).is_some())
}

/// What is merged or written twice cannot be edited.
fn refuse_unclear(secret: &Object<'_, '_>) -> Result<(), EditError> {
    for place in ["data", "stringData"] {
        if let Some(map) = secret.root.get(place).filter(|map| map.get("<<").is_some()) {
            return Err(EditError::Shared { what: place.to_owned(), offset: map.node.start });
        }
        if secret.root.has_duplicate(place) {
            return Err(EditError::Duplicate { what: place.to_owned(), offset: secret.root.node.start });
        }
    }
    Ok(())
}

/// Takes fields out of these mappings; a mapping goes as a whole where nothing of it would be left.
fn take_out<'t, 'a>(
    patch: &mut Patch<'t, 'a>,
    secret: &Object<'t, 'a>,
    places: &[&str],
    goes: &dyn Fn(&str) -> bool,
) -> Result<(), EditError> {
    let mut whole = Vec::new();
    for place in places {
        let Some(map) = secret.root.get(place) else { continue };
        let mut names = map.node.entries().iter().map(|(key, _)| key.text().unwrap_or_default()).peekable();
        if names.peek().is_some() && names.all(goes) && !has_comments(&secret.root, place) {
            whole.push(*place);
        } else {
            patch.remove_entries(&map, goes)?;
        }
    }
    patch.remove_entries(&secret.root, &|key| whole.contains(&key))
}

/// Whether comments stand among the entries below a key: they are not ours to take away.
fn has_comments(parent: &Cursor<'_, '_>, key: &str) -> bool {
    let below = parent.node.entries().iter().filter(|(name, _)| name.text() == Some(key));
    below.into_iter().any(|(name, value)| {
        let text = parent.source().get(name.span.end..value.span.end).unwrap_or_default();
        text.lines().skip(1).any(|line| line.trim_start().starts_with('#'))
    })
}

/// Whether the Secret holds exactly these fields, in `data`, with these texts.
fn is_right(secret: &Object<'_, '_>, spec: &SecretSpec, delivered: &[(String, &KeyText)]) -> bool {
    let held: Vec<_> = fields(secret, |name| spec.slot(name));
    let held: Vec<_> =
        held.iter().filter(|f| f.slot != Slot::Previous || delivered.iter().any(|(name, _)| name == f.name)).collect();
    held.len() == delivered.len()
        && delivered.iter().all(|(name, key)| {
            let field = held.iter().find(|field| field.name == name && field.encoded);
            let text = field.and_then(|field| Some((field.value.text()?, field.text()?)));
            text.is_some_and(|(written, text)| {
                text.same_as(key) && written.len() == STANDARD.encode(key.expose()).len()
            })
        })
}

/// Whether an edit of the Secret is forbidden by the Secret itself.
pub fn is_immutable(secret: &FoundSecret<'_, '_>) -> bool {
    secret.object.root.get("immutable").is_some_and(|immutable| immutable.is_true())
}

/// What an own Secret is called, and for whom.
pub struct Own<'o> {
    /// Its name.
    pub name: &'o str,
    /// The consumers' namespace, if their documents say one.
    pub namespace: Option<&'o str>,
    /// The keyring.
    pub keyring: &'o str,
    /// The environment.
    pub environment: &'o str,
    /// Whether it is marked to outlive its release.
    pub keep: bool,
    /// Whether it goes into a stream of Helm 4, which wants to know a file's name for each document.
    pub in_helm4: bool,
}

/// The document of an own Secret, keys included, ending in a line break.
///
/// # Errors
/// A frame that does not render, or renders something else than this one Secret.
pub fn own(
    own: &Own<'_>,
    frame: Option<&str>,
    spec: &SecretSpec,
    delivered: &[(String, &KeyText)],
    show: &Show,
) -> Result<Zeroizing<String>, Refusal> {
    let text = frame_text(own, frame.unwrap_or(FRAME))?;
    let bad = |offset: usize, why: String| {
        Refusal::from(
            Finding::usage("bad-template", format!("the template of Secret `{}` does not render it: {why}", own.name))
                .at(frame.map(|_| Place::in_text("<template>", text.as_bytes(), offset)))
                .found("expected one document: apiVersion v1, kind Secret, this name, and none of the keyring's fields")
                .help("start from the default: apiVersion, kind, metadata.name, type and `data: {}`"),
        )
    };
    let tree = yaml::parse(&text).map_err(|e| bad(e.offset, e.to_string()))?;
    let root = Cursor::root(&tree).ok_or_else(|| bad(0, "it is empty".into()))?;
    let [secret] = &Object::all(root)[..] else { return Err(bad(0, "it is a list".into())) };
    let is_it = secret.kind == "Secret" && secret.api_version == "v1" && secret.name == own.name;
    if !is_it || tree.has_more || !fields(secret, |name| spec.slot(name)).is_empty() {
        let version = if secret.api_version.is_empty() { "no apiVersion" } else { secret.api_version };
        return Err(bad(0, format!("it is {} ({version})", secret.title())));
    }
    let mut patch = Patch::new(&tree);
    fill(&mut patch, secret, spec, delivered, show).map_err(|e| bad(e.offset(), e.to_string()))?;
    let file = own.in_helm4.then(|| (HELM4_FILE, format!("helm-keyring/{}.yaml", own.name)));
    keep::annotate(&mut patch, secret, own.keep, file).map_err(|e| bad(e.offset(), e.to_string()))?;
    let mut filled = patch.apply().map_err(|e| bad(0, e.to_string()))?;
    if !filled.ends_with('\n') {
        filled.push('\n');
    }
    Ok(filled)
}

fn frame_text(own: &Own<'_>, frame: &str) -> Result<String, Refusal> {
    let bad = |what: String| {
        Finding::error(Exit::Usage, "bad-template", format!("the template of Secret `{}` fails: {what}", own.name))
            .help("it may use name, namespace (or none), keyring and environment; it never sees a key")
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    let template = environment.template_from_str(frame).map_err(|e| bad(e.to_string()))?;
    let known = ["name", "namespace", "keyring", "environment"];
    let mut unknown: Vec<String> =
        template.undeclared_variables(false).into_iter().filter(|v| !known.contains(&v.as_str())).collect();
    unknown.sort();
    if !unknown.is_empty() {
        return Err(bad(format!("it uses {}, which is not known", unknown.join(", "))).into());
    }
    let context = context! { name => own.name, namespace => own.namespace, keyring => own.keyring, environment => own.environment };
    Ok(template.render(context).map_err(|e| bad(e.to_string()))?)
}
