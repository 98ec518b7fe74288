//! Where pods read Secrets: volumes with or without `items`, and `secretKeyRef`s, in every kind of workload.

use super::cursor::Cursor;
use super::object::Object;

/// Deeper than any workload: the rest is some resource's own data.
const MAX_STEPS: usize = 24;

/// A mapping that has volumes or containers of its own: a pod's `spec`, or what a custom resource has in its place.
pub struct Pod<'t, 'a> {
    /// The mapping that holds `metadata` and `spec`, where it is a pod or a pod template: it can be annotated.
    pub template: Option<Cursor<'t, 'a>>,
    spec: Cursor<'t, 'a>,
}

/// A volume (or a part of a projected one) that shows a Secret.
pub struct SecretVolume<'t, 'a> {
    /// The mapping that names the Secret.
    pub source: Cursor<'t, 'a>,
    /// The scalar with the Secret's name.
    pub secret: Cursor<'t, 'a>,
    /// The `items` list, if there is one.
    pub items: Option<Cursor<'t, 'a>>,
    /// Where the word `items` stands in its document.
    pub items_at: usize,
    /// `optional: true`
    pub optional: bool,
}

/// `env[].valueFrom.secretKeyRef`
pub struct SecretKeyRef<'t, 'a> {
    /// The mapping that names Secret and field.
    pub source: Cursor<'t, 'a>,
    /// The scalar with the Secret's name.
    pub secret: Cursor<'t, 'a>,
    /// The scalar with the field's name.
    pub key: Cursor<'t, 'a>,
    /// `optional: true`
    pub optional: bool,
}

impl<'t, 'a> Pod<'t, 'a> {
    /// Every place of an object that can read a Secret, wherever it lies, so that CronJobs and custom workloads are
    /// covered like Deployments.
    pub fn all(object: &Object<'t, 'a>) -> Vec<Self> {
        let mut found = Vec::new();
        find(None, &object.root, &mut found);
        found
    }

    /// Where it begins in its document: tells two pods of one document apart.
    pub fn offset(&self) -> usize {
        self.spec.node.start
    }

    /// The volumes that show a Secret.
    pub fn volumes(&self) -> Vec<SecretVolume<'t, 'a>> {
        let volumes = self.spec.get("volumes").map(|v| v.items()).unwrap_or_default();
        let volume = |part: &Cursor<'t, 'a>, name: &str| {
            Some(SecretVolume {
                source: part.clone(),
                secret: part.get(name)?,
                items_at: key_at(part, "items"),
                items: part.get("items").filter(|items| !items.node.items().is_empty()),
                optional: part.get("optional").is_some_and(|optional| optional.is_true()),
            })
        };
        let direct = volumes.iter().filter_map(|v| volume(&v.get("secret")?, "secretName"));
        let sources = volumes.iter().filter_map(|v| Some(v.at(&["projected", "sources"])?.items())).flatten();
        let projected = sources.filter_map(|source| volume(&source.get("secret")?, "name"));
        direct.chain(projected).collect()
    }

    /// The names of the Secrets that containers read as a whole through `envFrom`.
    pub fn env_from_secrets(&self) -> Vec<&'t str> {
        let sources =
            self.containers().into_iter().filter_map(|container| Some(container.get("envFrom")?.items())).flatten();
        sources.filter_map(|source| source.at(&["secretRef", "name"])?.text()).collect()
    }

    /// The variables that are one field of a Secret.
    pub fn secret_key_refs(&self) -> Vec<SecretKeyRef<'t, 'a>> {
        let variables =
            self.containers().into_iter().filter_map(|container| Some(container.get("env")?.items())).flatten();
        let reference = |variable: Cursor<'t, 'a>| {
            let reference = variable.at(&["valueFrom", "secretKeyRef"])?;
            let optional = reference.get("optional").is_some_and(|optional| optional.is_true());
            let (secret, key) = (reference.get("name")?, reference.get("key")?);
            Some(SecretKeyRef { source: reference, secret, key, optional })
        };
        variables.filter_map(reference).collect()
    }

    /// The variables that have a text of their own: name and value.
    pub fn literals(&self) -> Vec<(&'t str, Cursor<'t, 'a>)> {
        let variables =
            self.containers().into_iter().filter_map(|container| Some(container.get("env")?.items())).flatten();
        variables.filter_map(|variable| Some((variable.get("name")?.text()?, variable.get("value")?))).collect()
    }

    fn containers(&self) -> Vec<Cursor<'t, 'a>> {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let listed = lists.iter().filter_map(|list| Some(self.spec.get(list)?.items())).flatten();
        listed.chain(self.spec.get("container")).collect()
    }
}

/// Where a key of a mapping stands, or the mapping.
fn key_at(part: &Cursor<'_, '_>, name: &str) -> usize {
    let key = part.node.entries().iter().rev().find(|(key, _)| key.text() == Some(name));
    key.map_or(part.node.start, |(key, _)| key.start)
}

fn find<'t, 'a>(parent: Option<&Cursor<'t, 'a>>, at: &Cursor<'t, 'a>, found: &mut Vec<Pod<'t, 'a>>) {
    if at.path.len() > MAX_STEPS {
        return;
    }
    let has_items = |key: &str| at.get(key).is_some_and(|list| !list.node.items().is_empty());
    let has_container = at.get("container").is_some_and(|container| !container.node.entries().is_empty());
    if has_items("containers") || has_items("volumes") || has_container {
        let is_template = at.is_under("spec") && has_items("containers");
        found.push(Pod { template: parent.filter(|_| is_template).cloned(), spec: at.clone() });
    }
    for (_, child) in at.values() {
        find(Some(at), &child, found);
        child.items().iter().for_each(|item| find(None, item, found));
    }
}
