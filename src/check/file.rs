//! One file: what it is, and what it tells.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::documents::{Document, What};
use super::facts::Facts;
use super::ignores;
use super::interest::Interest;
use super::reader::{Reader, Taken};
use super::text::Text;
use super::values::{self, Mapping};
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
                None => self::text(&found.path, &mut reader(&text, &root, context, &mut facts)),
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
    self::text(Path::new("stdin.yaml"), &mut reader(&text, Path::new(""), context, &mut facts));
    facts
}

fn reader<'r, 'p>(
    text: &'r Text<'r>,
    root: &'r Path,
    context: &Context<'p>,
    facts: &'r mut Facts<'p>,
) -> Reader<'r, 'p> {
    Reader { text, root, profiles: context.profiles, taken: Taken::default(), facts }
}

/// Looks at a text, and at the comments in it if it is one of ours to read.
fn text(path: &Path, reader: &mut Reader<'_, '_>) {
    if !is_yaml(path) && variables::dotenv(reader) {
        reader.facts.ignores = ignores::of(reader.text);
        return;
    }
    match Document::all(reader.text) {
        Ok(found) => {
            documents(&found, path, reader);
            if is_yaml(path) || !reader.facts.findings.is_empty() {
                reader.facts.ignores = ignores::of(reader.text);
            }
        }
        // Any text may name a key; only one that calls itself YAML has to be YAML.
        Err(finding) if is_yaml(path) => {
            reader.facts.findings.push(finding);
            reader.facts.ignores = ignores::of(reader.text);
        }
        Err(_) => {}
    }
}

fn documents(found: &[Document<'_>], path: &Path, reader: &mut Reader<'_, '_>) {
    let mut objects = Vec::new();
    let mut of_values = Vec::new();
    for document in found {
        match document.what() {
            What::Application => argo::application(document, reader),
            What::ApplicationSet => argo::application_set(document, reader),
            What::HelmRelease => flux::helm_release(document, reader),
            What::Manifest => objects.push(document),
            What::Compose => variables::compose(document, reader),
            What::Values => of_values.push(document),
            What::Chart | What::Own | What::Other => {}
        }
    }
    if !objects.is_empty() {
        manifests::look(&objects, reader);
    }
    values_file(&of_values, found.len(), path, reader);
}

/// A file of values: one document.
fn values_file(found: &[&Document<'_>], all: usize, path: &Path, reader: &mut Reader<'_, '_>) {
    // What a chart has as default says nothing of a deploy.
    let lone =
        !path.with_file_name("Chart.yaml").is_file() || path.file_name().is_none_or(|name| name != "values.yaml");
    let mut holds_values = false;
    for document in found {
        let Some(node) = &document.tree.root else { continue };
        let mapping = Mapping { value: &document.value, node, offset: document.offset };
        let taken = Taken { lone, sops: document.is_sops(), template: false };
        holds_values |= reader.taking(taken, |reader| values::look(mapping, reader));
    }
    if let (Some(second), true) = (found.get(1), holds_values && found.len() == all) {
        let first_key =
            second.tree.root.as_ref().and_then(|root| root.entries().first()).map(|(key, _)| key.span.clone());
        let place = second.place(reader.text, first_key.unwrap_or_default());
        reader.facts.findings.push(ignored_document::finding(place));
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
