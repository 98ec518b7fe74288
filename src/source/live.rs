//! The source `live`: keys of a running Secret, as `kubectl` prints it. By hand only: to adopt what runs, to look, and
//! for the night when the store is down.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Error, Kubectl, Numbered, Run, Source, refuse_almost_a_field};
use crate::held;
use crate::manifest::{Cursor, Object, split};
use crate::profile::FieldSpec;
use crate::report::list;
use crate::yaml;

/// Where a printed Secret comes from.
pub enum Live {
    /// From a cluster, at every fetch.
    Cluster {
        /// How to reach it.
        kubectl: Kubectl,
        /// The Secrets' names.
        secrets: Vec<String>,
        /// The run that it is part of.
        run: Arc<Run>,
    },
    /// From a file or stdin, read already.
    Printed {
        /// What to call it.
        name: String,
        /// JSON or YAML: Secrets, or lists of them.
        text: Zeroizing<String>,
    },
}

impl Source for Live {
    fn describe(&self) -> String {
        match self {
            Self::Cluster { kubectl, secrets, .. } => format!("Secret {}{kubectl}", list(secrets)),
            Self::Printed { name, .. } => format!("the Secret in {name}"),
        }
    }

    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        match self {
            Self::Cluster { kubectl, secrets, run } => rings_of(&kubectl.secrets(run, secrets)?, rings),
            Self::Printed { text, .. } => rings_of(text, rings),
        }
    }
}

impl Live {
    /// What was printed before, to be read from a file.
    pub fn printed(name: &Path, text: Zeroizing<String>) -> Self {
        Self::Printed { name: name.display().to_string(), text }
    }
}

/// The keys of each ring, in all Secrets of a text together.
fn rings_of(text: &str, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
    let mut found: Vec<Numbered> = rings.iter().map(|_| Numbered::new()).collect();
    for piece in split(text.as_bytes()) {
        let no_yaml = |_| Error::new("is neither JSON nor YAML", "print it with `kubectl get secret NAME -o json`");
        let tree = yaml::parse(&text[piece]).map_err(no_yaml)?;
        let objects = Cursor::root(&tree).map(Object::all).unwrap_or_default();
        for secret in objects.iter().filter(|object| object.kind == "Secret") {
            refuse_almost(secret, rings)?;
            for (spec, found) in rings.iter().zip(&mut found) {
                add(secret, spec, found)?;
            }
        }
    }
    Ok(found)
}

fn add(secret: &Object<'_, '_>, spec: &FieldSpec, found: &mut Numbered) -> Result<(), Error> {
    let held = held::fields(secret, |name| spec.slot(name).map(|slot| (0, slot)));
    let own = held::ring(&held, 0, spec).map_err(|field| {
        Error::new(
            format!("`{}` in `data` is not base64", field.name),
            "print the Secret with `kubectl get secret NAME -o json`, and change nothing",
        )
    })?;
    if !own.is_empty() && !found.is_empty() {
        return Err(Error::new(
            format!("two Secrets hold keys of `{}`", spec.name),
            "give the one that the application reads",
        ));
    }
    found.extend(own);
    Ok(())
}

fn refuse_almost(secret: &Object<'_, '_>, rings: &[&FieldSpec]) -> Result<(), Error> {
    let maps = ["data", "stringData"].into_iter().filter_map(|place| secret.root.get(place));
    let names: Vec<&str> = maps.flat_map(|map| map.values_with_merged()).map(|(name, _)| name).collect();
    refuse_almost_a_field(rings, names.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::shipped;

    fn fetch(text: &str) -> Result<Vec<(u32, Vec<u8>)>, String> {
        let profile = shipped("lightrun").unwrap().unwrap();
        let live = Live::printed(Path::new("secret.json"), Zeroizing::new(text.to_owned()));
        let found = live.fetch(&[&profile.secrets[0].fields[0]]).map_err(|error| error.message)?.remove(0);
        Ok(found.iter().map(|(number, key)| (*number, key.expose().to_vec())).collect())
    }

    #[test]
    fn keys_come_from_json_yaml_and_lists_exactly_as_they_are() {
        let keys = Ok(vec![(0, b"old\n".to_vec()), (1, b"new".to_vec())]);
        let json =
            r#"{"kind": "Secret", "data": {"encryption-key-0": "b2xkCg==", "encryption-key-1": "bmV3", "x": "eA=="}}"#;
        assert_eq!(fetch(json), keys);
        assert_eq!(fetch("kind: Secret\nstringData:\n  encryption-key-1: new\n  encryption-key-0: |\n    old\n"), keys);
        assert_eq!(fetch(&format!(r#"{{"kind": "List", "items": [{{"kind": "ConfigMap"}}, {json}]}}"#)), keys);
        assert_eq!(fetch("kind: Secret\ndata: {}\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_could_lose_a_key_is_refused() {
        let secret = |field: &str| format!("kind: Secret\ndata: {{encryption-key-0: YQ==, {field}: Yg==}}\n");
        assert!(fetch(&secret("encryption-key-01")).unwrap_err().contains("is almost a field"));
        let two = format!("{}---\n{}", secret("x"), secret("y"));
        assert_eq!(fetch(&two).unwrap_err(), "two Secrets hold keys of `encryption-key-{n}`");
        assert!(fetch("kind: Secret\ndata: {encryption-key-0: '%'}\n").unwrap_err().contains("is not base64"));
        assert_eq!(fetch("kind: [").unwrap_err(), "is neither JSON nor YAML");
    }
}
