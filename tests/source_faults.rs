//! Stores that fail, each in its own way, against the built program: what the user is told, with which exit code, how
//! soon, and that neither a key nor a token is in it. The messages stand in `testdata/sources/`, to be read.
//!
//! The servers are stand-ins (`common/faulty.rs`), their answers those of OpenBao and of Kubernetes.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;
#[path = "common/fault.rs"]
mod fault;
#[path = "common/faulty.rs"]
mod faulty;

use std::fs;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{KEYS, Refusing, folder, keyring};
use fault::{Fault, KEY, SECRET_ID, TOKEN, TRIES, compare};
use faulty::{Answer, Crowded, Drip, Endless, Hang, Raw, Reset, Script, Server, answer, head};

// --- a server that is Vault's, or ought to be ---

const MOUNT: &str = "/v1/sys/internal/ui/mounts/secret/obs/keys";
const READ: &str = "/v1/secret/data/obs/keys";
const LOOKUP: &str = "/v1/auth/token/lookup-self";
const LOGIN: &str = "/v1/auth/approle/login";
const REVOKE: &str = "/v1/auth/token/revoke-self";
const VAULT: &str = "vault: {path: secret/obs/keys, address: ADDRESS}";
const APPROLE: &str =
    "vault: {path: secret/obs/keys, address: ADDRESS, auth: {approle: {roleId: obs, secretIdFile: id}}}";

