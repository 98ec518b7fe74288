//! What a sealed file must do, and must refuse.

mod format;
mod tamper;
mod vectors;

use super::random::Random;
use super::*;
use crate::key::KeyText;

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

must_not_be!(Opened: std::fmt::Debug);
must_not_be!(Opened: Clone);
must_not_be!(Opened: serde::Serialize);
must_not_be!(SealedKey<'static>: std::fmt::Debug);

const RING: &str = "encryption-key-{n}";
const FIXED: &str = "encryption-master-key";

/// 32 bytes that count up from `first`.
fn counting(first: u8) -> [u8; 32] {
    std::array::from_fn(|i| first + i as u8)
}

fn deploy() -> MasterKey {
    MasterKey::of_bytes(counting(0))
}

fn recovery() -> MasterKey {
    MasterKey::of_bytes(counting(32))
}

fn other() -> MasterKey {
    MasterKey::of_bytes(counting(64))
}

fn key(text: impl AsRef<[u8]>) -> KeyText {
    KeyText::from(text.as_ref().to_vec())
}

/// A new file for `deploy` and `recovery`, the same in every run.
fn new(environment: &str, seed: &'static str) -> Opened {
    let recipients = [("deploy", &deploy()), ("recovery", &recovery())];
    SealedFile::init_with(environment, &recipients, Random::Fixed { seed, taken: 0 }).ok().unwrap()
}

/// The same file, opened again from its text; `seed` is for what is added then.
fn reopened(opened: &Opened, seed: &'static str) -> Opened {
    let file = SealedFile::parse(opened.file().to_text().as_bytes()).unwrap();
    file.open_with(&deploy(), Random::Fixed { seed, taken: 0 }).ok().unwrap()
}

fn open(text: &[u8], master: &MasterKey) -> Result<Opened, Error> {
    SealedFile::parse(text)?.open(master)
}

fn error<T>(result: Result<T, Error>) -> Error {
    result.err().expect("refused")
}

/// Field, number, spelling and text of every key.
fn keys(opened: &Opened) -> Vec<(String, u32, String, Vec<u8>)> {
    let all = opened.keys();
    all.map(|key| (key.field.to_owned(), key.number, key.spelling.to_string(), key.text.expose().to_vec())).collect()
}
