//! Argo CD: `Application` and `ApplicationSet`, and the values that they give to a chart.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::facts::Deployment;
use super::generators;
use super::reader::{Reader, Taken};
use super::text::Text;
use super::values::{self, Mapping};
use crate::manifest::shown_name;
use crate::profile::Profile;
use crate::rules::{Stands, rotate_in_gitops, unsafe_scalar};
use crate::values::{Layer, Request, Set, SetKind, Stands as Where, escaped_commas};
use crate::yaml::{Data, Node, Value};

/// Looks at an Application.
pub fn application(at: Mapping<'_, '_>, reader: &mut Reader<'_, '_>) {
    let Some(spec) = at.value.get("spec") else { return };
    let node = under(at.node, "spec");
    let seen = Seen { document: at, title: title("Application", at.value) };
    for (source, source_node) in sources(spec, node) {
        seen.keys(source, source_node, reader);
        reader.facts.deployments.extend(seen.deployment("", spec, source, source_node, reader));
    }
}

/// Looks at an ApplicationSet: its template, and each Application that its generators certainly make.
pub fn application_set(at: Mapping<'_, '_>, reader: &mut Reader<'_, '_>) {
    let way = ["spec", "template", "spec"];
    let Some(spec) = at.value.at(way) else { return };
    let node = way.iter().try_fold(at.node, |node, key| under(node, key));
    let seen = Seen { document: at, title: title("ApplicationSet", at.value) };
    let written = sources(spec, node);
    let made = generators::parameters(at.value, reader.root);
    // What nobody knows to be made is judged as it is written.
    let taken = Taken { template: true, lone: made.is_empty(), ..reader.taken };
    reader.taking(taken, |reader| {
        for (source, source_node) in written.iter().filter(|_| made.is_empty()) {
            seen.keys(source, *source_node, reader);
        }
        for parameters in made {
            let spec = generators::filled(spec, &parameters);
            for ((source, _), (_, source_node)) in sources(&spec, None).into_iter().zip(&written) {
                seen.keys(source, *source_node, reader);
                let deployment = seen.deployment(&parameters.title(), &spec, source, *source_node, reader);
                reader.facts.deployments.extend(deployment);
            }
        }
    });
}

fn title(kind: &str, object: &Value) -> String {
    let name = object.at(["metadata", "name"]).and_then(Value::text).unwrap_or("(no name)");
    format!("{kind}/{}", shown_name(name))
}

/// `source` or `sources`, each as it is written where that can be told.
fn sources<'v, 'n, 'a>(spec: &'v Value, node: Option<&'n Node<'a>>) -> Vec<(&'v Value, Option<&'n Node<'a>>)> {
    let one = spec.get("source").map(|source| (source, node.and_then(|node| under(node, "source"))));
    let list = match spec.get("sources").map(|sources| &sources.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    };
    let nodes = node.and_then(|node| under(node, "sources"));
    let many = list.iter().enumerate().map(|(i, source)| (source, nodes.and_then(|nodes| nodes.items().get(i))));
    one.into_iter().chain(many).collect()
}

/// The last value under a key.
fn under<'n, 'a>(node: &'n Node<'a>, key: &str) -> Option<&'n Node<'a>> {
    node.entries().iter().rev().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
}

/// What the sources of one document share.
struct Seen<'v, 'a> {
    document: Mapping<'v, 'a>,
    title: String,
}

