//! What the tests of this module share.

use super::text::KeyText;
use sha2::{Digest, Sha256};

/// A key text from a literal.
pub(super) fn key(text: impl AsRef<[u8]>) -> KeyText {
    KeyText::copied(text.as_ref())
}

/// `len` bytes that look random and are the same in every run.
pub(super) fn noise(seed: &str, number: usize, len: usize) -> Vec<u8> {
    (0..len.div_ceil(32)).flat_map(|block| Sha256::digest(format!("{seed}/{number}/{block}"))).take(len).collect()
}

/// `len` characters of `alphabet`, the same in every run.
pub(super) fn letters(seed: &str, number: usize, len: usize, alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    noise(seed, number, len * 2)
        .chunks(2)
        .map(|pair| alphabet[(usize::from(pair[0]) * 256 + usize::from(pair[1])) % alphabet.len()])
        .collect()
}

pub(super) const ALPHANUMERIC: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
pub(super) const PRINTABLE: &str =
    " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// Common words, with several that a placeholder could hold too.
const WORDS: &str = "acorn anchor apple arrow autumn banner barrel beacon blanket bottle bridge bronze bucket butter button cabin camera candle canyon
    carbon carpet castle cement chapel cherry circle clover cobalt copper cotton cousin cradle crater dagger dancer desert
    diamond dinner donkey dragon drawer eagle ember engine falcon famous feather fiddle finger forest fossil garden garlic ginger
    glacier granite guitar hammer harbor hazel helmet hidden honest hunter island jacket jungle kernel kettle ladder lantern lemon
    lizard local magnet marble meadow mercy mirror monkey mustard napkin needle nutmeg ocean olive orange orchid otter oyster
    paddle panther parrot pebble pepper pickle pillow pirate planet pocket poplar powder puzzle rabbit raven replace ribbon river rocket
    saddle salmon sample secret shadow silver spider sponge string summer tablet temple timber toast tomato tunnel turtle
    velvet violet walnut window winter wizard yellow zebra";

/// Random words with dashes, 32 characters.
pub(super) fn passphrase(number: usize) -> String {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut text: String = noise("passphrase", number, 24)
        .chunks(2)
        .map(|pair| words[(usize::from(pair[0]) * 256 + usize::from(pair[1])) % words.len()])
        .collect::<Vec<_>>()
        .join("-");
    text.truncate(32);
    text
}

/// 10,000 keys of each kind that people make: raw bytes, base64, hexadecimal, letters and digits, digits, printable
/// characters, words.
pub(super) fn every_kind_of_random_key() -> impl Iterator<Item = KeyText> {
    use super::spelling::{Form, Spelling, encode};
    (0..10_000).flat_map(|number| {
        let bytes = noise("key", number, 32);
        [
            encode(Spelling::from(Form::Base64), &bytes),
            encode(Spelling::from(Form::HexLower), &bytes),
            encode(Spelling::from(Form::HexUpper), &bytes),
            key(letters("hex", number, 32, "0123456789abcdef")),
            key(letters("alphanumeric", number, 32, ALPHANUMERIC)),
            key(letters("lower", number, 32, "abcdefghijklmnopqrstuvwxyz")),
            key(letters("digits", number, 32, "0123456789")),
            key(letters("printable", number, 32, PRINTABLE)),
            key(passphrase(number)),
            key(bytes),
        ]
    })
}

/// Does not compile if the type has the trait: then two `found` fit, and the compiler cannot choose.
macro_rules! must_not_be {
    ($type:ty: $($trait:tt)+) => {
        const _: fn() = || {
            trait Either<Which> {
                fn found() {}
            }
            struct HasTheTrait;
            impl<T: ?Sized> Either<()> for T {}
            impl<T: ?Sized + $($trait)+> Either<HasTheTrait> for T {}
            let _ = <$type as Either<_>>::found;
        };
    };
}
pub(super) use must_not_be;
