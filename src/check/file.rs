//! One file: what it is, and what it tells.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::Path;

use zeroize::Zeroizing;

use super::documents::{Document, What};
use super::facts::Facts;
use super::ignores;
use super::interest::Interest;
use super::reader::{Reader, Taken};
use super::roots::Roots;
use super::text::Text;
use super::values::{self, Mapping};
use super::walk::Found;
use super::{argo, flux, lines, manifests, own, templates, variables};
use crate::profile::Profile;
use crate::report::Place;
use crate::rules::{ignored_document, unreadable};
use crate::values::Stands;
use crate::yaml::{Data, Node};

/// More than any file of values or manifests.
const LEN_MAX_BYTES: u64 = 16 << 20;

/// What looking at a file needs to know.
pub struct Context<'p> {
    /// How charts spell their keys.
    pub profiles: &'p [Profile],
    /// Which texts are worth parsing.
    pub interest: &'p Interest,
    /// The repositories that files lie in.
    pub roots: Roots,
}

/// Reads a file and looks at it.
pub fn look<'p>(found: &Found, context: &Context<'p>) -> Facts<'p> {
    let mut facts = Facts::default();
    let unreadable = |why: &str| unreadable::finding(Place::file(&*found.name), why);
    let bytes = match read(&found.path) {
        Ok(bytes) => bytes,
        Err(error) => {
            facts.findings.extend(is_yaml(&found.path).then(|| unreadable(&error.to_string())));
            return facts;
        }
    };
    own::master_keys(&found.name, &bytes, found.committed, &mut facts);
    let is_template = templates::chart_of(&found.path).is_some();
    if bytes.len() as u64 > LEN_MAX_BYTES {
        // What is behind the first part is read only to see whether it matters.
        if is_yaml(&found.path) && context.interest.has_in_file(&found.path) {
            facts.findings.push(unreadable("it is larger than 16 MiB"));
        }
        return facts;
    }
    if !is_template && !context.interest.has(&bytes) {
        if is_yaml(&found.path) && context.interest.has_in_utf16(&bytes) {
            facts.findings.push(unreadable("it is UTF-16; save it as UTF-8"));
        }
        return facts;
    }
    let content = match std::str::from_utf8(&bytes) {
        Ok(content) => Cow::Borrowed(content),
        Err(error) if is_yaml(&found.path) && !is_template => {
            let place = Place::in_text(&*found.name, &bytes, error.valid_up_to());
            facts.findings.push(unreadable::finding(place, "it is not UTF-8"));
            return facts;
        }
        Err(_) => String::from_utf8_lossy(&bytes),
    };
    let root = context.roots.of(&found.path);
    let text = Text::new(&found.name, &content, Stands::Whole, found.committed);
    let mut reader = Reader::new(&text, &root, context.profiles, &mut facts);
    if is_template {
        template(&mut reader);
    } else {
        self::text(&found.path, context.interest, &mut reader);
    }
    facts
}

/// Looks at a text that came without a file.
pub fn look_at_stdin<'p>(name: &str, content: &str, context: &Context<'p>) -> Facts<'p> {
    let mut facts = Facts::default();
    let text = Text::new(name, content, Stands::Whole, false);
    let mut reader = Reader::new(&text, Path::new(""), context.profiles, &mut facts);
    self::text(Path::new("stdin.yaml"), context.interest, &mut reader);
    facts
}

/// Looks at a text as values, whatever else it may be.
pub fn values_only(reader: &mut Reader<'_, '_>) {
    for document in Document::all(reader.text).unwrap_or_default() {
        if let Some(node) = &document.tree.root {
            values::look(Mapping::of(&document, node), reader);
        }
    }
}

/// A template of a chart: what it makes up, and what it spells out.
fn template(reader: &mut Reader<'_, '_>) {
    templates::look(reader.text, reader.profiles, reader.facts);
    let taken = Taken { template: true, ..Taken::default() };
    reader.taking(taken, |reader| match Document::all(reader.text) {
        Ok(found) => documents(&found, reader),
        Err(_) => lines::look(reader),
    });
    reader.facts.ignores = ignores::of(reader.text);
}