impl Seen<'_, '_> {
    /// The keys that stand in a source, wherever they do.
    fn keys(&self, source: &Value, node: Option<&Node<'_>>, reader: &mut Reader<'_, '_>) {
        let (helm, helm_node) = (source.get("helm"), node.and_then(|node| under(node, "helm")));
        let written = |key: &str| Some((helm?.get(key)?, under(helm_node?, key)?));
        if let Some((value, node)) = written("valuesObject") {
            values::look(Mapping { value, node, ..self.document }, reader);
        }
        if let Some((value, node)) = written("values") {
            self.string(value, node, reader);
        }
        for parameter in items(helm.and_then(|helm| helm.get("parameters"))) {
            let force = matches!(parameter.get("forceString").map(|force| &force.data), Some(Data::Bool(true)));
            if let (Some(name), Some(value)) = (parameter.get("name").and_then(Value::text), parameter.get("value")) {
                self.parameter(name, value, force, reader);
            }
        }
        let plugin = source.get("plugin");
        for variable in items(plugin.and_then(|plugin| plugin.get("env"))) {
            let (name, value) = (variable.get("name").and_then(Value::text), variable.get("value"));
            let (Some(name), Some(value)) = (name, value) else { continue };
            if let (Some(ring), Some(key)) = (reader.ring_of_variable(name), value.text()) {
                let place = reader.text.place(value.span.start..value.span.end);
                reader.key(ring, name, key, place, Stands::Variable);
            }
        }
        let nodes = node.and_then(|node| under(under(node, "plugin")?, "parameters")).map(Node::items);
        let parameters = items(plugin.and_then(|plugin| plugin.get("parameters")));
        for (parameter, node) in parameters.zip(nodes.unwrap_or_default()) {
            if let (Some(value), Some(node)) = (parameter.get("string"), under(node, "string")) {
                self.string(value, node, reader);
            }
            for (name, entry) in parameter.get("map").and_then(Value::map).into_iter().flatten() {
                self.parameter(name, &entry.value, false, reader);
            }
        }
    }

    /// A single value: of a key, or of the switch that rotates one.
    fn parameter(&self, name: &str, value: &Value, force_text: bool, reader: &mut Reader<'_, '_>) {
        let is = |path: &str| name == path || name.strip_suffix(path).is_some_and(|before| before.ends_with('.'));
        let place = reader.text.place(value.span.start..value.span.end);
        let rings = reader.profiles.iter().flat_map(Profile::rings).map(|(_, ring)| ring);
        for (ring, paths) in rings.filter_map(|ring| Some((ring, ring.values.as_ref()?))) {
            if is(&paths.key) {
                reader.key(ring, &paths.key, value.text().unwrap_or_default(), place.clone(), Stands::Values);
            }
            match (paths.rotate.as_deref().filter(|path| is(path)), value.text()) {
                (Some(path), Some(text)) if force_text && !text.is_empty() => {
                    reader.facts.findings.push(unsafe_scalar::text_for_a_switch(path, place.clone()));
                }
                (Some(path), Some("true")) => {
                    reader.facts.findings.push(rotate_in_gitops::finding(path, place.clone()));
                }
                _ => {}
            }
        }
    }

    /// YAML in a string; the value may have parameters put in, which stay on their lines.
    fn string(&self, value: &Value, node: &Node<'_>, reader: &mut Reader<'_, '_>) {
        let Some(inner) = value.text().filter(|text| text.contains(':')) else { return };
        let stands = reader.text.stands_inside(node, self.document.offset);
        reader.embedded(&reader.text.inside(inner, stands));
    }

