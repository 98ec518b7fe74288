//! Text that asks to be replaced by a key, or that is made of the words people write about keys.
//!
//! Every placeholder seen in the wild passes a length check and most pass an entropy check. What they share is their
//! words.

use super::super::encoding::{Wiped, is_printable};
use zeroize::Zeroizing;

/// Words that stand in placeholders, sorted. Numbers too: `32_chars`, `aes-256`.
#[rustfmt::skip]
const VOCABULARY: &[&str] = &[
    "12", "123", "1234", "12345", "123456", "128", "16", "192", "24", "256", "32", "64", "abc", "access", "admin",
    "aes", "and", "another", "any", "app", "application", "at", "bar", "base", "baz", "be", "bit", "bits", "byte",
    "bytes", "change", "changed", "changeit", "changeme", "char", "character", "characters", "chars", "cipher", "code",
    "config", "crypto", "database", "default", "demo", "dev", "devel", "development", "do", "dummy", "enc", "encrypt",
    "encrypted", "encryption", "enough", "enter", "env", "environment", "exactly", "example", "fake", "fixme", "foo",
    "for", "generate", "generated", "goes", "hello", "here", "hex", "in", "insecure", "insert", "is", "it", "jwt",
    "key", "keys", "least", "length", "local", "long", "main", "master", "me", "minimum", "must", "my", "needs",
    "never", "new", "not", "of", "ok", "only", "or", "our", "pass", "passphrase", "passwd", "password", "placeholder",
    "please", "private", "prod", "production", "public", "put", "random", "raw", "replace", "replaced", "replaceme",
    "root", "salt", "sample", "secret", "secrets", "secure", "security", "server", "set", "should", "signing", "simple",
    "some", "something", "staging", "string", "strong", "super", "symmetric", "temp", "temporary", "test", "testing",
    "text", "that", "the", "this", "to", "todo", "token", "unsafe", "use", "user", "value", "very", "which", "with",
    "world", "xxx", "you", "your",
];

/// Published passphrases, in small letters and digits only.
const PUBLISHED: &[&str] = &[
    "correcthorsebatterystaple",
    "somerandomstring",
    "loremipsumdolorsitamet",
    "thequickbrownfoxjumps",
    "opensesame",
    "donttellanyone",
    "keyboardcat",
];

/// Requests that say all, whatever stands around them.
const REQUESTS: [&[&str]; 9] = [
    &["change", "me"],
    &["change", "this"],
    &["change", "in", "production"],
    &["replace", "me"],
    &["replace", "this"],
    &["replace", "with"],
    &["insert", "your"],
    &["enter", "your"],
    &["generate", "your"],
];
/// The same as one word.
const REQUESTS_IN_A_WORD: [&str; 5] = ["changeme", "changethis", "replaceme", "replacethis", "placeholder"];

/// At least so many hundredths of the letters and digits belong to known words.
const SHARE_OF_WORDS_MIN_PERCENT: usize = 80;

pub(super) fn is_placeholder(bytes: &[u8]) -> bool {
    is_printable(bytes) && (is_request(bytes) || is_frame(bytes) || is_made_of_words(bytes))
}

fn is_request(text: &[u8]) -> bool {
    let lower = lower_case(text);
    let words: Vec<&[u8]> = lower.split(|c| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).collect();
    let asked = |request: &&[&str]| {
        words
            .windows(request.len())
            .any(|said| said.iter().eq(request.iter().map(|word| word.as_bytes()).collect::<Vec<_>>().iter()))
    };
    REQUESTS.iter().any(asked)
        || words.iter().any(|word| REQUESTS_IN_A_WORD.iter().any(|request| contains(word, request.as_bytes())))
}

/// `your-…-here`, `<…>`.
fn is_frame(text: &[u8]) -> bool {
    let squashed = squashed(text);
    let inner_is_words =
        |inner: &[u8]| !inner.is_empty() && inner.iter().all(|c| c.is_ascii_alphanumeric() || b" _-.:".contains(c));
    match text.trim_ascii() {
        [b'<', inner @ .., b'>'] if inner_is_words(inner) => true,
        _ => squashed.starts_with(b"your") && squashed.ends_with(b"here"),
    }
}

