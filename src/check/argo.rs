//! Argo CD: `Application` and `ApplicationSet`, and the values that they give to a chart.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::documents::Document;
use super::facts::{Deployment, Facts};
use super::generators;
use super::manifests::{embedded, of_variable};
use super::text::Text;
use super::values::{self, Mapping, Taken};
use crate::profile::Profile;
use crate::rules::Stands as KeyStands;
use crate::values::{Layer, Request, Set, SetKind, Stands};
use crate::yaml::{Data, Node, Value};

/// Looks at an Application.
pub fn application<'p>(
    document: &Document<'_>,
    text: &Text<'_>,
    root: &Path,
    profiles: &'p [Profile],
    facts: &mut Facts<'p>,
) {
    let Some(spec) = document.value.get("spec") else { return };
    let node = document.tree.root.as_ref().and_then(|root| under(root, "spec"));
    let title = title("Application", &document.value);
    let seen = Seen { document, text, root, profiles, template: false };
    for (source, source_node) in sources(spec, node) {
        seen.keys(source, source_node, facts);
        facts.deployments.extend(seen.deployment(&title, spec, source, source_node));
    }
}

/// Looks at an ApplicationSet: its template, and each Application that its generators certainly make.
pub fn application_set<'p>(
    document: &Document<'_>,
    text: &Text<'_>,
    root: &Path,
    profiles: &'p [Profile],
    facts: &mut Facts<'p>,
) {
    let Some(spec) = document.value.at(["spec", "template", "spec"]) else { return };
    let node = ["spec", "template", "spec"]
        .iter()
        .try_fold(document.tree.root.as_ref(), |node, key| node.map(|node| under(node, key)))
        .flatten();
    let title = title("ApplicationSet", &document.value);
    let seen = Seen { document, text, root, profiles, template: true };
    let written = sources(spec, node);
    let made = generators::parameters(&document.value, root);
    for (source, source_node) in written.iter().filter(|_| made.is_empty()) {
        seen.keys(source, *source_node, facts);
    }
    for parameters in made {
        let spec = generators::filled(spec, &parameters);
        let name = parameters.title();
        for ((source, _), (_, source_node)) in sources(&spec, None).into_iter().zip(&written) {
            seen.keys(source, *source_node, facts);
            facts.deployments.extend(seen.deployment(&format!("{title}{name}"), &spec, source, *source_node));
        }
    }
}

