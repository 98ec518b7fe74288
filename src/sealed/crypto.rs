//! All cryptography of the sealed file: `H(salt, key, info)` is HKDF-SHA-256, the cipher AES-256-GCM, the MAC
//! HMAC-SHA-256. Nothing here knows lines; it is given what is to be bound.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::Error;
use super::random::Random;

const WRAP_INFO: &[u8] = b"helm-keyring/sealed/v1/wrap";
const ENTRY_INFO: &[u8] = b"helm-keyring/sealed/v1/entry";
const END_INFO: &[u8] = b"helm-keyring/sealed/v1/end";
const ID_INFO: &[u8] = b"helm-keyring/sealed/v1/id";

pub(super) const KEY_LEN_BYTES: usize = 32;
pub(super) const FILE_ID_LEN_BYTES: usize = 16;
pub(super) const KEY_ID_LEN_BYTES: usize = 8;
pub(super) const MAC_LEN_BYTES: usize = 32;
const SALT_LEN_BYTES: usize = 32;
const COMMIT_LEN_BYTES: usize = 32;
const NONCE_LEN_BYTES: usize = 12;
const TAG_LEN_BYTES: usize = 16;

/// What a sealed key text has more than the text.
pub(super) const ENTRY_OVERHEAD_BYTES: usize = SALT_LEN_BYTES + COMMIT_LEN_BYTES + NONCE_LEN_BYTES + TAG_LEN_BYTES;
/// A data key, wrapped.
pub(super) const WRAPPED_LEN_BYTES: usize = NONCE_LEN_BYTES + KEY_LEN_BYTES + TAG_LEN_BYTES;

/// 32 bytes that encrypt, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; KEY_LEN_BYTES]>;
/// The random name of a file, which binds its lines to it.
pub(super) type FileId = [u8; FILE_ID_LEN_BYTES];

/// The public id of a master key.
pub(super) fn key_id(master: &Key) -> Result<[u8; KEY_ID_LEN_BYTES], Error> {
    Ok(*derive(b"", master, ID_INFO)?)
}

/// The key of one file that everything else in it is sealed with.
pub(super) struct DataKey(Key);

impl DataKey {
    pub(super) fn new(random: &mut Random) -> Result<Self, Error> {
        Ok(Self(random.bytes()?))
    }

    /// `nonce12 ‖ GCM(data key)` under a key derived from the master key.
    pub(super) fn wrap(&self, file: &FileId, master: &Key, aad: &[u8], random: &mut Random) -> Result<Vec<u8>, Error> {
        encrypt(&derive(file, master, WRAP_INFO)?, aad, self.0.as_slice(), random)
    }

    /// The inverse of [`wrap`](Self::wrap); `None` if a bit of anything differs.
    pub(super) fn unwrap(file: &FileId, master: &Key, aad: &[u8], wrapped: &[u8]) -> Result<Option<Self>, Error> {
        let Some(bytes) = decrypt(&derive(file, master, WRAP_INFO)?, aad, wrapped)? else { return Ok(None) };
        let mut key = Key::default();
        if bytes.len() != key.len() {
            return Ok(None);
        }
        key.copy_from_slice(&bytes);
        Ok(Some(Self(key)))
    }

    /// `salt32 ‖ commit32 ‖ nonce12 ‖ GCM(text)` under a key that is used for this text only.
    pub(super) fn seal(&self, aad: &[u8], text: &[u8], random: &mut Random) -> Result<Vec<u8>, Error> {
        let salt = random.bytes::<SALT_LEN_BYTES>()?;
        let (key, commit) = self.entry(salt.as_slice())?;
        let sealed = encrypt(&key, aad, text, random)?;
        Ok([salt.as_slice(), commit.as_slice(), &sealed].concat())
    }