fn kv2() -> Answer {
    answer(200, r#"{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}"#)
}

/// A path with these members, as they are written.
fn holds(members: &str) -> Answer {
    answer(
        200,
        format!(
            r#"{{"data":{{"data":{{{members}}},"metadata":{{"version":3,"deletion_time":"","destroyed":false}}}}}}"#
        ),
    )
}

fn key() -> Answer {
    holds(&format!(r#""encryption-key-0":"{KEY}""#))
}

fn says(status: u16, error: &str) -> Answer {
    answer(status, format!(r#"{{"errors":["{error}"]}}"#))
}

/// A Vault that is well; a fault says what is not.
fn vault(name: &'static str) -> Fault {
    Fault::new(name, VAULT)
        .variable("VAULT_TOKEN", TOKEN)
        .on(MOUNT, [kv2()])
        .on(READ, [key()])
        .on(LOOKUP, [answer(200, r#"{"data":{"policies":["obs"]}}"#)])
        .on(LOGIN, [answer(200, format!(r#"{{"auth":{{"client_token":"{TOKEN}","token_type":"service"}}}}"#))])
        .on(REVOKE, [answer(204, "")])
}

fn reading(name: &'static str, answers: impl Into<Vec<Answer>>) -> Fault {
    vault(name).on(READ, answers)
}

fn approle(name: &'static str) -> Fault {
    vault(name).source(APPROLE).without("VAULT_TOKEN").file("id", SECRET_ID)
}

fn tries(path: &'static str, expected: usize) -> impl Fn(&std::path::Path, &common::Run, &[faulty::Request]) {
    move |_, run, asked| {
        let tries = asked.iter().filter(|request| request.path == path).count();
        assert_eq!(tries, expected, "requests for {path}:\n{}", run.stderr);
    }
}

/// All of an answer but its last bytes.
fn cut(answer: &Answer) -> Vec<u8> {
    let bytes = answer.bytes();
    bytes[..bytes.len() - 30].to_vec()
}

#[test]
fn a_vault_that_is_well() {
    compare(
        "well.txt",
        vec![
            vault("well").ends(0),
            vault("well, over TLS").tls("good").file("ca.pem", pem("ca")).variable("VAULT_CACERT", "ca.pem").ends(0),
            approle("well, with a login").ends(0).check(tries(REVOKE, 1)),
            reading("well, in base64", [holds(&format!(r#""encryption-key-0":"{}\n""#, STANDARD.encode(KEY)))])
                .source("vault: {path: secret/obs/keys, address: ADDRESS, encoding: base64}")
                .ends(0),
            vault("well, with other names")
                .on(READ, [holds(&format!(r#""obs/0":"{KEY}","other":7"#))])
                .source("vault: {path: secret/obs/keys, address: ADDRESS, fields: {'encryption-key-{n}': 'obs/{n}'}}")
                .ends(0),
            reading("412 once", [says(412, "required index state not present"), key()]).ends(0).check(tries(READ, 2)),
            reading(
                "429 once, with Retry-After",
                [says(429, "rate limit quota exceeded").with("Retry-After", "1"), key()],
            )
            .ends(0)
            .check(tries(READ, 2)),
            reading("500 once", [says(500, "internal error"), key()]).ends(0).check(tries(READ, 2)),
            reading("reset once", [Reset(Vec::new()), key()]).ends(0).check(tries(READ, 2)),
            reading("the body is cut once", [Raw(cut(&key())), key()]).ends(0).check(tries(READ, 2)),
            vault("the token cannot be ended")
                .source(APPROLE)
                .file("id", SECRET_ID)
                .on(REVOKE, [says(500, "x")])
                .ends(0),
        ],
    );
}

#[test]
fn a_network_that_fails() {
    let crowded = Crowded::new();
    let refusing = Refusing::new();
    let elsewhere = |port: u16| format!("vault: {{path: secret/obs/keys, address: 'http://127.0.0.1:{port}'}}");
    let at = |host: &str| format!("vault: {{path: secret/obs/keys, address: 'http://{host}:8200'}}");
    compare(
        "network.txt",
        vec![
            vault("connection refused").source(elsewhere(refusing.port)).hide(refusing.port, "REFUSING"),
            vault("nobody lets it in").source(elsewhere(crowded.port)).hide(crowded.port, "CROWDED").timeout("1"),
            // A label of 64 letters is no host's, whoever is asked; no DNS is needed to know that.
            vault("host unknown").source(at(&format!("{}.example", "no-such-host-".repeat(5)))),
            reading("reset before any byte", [Reset(Vec::new())]).check(tries(READ, 4)),
            reading("closed before any byte", [Raw(Vec::new())]).check(tries(READ, 4)),
            reading("reset after the headers", [Reset(head("Content-Length: 90"))]).check(tries(READ, 4)),
            reading("cut in the headers", [Raw(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())]),
            reading("cut in the body", [Raw(cut(&key()))]).check(tries(READ, 4)),
            reading(
                "cut in a chunk",
                [Raw([head("Transfer-Encoding: chunked"), b"400\r\n{\"data\":".to_vec()].concat())],
            ),
            reading("no answer at all", [Hang(Vec::new())]).timeout("1").check(tries(READ, 1)),
            vault("no answer to the first question").on(MOUNT, [Hang(Vec::new())]).timeout("1"),
            approle("no answer to the login").on(LOGIN, [Hang(Vec::new())]).timeout("1"),
            reading("headers, and nothing more", [Hang(head("Content-Length: 90"))]).timeout("1"),
            reading("one byte every 100 ms", [Drip(key().bytes())]).timeout("1"),
            reading("a body of 5 MiB", [answer(200, " ".repeat(5 << 20))]).check(tries(READ, 1)),
            reading("a body without end", [Endless(head("Content-Type: application/json"), vec![b' '; 4096])]),
            reading("a header without end", [Endless(b"HTTP/1.1 200 OK\r\nX-Pad: ".to_vec(), vec![b'x'; 4096])]),
            reading("huge headers", [key().with("X-Pad", "x".repeat(1 << 20))]),
            reading("no HTTP", [Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())]),
            // What the token was sent to before is not known: it must not be sent on.
            reading("500 until the time is over", [says(500, "internal error").with("Retry-After", "5")])
                .timeout("2")
                .check(tries(READ, 1)),
        ],
    );
}

fn pem(name: &str) -> String {
    fs::read_to_string(common::root().join(format!("testdata/tls/{name}.pem"))).expect("a certificate")
}

#[test]
fn tls_that_fails() {
    let with_ca = |name| vault(name).file("ca.pem", pem("ca")).variable("VAULT_CACERT", "ca.pem");
    // What Go says, and with it Vault.
    let go = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let unencrypted = "vault: {path: secret/obs/keys, address: 'http://127.0.0.1:PORT'}";
    compare(
        "tls.txt",
        vec![
            with_ca("a CA that is not trusted").tls("other"),
            vault("a CA that the system does not trust").tls("good"),
            with_ca("expired").tls("expired"),
            with_ca("not valid yet").tls("not-yet"),
            with_ca("for another host").tls("other-name"),
            with_ca("a certificate of ours is wanted").tls("good and asks"),
            vault("the CA file is missing").tls("good").variable("VAULT_CACERT", "no-such.pem"),
            vault("the CA file holds no certificate")
                .tls("good")
                .file("ca.pem", KEY)
                .variable("VAULT_CACERT", "ca.pem"),
            vault("https, asked without").tls("good").source(unencrypted),
            vault("https, asked without, as Go tells it").on(MOUNT, [Raw(go.to_vec())]),
            vault("http, asked with https").source("vault: {path: secret/obs/keys, address: 'https://127.0.0.1:PORT'}"),
        ],
    );
}

#[test]
fn redirects_are_not_followed() {
    let other = Server::start(Script::from([(READ.to_owned(), vec![key()]), (MOUNT.to_owned(), vec![kv2()])]), None);
    let port = other.port;
    let to = move |status: u16, location: String| answer(status, "").with("Location", location);
    compare(
        "redirects.txt",
        vec![
            reading("301 to another server", [to(301, format!("http://127.0.0.1:{port}{READ}"))]).hide(port, "OTHER"),
            vault("307 of a standby")
                .on(MOUNT, [to(307, format!("http://127.0.0.1:{port}{MOUNT}"))])
                .hide(port, "OTHER"),
            approle("307 of a login")
                .on(LOGIN, [to(307, format!("http://127.0.0.1:{port}{LOGIN}"))])
                .hide(port, "OTHER"),
            reading("302 to a login page", [to(302, format!("https://u:{SECRET_ID}@sso.example.com/?next={TOKEN}"))]),
            reading("308 to itself", [to(308, "/ui/".to_owned())]),
            reading("303 without a place", [answer(303, "")]),
        ],
    );
    assert!(other.asked().is_empty(), "the other server was asked");
}

#[test]
fn what_vault_refuses() {
    let denied = || says(403, "1 error occurred:\\n\\t* permission denied\\n\\n");
    let no_token = || says(403, "permission denied");
    let preflight =
        || says(403, "preflight capability check returned 403, please ensure client's policies grant access to path");
    let gone =
        |metadata: &str| answer(404, format!(r#"{{"data":{{"data":null,"metadata":{{{metadata},"version":3}}}}}}"#));
    let errors = |status: u16| says(status, &format!("bad {TOKEN} {} {}", STANDARD.encode(TOKEN), hex(TOKEN)));
    compare(
        "vault.txt",
        vec![
            reading("400", [says(400, "unsupported operation")]),
            reading("400 that tells the token", [errors(400)]),
            reading("500 that tells the token", [errors(500)]),
            reading("400 without a body", [answer(400, "")]),
            vault("403 for the mount alone").on(MOUNT, [preflight()]),
            vault("403 for everything").on(MOUNT, [no_token()]).on(READ, [no_token()]).on(LOOKUP, [no_token()]),
            reading("403 for the path", [denied()]),
            reading("403 for a token that ended", [denied()]).on(LOOKUP, [no_token()]),
            reading("404, nothing there", [answer(404, r#"{"errors":[]}"#)]),
            vault("404, an API path")
                .source("vault: {path: secret/data/obs/keys, address: ADDRESS}")
                .on("/v1/sys/internal/ui/mounts/secret/data/obs/keys", [kv2()])
                .on("/v1/secret/data/data/obs/keys", [answer(404, r#"{"errors":[]}"#)]),
            reading("404, deleted", [gone(r#""deletion_time":"2026-01-02T03:04:05Z","destroyed":false"#)]),
            reading("404, destroyed", [gone(r#""deletion_time":"","destroyed":true"#)]),
            vault("404, no such mount")
                .on(READ, [])
                .source("vault: {path: secrt/obs/keys, kvVersion: 2, address: ADDRESS}"),
            reading("404 of something else", [answer(404, "<html>not found</html>")]),
            reading("412 always", [says(412, "required index state not present")]).check(tries(READ, 4)),
            reading("429 always", [says(429, "rate limit quota exceeded")]).check(tries(READ, 4)),
            reading("429, come back in an hour", [says(429, "rate limit quota exceeded").with("Retry-After", "3600")])
                .check(tries(READ, 1)),
            reading("500 always", [says(500, "internal error")]).check(tries(READ, 4)),
            reading("502 of a balancer", [answer(502, "<html>bad gateway</html>")]).check(tries(READ, 4)),
            vault("503, sealed").on(MOUNT, [says(503, "Vault is sealed")]),
            reading("472, a standby for recovery", [answer(472, "")]),
            reading("473, a standby for performance", [answer(473, "")]),
            vault("no KV engine")
                .on(MOUNT, [answer(200, r#"{"data":{"path":"secret/","type":"pki","options":null}}"#)]),
            vault("an unknown answer for the mount").on(MOUNT, [answer(200, r#"{"data":{"mounts":[]}}"#)]),
            approle("the login is refused").on(LOGIN, [says(400, "invalid role or secret ID")]),
            approle("the login tells the secret id")
                .on(LOGIN, [says(400, &format!("secret id {SECRET_ID} is of no role"))]),
            approle("the login gives no token").on(LOGIN, [answer(200, r#"{"auth":null}"#)]).check(tries(READ, 0)),
            approle("the login gives a list").on(LOGIN, [answer(200, "[]")]),
            approle("no such login").on(LOGIN, []),
            approle("the secret id is missing").file("id", ""),
        ],
    );
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn settings_that_lead_nowhere() {
    let of_file = "vault: {path: secret/obs/keys, address: ADDRESS, auth: {token: {file: token}}}";
    let ambient = "vault: {path: secret/obs/keys}";
    compare(
        "settings.txt",
        vec![
            vault("no address").source(ambient),
            vault("no token").without("VAULT_TOKEN"),
            vault("no file of the token").source(of_file),
            vault("an empty file of the token").source(of_file).file("token", " \n"),
            vault("a token of two lines").source(of_file).file("token", format!("{TOKEN}\n{KEY}")),
            vault("VAULT_ADDR is another server's").variable("VAULT_ADDR", "https://vault.example.com").check(
                |_, _, asked| {
                    assert!(asked.is_empty(), "a server was asked");
                },
            ),
            vault("VAULT_ADDR with a password")
                .source(ambient)
                .variable("VAULT_ADDR", format!("https://user:{SECRET_ID}@127.0.0.1:PORT")),
            vault("VAULT_ADDR with a path").source(ambient).variable("VAULT_ADDR", "ADDRESS/v1"),
            vault("VAULT_ADDR without a scheme").source(ambient).variable("VAULT_ADDR", "vault.example.com:8200"),
            vault("an address with a password")
                .source("vault: {path: secret/obs/keys, address: 'https://user:pass@127.0.0.1:PORT'}")
                .ends(2),
            vault("an address with a path").source("vault: {path: secret/obs/keys, address: ADDRESS/v1}").ends(2),
            vault("no time at all").args(&["--timeout", "0"]).ends(2),
            vault("a negative time").args(&["--timeout=-1"]).ends(2),
            vault("a time that is none").args(&["--timeout", "soon"]).ends(2),
            vault("a time without end").args(&["--timeout", "inf"]).ends(2),
        ],
    );
}

#[test]
fn what_a_path_should_not_hold() {
    let member = |name: &'static str, value: &str| reading(name, [holds(&format!(r#""encryption-key-0":{value}"#))]);
    let body = |name: &'static str, text: &str| reading(name, [answer(200, text)]);
    let long = format!("\"{}\"", KEY.repeat(1500));
    let mut raw = holds(r#""encryption-key-0":"@""#);
    if let Answer::Whole(_, _, body) = &mut raw {
        body.iter_mut().filter(|byte| **byte == b'@').for_each(|byte| *byte = 0xff);
    }
    compare(
        "contents.txt",
        vec![
            body("a login page", &format!("<!DOCTYPE html><html><title>Log in</title>{KEY}</html>")),
            body("an empty body", ""),
            body("a list", &format!("[\"{KEY}\"]")),
            body("a text", &format!("\"{KEY}\"")),
            body("half an object", &format!(r#"{{"data":{{"data":{{"encryption-key-0":"{KEY}"#)),
            body("an object twice", r#"{"data":{"data":{}}}{"data":{}}"#),
            body("data is null", r#"{"data":null}"#),
            body("data is missing", "{}"),
            body(
                "data in data is null",
                r#"{"data":{"data":null,"metadata":{"version":1,"deletion_time":"","destroyed":false}}}"#,
            ),
            body("data in data is a list", &format!(r#"{{"data":{{"data":["{KEY}"]}}}}"#)),
            reading("not UTF-8", [raw]),
            reading("no body, 204", [answer(204, "")]),
            reading("a member twice", [holds(&format!(r#""encryption-key-0":"{KEY}","encryption-key-0":"x""#))]),
            member("a number", "4711471147114711471147114711471147114711"),
            member("null", "null"),
            member("a member is a list", &format!("[\"{KEY}\"]")),
            member("an object in it", &format!(r#"{{"value":"{KEY}"}}"#)),
            member("true", "true"),
            member("an empty text", "\"\""),
            member("white space", "\"  \\n \""),
            member("longer than 64 KiB", &long),
            member("half a character", "\"\\ud800 and 32 more characters behind it\""),
            member("not base64", &format!("\"{KEY}!\""))
                .source("vault: {path: secret/obs/keys, address: ADDRESS, encoding: base64}"),
            reading("almost a field", [holds(&format!(r#""encryption-key-0":"{KEY}","encryption-key-01":"{KEY}""#))]),
            reading("a gap", [holds(&format!(r#""encryption-key-0":"{KEY}","encryption-key-2":"{}""#, KEYS[0]))]),
            reading("nothing in it", [holds("")]),
            reading("another name", [holds(&format!(r#""key":"{KEY}""#))]),
            reading("other names", [holds(&format!(r#""key":"{KEY}","user":"x""#))]),
            reading("a name that is a key", [holds(&format!(r#""{KEY}":"x","encryption-key-0":7"#))]),
            member("another key", &format!("\"{}\"", KEYS[1])).ends(4),
        ],
    );
}

// --- a command ---

const EXEC: &str = "exec: {command: [./keys.sh]}";

/// A command that is this script.
fn exec(name: &'static str, script: &str) -> Fault {
    Fault::new(name, EXEC)
        .variable("PATH", std::env::var("PATH").expect("PATH"))
        .variable("HOME", "/nonexistent")
        .file("keys.sh", format!("#!/bin/sh\n{script}\n"))
}

/// What the contract asks for.
fn prints(keys: &str) -> String {
    format!(r#"echo '{{"apiVersion": "helm-keyring/v1", "kind": "Keys", "keys": {{{keys}}}}}'"#)
}

fn well() -> String {
    prints(&format!(r#""encryption-key-0": "{KEY}""#))
}

/// Whether a process runs, by the file that holds its number.
fn runs(pid: &str) -> bool {
    // One that has ended and that nobody waits for is a zombie.
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn ends_soon(pid: &str) {
    let begun = Instant::now();
    while runs(pid) {
        assert!(begun.elapsed() < Duration::from_secs(2), "process {pid} was left running");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_command_that_fails() {
    let everywhere = format!(
        "echo {KEY}; echo plain {KEY}, base64 {}, hex {}, url cAnArY%2B0%2FZq3vWm8LkT5hYb1RxJ7sDfGpQeUwNiOaXc%3D >&2; exit 1",
        STANDARD.encode(KEY),
        hex(KEY)
    );
    let child = "sleep 300 & echo $! >pid; ";
    let left = "setsid sh -c 'echo >left; exec sleep 15' & while ! [ -e left ]; do sleep 0.02; done;";
    let child_ends = |place: &std::path::Path, _: &common::Run, _: &[faulty::Request]| {
        ends_soon(&fs::read_to_string(place.join("pid")).expect("a process was started"));
    };
    compare(
        "exec.txt",
        vec![
            exec("well", &well()).ends(0),
            exec(
                "it answers after it talked without end",
                &format!("yes 'no key here' | head -c 3000000 >&2\n{}", well()),
            )
            .ends(0),
            exec("missing", "").source("exec: {command: [./no-such.sh]}"),
            exec("missing on the PATH", "").source("exec: {command: [no-such-command, --get]}"),
            exec("not executable", "").source("exec: {command: [./keyring.yaml]}"),
            exec("a folder", "").source("exec: {command: [/]}"),
            exec("its interpreter is missing", "").file("keys.sh", "#!/no/such/interpreter\n"),
            exec("exit 1", "echo 'vault: not logged in' >&2; exit 1"),
            exec(
                "exit 1, many lines",
                "echo 'Error: no session' >&2; echo >&2; echo 'run `op signin` first' >&2; exit 1",
            ),
            exec("exit 1 without a word", "exit 1"),
            exec("exit 1 with a key on stdout", &everywhere),
            exec("exit 1 after many words", &format!("seq 10000000 10400000; echo {KEY}; echo bad {KEY} >&2; exit 1")),
            exec("exit 1 after a word", &format!("seq 3000 | tr -d '\\n'; echo {KEY}; echo bad {KEY} >&2; exit 1")),
            exec(
                "exit 1 after a long word",
                &format!("seq 1000000 | tr -d '\\n'; echo {KEY}; echo bad {KEY} >&2; exit 1"),
            ),
            exec(
                "exit 1 after much talk",
                "yes talk | head -c 3000000 >&2; echo the reason, which is not the first word >&2; exit 1",
            ),
            exec("exit 1, orders to the terminal", r"printf '\033[31mred\033]0;title\007 \r\b\000 end\n' >&2; exit 1"),
            exec("exit 1, no UTF-8", r"printf 'caf\351 \377\376\n' >&2; exit 1"),
            exec("ended by a signal", "kill -9 $$"),
            exec("hangs", &format!("{child}sleep 300")).timeout("1").check(child_ends),
            exec("leaves a child with its stdout", &format!("{}; {child}exit 0", well())).ends(0).check(child_ends),
            exec("leaves a daemon with its stdout", &format!("{}; {left} exit 0", well())),
            exec("asks the terminal", "kill -STOP $$"),
            exec(
                "exit 1 with a key of many marks",
                r#"echo '{"keys": {"encryption-key-0": "pa:ss=w0:rd!xy="}}'; echo 'cannot use pa:ss=w0:rd!xy= here' >&2; exit 1"#,
            ),
            exec("leaves a child that is silent", &format!("{}; sleep 300 >/dev/null 2>&1 & echo $! >pid", well()))
                .ends(0)
                .check(child_ends),
            exec("talks without end", "yes").timeout("1"),
            exec("prints 10 MB", &format!("yes {KEY} | head -c 10000000")),
            exec("prints nothing", "exit 0"),
            exec("prints no JSON", &format!("echo {KEY}")),
            exec(
                "prints half",
                &format!("printf '%s' '{{\"apiVersion\": \"helm-keyring/v1\", \"keys\": {{\"k\": \"{KEY}'"),
            ),
            exec("no UTF-8", r"printf '{\377}'"),
            exec("another apiVersion", &well().replace("keyring/v1", "keyring/v9")),
            exec("no kind", &well().replace(r#""kind": "Keys", "#, "")),
            exec("an unknown member", &well().replace(r#""kind""#, r#""kinds": 1, "kind""#)),
            exec("no keys", &well().replace(r#""keys""#, r#""version""#)),
            exec(
                "keys are a list",
                &well()
                    .replace('{', "[")
                    .replace('}', "]")
                    .replacen('[', "{", 1)
                    .replace("]]", "]}")
                    .replace("\"encryption-key-0\":", ""),
            ),
            exec("a number", &prints(r#""encryption-key-0": 4711"#)),
            exec("a member twice", &prints(&format!(r#""encryption-key-0": "{KEY}", "encryption-key-0": "{KEY}""#))),
            exec("no key of that name", &prints(r#""other": "x""#)),
            exec("what it sees", &format!("{}; env | cut -d= -f1 | sort >seen", well()))
                .variable("HELM_KEYRING_MASTER_KEY_FILE", "no-such")
                .variable("VAULT_TOKEN", TOKEN)
                .variable("AWS_SECRET_ACCESS_KEY", SECRET_ID)
                .variable("OP_SESSION", "x")
                .variable("XDG_CONFIG_HOME", "/x")
                .source("exec: {command: [./keys.sh], variables: [OP_SESSION, NOT_SET]}")
                .ends(0)
                .check(|place, _, _| {
                    let seen = fs::read_to_string(place.join("seen")).expect("a list");
                    // What a shell sets for itself is nobody's secret.
                    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
                    let seen: Vec<&str> = seen.lines().filter(|name| !own.contains(name)).collect();
                    assert_eq!(seen, ["HELM_KEYRING_EXEC_INFO", "HOME", "OP_SESSION", "PATH", "XDG_CONFIG_HOME"]);
                }),
            exec("a token of its own on stderr", "echo \"bad session $OP_SESSION\" >&2; exit 1")
                .variable("OP_SESSION", TOKEN)
                .source("exec: {command: [./keys.sh], variables: [OP_SESSION]}"),
        ],
    );
}

// --- a cluster, from within ---

const SECRET: &str = "/api/v1/namespaces/obs/secrets/keys";

fn in_cluster(name: &'static str, answer: Answer) -> Fault {
    Fault::new(name, "kubernetes: {secret: keys, inCluster: true, serviceAccount: account}")
        .tls("good")
        .file("account/token", TOKEN)
        .file("account/ca.crt", pem("ca"))
        .variable("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .variable("KUBERNETES_SERVICE_PORT", "PORT")
        .on(SECRET, [answer])
}

fn status(code: u16, message: &str) -> Answer {
    let message = serde_json::json!({"kind": "Status", "status": "Failure", "message": message, "code": code});
    answer(code, message.to_string())
}

fn secret(data: &str) -> Answer {
    answer(200, format!(r#"{{"kind":"Secret","metadata":{{"resourceVersion":"42"}},"data":{{{data}}}}}"#))
}

#[test]
fn a_cluster_that_refuses() {
    let good = || secret(&format!(r#""encryption-key-0":"{}""#, STANDARD.encode(KEY)));
    let forbidden = "secrets \"keys\" is forbidden: User \"system:serviceaccount:argocd:repo-server\" cannot get resource \"secrets\" in API group \"\" in the namespace \"obs\"";
    let fast = || status(429, "too many requests, please try again later").with("Retry-After", "3600");
    compare(
        "kubernetes.txt",
        vec![
            in_cluster("well", good()).ends(0),
            in_cluster("401", status(401, "Unauthorized")),
            in_cluster("403", status(403, forbidden)),
            in_cluster("404", status(404, "secrets \"keys\" not found")),
            in_cluster("403 that tells the token", status(403, &format!("token {TOKEN} is no good"))),
            in_cluster("429, come back in an hour", fast()),
            in_cluster("500", status(500, "etcdserver: request timed out")),
            in_cluster("a status without words", answer(418, "")),
            in_cluster("another CA", good()).file("account/ca.crt", pem("other-ca")),
            in_cluster("no answer", Hang(Vec::new())).timeout("1"),
            in_cluster("not base64", secret(&format!(r#""encryption-key-0":"{KEY}!""#))),
            in_cluster("a number", secret(r#""encryption-key-0":7"#)),
            in_cluster("no Secret", answer(200, r#"{"kind":"ConfigMap","data":{"encryption-key-0":"x"}}"#)),
            in_cluster("no data", answer(200, r#"{"kind":"Secret","metadata":{}}"#)),
            in_cluster("not JSON", answer(200, KEY)),
            in_cluster("no token", good()).file("account/token", ""),
            in_cluster("no folder", good())
                .source("kubernetes: {secret: keys, inCluster: true, serviceAccount: no-such}"),
            in_cluster("no pod", good()).without("KUBERNETES_SERVICE_HOST"),
        ],
    );
}

// --- all of them together ---

const TWO: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      production: {source: {vault: {path: secret/obs/keys, kvVersion: 2, address: ADDRESS}}}
  devmesh:
    profile: devmesh
    environments:
      production: {source: {vault: {path: secret/devmesh, kvVersion: 2, address: ADDRESS}}}
";

/// What two keyrings in one stream come to, with these answers for their paths, within a second: this exit code.
fn two(first: Answer, second: Answer, code: i32) -> common::Run {
    let script = [(READ, first), ("/v1/secret/data/devmesh", second)];
    let server = Server::start(script.map(|(path, answer)| (path.to_owned(), vec![answer])).into(), None);
    let files = [
        ("keyring.yaml", TWO.replace("ADDRESS", &format!("http://127.0.0.1:{}", server.port))),
        ("keys/encryption-key-0", KEY.to_owned()),
        ("keys/devmesh-encryption-key", KEYS[1].to_owned()),
        ("keys/encryption-master-key", KEYS[2].to_owned()),
    ];
    let folder = folder(&files.each_ref().map(|(name, text)| (*name, text.as_str())));
    for name in ["lightrun", "devmesh"] {
        keyring(folder.path(), &["lock", "-e", "production", "--keyring", name, "--source", "dir=keys"], &[], "")
            .done();
    }
    let second = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: encryption-keys}\ndata: {}\n";
    let stream = include_str!("../testdata/streams/lightrun-small.yaml").replace("@KEY@", "x") + second;
    let args = ["render", "-e", "production", "--timeout", "1"];
    let timed = || {
        let begun = Instant::now();
        (keyring(folder.path(), &args, &[("VAULT_TOKEN", TOKEN)], &stream), begun.elapsed())
    };
    // Two deadlines, one after the other, are two seconds, however idle the machine is.
    let is_it = |(run, time): &(common::Run, Duration)| *time < Duration::from_secs(2) && run.code == code;
    let run = (0..TRIES).map(|_| timed()).find(is_it);
    run.expect("it takes no longer than one deadline, and ends so").0
}

#[test]
fn two_places_have_one_deadline_and_all_or_nothing_comes_of_them() {
    let devmesh = || holds(&format!(r#""devmesh-encryption-key":"{}","encryption-master-key":"{}""#, KEYS[1], KEYS[2]));
    let slow = || Hang(Vec::new());
    let well = two(key(), devmesh(), 0);
    assert!([KEY, KEYS[1], KEYS[2]].iter().all(|key| well.done().stdout.contains(&STANDARD.encode(key))));
    for (first, second, fails) in
        [(slow(), devmesh(), "secret/obs/keys"), (key(), slow(), "secret/devmesh"), (slow(), slow(), "secret/")]
    {
        let run = two(first, second, 3);
        assert!(run.refused(3, "source-failed").stderr.contains(fails), "{}", run.stderr);
    }
}