fn title(kind: &str, object: &Value) -> String {
    let name = object.at(["metadata", "name"]).and_then(Value::text).unwrap_or("(no name)");
    format!("{kind}/{name}")
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

struct Seen<'s, 'p> {
    document: &'s Document<'s>,
    text: &'s Text<'s>,
    root: &'s Path,
    profiles: &'p [Profile],
    /// Parameters are put in before the values are used.
    template: bool,
}

impl<'p> Seen<'_, 'p> {
    fn taken(&self) -> Taken {
        Taken { template: self.template, ..Taken::WHOLE }
    }

    /// The keys that stand in a source, wherever they do.
    fn keys(&self, source: &Value, node: Option<&Node<'_>>, facts: &mut Facts<'p>) {
        let (helm, helm_node) = (source.get("helm"), node.and_then(|node| under(node, "helm")));
        if let (Some(value), Some(node)) =
            (helm.and_then(|helm| helm.get("valuesObject")), helm_node.and_then(|node| under(node, "valuesObject")))
        {
            let mapping = Mapping { value, node, offset: self.document.offset };
            values::look(mapping, self.text, self.taken(), self.profiles, facts);
        }
        if let (Some(value), Some(node)) =
            (helm.and_then(|helm| helm.get("values")), helm_node.and_then(|node| under(node, "values")))
        {
            self.string(value, node, facts);
        }
        for parameter in items(helm.and_then(|helm| helm.get("parameters"))) {
            self.parameter(parameter, facts);
        }
        let plugin = source.get("plugin");
        for variable in items(plugin.and_then(|plugin| plugin.get("env"))) {
            self.variable(variable, facts);
        }
        let nodes =
            node.and_then(|node| under(under(node, "plugin")?, "parameters")).map(Node::items).unwrap_or_default();
        for (parameter, node) in items(plugin.and_then(|plugin| plugin.get("parameters"))).zip(nodes) {
            if let (Some(value), Some(node)) = (parameter.get("string"), under(node, "string")) {
                self.string(value, node, facts);
            }
        }
    }

    /// YAML in a string; the value may have parameters put in, which stay on their lines.
    fn string(&self, value: &Value, node: &Node<'_>, facts: &mut Facts<'p>) {
        let Some(inner) = value.text().filter(|text| text.contains(':')) else { return };
        let stands = self.text.stands_inside(node, self.document.offset);
        let inside = Text { file: self.text.file, text: inner, stands, committed: self.text.committed };
        embedded(&inside, self.taken(), self.profiles, facts);
    }

    /// `{name: a.b.c, value: x}`
    fn parameter(&self, parameter: &Value, facts: &mut Facts<'p>) {
        let (Some(name), Some(value)) = (parameter.get("name").and_then(Value::text), parameter.get("value")) else {
            return;
        };
        for (_, ring) in self.profiles.iter().flat_map(Profile::rings) {
            let Some(path) = ring.values.as_ref().map(|values| values.key.as_str()) else { continue };
            let is_it = name == path || name.strip_suffix(path).is_some_and(|before| before.ends_with('.'));
            if let (true, Some(key)) = (is_it, value.text().filter(|text| !text.is_empty())) {
                let place = self.text.place(value.span.start..value.span.end);
                values::take(ring, path, key, place, KeyStands::Values, self.text, self.taken(), facts);
            }
        }
    }

    fn variable(&self, variable: &Value, facts: &mut Facts<'p>) {
        let (Some(name), Some(value)) = (variable.get("name").and_then(Value::text), variable.get("value")) else {
            return;
        };
        if let (Some(ring), Some(key)) =
            (of_variable(self.profiles, name), value.text().filter(|text| !text.is_empty()))
        {
            let place = self.text.place(value.span.start..value.span.end);
            values::take(ring, name, key, place, KeyStands::Variable, self.text, self.taken(), facts);
        }
    }

    /// The chart and the values of a source; nothing where no chart is named.
    fn deployment(&self, title: &str, spec: &Value, source: &Value, node: Option<&Node<'_>>) -> Option<Deployment> {
        let helm = source.get("helm");
        let chart = source.get("chart").and_then(Value::text);
        let path = source.get("path").and_then(Value::text);
        let folder = path.map(|path| self.root.join(path.trim_matches('/')));
        let local = folder.as_ref().filter(|folder| folder.join("Chart.yaml").is_file());
        if chart.is_none() && local.is_none() && helm.is_none() {
            return None;
        }
        let named = ["chart", "path", "repoURL"].into_iter().find(|key| source.get(key).is_some())?;
        let place = match node.and_then(|node| under(node, named)) {
            Some(node) => self.document.place(self.text, node.span.clone()),
            None => source.get(named).map(|value| self.text.place(value.span.start..value.span.end))?,
        };
        let mut unknown = None;
        let mut files = Vec::new();
        let ignore_missing = helm.and_then(|helm| helm.get("ignoreMissingValueFiles"));
        let ignore_missing = ignore_missing.is_some_and(|value| matches!(value.data, Data::Bool(true)));
        for name in items(helm.and_then(|helm| helm.get("valueFiles"))).filter_map(Value::text) {
            match self.value_file(name, local.map(PathBuf::as_path)) {
                Some(file) => files.push(file.display().to_string()),
                None if ignore_missing && !name.contains("{{") => {}
                None => unknown = Some("a values file is not in this repository".to_owned()),
            }
        }
        let request = Request {
            chart: local.cloned(),
            files,
            layers: self.layers(helm, node.and_then(|node| under(node, "helm"))),
            set: self.parameters(helm),
            ..Request::default()
        };
        Some(Deployment {
            title: title.to_owned(),
            place,
            chart: chart.map(str::to_owned),
            namespace: spec.at(["destination", "namespace"]).and_then(Value::text).map(str::to_owned),
            request,
            from: Vec::new(),
            unknown,
            plugin: source.get("plugin").is_some(),
        })
    }

    /// A values file where Argo CD looks for it: beside the chart, at the repository's root, at that of another source.
    fn value_file(&self, name: &str, chart: Option<&Path>) -> Option<PathBuf> {
        let path = match name.strip_prefix('/') {
            Some(rest) => self.root.join(rest),
            None if name.starts_with('$') => self.root.join(name.split_once('/')?.1),
            None => chart?.join(name),
        };
        path.is_file().then_some(path)
    }

    /// `valuesObject`, which takes the place of `values`.
    fn layers(&self, helm: Option<&Value>, node: Option<&Node<'_>>) -> Vec<Layer> {
        let Some(helm) = helm else { return Vec::new() };
        let layer = |text: &str, stands: Stands, mapping: Option<Value>| Layer {
            file: self.text.file.to_owned(),
            text: Zeroizing::new(text.to_owned()),
            stands,
            mapping,
        };
        if let Some(object) = helm.get("valuesObject") {
            return vec![layer(self.text.text, self.text.stands.clone(), Some(object.clone()))];
        }
        let Some(values) = helm.get("values") else { return Vec::new() };
        let stands = match node.and_then(|node| under(node, "values")) {
            Some(node) => self.text.stands_inside(node, self.document.offset),
            None => Stands::At(Box::new(self.text.place(values.span.start..values.span.end))),
        };
        values.text().map(|inner| layer(inner, stands, None)).into_iter().collect()
    }

    fn parameters(&self, helm: Option<&Value>) -> Vec<Set> {
        let set = |parameter: &Value| {
            let (name, value) = (parameter.get("name")?.text()?, parameter.get("value")?);
            let is_text = matches!(parameter.get("forceString").map(|force| &force.data), Some(Data::Bool(true)));
            Some(Set {
                kind: if is_text { SetKind::String } else { SetKind::Typed },
                text: Zeroizing::new(format!("{name}={}", escaped(value.text().unwrap_or_default()).as_str())),
                place: Some(self.text.place(value.span.start..value.span.end)),
            })
        };
        items(helm.and_then(|helm| helm.get("parameters"))).filter_map(set).collect()
    }
}

/// As Argo CD writes it for `--set`: commas belong to the value, unless it is a list.
fn escaped(value: &str) -> Zeroizing<String> {
    let is_list = value.starts_with('{') && value.ends_with('}');
    Zeroizing::new(if is_list { value.to_owned() } else { value.replace(',', "\\,") })
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let list = match value.map(|value| &value.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    };
    list.iter()
}
