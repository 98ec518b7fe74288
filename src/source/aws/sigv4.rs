//! Signature Version 4: a request says who sends it, without sending the secret.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, checked against AWS's
//! own test suite (`testdata/sigv4`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hmac::digest::InvalidLength;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request as it will be sent, with all headers that are to be signed.
pub struct Unsigned<'r> {
    /// `GET`, `POST`.
    pub method: &'r str,
    /// From the first `/`, with the query.
    pub path: &'r str,
    /// Names and values, in any order.
    pub headers: &'r [(&'r str, Zeroizing<String>)],
    /// What is sent.
    pub body: &'r [u8],
}

/// What a signature is good for.
pub struct Scope<'s> {
    /// As `X-Amz-Date` has it: `20150830T123600Z`.
    pub stamp: &'s str,
    /// The region.
    pub region: &'s str,
    /// The service: `secretsmanager`.
    pub service: &'s str,
}

/// The header `Authorization` for a request.
///
/// # Errors
/// None that is known of: HMAC takes a key of any length.
pub fn authorization(
    request: &Unsigned<'_>,
    scope: &Scope<'_>,
    key_id: &str,
    secret: &str,
) -> Result<String, InvalidLength> {
    let Scope { stamp, region, service } = scope;
    let day = stamp.split('T').next().unwrap_or_default();
    let (canonical, signed) = canonical(request);
    let credential = format!("{day}/{region}/{service}/aws4_request");
    let to_sign = format!("{ALGORITHM}\n{stamp}\n{credential}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let first = Zeroizing::new(format!("AWS4{secret}"));
    let mut key = Zeroizing::new(first.as_bytes().to_vec());
    for part in credential.split('/') {
        key = mac(&key, part.as_bytes())?;
    }
    let signature = hex(&mac(&key, to_sign.as_bytes())?);
    Ok(format!("{ALGORITHM} Credential={key_id}/{credential}, SignedHeaders={signed}, Signature={signature}"))
}

/// The one form in which both sides write the request, and the names of its headers.
fn canonical(request: &Unsigned<'_>) -> (Zeroizing<String>, String) {
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.headers {
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        headers.entry(name.to_ascii_lowercase()).or_default().push(words.join(" "));
    }
    let signed = headers.keys().map(String::as_str).collect::<Vec<_>>().join(";");
    // A session token is among the headers.
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let _ = write!(text, "{}\n{}\n{}\n", request.method, encoded(path, "/"), canonical_query(query));
    for (name, values) in &headers {
        let _ = writeln!(text, "{name}:{}", values.join(","));
    }
    let _ = write!(text, "\n{signed}\n{}", hex(&Sha256::digest(request.body)));
    (text, signed)
}

fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // What is encoded already stays so.
            (encoded(name, "%"), encoded(value, "%"))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// As a URL and a form have it; the characters in `kept` stay.
pub fn encoded(text: &str, kept: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte if kept.as_bytes().contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn mac(key: &[u8], message: &[u8]) -> Result<Zeroizing<Vec<u8>>, InvalidLength> {
    let mac = Hmac::<Sha256>::new_from_slice(key)?.chain_update(message);
    Ok(Zeroizing::new(mac.finalize().into_bytes().to_vec()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const SCOPE: Scope<'static> = Scope { stamp: "20150830T123600Z", region: "us-east-1", service: "service" };

    struct Vector {
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: String,
    }

    fn folder() -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "testdata/sigv4"].iter().collect()
    }

    fn read(name: &str, ending: &str) -> String {
        fs::read_to_string(folder().join(format!("{name}.{ending}"))).unwrap()
    }

    fn vector(name: &str) -> Vector {
        let text = read(name, "req");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let request = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap();
        let (method, path) = request.split_once(' ').unwrap();
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            match line.split_once(':') {
                // A line that begins with white space continues the one before.
                _ if line.starts_with(' ') => headers.last_mut().unwrap().1 += line,
                Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
                None => panic!("{name}: {line}"),
            }
        }
        // Two cases say in words that a session token is added, and have it in the canonical request alone.
        let creq = read(name, "creq");
        let token = creq.lines().find_map(|line| line.strip_prefix("x-amz-security-token:"));
        if let Some(token) = token.filter(|_| !text.to_lowercase().contains("x-amz-security-token")) {
            headers.push(("X-Amz-Security-Token".to_owned(), token.to_owned()));
        }
        Vector { method: method.to_owned(), path: path.to_owned(), headers, body: body.to_owned() }
    }

    #[test]
    fn as_the_test_suite_of_aws_has_it() {
        let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let names: Vec<String> = files.filter_map(|file| Some(file.strip_suffix(".req")?.to_owned())).collect();
        assert_eq!(names.len(), 26, "{names:?}");
        for name in names {
            let vector = vector(&name);
            let headers: Vec<(&str, Zeroizing<String>)> =
                vector.headers.iter().map(|(name, value)| (&**name, Zeroizing::new(value.clone()))).collect();
            let request = Unsigned {
                method: &vector.method,
                path: &vector.path,
                headers: &headers,
                body: vector.body.as_bytes(),
            };
            assert_eq!(canonical(&request).0.as_str(), read(&name, "creq"), "{name}");
            let header = authorization(&request, &SCOPE, "AKIDEXAMPLE", SECRET).unwrap();
            assert_eq!(header, read(&name, "authz"), "{name}");
        }
    }
}
