//! What the generators of an ApplicationSet certainly make: lists, and folders and files of this repository. What they
//! ask a cluster or a server for is not known here.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::yaml::{Data, Number, Value};

/// Folders in folders that `**` stands for at most; a link that leads back to itself ends here.
const MAX_DEPTH: usize = 16;

/// The parameters of one Application.
#[derive(Default)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// ` (env: production)`: what tells it apart from its siblings.
    pub fn title(&self) -> String {
        let wanted = ["env", "environment", "cluster", "name", "path.basename"];
        let named = wanted.iter().find_map(|name| Some((name, self.0.get(*name)?)));
        let word =
            |text: &str| text.len() < 32 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        named.filter(|(_, value)| word(value)).map_or_else(String::new, |(name, value)| format!(" ({name}: {value})"))
    }
}

/// The parameters of each Application that is certainly made.
pub fn parameters(set: &Value, root: &Path) -> Vec<Parameters> {
    list(set.at(["spec", "generators"])).iter().flat_map(|generator| of_generator(generator, root)).collect()
}

fn of_generator(generator: &Value, root: &Path) -> Vec<Parameters> {
    let elements = list(generator.at(["list", "elements"])).iter().map(flat);
    let git = generator.get("git");
    let directories = list(git.and_then(|git| git.get("directories")));
    let is_excluded =
        |item: &&Value| matches!(item.get("exclude").map(|exclude| &exclude.data), Some(Data::Bool(true)));
    let pattern = |item: &Value| item.get("path").and_then(Value::text).map(str::to_owned);
    let excluded: Vec<String> = directories
        .iter()
        .filter(is_excluded)
        .filter_map(pattern)
        .flat_map(|path| matching(root, &path, true))
        .collect();
    let directories = directories.iter().filter(|item| !is_excluded(item)).filter_map(pattern);
    let folders = directories.flat_map(|pattern| matching(root, &pattern, true));
    let folders = folders.filter(|path| !excluded.contains(path)).map(|path| of_path(&path));
    let files = list(git.and_then(|git| git.get("files"))).iter().filter_map(|item| item.get("path")?.text());
    let files = files.flat_map(|pattern| matching(root, pattern, false)).filter_map(|path| of_file(root, &path));
    elements.chain(folders).chain(files).collect()
}

fn list(value: Option<&Value>) -> &[Value] {
    match value.map(|value| &value.data) {
        Some(Data::List(items)) => items,
        _ => &[],
    }
}

/// Every single value under its dotted name.
fn flat(value: &Value) -> Parameters {
    let mut all = Parameters::default();
    fill(value, "", &mut all.0);
    all
}

fn fill(value: &Value, name: &str, all: &mut BTreeMap<String, String>) {
    let text = match &value.data {
        Data::Map(map) => {
            for (key, entry) in map {
                fill(&entry.value, &if name.is_empty() { key.clone() } else { format!("{name}.{key}") }, all);
            }
            return;
        }
        Data::Text(text) => text.to_string(),
        Data::Bool(b) => b.to_string(),
        Data::Number(Number::Int(i)) => i.to_string(),
        _ => return,
    };
    all.insert(name.to_owned(), text);
}

