//! Keys that standards, test vectors and manuals have published.

use super::super::encoding::to_hex;

/// Published keys, in hexadecimal. Those that are a sequence or a repeat are found as such and need no entry.
const KEYS: [&str; 6] = [
    // NIST FIPS 197 and SP 800-38A: AES-128, AES-192, AES-256
    "2b7e151628aed2a6abf7158809cf4f3c",
    "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    // McGrew and Viega, The Galois/Counter Mode of Operation: AES-128, AES-192
    "feffe9928665731c6d6a8f9467308308",
    "feffe9928665731c6d6a8f9467308308feffe9928665731c",
    // RFC 8439, A.5: ChaCha20-Poly1305
    "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
];

pub(super) fn is_known(bytes: &[u8]) -> bool {
    let hex = to_hex(bytes, *b"0123456789abcdef");
    KEYS.iter().any(|key| key.as_bytes() == hex.as_slice())
}

#[cfg(test)]
mod tests {
    use super::super::super::encoding;
    use super::*;

    #[test]
    fn every_entry_is_found() {
        for key in KEYS {
            let (_, bytes) = encoding::hex(key.as_bytes()).unwrap();
            assert!(matches!(bytes.len(), 16 | 24 | 32), "{key}");
            assert!(is_known(&bytes), "{key}");
        }
        assert!(!is_known(b""));
    }
}
