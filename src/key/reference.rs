//! References and templates that somebody should have resolved before the text became a key.

use super::spelling::{Form, decode};
use super::text::KeyText;
use std::fmt;

/// Something that stands for a key text and was not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// `ref+…` or `secretref+…`, as vals and helm-secrets resolve it.
    Vals,
    /// `<path:…>`, as the Argo CD Vault plugin resolves it.
    ArgoCdVault,
    /// `ENC[…]`, as SOPS decrypts it.
    Sops,
    /// `$NAME`, `${…}` or `$(…)`, as a shell, `envsubst` or Kubernetes puts it in.
    Variable,
    /// `{{ … }}`, as a template engine puts it in; `#{…}#` and `__NAME__`, as release tools do.
    Template,
    /// `vault:path#key`, `op://…`, `arn:aws:…`: the address of a key in a store.
    Address,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vals => "an unresolved `ref+` reference (vals, helm-secrets)",
            Self::ArgoCdVault => "an unresolved `<path:…>` placeholder (Argo CD Vault plugin)",
            Self::Sops => "a value that SOPS has not decrypted (`ENC[…]`)",
            Self::Variable => "a variable that was not put in (`$NAME`, `${…}` or `$(…)`)",
            Self::Template => "a template that was not rendered (`{{ … }}`, `#{…}#` or `__NAME__`)",
            Self::Address => "an address in a store that nothing resolved (`vault:…`, `op://…`, `arn:aws:…`)",
        })
    }
}

/// The reference that the text is, whatever its length, or `None` for a key.
///
/// Random keys give `None`: each mark needs characters that base64 and hexadecimal lack, or a whole text of one
/// shape.
#[must_use]
pub fn unresolved(key: &KeyText) -> Option<Reference> {
    let text = key.expose().trim_ascii();
    if is_vals(text) && decode(key).spelling.form != Form::Base64 {
        Some(Reference::Vals)
    } else if contains(text, b"<path:") {
        Some(Reference::ArgoCdVault)
    } else if text.starts_with(b"ENC[") {
        Some(Reference::Sops)
    } else if is_variable(text) {
        Some(Reference::Variable)
    } else if is_address(text) {
        Some(Reference::Address)
    } else {
        is_template(text).then_some(Reference::Template)
    }
}

fn is_vals(text: &[u8]) -> bool {
    text.starts_with(b"ref+") || text.starts_with(b"secretref+") || after(text, b"ref+").is_some_and(starts_with_scheme)
}

/// `vault://` and the like.
fn starts_with_scheme(text: &[u8]) -> bool {
    let scheme = text.iter().take_while(|c| c.is_ascii_alphanumeric()).count();
    scheme > 0 && text.get(scheme..).is_some_and(|rest| rest.starts_with(b"://"))
}

/// A name, and behind it the way into a store.
fn is_address(text: &[u8]) -> bool {
    let is_word = |c: &u8| c.is_ascii_lowercase();
    let whole = text.iter().all(|c| c.is_ascii_graphic());
    let scheme =
        after(text, b"://").and_then(|rest| text.strip_suffix(rest)).and_then(|head| head.strip_suffix(b"://"));
    let has_scheme = scheme.is_some_and(|scheme| scheme.len() > 1 && scheme.iter().all(is_word));
    whole && (has_scheme || text.starts_with(b"arn:aws:") || (text.starts_with(b"vault:") && contains(text, b"#")))
}

fn is_variable(text: &[u8]) -> bool {
    match text {
        [b'$', b'{', inner @ .., b'}'] | [b'$', b'(', inner @ .., b')'] => starts_a_name(inner),
        [b'$', name @ ..] => starts_a_name(name) && name.iter().copied().all(continues_a_name),
        _ => false,
    }
}

fn starts_a_name(text: &[u8]) -> bool {
    text.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
}

/// Argo CD's own `$secret-name:key` included.
fn continues_a_name(character: u8) -> bool {
    character.is_ascii_alphanumeric() || b"_-.:".contains(&character)
}

fn is_template(text: &[u8]) -> bool {
    let opens: [&[u8]; 3] = [b"{{ ", b"{{-", b"{{."];
    let inner = text.strip_prefix(b"#{").and_then(|rest| rest.strip_suffix(b"}#"));
    let inner = inner.or_else(|| text.strip_prefix(b"__")?.strip_suffix(b"__"));
    inner.is_some_and(|inner| starts_a_name(inner) && inner.iter().copied().all(continues_a_name))
        || opens.iter().any(|open| text.starts_with(open))
        || after(text, b"{{").is_some_and(|rest| contains(rest, b"}}"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    after(text, part).is_some()
}

/// What follows the first `part`.
fn after<'t>(text: &'t [u8], part: &[u8]) -> Option<&'t [u8]> {
    let at = text.windows(part.len()).position(|window| window == part)?;
    text.get(at + part.len()..)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{every_kind_of_random_key, key};
    use super::*;

    #[test]
    fn references_of_every_tool() {
        for (text, reference) in [
            ("ref+vault://secret/app#/key", Reference::Vals),
            ("ref+", Reference::Vals),
            ("secretref+awssecrets://app/key", Reference::Vals),
            ("base64:ref+file://key.txt+", Reference::Vals),
            ("ref+echo://aaaaaaaaaaaaaaaaaaaaaaaa", Reference::Vals),
            ("<path:secret/data/app#key>", Reference::ArgoCdVault),
            ("vault:secret/data/app#key", Reference::Address),
            ("op://vault/item/field", Reference::Address),
            ("arn:aws:secretsmanager:eu-central-1:000000000000:secret:app", Reference::Address),
            ("#{APP_KEY}#", Reference::Template),
            ("__APP_KEY__", Reference::Template),
            ("<path:secret/data/app#key | base64decode>", Reference::ArgoCdVault),
            ("ENC[AES256_GCM,data:aaaa,iv:bbbb,tag:cccc,type:str]", Reference::Sops),
            ("$KEY", Reference::Variable),
            ("$DEVELOPMENT_ENCRYPTION_KEY_2026", Reference::Variable),
            ("$argocd-secret:app.key", Reference::Variable),
            ("${KEY}", Reference::Variable),
            ("${KEY:-default}", Reference::Variable),
            ("$(KEY)", Reference::Variable),
            ("$(cat /run/secrets/key)", Reference::Variable),
            ("$KEY\n", Reference::Variable),
            ("{{ .Values.key }}", Reference::Template),
            ("{{.Values.key}}", Reference::Template),
            ("{{key}}", Reference::Template),
            ("{{- .Values.key", Reference::Template),
            ("prefix-{{ key }}-suffix", Reference::Template),
        ] {
            assert_eq!(unresolved(&key(text)), Some(reference), "{text}");
        }
    }

    #[test]
    fn text_that_only_looks_a_little_like_one() {
        for text in [
            "",
            "$",
            "$1",
            "${",
            "${}",
            "$()",
            "${1}",
            "a$KEY",
            "$KEY and more",
            "$2b$12$abcdefghijklmnopqrstuv",
            "{{",
            "x{{y",
            "}}{{",
            "xref+y",
            "ENC",
            "<path>",
            "ref+AwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        ] {
            assert_eq!(unresolved(&key(text)), None, "{text}");
        }
    }

    #[test]
    fn random_keys_are_none() {
        assert!(every_kind_of_random_key().all(|random| unresolved(&random).is_none()));
    }
}