    /// The chart and the values of a source; nothing where no chart is named.
    fn deployment(
        &self,
        which: &str,
        spec: &Value,
        source: &Value,
        node: Option<&Node<'_>>,
        reader: &Reader<'_, '_>,
    ) -> Option<Deployment> {
        let (text, root) = (reader.text, reader.root);
        let helm = source.get("helm");
        let chart = source.get("chart").and_then(Value::text);
        let path = source.get("path").and_then(Value::text);
        let folder = path.map(|path| root.join(path.trim_matches('/')));
        let local = folder.as_ref().filter(|folder| folder.join("Chart.yaml").is_file());
        if chart.is_none() && local.is_none() && helm.is_none() {
            return None;
        }
        let named = ["chart", "path", "repoURL"].into_iter().find(|key| source.get(key).is_some())?;
        let place = match node.and_then(|node| under(node, named)) {
            Some(node) => text.place(self.document.offset + node.span.start..self.document.offset + node.span.end),
            None => source.get(named).map(|value| text.place(value.span.start..value.span.end))?,
        };
        let mut unknown = None;
        let mut files = Vec::new();
        let ignore_missing = helm.and_then(|helm| helm.get("ignoreMissingValueFiles"));
        let ignore_missing = ignore_missing.is_some_and(|value| matches!(value.data, Data::Bool(true)));
        for name in items(helm.and_then(|helm| helm.get("valueFiles"))).filter_map(Value::text) {
            match value_file(root, name, local.map(PathBuf::as_path)) {
                Some(file) => files.push(file.display().to_string()),
                None if ignore_missing && !name.contains("{{") => {}
                None => unknown = Some("a values file is not in this repository".to_owned()),
            }
        }
        if helm.is_some_and(|helm| helm.get("fileParameters").is_some()) {
            unknown = Some("`fileParameters` take values from files".to_owned());
        }
        let request = Request {
            chart: local.cloned(),
            files,
            layers: self.layers(helm, node.and_then(|node| under(node, "helm")), text),
            set: parameters(helm, text),
            ..Request::default()
        };
        Some(Deployment {
            title: format!("{}{which}", self.title),
            place,
            chart: chart.map(str::to_owned),
            namespace: spec.at(["destination", "namespace"]).and_then(Value::text).map(str::to_owned),
            request,
            from: Vec::new(),
            unknown,
            plugin: source.get("plugin").is_some(),
        })
    }

    /// `valuesObject`, which takes the place of `values`.
    fn layers(&self, helm: Option<&Value>, node: Option<&Node<'_>>, text: &Text<'_>) -> Vec<Layer> {
        let Some(helm) = helm else { return Vec::new() };
        let layer = |inner: &str, stands: Where, mapping: Option<Value>| Layer {
            file: text.file.to_owned(),
            text: Zeroizing::new(inner.to_owned()),
            stands,
            mapping,
        };
        if let Some(object) = helm.get("valuesObject") {
            return vec![layer(text.text, text.stands.clone(), Some(object.clone()))];
        }
        let Some(values) = helm.get("values") else { return Vec::new() };
        let stands = match node.and_then(|node| under(node, "values")) {
            Some(node) => text.stands_inside(node, self.document.offset),
            None => Where::At(Box::new(text.place(values.span.start..values.span.end))),
        };
        values.text().map(|inner| layer(inner, stands, None)).into_iter().collect()
    }
}

/// A values file where Argo CD looks for it: beside the chart, at the repository's root, at that of another source.
fn value_file(root: &Path, name: &str, chart: Option<&Path>) -> Option<PathBuf> {
    let path = match name.strip_prefix('/') {
        Some(rest) => root.join(rest),
        None if name.starts_with('$') => root.join(name.split_once('/')?.1),
        None => chart?.join(name),
    };
    path.is_file().then_some(path)
}

/// `parameters`, as Argo CD passes them to Helm.
fn parameters(helm: Option<&Value>, text: &Text<'_>) -> Vec<Set> {
    let set = |parameter: &Value| {
        let (name, value) = (parameter.get("name")?.text()?, parameter.get("value")?);
        let is_text = matches!(parameter.get("forceString").map(|force| &force.data), Some(Data::Bool(true)));
        Some(Set {
            kind: if is_text { SetKind::String } else { SetKind::Typed },
            text: Zeroizing::new(format!("{name}={}", written(value.text().unwrap_or_default()).as_str())),
            place: Some(text.place(value.span.start..value.span.end)),
        })
    };
    items(helm.and_then(|helm| helm.get("parameters"))).filter_map(set).collect()
}

/// What an ApplicationSet puts in later begins like a list, and is none yet.
fn written(value: &str) -> Zeroizing<String> {
    match value.starts_with("{{") {
        true => Zeroizing::new(value.replace(',', "\\,")),
        false => escaped_commas(value),
    }
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let list = match value.map(|value| &value.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    };
    list.iter()
}
