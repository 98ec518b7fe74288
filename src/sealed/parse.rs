//! Reading a sealed file, strictly: LF only, one space between words, canonical base64 and numbers, nothing more.

use std::collections::HashMap;

use base64::engine::{Engine, general_purpose::STANDARD};

use super::crypto::{ENTRY_OVERHEAD_BYTES, FILE_ID_LEN_BYTES, KEY_ID_LEN_BYTES, MAC_LEN_BYTES, WRAPPED_LEN_BYTES};
use super::file::{Head, KeyLine, MAGIC, Recipient, SealedFile, To};
use super::master::KeyId;
use super::names::{is_field, is_name};
use super::{Error, FILE_LEN_MAX_BYTES, RECIPIENTS_MAX, TEXT_LEN_MAX_BYTES};
use crate::key::Spelling;

const NOT_THE_FIRST: &str = "is not `helm-keyring-sealed v1`";
const ATTRIBUTES: &str =
    "git has changed the line ends: put `*.sealed -text` into .gitattributes, and check the file out again";
const CONFLICT: &str = "keep one side's file and lock; take the other side's key out of its own file and lock (`copy --lock OTHER.lock \
                        --from sealed=OTHER --to dir=FOLDER`), and add it behind: `rotate --key-file FOLDER/…`";
const NEWER: &str = "take a newer helm-keyring";
const NO_SEALED_FILE: &str = "check the path; `helm-keyring sealed init` makes a sealed file";

pub(super) fn parse(text: &[u8]) -> Result<SealedFile, Error> {
    let lines = lines(text)?;
    let (head, rest) = head(&lines)?;
    let (to, rest) = recipients(rest)?;
    let (keys, rest) = keys(rest)?;
    let mac = end(rest, keys.len(), lines.len())?;
    Ok(SealedFile { head, to, keys, mac })
}

struct Line<'t> {
    number: usize,
    text: &'t str,
}

impl<'t> Line<'t> {
    fn is(&self, word: &str) -> bool {
        self.text.split(' ').next() == Some(word)
    }

    /// The words of the line, if they are so many.
    fn words<const N: usize>(&self, form: &str) -> Result<[&'t str; N], Error> {
        let words: Vec<&str> = self.text.split(' ').collect();
        words.try_into().map_err(|_| self.is_wrong(format!("is not `{form}`")))
    }

    fn is_wrong(&self, what: impl Into<String>) -> Error {
        Error::malformed(self.number, what)
    }

    fn is_wrong_but(&self, what: &str, help: &'static str) -> Error {
        Error::Malformed { line: self.number, what: what.to_owned(), help }
    }

    /// What canonical base64 stands for, if it has a length within these.
    fn blob(&self, base64: &str, min: usize, max: usize) -> Result<Vec<u8>, Error> {
        let bytes = STANDARD.decode(base64).map_err(|_| self.is_wrong("does not end in canonical base64"))?;
        let fits = (min..=max).contains(&bytes.len());
        if fits { Ok(bytes) } else { Err(self.is_wrong("ends in base64 of a length that cannot be")) }
    }

    fn number(&self, digits: &str) -> Result<u32, Error> {
        let number = digits.parse::<u32>().ok().filter(|number| number.to_string() == digits);
        number.ok_or_else(|| self.is_wrong("has a number that is not written as numbers are"))
    }

    fn hex<const N: usize>(&self, digits: &str) -> Result<[u8; N], Error> {
        hex(digits).ok_or_else(|| self.is_wrong(format!("has no {} small hexadecimal digits where they belong", N * 2)))
    }

    /// What stands where it does not belong.
    fn misplaced(&self) -> Error {
        match self.text.split(' ').next() {
            Some("to" | "key" | "end") => self.is_wrong("is out of order: first `to`, then `key`, then one `end`"),
            _ => self.is_wrong("is none of `to`, `key` and `end`"),
        }
    }
}

fn lines(text: &[u8]) -> Result<Vec<Line<'_>>, Error> {
    if text.len() > FILE_LEN_MAX_BYTES {
        return Err(Error::TooLarge);
    }
    text.split_inclusive(|byte| *byte == b'\n').zip(1..).map(|(bytes, number)| line(bytes, number)).collect()
}

fn line(bytes: &[u8], number: usize) -> Result<Line<'_>, Error> {
    let whole = bytes.strip_suffix(b"\n");
    let content = whole.unwrap_or(bytes);
    let wrong = |what: &str, help| Error::Malformed { line: number, what: what.to_owned(), help };
    if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|mark| content.starts_with(mark.as_bytes())) {
        return Err(wrong("is the mark of a merge conflict", CONFLICT));
    }
    if content.ends_with(b"\r") && (number > 1 || content.starts_with(MAGIC.as_bytes())) {
        return Err(wrong("ends in CRLF", ATTRIBUTES));
    }
    let text = std::str::from_utf8(content).ok().filter(|text| text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    match text {
        Some(text) if whole.is_some() => Ok(Line { number, text }),
        Some(_) => Err(Error::malformed(number, "does not end in a line feed: the file is cut off")),
        None if number == 1 => Err(wrong(NOT_THE_FIRST, NO_SEALED_FILE)),
        None => Err(Error::malformed(number, "has a byte that is no printable ASCII")),
    }
}

