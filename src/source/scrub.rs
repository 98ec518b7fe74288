//! Takes secrets out of what others say: a child's stderr, a server's message.
//!
//! It knows every text that the run holds, in each form in which a program may print it: as it is, in base64 (standard
//! and URL, wherever in a longer text it begins), in hexadecimal, as JSON and as a URL write it.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use zeroize::Zeroizing;

use super::json::quoted;
use crate::key::KeyText;

/// What stands in a secret's place.
const HIDDEN: &str = "***";
/// A shorter text is no secret worth the words around it: `a` would take every `a` out.
const SECRET_LEN_MIN_BYTES: usize = 4;
/// Of a longer text each part of this length is hidden too: a program may break or cut it.
const PART_LEN_BYTES: usize = 12;
/// Longer messages are cut.
const MESSAGE_LEN_MAX: usize = 300;

/// All secrets of a run.
#[derive(Default)]
pub struct Scrubber {
    texts: Vec<KeyText>,
    /// What tells a text that was learned before from a new one, without looking at all of them.
    hashes: HashSet<u64>,
}

impl Scrubber {
    /// From now on this is hidden.
    pub fn learn(&mut self, secret: &[u8]) {
        let trimmed = secret.trim_ascii();
        for text in [secret, trimmed] {
            let is_known = |hash| self.hashes.contains(&hash) && self.texts.iter().any(|known| known.expose() == text);
            let hash = hash(text);
            if text.len() >= SECRET_LEN_MIN_BYTES && !is_known(hash) {
                self.hashes.insert(hash);
                self.texts.push(KeyText::from(text.to_vec()));
            }
        }
    }

    /// A message on one line, short, without secrets and without anything that a terminal obeys.
    #[must_use]
    pub fn line(&self, said: &str) -> String {
        let text = one_line(&without(said, &self.hidden(said)));
        match text.char_indices().nth(MESSAGE_LEN_MAX) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }

    /// Several lines, whatever their length; what `stays` finds in one is not hidden. They are looked through together,
    /// since every text that is known takes its time.
    #[must_use]
    pub fn lines(&self, said: &[String], stays: impl Fn(&str) -> Vec<Range<usize>>) -> Vec<String> {
        let mut hidden = self.hidden(&said.join("\n"));
        let mut lines = Vec::new();
        for line in said.iter().rev() {
            // Each but the first has a newline before it.
            let mut own = hidden.split_off(hidden.len() - line.len());
            hidden.pop();
            stays(line).into_iter().for_each(|range| own[range].fill(false));
            lines.push(one_line(&without(line, &own)));
        }
        lines.reverse();
        lines
    }

    /// For each byte of a message, whether it belongs to a secret.
    ///
    /// The message is what is indexed, not the secrets: it is short, and they may be long and many.
    fn hidden(&self, said: &str) -> Vec<bool> {
        let text = Zeroizing::new(said.as_bytes().to_ascii_lowercase());
        let mut hidden = vec![false; text.len()];
        let mut parts: HashMap<&[u8], bool> = text.windows(PART_LEN_BYTES).map(|part| (part, false)).collect();
        for form in self.texts.iter().flat_map(|text| forms(text.expose())) {
            let form = Zeroizing::new(form.to_ascii_lowercase());
            if form.len() > PART_LEN_BYTES {
                for part in form.windows(PART_LEN_BYTES) {
                    if let Some(is_secret) = parts.get_mut(part) {
                        *is_secret = true;
                    }
                }
            } else if form.len() >= SECRET_LEN_MIN_BYTES {
                for start in memmem::find_iter(&text, form.as_slice()) {
                    hidden[start..start + form.len()].fill(true);
                }
            }
        }
        for (start, part) in text.windows(PART_LEN_BYTES).enumerate() {
            if parts.get(part) == Some(&true) {
                hidden[start..start + PART_LEN_BYTES].fill(true);
            }
        }
        hidden
    }
}

fn without(said: &str, hidden: &[bool]) -> String {
    let mut clean = String::new();
    let mut was_hidden = false;
    for (start, c) in said.char_indices() {
        let is_hidden = hidden[start..start + c.len_utf8()].contains(&true);
        match (is_hidden, was_hidden) {
            (false, _) => clean.push(c),
            (true, false) => clean.push_str(HIDDEN),
            (true, true) => {}
        }
        was_hidden = is_hidden;
    }
    clean
}

