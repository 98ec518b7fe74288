//! What a chart expects in its values: one definition, for the rule `wrong-type` and for the JSON Schemas of
//! `schema/values/`.

use serde_json::{Map, Value, json};

use super::Profile;

/// What the chart expects at one of its paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A text.
    Text,
    /// A boolean.
    Switch,
}

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Switch => "true or false",
        })
    }
}

impl Profile {
    /// The JSON Schema of the part of a chart's values that the profile knows, for `values.schema.json` and editors.
    pub fn values_schema(&self) -> Value {
        let mut root = Map::new();
        for (path, expected) in self.typed_values() {
            let steps: Vec<&str> = path.split('.').collect();
            put(&mut root, &steps, expected);
        }
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!(format!("the keys in the values of {}", self.name)));
        root.insert("type".to_owned(), json!("object"));
        Value::Object(root)
    }

    /// Every values path that the profile knows, with what stands there; null is allowed everywhere.
    pub fn typed_values(&self) -> Vec<(&str, ValueType)> {
        let mut paths = Vec::new();
        for secret in &self.secrets {
            paths.extend(secret.values.rendered.as_deref().map(|path| (path, ValueType::Switch)));
            paths.extend(secret.values.existing.as_deref().map(|path| (path, ValueType::Text)));
            for values in secret.fields.iter().filter_map(|field| field.values.as_ref()) {
                paths.push((values.key.as_str(), ValueType::Text));
                paths.extend(values.rotate.as_deref().map(|path| (path, ValueType::Switch)));
            }
        }
        paths
    }

    /// The values paths of its keys and of what rotates them.
    pub fn values_paths(&self) -> Vec<&str> {
        let fields = self.rings().filter_map(|(_, ring)| ring.values.as_ref());
        fields.flat_map(|values| std::iter::once(values.key.as_str()).chain(values.rotate.as_deref())).collect()
    }
}

/// Says in a schema what is expected at a path below it.
fn put(schema: &mut Map<String, Value>, steps: &[&str], expected: ValueType) {
    let Some((step, rest)) = steps.split_first() else {
        let name = match expected {
            ValueType::Text => "string",
            ValueType::Switch => "boolean",
        };
        schema.insert("type".to_owned(), json!([name, "null"]));
        return;
    };
    schema.entry("type").or_insert_with(|| json!(["object", "null"]));
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    let below = properties.as_object_mut().map(|properties| properties.entry(*step).or_insert_with(|| json!({})));
    if let Some(below) = below.and_then(Value::as_object_mut) {
        put(below, rest, expected);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{shipped, shipped_names};
    use super::*;

    #[test]
    fn the_schemas_of_values_are_those_of_the_profiles() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/values");
        for name in shipped_names() {
            let profile = shipped(name).unwrap().unwrap();
            let file = folder.join(format!("{name}.schema.json"));
            let has_values = !profile.typed_values().is_empty();
            assert_eq!(file.is_file(), has_values, "{name}");
            if has_values {
                let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
                assert_eq!(schema, profile.values_schema(), "{name}");
            }
        }
    }

    #[test]
    fn a_schema_takes_what_the_chart_takes() {
        let schema = shipped("lightrun").unwrap().unwrap().values_schema();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let values = |key: Value, rotate: Value| json!({"secrets": {"keysEncryption": {"userEncryptionKey": key, "rotateKey": rotate}}});
        assert!(schema.is_valid(&values(json!("x"), json!(false))) && schema.is_valid(&json!({"other": 1})));
        assert!(schema.is_valid(&values(Value::Null, Value::Null)));
        assert!(
            !schema.is_valid(&values(json!(1), json!(false))) && !schema.is_valid(&values(json!("x"), json!("false")))
        );
    }
}
