//! Words of a file that a report may show: plain, and not drawn at random.

/// As long as this a word may be shown: it is no key of 32 characters.
pub(super) const LONGEST_WORD: usize = 31;
/// From here on a word must look like words.
const SHORTEST_KEY: usize = 12;

/// Whether a word may be shown.
pub(super) fn is_plain(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./{}".contains(&b);
    (1..=LONGEST_WORD).contains(&word.len()) && word.bytes().all(plain) && !word.contains("{{") && !could_be_key(word)
}

/// Whether a word looks drawn at random: less than three quarters of it can be pronounced.
fn could_be_key(word: &str) -> bool {
    let len = word.bytes().filter(u8::is_ascii_alphanumeric).count();
    let said: usize = words(word).into_iter().filter(|word| is_pronounceable(word)).map(|word| word.len()).sum();
    len >= SHORTEST_KEY && said * 4 < len * 3
}

/// `keysOfABigRing-0` → `keys`, `Of`, `A`, `Big`, `Ring`
fn words(text: &str) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = vec![Vec::new()];
    let mut bytes = text.bytes().peekable();
    let mut before = b' ';
    while let Some(byte) = bytes.next() {
        let small_follows = bytes.peek().is_some_and(u8::is_ascii_lowercase);
        let begins = byte.is_ascii_uppercase() && (before.is_ascii_lowercase() || small_follows);
        if begins || !byte.is_ascii_alphabetic() {
            words.push(Vec::new());
        }
        if let (true, Some(word)) = (byte.is_ascii_alphabetic(), words.last_mut()) {
            word.push(byte);
        }
        before = byte;
    }
    words
}

/// Three letters or more with a vowel among them, a quarter in a long word, and no more than four consonants in a row.
fn is_pronounceable(word: &[u8]) -> bool {
    let consonants = word.split(|letter| b"aeiouyAEIOUY".contains(letter)).map(<[u8]>::len);
    let vowels = consonants.clone().count() - 1;
    word.len() >= 3 && vowels >= (word.len() / 4).max(1) && consonants.max().is_some_and(|longest| longest <= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_keys() {
        for word in [
            "userEncryptionKey",
            "encryption-key-0",
            "encryption-key-{n}",
            "secrets.keysEncryption",
            "k8sSecretName",
            "POSTGRES_PASSWORD",
            "LIGHTRUN_ENCRYPTION_KEY",
            "imagePullPolicy",
            "serviceAccountName",
            "existingSecretKeyRef",
            "app.kubernetes.io/name",
            "initialDelaySeconds",
            "aes256",
            "tls.crt",
            "httpGet",
            "x-y",
        ] {
            assert!(is_plain(word), "{word}");
        }
        for word in [
            "iLLJ3XHb1IDM8PH4HYyTQfKo",
            "0123456789abcdef",
            "deadbeef0042cafe1234",
            "550e8400-e29b-41d4-a716-4466",
            "MDEyMzQ1Njc4OWFiY2RlZg",
            "x".repeat(16).as_str(),
            "a".repeat(32).as_str(),
            "",
        ] {
            assert!(!is_plain(word), "{word}");
        }
    }

    /// Measured, so that a change of the rule is seen: of random texts as long as a short key few pass for words.
    #[test]
    fn random_texts_are_mostly_hidden() {
        use sha2::{Digest, Sha256};
        let random = |number: usize| Sha256::digest(number.to_string()).to_vec();
        let alphabets: [(&[u8], usize); 3] = [
            (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 20),
            (b"0123456789abcdef", 20),
            // Small letters alone make many a word.
            (b"abcdefghijklmnopqrstuvwxyz234567", 150),
        ];
        for (alphabet, limit) in alphabets {
            for len in [16, 24, 31] {
                let word = |number| -> String {
                    random(number)
                        .iter()
                        .take(len)
                        .map(|b| char::from(alphabet[usize::from(*b) % alphabet.len()]))
                        .collect()
                };
                let passed = (0..1000).filter(|number| is_plain(&word(*number))).count();
                assert!(passed <= limit, "{passed} of 1000 with {len} of {} letters", alphabet.len());
            }
        }
    }
}