    /// The inverse of [`seal`](Self::seal); `None` if a bit of anything differs.
    pub(super) fn unseal(&self, aad: &[u8], sealed: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let Some((salt, rest)) = sealed.split_first_chunk::<SALT_LEN_BYTES>() else { return Ok(None) };
        let Some((commit, rest)) = rest.split_first_chunk::<COMMIT_LEN_BYTES>() else { return Ok(None) };
        let (key, expected) = self.entry(salt)?;
        if bool::from(expected.ct_eq(commit)) { decrypt(&key, aad, rest) } else { Ok(None) }
    }

    /// The MAC of everything above the end.
    pub(super) fn mac(&self, file: &FileId, above: &[u8]) -> Result<[u8; MAC_LEN_BYTES], Error> {
        Ok(self.end(file, above)?.finalize().into_bytes().into())
    }

    /// Whether this is the MAC of everything above the end.
    pub(super) fn mac_fits(&self, file: &FileId, above: &[u8], mac: &[u8; MAC_LEN_BYTES]) -> Result<bool, Error> {
        Ok(self.end(file, above)?.verify_slice(mac).is_ok())
    }

    fn end(&self, file: &FileId, above: &[u8]) -> Result<Hmac<Sha256>, Error> {
        let key: Key = derive(file, &self.0, END_INFO)?;
        let mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).map_err(|_| Error::Cryptography)?;
        Ok(mac.chain_update(above))
    }

    /// The key of one text, and the commitment to it.
    fn entry(&self, salt: &[u8]) -> Result<(Key, Zeroizing<[u8; COMMIT_LEN_BYTES]>), Error> {
        let both: Zeroizing<[u8; KEY_LEN_BYTES + COMMIT_LEN_BYTES]> = derive(salt, &self.0, ENTRY_INFO)?;
        let (mut key, mut commit) = (Key::default(), Zeroizing::new([0; COMMIT_LEN_BYTES]));
        let (first, second) = both.split_at(KEY_LEN_BYTES);
        key.copy_from_slice(first);
        commit.copy_from_slice(second);
        Ok((key, commit))
    }
}

/// HKDF of RFC 5869 with SHA-256.
fn derive<const LEN: usize>(salt: &[u8], key: &Key, info: &[u8]) -> Result<Zeroizing<[u8; LEN]>, Error> {
    let (mut prk, hkdf) = Hkdf::<Sha256>::extract(Some(salt), key.as_slice());
    prk.zeroize();
    let mut output = Zeroizing::new([0; LEN]);
    hkdf.expand(info, output.as_mut_slice()).map_err(|_| Error::Cryptography)?;
    Ok(output)
}

fn cipher(key: &Key) -> Result<Aes256Gcm, Error> {
    Aes256Gcm::new_from_slice(key.as_slice()).map_err(|_| Error::Cryptography)
}

/// `nonce ‖ ciphertext ‖ tag`
fn encrypt(key: &Key, aad: &[u8], text: &[u8], random: &mut Random) -> Result<Vec<u8>, Error> {
    let nonce = random.bytes::<NONCE_LEN_BYTES>()?;
    let mut buffer = Zeroizing::new(text.to_vec());
    let tag = cipher(key)?
        .encrypt_inout_detached(&(*nonce).into(), aad, buffer.as_mut_slice().into())
        .map_err(|_| Error::Cryptography)?;
    Ok([nonce.as_slice(), &buffer, &tag].concat())
}

/// The text of `nonce ‖ ciphertext ‖ tag`, or `None` if the tag does not fit.
fn decrypt(key: &Key, aad: &[u8], sealed: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some((nonce, rest)) = sealed.split_first_chunk::<NONCE_LEN_BYTES>() else { return Ok(None) };
    let Some((ciphertext, tag)) = rest.split_last_chunk::<TAG_LEN_BYTES>() else { return Ok(None) };
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let opened =
        cipher(key)?.decrypt_inout_detached(&(*nonce).into(), aad, buffer.as_mut_slice().into(), &(*tag).into());
    Ok(opened.is_ok().then_some(buffer))
}
