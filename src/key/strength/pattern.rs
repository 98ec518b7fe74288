//! Repeats and sequences.

use std::cmp::Ordering;
use zeroize::{Zeroize, Zeroizing};

/// Below this length, few different characters are no sign of anything.
const FEW_DISTINCT_LEN_MIN: usize = 12;
/// At most so many different characters are few: a random key of 32 digits has so few once in 10¹⁰.
const FEW_DISTINCT_MAX: usize = 4;

/// The shortest part of which the whole is made by repetition, the last one possibly cut, if it occurs at least
/// twice.
pub(super) fn period(bytes: &[u8]) -> Option<usize> {
    let period = bytes.len() - longest_border(bytes);
    (period * 2 <= bytes.len() && period > 0).then_some(period)
}

/// Length of the longest proper prefix that is also a suffix (the prefix function of Knuth, Morris and Pratt).
fn longest_border(bytes: &[u8]) -> usize {
    let mut borders = vec![0; bytes.len()];
    let mut border = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        while border > 0 && bytes.get(border) != Some(byte) {
            border = borders.get(border - 1).copied().unwrap_or(0);
        }
        border += usize::from(bytes.get(border) == Some(byte));
        if let Some(place) = borders.get_mut(at) {
            *place = border;
        }
    }
    border
}

/// How many different bytes there are, if they are few.
pub(super) fn few_distinct(bytes: &[u8]) -> Option<usize> {
    let mut seen = Zeroizing::new([false; 256]);
    bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    (bytes.len() >= FEW_DISTINCT_LEN_MIN && distinct <= FEW_DISTINCT_MAX).then_some(distinct)
}

/// Orders of characters that everybody knows, read in both directions.
const ORDERS: [&[u8]; 4] = [
    b"0123456789abcdefghijklmnopqrstuvwxyz",
    b"qwertyuiopasdfghjklzxcvbnm",
    b"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    b"!@#$%^&*()",
];
/// So many characters in a known order are no chance any more.
const ORDERED_RUN_MIN: usize = 4;
/// So many bytes with the same step from each to the next are no chance any more.
const STEADY_RUN_MIN: usize = 5;

/// Whether at least half of the bytes lie in runs: a known order of characters, or equal steps from byte to byte.
/// Every second byte is looked at as well, for `a1b2c3d4`.
pub(super) fn is_sequence(bytes: &[u8]) -> bool {
    let mut in_run = vec![false; bytes.len()];
    mark_runs(bytes, STEADY_RUN_MIN, &mut in_run, |from, to| Some(to.wrapping_sub(*from)));
    for places in PLACES {
        let place = |byte: &u8| places[usize::from(*byte)];
        mark_runs(bytes, ORDERED_RUN_MIN, &mut in_run, |from, to| neighbours(place(from)?, place(to)?));
    }
    let covered = in_run.iter().filter(|covered| **covered).count();
    covered > 0 && covered * 2 >= bytes.len()
}

/// Where each byte stands in each order, small and capital letters alike.
const PLACES: [[Option<u8>; 256]; 4] = [places(ORDERS[0]), places(ORDERS[1]), places(ORDERS[2]), places(ORDERS[3])];

const fn places(order: &[u8]) -> [Option<u8>; 256] {
    let mut places = [None; 256];
    let mut at = 0;
    while at < order.len() {
        places[order[at] as usize] = Some(at as u8);
        places[order[at].to_ascii_uppercase() as usize] = Some(at as u8);
        at += 1;
    }
    places
}

/// Whether the second place follows the first (`true`), the first follows the second (`false`), or neither.
fn neighbours(from: u8, to: u8) -> Option<bool> {
    match to.wrapping_sub(from) {
        1 => Some(true),
        u8::MAX => Some(false),
        _ => None,
    }
}

/// Marks the stretches of at least `min` bytes with the same step from each to the next; then those of every second
/// byte.
fn mark_runs<Step: Copy + PartialEq + Zeroize>(
    bytes: &[u8],
    min: usize,
    in_run: &mut [bool],
    step: impl Fn(&u8, &u8) -> Option<Step>,
) {
    for stride in [1, 2] {
        // What led to each of the bytes before, and how long the run is that ends there.
        let mut ends: Zeroizing<[(Option<Step>, usize); 2]> = Zeroizing::new([(None, 1); 2]);
        for (at, (from, to)) in bytes.iter().zip(bytes.get(stride..).unwrap_or_default()).enumerate() {
            let next = step(from, to);
            let (last, len) = ends[at % stride];
            let len = match next {
                Some(_) if last == next => len + 1,
                Some(_) => 2,
                None => 1,
            };
            ends[at % stride] = (next, len);
            let fresh = match len.cmp(&min) {
                Ordering::Less => 0,
                Ordering::Equal => min,
                Ordering::Greater => 1,
            };
            let run = in_run.iter_mut().take(at + stride + 1).rev().step_by(stride).take(fresh);
            run.for_each(|covered| *covered = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn periods() {
        for (text, expected) in [
            ("", None),
            ("a", None),
            ("aa", Some(1)),
            ("aaaaaaaa", Some(1)),
            ("abababab", Some(2)),
            ("ababababa", Some(2)),
            ("changemechangemechangemechangeme", Some(8)),
            ("abcabc", Some(3)),
            ("abcab", None),
            ("abcdefgh", None),
        ] {
            assert_eq!(period(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn sequences() {
        for text in [
            "12345678",
            "87654321",
            "ABCDEFGH",
            "xyzabcde",
            "qwerty",
            "lkjhgfdsa",
            "!@#$%^&*",
            "a0b1c2d3e4f5",
            "acegikmoqsuwy",
            "abcdefghXQ7T9Z",
            "1q2w3e4r5t",
            "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6",
        ] {
            assert!(is_sequence(text.as_bytes()), "{text}");
        }
        for text in ["", "abc", "abcdXQ7T9Z", "correct horse battery staple", "tuesday-lemon-abcd-violet-orchid"] {
            assert!(!is_sequence(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_period_really_repeats(part in "[a-d]{1,9}", times in 2_usize..9, cut in 0_usize..9) {
            let whole = part.repeat(times + 1);
            let whole = &whole.as_bytes()[..part.len() * times + cut.min(part.len())];
            let found = period(whole).unwrap();
            prop_assert!(found <= part.len());
            prop_assert!(whole.iter().zip(&whole[found..]).all(|(one, next)| one == next));
        }

        #[test]
        fn equal_steps_are_a_sequence(from: u8, step: u8, len in 5_usize..60) {
            let bytes: Vec<u8> = (0..len).map(|n| from.wrapping_add(step.wrapping_mul(u8::try_from(n).unwrap()))).collect();
            prop_assert!(is_sequence(&bytes));
        }

        #[test]
        fn nothing_breaks_it(bytes: Vec<u8>) {
            let _ = (period(&bytes), few_distinct(&bytes), is_sequence(&bytes));
        }
    }

    #[test]
    fn a_megabyte_is_judged_at_once() {
        let bytes = "ab".repeat(1 << 19);
        assert_eq!(period(bytes.as_bytes()), Some(2));
        assert!(is_sequence(bytes.as_bytes()));
    }
}
