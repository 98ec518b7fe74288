//! One file: what it is, and what it tells.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::documents::{Document, What};
use super::facts::Facts;
use super::ignores;
use super::interest::Interest;
use super::text::Text;
use super::values::{self, Mapping, Taken};
use super::walk::Found;
use super::{argo, flux, manifests, own, templates, variables};
use crate::profile::Profile;
use crate::report::Place;
use crate::rules::{ignored_document, unreadable};
use crate::values::Stands;

/// More than any file of values or manifests.
const LEN_MAX_BYTES: u64 = 16 << 20;

/// What looking at a file needs to know.
pub struct Context<'p> {
    /// How charts spell their keys.
    pub profiles: &'p [Profile],
    /// Which texts are worth parsing.
    pub interest: &'p Interest,
}

/// Reads a file and looks at it.
pub fn look<'p>(found: &Found, context: &Context<'p>) -> Facts<'p> {
    let mut facts = Facts::default();
    let chart = templates::chart_of(&found.path);
    let bytes = match read(&found.path) {
        Ok(bytes) => bytes,
        Err(error) => {
            if is_yaml(&found.path) {
                facts.findings.push(unreadable::finding(Place::file(&*found.name), &error.to_string()));
            }
            return facts;
        }
    };
    own::master_keys(&found.name, &bytes, found.committed, &mut facts);
    if chart.is_none() && !context.interest.has(&bytes) {
        return facts;
    }
    let root = root_of(&found.path);
    if bytes.len() as u64 > LEN_MAX_BYTES {
        if is_yaml(&found.path) {
            facts.findings.push(unreadable::finding(Place::file(&*found.name), "it is larger than 16 MiB"));
        }
        return facts;
    }
    match std::str::from_utf8(&bytes) {
        Ok(content) => {
            let text = Text { file: &found.name, text: content, stands: Stands::Whole, committed: found.committed };
            match chart {
                Some(_) => templates::look(&text, context.profiles, &mut facts),
                None => self::text(&text, &found.path, &root, context, &mut facts),
            }
        }
        Err(error) if chart.is_none() && is_yaml(&found.path) => {
            let place = Place::in_text(&*found.name, &bytes, error.valid_up_to());
            facts.findings.push(unreadable::finding(place, "it is not UTF-8"));
        }
        Err(_) => {}
    }
    facts
}

/// Looks at a text that came without a file.
pub fn look_at_stdin<'p>(name: &str, content: &str, context: &Context<'p>) -> Facts<'p> {
    let mut facts = Facts::default();
    let text = Text { file: name, text: content, stands: Stands::Whole, committed: false };
    self::text(&text, Path::new("stdin.yaml"), Path::new(""), context, &mut facts);
    facts
}

fn text<'p>(text: &Text<'_>, path: &Path, root: &Path, context: &Context<'p>, facts: &mut Facts<'p>) {
    facts.ignores = ignores::of(text);
    if !is_yaml(path) && variables::dotenv(text, context.profiles, facts) {
        return;
    }
    match Document::all(text) {
        Ok(found) => documents(&found, text, path, root, context, facts),
        // Any text may name a key; only one that calls itself YAML has to be YAML.
        Err(finding) if is_yaml(path) => facts.findings.push(finding),
        Err(_) => {}
    }
}

fn documents<'p>(
    found: &[Document<'_>],
    text: &Text<'_>,
    path: &Path,
    root: &Path,
    context: &Context<'p>,
    facts: &mut Facts<'p>,
) {
    let profiles = context.profiles;
    let mut objects = Vec::new();
    let mut of_values = Vec::new();
    for document in found {
        match document.what() {
            What::Application => argo::application(document, text, root, profiles, facts),
            What::ApplicationSet => argo::application_set(document, text, root, profiles, facts),
            What::HelmRelease => flux::helm_release(document, text, root, profiles, facts),
            What::Manifest => objects.push(document),
            What::Compose => variables::compose(document, text, profiles, facts),
            What::Values => of_values.push(document),
            What::Chart | What::Own | What::Other => {}
        }
    }
    if !objects.is_empty() {
        manifests::look(&objects, text, profiles, facts);
    }
    values_file(&of_values, found.len(), text, path, profiles, facts);
}

/// A file of values: one document.
fn values_file<'p>(
    found: &[&Document<'_>],
    all: usize,
    text: &Text<'_>,
    path: &Path,
    profiles: &'p [Profile],
    facts: &mut Facts<'p>,
) {
    // What a chart has as default says nothing of a deploy.
    let lone =
        !path.with_file_name("Chart.yaml").is_file() || path.file_name().is_none_or(|name| name != "values.yaml");
    let mut holds_values = false;
    for document in found {
        let Some(node) = &document.tree.root else { continue };
        let taken = Taken { lone, sops: document.is_sops(), template: false };
        let mapping = Mapping { value: &document.value, node, offset: document.offset };
        holds_values |= values::look(mapping, text, taken, profiles, facts);
    }
    if let (Some(second), true) = (found.get(1), holds_values && found.len() == all) {
        let first_key =
            second.tree.root.as_ref().and_then(|root| root.entries().first()).map(|(key, _)| key.span.clone());
        facts.findings.push(ignored_document::finding(second.place(text, first_key.unwrap_or_default())));
    }
}

/// The root of the repository that a file lies in, or its folder.
fn root_of(path: &Path) -> std::path::PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let Some(root) = absolute.ancestors().find(|folder| folder.join(".git").exists()) else { return folder.to_owned() };
    // As messages name files: from the working directory, where that is possible.
    let up = absolute.strip_prefix(root).map_or(0, |below| below.components().count());
    let mut shown = folder.to_owned();
    for _ in 0..up {
        if !shown.pop() {
            return root.to_owned();
        }
    }
    shown
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let len = usize::try_from(file.metadata()?.len().min(LEN_MAX_BYTES)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(len + 1));
    file.take(LEN_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a file calls itself YAML.
pub fn is_yaml(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| matches!(ending, "yaml" | "yml" | "json"))
}
