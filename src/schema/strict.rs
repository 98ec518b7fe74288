//! What YAML allows and these files do not: a property twice (the last one would win and hide the other), merge
//! keys (whose order of precedence differs from reader to reader), a name that is read as something else (`no`).

use std::collections::HashMap;

use crate::report::{Finding, Place};
use crate::yaml::{Data, Kind, Node, Tree, Value};

use super::shown;

pub(super) fn findings(file: &str, tree: &Tree<'_>, value: &Value) -> Vec<Finding> {
    let mut walk = Walk { file, text: tree.text, findings: Vec::new() };
    if tree.has_more {
        walk.findings.push(
            Finding::usage("second-document", "this file holds more than one YAML document")
                .at(Place::file(file))
                .help("keep one, and take out the line `---` between them"),
        );
    }
    if let Some(root) = &tree.root {
        walk.node(root, value);
    }
    walk.findings
}

struct Walk<'t> {
    file: &'t str,
    text: &'t str,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    /// A node and the value that was made of it, side by side.
    fn node(&mut self, node: &Node<'_>, value: &Value) {
        match &node.kind {
            Kind::Mapping(entries) => self.mapping(entries, value),
            Kind::Sequence(items) => {
                let values = match &value.data {
                    Data::List(values) => values.as_slice(),
                    _ => &[],
                };
                items.iter().zip(values).for_each(|(item, value)| self.node(item, value));
            }
            Kind::Scalar(_) | Kind::Alias(_) => {}
        }
    }

    fn mapping(&mut self, entries: &[(Node<'_>, Node<'_>)], value: &Value) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (key, node) in entries {
            let name = key.text().unwrap_or_default();
            if name == "<<" {
                self.merge_key(key);
                continue;
            }
            let Some(value) = value.get(name) else {
                self.misread(key, name);
                continue;
            };
            match seen.insert(name, key.start) {
                Some(first) => self.twice(key, name, first),
                None => self.node(node, value),
            }
        }
    }

    fn place(&self, offset: usize) -> Place {
        Place::in_text(self.file, self.text.as_bytes(), offset)
    }

    fn twice(&mut self, key: &Node<'_>, name: &str, first: usize) {
        let name = shown(name).unwrap_or_else(|| "a property".into());
        let place = self.place(key.start);
        let first = self.place(first);
        self.findings.push(
            Finding::usage("duplicate-property", format!("{name} stands here a second time"))
                .at(place)
                .found(format!("it stands at {first} already; YAML would silently keep only one of the two"))
                .help("rename one of the two, or take it out"),
        );
    }

    fn merge_key(&mut self, key: &Node<'_>) {
        self.findings.push(
            Finding::usage("merge-key", "the merge key `<<` is not read here")
                .at(self.place(key.start))
                .found("which of two equal properties a merge keeps differs from reader to reader")
                .help("write the properties out"),
        );
    }

    fn misread(&mut self, key: &Node<'_>, name: &str) {
        let name = shown(name).unwrap_or_else(|| "this name".into());
        self.findings.push(
            Finding::usage("misread-name", format!("{name} is not read as the text that it is"))
                .at(self.place(key.start))
                .found("YAML takes words like no, on and y for booleans, and 0x1 and 1e3 for numbers")
                .help("put the name in quotes"),
        );
    }
}
