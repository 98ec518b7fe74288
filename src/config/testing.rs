//! What the tests of this folder share.

use std::path::Path;

use super::Config;
use crate::report::Refusal;

/// Two keyrings, three environments.
pub const TWO: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  devmesh:
    profile: devmesh
    environments:
      production: {namespace: obs}
  lightrun:
    profile: lightrun
    environments:
      production: {namespace: obs}
      staging: {namespace: obs-staging}
";

/// Reads a text that must be right.
pub fn config(text: &str) -> Config {
    read(text).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// Reads a text as `keyring.yaml`.
pub fn read(text: &str) -> Result<Config, Refusal> {
    Config::parse(Path::new("keyring.yaml"), text.to_owned())
}

/// The message of what must be refused, as a user sees it.
pub fn refused<T>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(_) => panic!("not refused"),
        Err(refusal) => refusal.to_string(),
    }
}

/// The text of a file of the project.
pub fn project_file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The code blocks of one language in a document.
pub fn code_blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = document.split(&fence).skip(1);
    after.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// Asserts that a document names every property of a schema.
pub fn assert_documents(document: &str, schema: &str) {
    fn properties(node: &serde_json::Value, names: &mut Vec<String>) {
        for (key, child) in node.as_object().into_iter().flatten() {
            if key == "properties" {
                names.extend(child.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
            }
            properties(child, names);
        }
        node.as_array().into_iter().flatten().for_each(|child| properties(child, names));
    }
    let mut names = Vec::new();
    properties(&serde_json::from_str(schema).unwrap(), &mut names);
    for name in names {
        let word = |part: &str| part.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| word == name);
        assert!(document.split('`').skip(1).step_by(2).any(word), "`{name}` is not in the document");
    }
}