/// Without anything that a terminal obeys.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ")
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Every way in which a text may be written.
fn forms(text: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let own = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
    let mut forms = vec![own(text)];
    if let Ok(text) = std::str::from_utf8(text) {
        let json = quoted(text);
        forms.push(own(json.trim_matches('"').as_bytes()));
        // Go escapes these in JSON, serde does not.
        let go = Zeroizing::new(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"));
        forms.push(own(go.trim_matches('"').as_bytes()));
    }
    let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(Zeroizing::new(hex.into_bytes()));
    let url: String = text
        .iter()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(*byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    forms.push(Zeroizing::new(url.into_bytes()));
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for shift in 0..3 {
            let shifted = Zeroizing::new([&[0_u8; 2][..shift.min(2)], text].concat());
            let encoded = Zeroizing::new(engine.encode(&shifted));
            // The first characters hold bits of what stands before the text, the last one bits of what follows.
            let start = (shift * 4).div_ceil(3);
            let end = shifted.len() * 8 / 6;
            forms.push(own(encoded.as_bytes().get(start..end).unwrap_or_default()));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "c4nary\"<s3cret>&/+ of a store!";

    fn scrubber() -> Scrubber {
        let mut scrubber = Scrubber::default();
        scrubber.learn(SECRET.as_bytes());
        scrubber
    }

    #[test]
    fn every_form_is_hidden_and_words_stay() {
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02X}")).collect();
        let url: String = SECRET.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for form in [
            SECRET.to_owned(),
            SECRET.to_uppercase(),
            BASE64_STANDARD.encode(SECRET),
            BASE64_URL_SAFE.encode(SECRET),
            BASE64_STANDARD.encode(format!("u:{SECRET}")),
            BASE64_STANDARD.encode(format!("u{SECRET}:x")),
            hex,
            serde_json::to_string(SECRET).unwrap(),
            r#"c4nary\"\u003cs3cret\u003e\u0026/+ of a store!"#.to_owned(),
            "c4nary%22%3Cs3cret%3E%26%2F%2B%20of%20a%20store%21".to_owned(),
        ] {
            let clean = scrubber().line(&format!("error: bad key {form} given"));
            assert!(clean.starts_with("error: bad key ") && clean.ends_with(" given"), "{form}: {clean}");
            assert!(clean.contains("***") && clean.len() < 60, "{form}: {clean}");
        }
        // Percent signs on every letter are no form that a program writes.
        assert!(scrubber().line(&url).len() <= 301);
    }

    #[test]
    fn a_message_is_one_short_line() {
        assert_eq!(scrubber().line("a\nb\t\x1b[31mc  d"), "a b [31mc d");
        assert_eq!(scrubber().line(&"ä ".repeat(500)).chars().count(), MESSAGE_LEN_MAX + 1);
        assert_eq!(Scrubber::default().line("nothing known"), "nothing known");
    }

    #[test]
    fn lines_are_hidden_together_and_some_of_it_stays() {
        let said = [format!("a {SECRET}"), String::new(), "b\tc".to_owned(), format!("{SECRET} d")];
        assert_eq!(scrubber().lines(&said, |_| Vec::new()), ["a ***", "", "b c", "*** d"]);
        let name = "c4nary";
        let stays = |line: &str| line.find(name).map(|at| at..at + name.len()).into_iter().collect();
        assert_eq!(scrubber().lines(&said, stays), ["a c4nary***", "", "b c", "c4nary*** d"]);
        assert_eq!(scrubber().lines(&[], |_| Vec::new()), Vec::<String>::new());
    }

    #[test]
    fn a_piece_of_a_long_secret_is_hidden_too() {
        let clean = scrubber().line(&format!("x {} y", &SECRET[3..SECRET.len() - 3]));
        assert_eq!(clean, "x *** y");
        // Also where the whole of it is part of a longer one, and no multiple of a part's length.
        let mut scrubber = Scrubber::default();
        scrubber.learn(format!("{}{SECRET}{}", "0123456789".repeat(400), "abc".repeat(400)).as_bytes());
        assert_eq!(scrubber.line(&format!("x {SECRET} y")), "x *** y");
        assert_eq!(scrubber.line("x ä 0123456789012 ö y"), "x ä *** ö y");
    }

    proptest! {
        #[test]
        fn no_form_survives_any_surrounding(before in "[ -~]{0,20}", after in "[ -~]{0,20}", secret in "[ -~]{12,40}") {
            let mut scrubber = Scrubber::default();
            scrubber.learn(secret.as_bytes());
            let encoded = BASE64_STANDARD.encode(format!("{before}{secret}{after}"));
            let said = scrubber.line(&format!("{before}{secret}{after} {encoded}"));
            let inner: Vec<&str> = secret.split_whitespace().filter(|word| word.len() >= 12).collect();
            for word in inner {
                prop_assert!(!said.contains(word));
            }
            let whole = STANDARD_NO_PAD.encode(&secret);
            prop_assert!(!said.contains(&whole[4..whole.len() - 4]));
        }
    }
}