fn head<'l, 't>(lines: &'l [Line<'t>]) -> Result<(Head, &'l [Line<'t>]), Error> {
    let Some((first, rest)) = lines.split_first() else {
        return Err(Error::Malformed { line: 1, what: "is missing: the file is empty".into(), help: NO_SEALED_FILE });
    };
    if first.text != MAGIC {
        let other_version = first.text.starts_with("helm-keyring-sealed v");
        return Err(if other_version {
            first.is_wrong_but("names a version that this helm-keyring does not know", NEWER)
        } else {
            first.is_wrong_but(NOT_THE_FIRST, NO_SEALED_FILE)
        });
    }
    let Some((second, rest)) = rest.split_first() else { return Err(cut_off(lines.len())) };
    let [file, id, env, environment] = second.words("file <32 hex> env <name>")?;
    if file != "file" || env != "env" {
        return Err(second.is_wrong("is not `file <32 hex> env <name>`"));
    }
    if !is_name(environment) {
        return Err(second.is_wrong("has no environment's name where it belongs"));
    }
    Ok((Head { id: second.hex::<FILE_ID_LEN_BYTES>(id)?, environment: environment.to_owned() }, rest))
}

fn recipients<'l, 't>(lines: &'l [Line<'t>]) -> Result<(Vec<To>, &'l [Line<'t>]), Error> {
    let (own, rest) = split_at_other(lines, "to");
    let mut found: Vec<To> = Vec::new();
    for line in own {
        let to = recipient(line)?;
        if found.len() == RECIPIENTS_MAX {
            return Err(line.is_wrong(format!("is one recipient too many: {RECIPIENTS_MAX} are allowed")));
        }
        if found.iter().any(|other| other.recipient.label == to.recipient.label) {
            return Err(line.is_wrong("has the label of a line above"));
        }
        if found.iter().any(|other| other.recipient.id == to.recipient.id) {
            return Err(line.is_wrong("has the key id of a line above"));
        }
        found.push(to);
    }
    match rest.first() {
        Some(line) if found.is_empty() => Err(line.is_wrong("is not `to …`: the file has no recipient")),
        _ => Ok((found, rest)),
    }
}

fn recipient(line: &Line<'_>) -> Result<To, Error> {
    let [_, label, id, blob] = line.words("to <label> <key id> <base64>")?;
    if !is_name(label) {
        return Err(line.is_wrong("has no label where it belongs"));
    }
    let recipient = Recipient { label: label.to_owned(), id: KeyId(line.hex::<KEY_ID_LEN_BYTES>(id)?) };
    Ok(To { recipient, wrapped: line.blob(blob, WRAPPED_LEN_BYTES, WRAPPED_LEN_BYTES)? })
}

fn keys<'l, 't>(lines: &'l [Line<'t>]) -> Result<(Vec<KeyLine>, &'l [Line<'t>]), Error> {
    let (own, rest) = split_at_other(lines, "key");
    let mut next: HashMap<&str, u32> = HashMap::new();
    let keys = own.iter().map(|line| key(line, &mut next)).collect::<Result<_, _>>()?;
    Ok((keys, rest))
}

fn key<'t>(line: &Line<'t>, next: &mut HashMap<&'t str, u32>) -> Result<KeyLine, Error> {
    let [_, number, field, spelling, blob] = line.words("key <n> <field> <spelling> <base64>")?;
    if !is_field(field) {
        return Err(line.is_wrong("has no field's name where it belongs"));
    }
    let number = line.number(number)?;
    let expected = next.entry(field).or_default();
    if number != *expected {
        return Err(line.is_wrong(format!("is key {number} of {field}, but {expected} comes next")));
    }
    *expected = expected.saturating_add(1);
    let spelling: Spelling = spelling.parse().map_err(|_| line.is_wrong("has no spelling where it belongs"))?;
    let sealed = line.blob(blob, ENTRY_OVERHEAD_BYTES + 1, ENTRY_OVERHEAD_BYTES + TEXT_LEN_MAX_BYTES)?;
    Ok(KeyLine { number, field: field.to_owned(), spelling, sealed })
}

fn end(lines: &[Line<'_>], keys: usize, last: usize) -> Result<[u8; MAC_LEN_BYTES], Error> {
    let Some((line, rest)) = lines.split_first() else { return Err(cut_off(last)) };
    if !line.is("end") {
        return Err(line.misplaced());
    }
    let [_, count, blob] = line.words("end <count> <base64>")?;
    if usize::try_from(line.number(count)?) != Ok(keys) {
        return Err(line.is_wrong(format!("does not count the {keys} `key` lines above it")));
    }
    let blob = line.blob(blob, MAC_LEN_BYTES, MAC_LEN_BYTES)?;
    if let Some(extra) = rest.first() {
        return Err(extra.is_wrong("comes after the end"));
    }
    blob.try_into().map_err(|_| line.is_wrong("ends in base64 of a length that cannot be"))
}

fn cut_off(last: usize) -> Error {
    Error::malformed(last + 1, "is missing: the file is cut off")
}

fn split_at_other<'l, 't>(lines: &'l [Line<'t>], word: &str) -> (&'l [Line<'t>], &'l [Line<'t>]) {
    lines.split_at(lines.iter().position(|line| !line.is(word)).unwrap_or(lines.len()))
}

fn hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if odd.is_empty() { bytes?.try_into().ok() } else { None }
}
