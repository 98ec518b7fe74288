//! Changes of a stream that keep it close to YAML: lines come, go, move and are indented; words are put in.

use libfuzzer_sys::fuzzer_mutate;

/// What a manifest may hold in odd places.
const WORDS: &[&str] = &[
    "---\n", "--- ", "...\n", "%YAML 1.1\n---\n", "\u{feff}", "\r", "\r\n", "\n\n", "# c\n", " # c", "\t", "  ", "- ", "? ", ": ",
    "&a ", "*a", "<<: *a\n", "<<: ", "!!str ", "!!binary ", "!x ", "|\n", ">-\n", "|2\n", "''", "\"\"", "\"", "'", "{}", "[]", "{", "}",
    "[", "]", ",", "null", "~", "yes", "\\", "\\x2d", "\u{85}", "\u{2028}", "é", "\u{1f511}", "data:\n", "stringData:\n", "data: {}\n",
    "data: {a: b}\n", "kind: Secret\n", "kind: Deployment\n", "kind: CronJob\n", "kind: List\nitems:\n", "immutable: true\n",
    "encryption-key-0: a\n", "encryption-key-1: \n    b\n", "encryption-key-2: ''\n", "encryption-key-3: d\n", "encryption-key-01: e\n",
    "encryption-key-0", "devmesh-encryption-key", "encryption-keys", "- key: encryption-key-1\n", "path: encryption-key-1\n", "items:\n",
    "secret:\n", "secretName: lr-backend\n", "name: lr-backend\n", "metadata:\n", "annotations:\n", "helm-keyring/fingerprint: x\n",
    "optional: true\n", "spec:\n", "template:\n", "containers:\n", "- name: c\n", "volumes:\n", "envFrom:\n", "lr-backend-keyring",
];

/// One change; now and then the fuzzer's own.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut dice = Dice(u64::from(seed));
    if size == 0 || dice.below(4) == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut lines: Vec<Vec<u8>> = data[..size].split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (at, other) = (dice.below(lines.len()), dice.below(lines.len()));
    let word = WORDS[dice.below(WORDS.len())].as_bytes();
    let blanks = lines[at].iter().take_while(|byte| **byte == b' ').count();
    match dice.below(9) {
        0 => lines.insert(at, [&lines[at][..blanks], word].concat()),
        1 => lines.insert(other, lines[at].clone()),
        2 => drop(lines.remove(at)),
        3 => lines.swap(at, other),
        4 => (0..=dice.below(4)).for_each(|_| lines[at].insert(0, b' ')),
        5 => drop(lines[at].drain(..dice.below(blanks + 1))),
        6 => insert(&mut lines[at], word, dice.below(size)),
        7 => after_colon(&mut lines[at], word),
        _ => {
            let end = [&b"\r\n"[..], b"\r", b" \n", b""][dice.below(4)];
            lines[at] = [lines[at].trim_ascii_end(), end].concat();
        }
    }
    let mut bytes = lines.concat();
    bytes.truncate(max_size);
    data[..bytes.len()].copy_from_slice(&bytes);
    bytes.len()
}

fn insert(line: &mut Vec<u8>, word: &[u8], at: usize) {
    let at = at % (line.len() + 1);
    line.splice(at..at, word.iter().copied());
}

/// Puts a word before a value, or in its place.
fn after_colon(line: &mut Vec<u8>, word: &[u8]) {
    if let Some(colon) = line.windows(2).position(|two| two == b": ") {
        let end = if word.len() % 2 == 0 { line.trim_ascii_end().len().max(colon + 2) } else { colon + 2 };
        line.splice(colon + 2..end, word.iter().copied());
    }
}

/// Numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }
}