/// Looks at a text, and at the comments in it if it is one of ours to read.
fn text(path: &Path, interest: &Interest, reader: &mut Reader<'_, '_>) {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let before = reader.facts.keys.len();
    if !is_yaml(path) && variables::dotenv(path, reader) {
        reader.facts.ignores = ignores::of(reader.text);
        return;
    }
    match Document::all(reader.text) {
        Ok(found) if is_yaml(path) || found.iter().all(|document| document.value.map().is_some()) => {
            documents(&found, reader);
            values_file(&found, path, reader);
        }
        // Any text may name a key; only one that calls itself YAML, and names one, has to be YAML.
        Err(finding) if is_yaml(path) && interest.names(reader.text.text.as_bytes()) => {
            reader.facts.findings.push(finding);
            lines::look(reader);
        }
        _ if !lines::is_prose(ending) => lines::look(reader),
        _ => {}
    }
    if is_yaml(path) || reader.facts.keys.len() > before {
        reader.facts.ignores = ignores::of(reader.text);
    }
}

/// Looks at what documents are for themselves.
fn documents(found: &[Document<'_>], reader: &mut Reader<'_, '_>) {
    let mut objects = Vec::new();
    for document in found {
        let Some(node) = &document.tree.root else { continue };
        let taken = Taken { sops: document.is_sops(), ..reader.taken };
        reader.taking(taken, |reader| {
            if What::of(&document.value) == What::Manifest {
                objects.push(document);
            }
            document_of(Mapping::of(document, node), reader);
        });
    }
    if !objects.is_empty() {
        manifests::look(&objects, reader);
    }
}

fn document_of(at: Mapping<'_, '_>, reader: &mut Reader<'_, '_>) {
    match What::of(at.value) {
        What::Application => argo::application(at, reader),
        What::ApplicationSet => argo::application_set(at, reader),
        What::HelmRelease => flux::helm_release(at, reader),
        What::Compose => variables::compose(at.value, reader),
        What::Manifest => match (at.value.get("items").map(|items| &items.data), listed(at.node)) {
            (Some(Data::List(values)), Some(nodes)) => {
                for (value, node) in values.iter().zip(nodes) {
                    document_of(Mapping { value, node, ..at }, reader);
                }
            }
            // A resource of somebody else's may hold values too.
            _ => drop(reader.taking(Taken { lone: true, ..reader.taken }, |reader| values::look(at, reader))),
        },
        What::Values | What::Chart | What::Own | What::Other => {}
    }
}

/// The `items` of a list of objects.
fn listed<'n, 'a>(node: &'n Node<'a>) -> Option<&'n [Node<'a>]> {
    node.entries().iter().rev().find(|(key, _)| key.text() == Some("items")).map(|(_, items)| items.items())
}

/// A file of values: one document.
fn values_file(all: &[Document<'_>], path: &Path, reader: &mut Reader<'_, '_>) {
    // What a chart has as default says nothing of a deploy.
    let lone =
        !path.with_file_name("Chart.yaml").is_file() || path.file_name().is_none_or(|name| name != "values.yaml");
    let is_values = |document: &&Document<'_>| matches!(What::of(&document.value), What::Values | What::Compose);
    let found: Vec<&Document<'_>> = all.iter().filter(is_values).collect();
    let mut holds_values = false;
    for document in &found {
        let Some(node) = &document.tree.root else { continue };
        let taken = Taken { lone, sops: document.is_sops(), template: false };
        holds_values |= reader.taking(taken, |reader| values::look(Mapping::of(document, node), reader));
    }
    if let (Some(second), true) = (found.get(1), holds_values && found.len() == all.len()) {
        let first_key =
            second.tree.root.as_ref().and_then(|root| root.entries().first()).map(|(key, _)| key.span.clone());
        let Range { start, end } = first_key.unwrap_or_default();
        let place = reader.text.place(second.offset + start..second.offset + end);
        reader.facts.findings.push(ignored_document::finding(place));
    }
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
