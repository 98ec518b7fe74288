//! `$ARGOCD_APP_NAME` in parameters, as Argo CD's own Helm support puts it in.

use std::collections::BTreeMap;

/// Puts variables into a text exactly as Go's `os.Expand` does, which Argo CD uses: `$NAME` and `${NAME}`; `$$` is a `$`,
/// an unknown name is nothing, and what is no name stays or goes as it does there.
pub fn substitute(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        done.push_str(&rest[..at]);
        if after.is_empty() {
            done.push('$');
        }
        let (name, width) = name(after);
        match name {
            Name::Known("$") => done.push('$'),
            Name::Known(name) => done.push_str(variables.get(name).map_or("", String::as_str)),
            Name::Broken => {}
            Name::None if after.is_empty() => {}
            Name::None => done.push('$'),
        }
        rest = &after[width..];
    }
    done.push_str(rest);
    done
}

enum Name<'t> {
    Known(&'t str),
    /// Begun like a name and none: it is eaten.
    Broken,
    /// Not begun.
    None,
}

/// The name behind a `$`, and how many bytes it takes.
fn name(after: &str) -> (Name<'_>, usize) {
    let is_special = |c: char| c.is_ascii_digit() || "*#$@!?-".contains(c);
    let Some(first) = after.chars().next() else { return (Name::None, 0) };
    if first == '{' {
        return match after.find('}') {
            None => (Name::Broken, 1),
            Some(1) => (Name::Broken, 2),
            Some(end) => (Name::Known(&after[1..end]), end + 1),
        };
    }
    if is_special(first) {
        return (Name::Known(&after[..1]), 1);
    }
    let len = after.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    if len == 0 { (Name::None, 0) } else { (Name::Known(&after[..len]), len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go 1.26 prints for `os.Expand` with Argo CD's mapping.
    #[test]
    fn names_are_found_as_go_finds_them() {
        let variables =
            [("A", "one"), ("ARGOCD_APP_NAME", "obs")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        let variables = BTreeMap::from(variables);
        for (text, expected) in [
            ("plain", "plain"),
            ("$A", "one"),
            ("${A}/$A.yaml", "one/one.yaml"),
            ("x-$ARGOCD_APP_NAME-y", "x-obs-y"),
            ("$AB", ""),
            ("$$A", "$A"),
            ("${$}", "$"),
            ("cost: $", "cost: $"),
            ("a$ b", "a$ b"),
            ("${}x", "x"),
            ("${A", "A"),
            ("$1x$*y", "xy"),
            ("$ü", "$ü"),
            ("$", "$"),
        ] {
            assert_eq!(substitute(text, &variables), expected, "{text}");
        }
    }
}
