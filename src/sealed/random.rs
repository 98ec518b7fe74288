//! Where salts, nonces and new keys come from: the operating system. Tests may fix it, to make vectors.

use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use super::Error;

pub(super) enum Random {
    System,
    #[cfg(test)]
    Fixed {
        seed: &'static str,
        taken: u32,
    },
}

impl Random {
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<Zeroizing<[u8; N]>, Error> {
        let mut bytes = Zeroizing::new([0; N]);
        match self {
            Self::System => SysRng.try_fill_bytes(bytes.as_mut_slice()).map_err(|_| Error::NoRandomness)?,
            #[cfg(test)]
            Self::Fixed { seed, taken } => {
                use sha2::{Digest as _, Sha256};
                for block in bytes.chunks_mut(32) {
                    block.copy_from_slice(&Sha256::digest(format!("{seed}/{taken}"))[..block.len()]);
                    *taken += 1;
                }
            }
        }
        Ok(bytes)
    }
}
