//! What a plain scalar means: the resolution rules of go-yaml v2 (`resolve.go`, v2.4.2), which Helm uses.

/// A number as go-yaml reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// From `i64::MIN` to `u64::MAX`.
    Int(i128),
    /// Finite.
    Float(f64),
}

/// The meaning of one scalar.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Number(Number),
    /// A float that JSON cannot write (`.nan`, `.inf`): Helm refuses it as a value.
    NotJson,
    /// `<<`
    Merge,
    /// Anything else stays the text that it is.
    Text,
}

/// Whether `text`, written without quotes, is read back as just this text.
///
/// True only where YAML 1.1 and 1.2 readers agree on it.
pub fn is_plain_string(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "+/=_.-".contains(c);
    let starts_plainly = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '/' || c == '+');
    starts_plainly && text.chars().all(safe) && resolve(text) == Resolved::Text && !text.starts_with("0o")
}

/// Resolves a plain scalar without a tag.
pub(super) fn resolve(text: &str) -> Resolved {
    if let Some(known) = from_table(text) {
        return known;
    }
    match text.as_bytes().first() {
        Some(b'.') => leading_dot(text),
        Some(b'+' | b'-' | b'0'..=b'9') => number(text).map_or(Resolved::Text, Resolved::Number),
        _ => Resolved::Text,
    }
}

fn from_table(text: &str) -> Option<Resolved> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Resolved::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Resolved::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => Resolved::NotJson,
        "<<" => Resolved::Merge,
        _ => return None,
    })
}

/// `.5` and the like. Go's `ParseFloat` takes an underscore between two digits, and only there.
fn leading_dot(text: &str) -> Resolved {
    let bytes = text.as_bytes();
    let digit_at = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let underscores_between_digits =
        bytes.iter().enumerate().filter(|(_, b)| **b == b'_').all(|(i, _)| digit_at(i - 1) && digit_at(i + 1));
    if !underscores_between_digits {
        return Resolved::Text;
    }
    float(&text.replace('_', "")).map_or(Resolved::Text, |f| Resolved::Number(Number::Float(f)))
}

fn number(text: &str) -> Option<Number> {
    let plain = text.replace('_', "");
    integer(&plain).map(Number::Int).or_else(|| float(&plain).map(Number::Float))
}

/// Go's `ParseInt`, then `ParseUint`, with base 0: a prefix chooses the base, a leading 0 means octal.
fn integer(plain: &str) -> Option<i128> {
    let (sign, digits) = match plain.as_bytes().first()? {
        b'-' => (-1, &plain[1..]),
        b'+' => (1, &plain[1..]),
        _ => (1, plain),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let value = sign * i128::from_str_radix(digits, base).ok()?;
    // ParseUint knows no sign, so only an unsigned text may pass i64::MAX.
    let largest = if plain.starts_with('+') { i128::from(i64::MAX) } else { i128::from(u64::MAX) };
    (i128::from(i64::MIN)..=largest).contains(&value).then_some(value)
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`, and finite.
fn float(plain: &str) -> Option<f64> {
    let unsigned = plain.strip_prefix(['-', '+']).unwrap_or(plain);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_fits = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    plain.parse::<f64>().ok().filter(|f| f.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(i: i128) -> Resolved {
        Resolved::Number(Number::Int(i))
    }

    fn float(f: f64) -> Resolved {
        Resolved::Number(Number::Float(f))
    }

    #[test]
    fn integers_as_go_reads_them() {
        let cases = [
            ("0755", 493),
            ("0o755", 493),
            ("0x1F_F", 511),
            ("0b101", 5),
            ("-0b11", -3),
            ("1__0", 10),
            ("-0", 0),
            ("+7", 7),
            ("18446744073709551615", u64::MAX.into()),
            ("-9223372036854775808", i64::MIN.into()),
        ];
        for (text, value) in cases {
            assert_eq!(resolve(text), int(value), "{text}");
        }
    }

    #[test]
    fn floats_and_what_only_looks_like_a_number() {
        assert_eq!(resolve("08"), float(8.0));
        assert_eq!(resolve("1e3"), float(1000.0));
        assert_eq!(resolve(".5_0"), float(0.5));
        assert_eq!(resolve("+.5"), float(0.5));
        for text in
            ["1e400", "0x", "0b2", "1e", "190:20:30", "2001-12-14", "._5", "tRue", "=", "-", "+", "1.2.3", "0o8"]
        {
            assert_eq!(resolve(text), Resolved::Text, "{text}");
        }
    }

    #[test]
    fn plain_strings_are_those_that_every_reader_takes_for_text() {
        for text in ["L2FLRm8rRHpaSXo3bzVzNTVKeVBxWUViY1RKbDVyVU4=", "encryption-key-0", "/a+b="] {
            assert!(is_plain_string(text), "{text}");
        }
        for text in ["", "12345678", "1e10", "true", "null", "0o17", "a: b", "-a", "~", "y", "é"] {
            assert!(!is_plain_string(text), "{text}");
        }
    }
}