/// `path`, `path.path` and `path.basename` of a folder or a file.
fn of_path(path: &str) -> Parameters {
    let base = path.rsplit('/').next().unwrap_or(path);
    let named = [("path", path), ("path.path", path), ("path.basename", base)];
    Parameters(named.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn of_file(root: &Path, path: &str) -> Option<Parameters> {
    let text = crate::schema::read_text(&root.join(path)).ok()?;
    let mut all = flat(&Value::parse(&text, 0).ok()?);
    all.0.extend(of_path(path.rsplit_once('/').map_or("", |(folder, _)| folder)).0);
    Some(all)
}

/// The folders or files whose path fits: `*` stands for one step, or for a part of one.
fn matching(root: &Path, pattern: &str, folders: bool) -> Vec<String> {
    let mut found = vec![String::new()];
    for step in pattern.trim_matches('/').split('/') {
        found = found.iter().flat_map(|path| children(root, path, step)).collect();
    }
    found.retain(|path| root.join(path).is_dir() == folders);
    found.sort();
    found
}

fn children(root: &Path, path: &str, step: &str) -> Vec<String> {
    if step == "**" {
        return below(root, path, 0);
    }
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    let Some((before, after)) = step.split_once('*') else { return vec![join(step)] };
    let Ok(entries) = std::fs::read_dir(root.join(path)) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let fits = |name: &String| {
        !name.starts_with('.')
            && name.len() >= before.len() + after.len()
            && name.starts_with(before)
            && name.ends_with(after)
    };
    names.filter(fits).map(|name| join(&name)).collect()
}

/// A folder, and all below it.
fn below(root: &Path, path: &str, depth: usize) -> Vec<String> {
    let mut found = vec![path.to_owned()];
    if depth < MAX_DEPTH {
        let folders = children(root, path, "*").into_iter().filter(|child| root.join(child).is_dir());
        found.extend(folders.flat_map(|child| below(root, &child, depth + 1)));
    }
    found
}

/// A value in whose texts the parameters stand: `{{name}}`, `{{ .name }}`. What is not known stays.
pub fn filled(value: &Value, parameters: &Parameters) -> Value {
    let mut filled = value.clone();
    fill_in(&mut filled, parameters);
    filled
}

fn fill_in(value: &mut Value, parameters: &Parameters) {
    match &mut value.data {
        Data::Text(text) if text.contains("{{") => *text = put_in(text, parameters),
        Data::List(items) => items.iter_mut().for_each(|item| fill_in(item, parameters)),
        Data::Map(map) => map.values_mut().for_each(|entry| fill_in(&mut entry.value, parameters)),
        _ => {}
    }
}

fn put_in(text: &str, Parameters(parameters): &Parameters) -> Zeroizing<String> {
    let mut filled = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((inside, after)) = behind.split_once("}}") else {
            filled.push_str("{{");
            rest = behind;
            continue;
        };
        let name = inside.trim_matches(['-', ' ']).trim_start_matches('.');
        match parameters.get(name) {
            Some(value) => filled.push_str(value),
            None => filled.extend(["{{", inside, "}}"]),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(set: &str, root: &Path, text: &str) -> Vec<String> {
        let set = Value::parse(set, 0).unwrap();
        parameters(&set, root).iter().map(|parameters| put_in(text, parameters).to_string()).collect()
    }

    #[test]
    fn lists_folders_and_files_give_parameters() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["envs/one", "envs/two", "other"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        std::fs::write(dir.path().join("envs/one/config.yaml"), "cluster: {name: c1}\n").unwrap();
        let list = "spec: {generators: [{list: {elements: [{env: a, count: 1}, {env: b}]}}]}";
        assert_eq!(made(list, dir.path(), "x-{{env}}-{{ .count }}"), ["x-a-1", "x-b-{{ .count }}"]);
        let folders = "spec: {generators: [{git: {directories: [{path: envs/*}]}}]}";
        assert_eq!(made(folders, dir.path(), "{{path.basename}}"), ["one", "two"]);
        let not_two = "spec: {generators: [{git: {directories: [{path: envs/*}, {path: envs/two, exclude: true}]}}]}";
        assert_eq!(made(not_two, dir.path(), "{{path.basename}}"), ["one"]);
        let anywhere = "spec: {generators: [{git: {files: [{path: \"**/config.yaml\"}]}}]}";
        assert_eq!(made(anywhere, dir.path(), "{{path.basename}}"), ["one"]);
        let files = "spec: {generators: [{git: {files: [{path: envs/*/config.yaml}]}}]}";
        assert_eq!(made(files, dir.path(), "{{.cluster.name}} {{path.basename}}"), ["c1 one"]);
        assert!(made("spec: {generators: [{clusters: {}}]}", dir.path(), "").is_empty());
    }
}
