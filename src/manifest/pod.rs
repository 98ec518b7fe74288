//! Where pods read Secrets: volumes with or without `items`, and `secretKeyRef`s, in every kind of workload.

use super::cursor::{Cursor, Step};
use super::object::Object;

/// A pod template, or a Pod itself.
pub struct Pod<'t, 'a> {
    /// The mapping that holds `metadata` and `spec`.
    pub template: Cursor<'t, 'a>,
    spec: Cursor<'t, 'a>,
}

/// A volume (or a part of a projected one) that shows a Secret.
pub struct SecretVolume<'t, 'a> {
    /// The scalar with the Secret's name.
    pub secret: Cursor<'t, 'a>,
    /// The `items` list, if there is one.
    pub items: Option<Cursor<'t, 'a>>,
}

/// `env[].valueFrom.secretKeyRef`
pub struct SecretKeyRef<'t, 'a> {
    /// The scalar with the Secret's name.
    pub secret: Cursor<'t, 'a>,
    /// The scalar with the field's name.
    pub key: Cursor<'t, 'a>,
    /// `optional: true`
    pub optional: bool,
}

impl<'t, 'a> Pod<'t, 'a> {
    /// The pod templates of an object: a mapping whose `spec` lists `containers`, wherever it lies, so that
    /// CronJobs and custom workloads are covered like Deployments.
    pub fn all(object: &Object<'t, 'a>) -> Vec<Self> {
        let mut found = Vec::new();
        find(&object.root, &mut found);
        found
    }

    /// The volumes that show a Secret.
    pub fn volumes(&self) -> Vec<SecretVolume<'t, 'a>> {
        let volumes = self.spec.get("volumes").map(|v| v.items()).unwrap_or_default();
        let volume = |part: &Cursor<'t, 'a>, name: &str| {
            Some(SecretVolume {
                secret: part.get(name)?,
                items: part.get("items").filter(|i| !i.node.items().is_empty()),
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

    fn containers(&self) -> Vec<Cursor<'t, 'a>> {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        lists.iter().filter_map(|list| Some(self.spec.get(list)?.items())).flatten().collect()
    }

    /// The variables that are one field of a Secret.
    pub fn secret_key_refs(&self) -> Vec<SecretKeyRef<'t, 'a>> {
        let variables =
            self.containers().into_iter().filter_map(|container| Some(container.get("env")?.items())).flatten();
        let reference = |variable: Cursor<'t, 'a>| {
            let reference = variable.at(&["valueFrom", "secretKeyRef"])?;
            let optional = reference.get("optional").and_then(|o| o.text()) == Some("true");
            Some(SecretKeyRef { secret: reference.get("name")?, key: reference.get("key")?, optional })
        };
        variables.filter_map(reference).collect()
    }
}

fn find<'t, 'a>(at: &Cursor<'t, 'a>, found: &mut Vec<Pod<'t, 'a>>) {
    // Deeper than any workload: the rest is some resource's own data.
    if at.path.len() > 12 {
        return;
    }
    if let Some(spec) = at.get("spec").filter(|spec| spec.get("containers").is_some_and(|c| !c.node.items().is_empty()))
    {
        found.push(Pod { template: at.clone(), spec });
        return;
    }
    for (_, child) in at.values() {
        if !child.node.entries().is_empty() {
            find(&child, found);
        } else if matches!(child.path.last(), Some(Step::Key(_))) {
            child.items().iter().for_each(|item| find(item, found));
        }
    }
}