fn is_made_of_words(text: &[u8]) -> bool {
    let squashed = squashed(text);
    !squashed.is_empty()
        && squashed.iter().any(u8::is_ascii_alphabetic)
        && (covered(&squashed) * 100 >= squashed.len() * SHARE_OF_WORDS_MIN_PERCENT
            || PUBLISHED.iter().any(|known| contains(&squashed, known.as_bytes())))
}

/// The most characters that words of the vocabulary can cover without overlapping.
fn covered(text: &[u8]) -> usize {
    let mut best = vec![0; text.len() + 1];
    for start in (0..text.len()).rev() {
        let rest = text.get(start..).unwrap_or_default();
        let after = |len: usize| best.get(start + len).copied().unwrap_or(0);
        let with_a_word = words_like(rest).map(|word| word.len() + after(word.len())).max().unwrap_or(0);
        let most = after(1).max(with_a_word);
        if let Some(place) = best.get_mut(start) {
            *place = most;
        }
    }
    best.first().copied().unwrap_or(0)
}

/// The words that `text` starts with.
fn words_like(text: &[u8]) -> impl Iterator<Item = &'static str> {
    let first = text.get(..1).unwrap_or_default();
    let from = VOCABULARY.partition_point(|word| word.as_bytes() < first);
    let same_letter = VOCABULARY.iter().skip(from).take_while(move |word| word.as_bytes().starts_with(first));
    same_letter.copied().filter(|word| text.starts_with(word.as_bytes()))
}

fn lower_case(text: &[u8]) -> Wiped {
    Zeroizing::new(text.to_ascii_lowercase())
}

/// Small letters and digits only.
fn squashed(text: &[u8]) -> Wiped {
    let mut rest = Zeroizing::new(Vec::with_capacity(text.len()));
    rest.extend(text.iter().filter(|c| c.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase));
    rest
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_seen_in_the_wild() {
        for text in [
            "local_dev_master_key_32_chars_ok",
            "dev_master_key_32_chars_long123",
            "master-production-key-change-me-32chars!!",
            "your-secure-32-character-key-here",
            "another-secure-32-character-key-here",
            "dev_encryption_key_32_chars_long",
            "local_dev_encryption_key_32_char",
            "changeme",
            "ChangeMe123",
            "PLEASE-CHANGE_ME",
            "pleasechangemebeforedeploying",
            "Replace this with a real key",
            "replace_with_openssl_rand_base64",
            "your-aes-256-key-goes-here",
            "YOUR_LIGHTHOUSE_TOKEN_HERE",
            "<your key>",
            "<BASE 64 ENCODED SECRET>",
            "secret is secure",
            "this is password",
            "password",
            "mysupersecretkeythatis32byteslong",
            "this-is-a-32-byte-long-test-key!",
            "your-256-bit-secret",
            "a-string-secret-at-least-256-bits-long",
            "passphrasewhichneedstobe32bytes!",
            "AES256Key-32Characters1234567890",
            "change this password to a secret",
            "example key 1234",
            "correct-horse-battery-staple-0001",
            "Not-A-Secret-Only-For-Testing-00",
        ] {
            assert!(
                is_placeholder(text.as_bytes()),
                "{text}: {} of {}",
                covered(&squashed(text.as_bytes())),
                squashed(text.as_bytes()).len()
            );
        }
    }

    #[test]
    fn passphrases_may_hold_such_words() {
        for text in [
            "",
            "--------",
            "secret-lantern-orchid-glacier-42",
            "change-mercy-of-the-orchid-lemon",
            "your-violet-zebra-drinks-mustard",
            "sample walnut under local thunder",
            "12345612345612345612",
        ] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
        assert!(!is_placeholder(&[0xff; 32]));
    }

    #[test]
    fn the_vocabulary_is_sorted() {
        assert!(VOCABULARY.is_sorted_by(|word, next| word < next));
    }

    #[test]
    fn words_do_not_overlap() {
        assert_eq!(covered(b"keykey"), 6);
        assert_eq!(covered(b"secretsx"), 7);
        assert_eq!(covered(b"xyz"), 0);
        assert_eq!(covered(b""), 0);
    }
}
