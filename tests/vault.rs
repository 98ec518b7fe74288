//! The source `vault`, against a real OpenBao: logins, engines, namespaces, TLS, rotation, and what each run costs.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[path = "common/cluster.rs"]
mod cluster;
mod common;
#[path = "common/home.rs"]
#[allow(unused_imports, reason = "the cluster is of other tests")]
mod home;
#[path = "common/openbao.rs"]
mod openbao;

use std::fs;
use std::sync::{Arc, Barrier};

use common::{KEYS, Run, lock_numbered, root};
use home::Home;
use openbao::{OpenBao, ROOT};
use serde_json::json;

const PATH: &str = "obs/keys";
const READ: &str = r#"path "secret/data/obs/*" { capabilities = ["read"] }"#;
const WRITE: &str = r#"path "secret/data/obs/*" { capabilities = ["read", "patch"] } path "secret/metadata/obs/*" { capabilities = ["read"] }"#;

/// A folder with one environment whose keys lie in Vault; `more` is what else the source says.
fn home(server: &OpenBao, more: &str, locked: &[&str]) -> Home {
    let source = format!("{{vault: {{path: secret/{PATH}, address: \"{}\"{more}}}}}", server.address);
    with_source(&source, locked)
}

fn with_source(source: &str, locked: &[&str]) -> Home {
    let config = format!(
        "apiVersion: helm-keyring/v1\nkeyrings:\n  lightrun:\n    profile: lightrun\n    environments:\n      production:\n        namespace: obs\n        source: {source}\n"
    );
    let mut home = Home::with(&config, &[]);
    home.variables.push(("VAULT_TOKEN".to_owned(), ROOT.to_owned()));
    if !locked.is_empty() {
        lock_numbered(home.path(), "lightrun/production", locked);
    }
    home
}

fn field(number: usize) -> String {
    format!("encryption-key-{number}")
}

fn put(server: &OpenBao, keys: &[&str]) {
    let names: Vec<String> = (0..keys.len()).map(field).collect();
    let fields: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(keys.iter().copied()).collect();
    server.put(PATH, &fields);
}

fn render(home: &Home, more: &str) -> Run {
    let stream = home::STREAM.replace("@KEY@", "made-up-by-the-chart");
    home.run_on(format!("render -e production {more}").trim_end(), &stream)
}

fn set(home: &mut Home, name: &str, value: &str) {
    home.variables.retain(|(own, _)| own != name);
    if !value.is_empty() {
        home.variables.push((name.to_owned(), value.to_owned()));
    }
}

/// How often each kind of request was sent, as `--stats` says.
fn requests(run: &Run) -> String {
    let line = run.stderr.lines().find(|line| line.contains("vault read"));
    line.map(|line| line.trim_start_matches([' ', '=']).trim_start_matches("note: ").to_owned()).unwrap_or_default()
}

// --- reading ---

#[test]
fn all_keys_of_a_path_come_in_one_request() {
    let server = OpenBao::start();
    put(&server, &KEYS[..3]);
    let home = home(&server, "", &KEYS[..3]);
    assert_eq!(home.delivered(), KEYS[..3]);
    let run = render(&home, "--stats");
    assert_eq!(requests(run.done()), "vault mount 1, vault read 1");
    assert!(
        run.stderr.contains(&format!("Vault path secret/obs/keys at {}, version 1: ", server.address)),
        "{}",
        run.stderr
    );
    // What is known needs no question.
    let home = self::home(&server, ", kvVersion: 2", &KEYS[..3]);
    assert_eq!(requests(render(&home, "--stats").done()), "vault read 1");
    let home = with_source(
        &format!("{{vault: {{mount: secret, kvVersion: 2, path: {PATH}, address: \"{}\"}}}}", server.address),
        &KEYS[..3],
    );
    assert_eq!(requests(render(&home, "--stats").done()), "vault read 1");
}

/// The same key for the same number, and another one for each: 32 bytes that no rule takes for weak.
fn made(number: u64) -> String {
    use base64::Engine as _;
    let mut state = number + 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[1]
    };
    let bytes: Vec<u8> = (0..40).map(|_| byte()).skip(8).collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn a_hundred_keys_are_one_request() {
    let server = OpenBao::start();
    let keys: Vec<String> = (0..100_u64).map(made).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    put(&server, &keys);
    let home = home(&server, "", &keys);
    let run = home.run("source test -e production --stats");
    assert_eq!(requests(run.done()), "vault mount 1, vault read 1");
    assert_eq!(run.stdout.matches("yes     ok").count(), 100, "{}", run.stdout);
    assert_eq!(home.delivered().len(), 100);
}

#[test]
fn names_and_encodings_of_the_store_are_declared() {
    use base64::Engine as _;
    let server = OpenBao::start();
    let encoded = base64::engine::general_purpose::STANDARD.encode(KEYS[0]);
    server.put(PATH, &[("lr_key_0", &encoded), ("other", "x")]);
    let names = ", fields: {\"encryption-key-{n}\": \"lr_key_{n}\"}";
    let declared = home(&server, &format!("{names}, encoding: base64"), &KEYS[..1]);
    assert_eq!(declared.delivered(), KEYS[..1]);
    // Never guessed.
    let bare = home(&server, names, &KEYS[..1]);
    render(&bare, "").refused(4, "lock-mismatch");
    let without_names = home(&server, "", &KEYS[..1]);
    let run = render(&without_names, "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("has no `encryption-key-0`: it has 2 members, of other names"), "{}", run.stderr);
}

#[test]
fn a_fixed_version_is_read() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    put(&server, &KEYS[..2]);
    assert_eq!(home(&server, ", version: 1", &KEYS[..1]).delivered(), KEYS[..1]);
    assert_eq!(home(&server, "", &KEYS[..2]).delivered(), KEYS[..2]);
    let run = render(&home(&server, ", version: 9", &KEYS[..1]), "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("nothing is there in version 9 (404)"), "{}", run.stderr);
}

#[test]
fn the_older_engine_keeps_keys_too() {
    let server = OpenBao::start();
    server.ask("POST", "sys/mounts/old", Some(json!({"type": "kv", "options": {"version": "1"}})));
    server.ask("POST", "old/obs", Some(json!({"encryption-key-0": KEYS[0], "n": 1})));
    let source = |more: &str| format!("{{vault: {{path: old/obs, address: \"{}\"{more}}}}}", server.address);
    for more in ["", ", kvVersion: 1"] {
        assert_eq!(with_source(&source(more), &KEYS[..1]).delivered(), KEYS[..1]);
    }
    let run = render(&with_source(&source(", version: 1"), &KEYS[..1]), "");
    run.refused(3, "source-failed");
    // It cannot tell who else writes.
    let home = with_source(&source(""), &KEYS[..1]);
    let refused = home.run("rotate -e production");
    refused.refused(3, "source-failed");
    assert!(refused.stderr.contains("--i-am-alone"), "{}", refused.stderr);
    home.run("rotate -e production --i-am-alone").done();
    assert_eq!(server.ask("GET", "old/obs", None)["data"]["n"], 1);
    assert_eq!(home.delivered().len(), 2);
}

#[test]
fn twenty_paths_are_read_side_by_side_and_each_once() {
    let server = OpenBao::start();
    let mut fields = String::new();
    let mut parts = String::new();
    let mut lines = Vec::new();
    let names: Vec<String> = (0..20).map(|index| format!("key-{index}")).collect();
    let key = |index: usize| format!("{index:02}-a-key-of-thirty-two-characters");
    for (index, name) in names.iter().enumerate() {
        fields.push_str(&format!("      - {{name: {name}, policy: {{minCharacters: 32}}}}\n"));
        parts.push_str(&format!(
            "            {name}: {{vault: {{path: secret/many/{index}, address: \"{}\", auth: {{approle: {{}}}}}}}}\n",
            server.address
        ));
        server.put(&format!("many/{index}"), &[(name, &key(index))]);
        lines.push((name.as_str(), 0, key(index)));
    }
    let profile = format!(
        "apiVersion: helm-keyring/v1\nkind: Profile\nname: many\nsecrets:\n  - name: many\n    fields:\n{fields}"
    );
    let config = format!(
        "apiVersion: helm-keyring/v1\nkeyrings:\n  many:\n    profile: many.yaml\n    environments:\n      production:\n        source:\n          byField:\n{parts}"
    );
    let mut home = Home::with(&config, &[("many.yaml", &profile)]);
    let lines: Vec<(&str, u32, &str)> = lines.iter().map(|(name, n, key)| (*name, *n, key.as_str())).collect();
    common::lock(home.path(), "many/production", "many.yaml", &lines);
    approle(&server, &mut home, r#"path "secret/data/many/*" { capabilities = ["read"] }"#);
    let stream = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: many}}\nstringData:\n{}",
        names.iter().map(|name| format!("  {name}: x\n")).collect::<String>()
    );
    let run = home.run_on("render -e production --stats", &stream);
    let summary = run.done().stderr.lines().find(|line| line.starts_with("note[stats]")).unwrap().to_owned();
    assert_eq!(summary, "note[stats]: 20 places fetched with 23 requests");
    assert_eq!(requests(&run), "vault login 1, vault mount 1, vault read 20, vault revoke 1");
}

#[test]
fn two_keyrings_share_a_path_and_read_it_once() {
    let server = OpenBao::start();
    server.put("both", &[("encryption-key-0", KEYS[0])]);
    let source = format!("{{vault: {{path: secret/both, address: \"{}\"}}}}", server.address);
    let config = format!(
        "apiVersion: helm-keyring/v1\nkeyrings:\n  one:\n    profile: lightrun\n    environments:\n      production: {{source: {source}}}\n  two:\n    profile: lightrun\n    environments:\n      production: {{source: {source}}}\n"
    );
    let mut home = Home::with(&config, &[]);
    set(&mut home, "VAULT_TOKEN", ROOT);
    let lines =
        [("one/production", "encryption-key-0", 0, KEYS[0]), ("two/production", "encryption-key-0", 0, KEYS[0])];
    common::lock_all(home.path(), "lightrun", &lines);
    let run = home.run("status -e production --stats");
    assert_eq!(requests(run.done()), "vault mount 1, vault read 1");
}

// --- logins ---

/// Logs in by AppRole, under a policy; the variables tell how.
fn approle(server: &OpenBao, home: &mut Home, policy: &str) {
    server.policy("renderer", policy);
    server.ask("POST", "sys/auth/approle", Some(json!({"type": "approle"})));
    server.ask("POST", "auth/approle/role/renderer", Some(json!({"token_policies": ["renderer"], "token_ttl": "10m"})));
    let role = server.ask("GET", "auth/approle/role/renderer/role-id", None)["data"]["role_id"].clone();
    let secret = server.ask("POST", "auth/approle/role/renderer/secret-id", None)["data"]["secret_id"].clone();
    set(home, "VAULT_TOKEN", "");
    set(home, "VAULT_ROLE_ID", role.as_str().unwrap());
    set(home, "VAULT_SECRET_ID", secret.as_str().unwrap());
}

fn accessors(server: &OpenBao) -> usize {
    server.ask("GET", "auth/token/accessors?list=true", None)["data"]["keys"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_login_of_our_own_is_ended_also_after_a_failure() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    let mut home = home(&server, ", auth: {approle: {}}", &KEYS[..1]);
    approle(&server, &mut home, &format!("{READ} path \"sys/internal/ui/mounts/*\" {{ capabilities = [\"read\"] }}"));
    let before = accessors(&server);
    assert_eq!(home.delivered(), KEYS[..1]);
    assert_eq!(accessors(&server), before, "the token was not revoked");
    assert_eq!(requests(render(&home, "--stats").done()), "vault login 1, vault mount 1, vault read 1, vault revoke 1");
    server.policy("renderer", r#"path "secret/data/other" { capabilities = ["read"] }"#);
    render(&home, "").refused(3, "source-failed");
    assert_eq!(accessors(&server), before, "the token was not revoked after a failure");
    // The secret id may lie in a file.
    server.policy("renderer", READ);
    let secret = home.variables.iter().find(|(name, _)| name == "VAULT_SECRET_ID").unwrap().1.clone();
    home.write("secret-id", &format!("{secret}\n"));
    set(&mut home, "VAULT_SECRET_ID", "");
    let config = home.read("keyring.yaml").replace("approle: {}", "approle: {secretIdFile: secret-id}");
    home.write("keyring.yaml", &config);
    assert_eq!(home.delivered(), KEYS[..1]);
    home.write("secret-id", "00000000-0000-0000-0000-000000000000");
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("the login was refused: 400 invalid role or secret ID"), "{}", run.stderr);
    assert!(run.stderr.contains("login: AppRole at auth/approle"), "{}", run.stderr);
}

#[test]
fn a_token_lies_where_the_command_line_of_vault_has_it() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    let token = server.token("reader", READ);
    let mut home = home(&server, "", &KEYS[..1]);
    set(&mut home, "VAULT_TOKEN", "");
    let folder = home.path().display().to_string();
    set(&mut home, "HOME", &folder);
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("there is no token"), "{}", run.stderr);
    home.write(".vault-token", &format!("{token}\n"));
    assert_eq!(home.delivered(), KEYS[..1]);
    // OpenBao's own variable wins, then Vault's.
    set(&mut home, "VAULT_TOKEN", "not-a-token");
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(
        run.stderr.contains("the token may be expired, revoked or another server's: log in anew"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("login: the token of VAULT_TOKEN"), "{}", run.stderr);
    set(&mut home, "BAO_TOKEN", &token);
    assert_eq!(home.delivered(), KEYS[..1]);
    // An agent's file.
    let file = self::home(&server, ", auth: {token: {file: agent/token}}", &KEYS[..1]);
    file.write("agent/token", &token);
    assert_eq!(file.delivered(), KEYS[..1]);
    // The address of the environment, and of keyring.yaml: two servers, one token.
    set(&mut home, "VAULT_ADDR", "https://vault.example:8200");
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("VAULT_ADDR names another server"), "{}", run.stderr);
    set(&mut home, "VAULT_ADDR", &format!("{}/", server.address));
    assert_eq!(home.delivered(), KEYS[..1]);
}

#[test]
fn a_job_logs_in_with_its_web_token() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    server.policy("renderer", READ);
    let testdata = root().join("testdata/jwt");
    let key = fs::read_to_string(testdata.join("key.pub")).unwrap();
    server.ask("POST", "sys/auth/ci", Some(json!({"type": "jwt"})));
    server.ask("POST", "auth/ci/config", Some(json!({"jwt_validation_pubkeys": [key]})));
    let role =
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["keys"], "token_policies": ["renderer"]});
    server.ask("POST", "auth/ci/role/deploy", Some(role));
    let mut home = home(&server, ", auth: {jwt: {role: deploy, mount: ci, tokenFile: job.jwt}}", &KEYS[..1]);
    home.write("job.jwt", &fs::read_to_string(testdata.join("job.jwt")).unwrap());
    assert_eq!(home.delivered(), KEYS[..1]);
    home.write("job.jwt", &fs::read_to_string(testdata.join("expired.jwt")).unwrap());
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("the login was refused: 400"), "{}", run.stderr);
    assert!(run.stderr.contains("login: JWT role deploy at auth/ci"), "{}", run.stderr);
    // Or the variable.
    let config = home.read("keyring.yaml").replace(", tokenFile: job.jwt", "");
    home.write("keyring.yaml", &config);
    set(&mut home, "VAULT_JWT", fs::read_to_string(testdata.join("job.jwt")).unwrap().trim());
    assert_eq!(home.delivered(), KEYS[..1]);
}

/// A stand-in for the API server, which says of one token whose it is.
fn token_review() -> String {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut len) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    len = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; len];
            reader.read_exact(&mut body).unwrap();
            let review: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let known = fs::read_to_string(root().join("testdata/jwt/pod.jwt")).unwrap();
            let is_known = review["spec"]["token"] == known.trim();
            let status = json!({
                "authenticated": is_known,
                "audiences": ["https://kubernetes.default.svc"],
                "user": {"username": "system:serviceaccount:obs:renderer", "uid": "1c8b9f3e-0000-4000-8000-000000000001", "groups": []},
            });
            let answer =
                json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}).to_string();
            let head = format!(
                "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            let _ = stream.write_all((head + &answer).as_bytes());
        }
    });
    address
}

#[test]
fn a_pod_logs_in_with_its_own_token() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    server.policy("renderer", READ);
    let pod = fs::read_to_string(root().join("testdata/jwt/pod.jwt")).unwrap();
    server.ask("POST", "sys/auth/kubernetes", Some(json!({"type": "kubernetes"})));
    let ca = fs::read_to_string(root().join("testdata/jwt/ca.pem")).unwrap();
    let config = json!({
        "kubernetes_host": token_review(), "kubernetes_ca_cert": ca, "token_reviewer_jwt": pod.trim(),
        "disable_local_ca_jwt": true,
    });
    server.ask("POST", "auth/kubernetes/config", Some(config));
    let role = |namespace: &str| {
        let role = json!({
            "bound_service_account_names": ["renderer"], "bound_service_account_namespaces": [namespace],
            "token_policies": ["renderer"],
        });
        server.ask("POST", "auth/kubernetes/role/obs", Some(role));
    };
    role("obs");
    let home = home(&server, ", auth: {kubernetes: {role: obs, tokenFile: pod.jwt}}", &KEYS[..1]);
    home.write("pod.jwt", &pod);
    assert_eq!(home.delivered(), KEYS[..1]);
    role("elsewhere");
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("the login was refused: 403"), "{}", run.stderr);
    assert!(run.stderr.contains("does role obs of auth/kubernetes bind this pod's service account"), "{}", run.stderr);
}

#[test]
fn a_namespace_has_its_own_paths_and_logins() {
    let server = OpenBao::start();
    server.ask("POST", "sys/namespaces/team-a", None);
    server.ask_in("team-a", "POST", "sys/mounts/kv", Some(json!({"type": "kv", "options": {"version": "2"}})));
    server.ask_in("team-a", "POST", "kv/data/obs", Some(json!({"data": {"encryption-key-0": KEYS[0]}})));
    let source = format!("{{vault: {{path: kv/obs, address: \"{}\", namespace: team-a}}}}", server.address);
    assert_eq!(with_source(&source, &KEYS[..1]).delivered(), KEYS[..1]);
    let mut home = with_source(&source.replace(", namespace: team-a", ""), &KEYS[..1]);
    render(&home, "").refused(3, "source-failed");
    set(&mut home, "VAULT_NAMESPACE", "team-a/");
    assert_eq!(home.delivered(), KEYS[..1]);
    set(&mut home, "VAULT_NAMESPACE", "team-b");
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("namespace team-b"), "{}", run.stderr);
}

#[test]
fn tls_is_verified_against_the_own_ca() {
    let server = OpenBao::with_tls();
    put(&server, &KEYS[..1]);
    let ca = server.ca().display().to_string();
    assert_eq!(home(&server, &format!(", caCert: \"{ca}\""), &KEYS[..1]).delivered(), KEYS[..1]);
    let mut home = home(&server, "", &KEYS[..1]);
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(
        run.stderr.contains("its certificate is refused: no CA that is trusted here has issued it"),
        "{}",
        run.stderr
    );
    for (name, value) in [("VAULT_SKIP_VERIFY", "true"), ("BAO_SKIP_VERIFY", "1")] {
        set(&mut home, name, value);
        render(&home, "").refused(3, "source-failed");
    }
    set(&mut home, "VAULT_CACERT", &ca);
    assert_eq!(home.delivered(), KEYS[..1]);
}

// --- writing ---

#[test]
fn a_rotation_adds_a_field_and_leaves_all_others() {
    for (policy, kind) in [
        (WRITE, "patch"),
        (r#"path "secret/data/obs/*" { capabilities = ["read", "update"] }"#, "update of all fields"),
    ] {
        let server = OpenBao::start();
        server.ask(
            "POST",
            &format!("secret/data/{PATH}"),
            Some(json!({"data": {
                "encryption-key-0": KEYS[0], "n": 1.10, "nested": {"a": [true, null]}, "text": "ä\"\n"
            }})),
        );
        let mut home = home(&server, "", &KEYS[..1]);
        set(&mut home, "VAULT_TOKEN", &server.token("rotator", policy));
        let dry = home.run("rotate -e production --dry-run");
        assert!(dry.done().stdout.contains("dry run: nothing was written"), "{kind}: {}", dry.stdout);
        assert_eq!(server.ask("GET", &format!("secret/metadata/{PATH}"), None)["data"]["current_version"], 1);
        let run = home.run("rotate -e production");
        let place = format!("written and read back: Vault path secret/{PATH} at {} and ", server.address);
        assert!(run.done().stdout.contains(&place), "{kind}: {}", run.stdout);
        let after = server.get(PATH);
        assert_eq!(after["n"].to_string(), "1.1", "{kind}");
        assert_eq!((&after["nested"], &after["text"]), (&json!({"a": [true, null]}), &json!("ä\"\n")), "{kind}");
        let delivered = home.delivered();
        assert_eq!((delivered.len(), delivered[0].as_str()), (2, KEYS[0]), "{kind}");
        assert_eq!(after["encryption-key-1"], delivered[1].as_str(), "{kind}");
        assert_eq!(home.lines(), 2);
    }
}

#[test]
fn what_is_not_allowed_changes_nothing() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    let mut home = home(&server, "", &KEYS[..1]);
    set(&mut home, "VAULT_TOKEN", &server.token("reader", READ));
    let lock = home.read("keyring.lock");
    let run = home.run("rotate -e production");
    run.refused(3, "not-written");
    assert!(
        run.stderr.contains("the login's policy needs `patch` (or `update`) and `read` on `secret/data/obs/keys`"),
        "{}",
        run.stderr
    );
    assert_eq!((server.get(PATH), home.read("keyring.lock")), (json!({"encryption-key-0": KEYS[0]}), lock));
}

#[test]
fn of_two_rotations_at_once_one_wins_and_nothing_is_lost() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    let homes: Vec<Home> = (0..4).map(|_| home(&server, "", &KEYS[..1])).collect();
    let barrier = Arc::new(Barrier::new(homes.len()));
    let runs: Vec<(Home, Run)> = std::thread::scope(|scope| {
        let started: Vec<_> = homes
            .into_iter()
            .map(|home| {
                let barrier = Arc::clone(&barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let run = home.run("rotate -e production");
                    (home, run)
                })
            })
            .collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let held = server.get(PATH);
    assert_eq!(held["encryption-key-0"], KEYS[0]);
    let count = held.as_object().unwrap().len();
    for (home, run) in runs {
        match run.code {
            0 => {
                // What its lock vouches for is there.
                let keys = home.delivered();
                assert_eq!(keys[1], held["encryption-key-1"].as_str().unwrap());
            }
            code => {
                assert_eq!((code, run.stdout.as_str()), (3, ""), "{}", run.stderr);
                assert!(run.stderr.contains("somebody else has written since it was read"), "{}", run.stderr);
                // Its lock is the old one; running again takes what is there.
                assert_eq!(home.lines(), 1);
                home.run("rotate -e production").done();
                assert_eq!(home.delivered()[1], held["encryption-key-1"].as_str().unwrap());
            }
        }
    }
    assert!(count >= 2, "nobody won");
}

#[test]
fn keys_are_not_put_where_vault_deletes_them() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    let home = home(&server, "", &KEYS[..1]);
    let metadata = format!("secret/metadata/{PATH}");
    server.ask("POST", &metadata, Some(json!({"delete_version_after": "720h"})));
    let run = home.run("rotate -e production");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("the path deletes versions after a while"), "{}", run.stderr);
    // A version that is written now has its end already.
    put(&server, &KEYS[..1]);
    let run = render(&home, "");
    assert_eq!(run.done().ids(), ["store-deletes-keys"]);
    server.ask("POST", &metadata, Some(json!({"delete_version_after": "0s"})));
    put(&server, &KEYS[..1]);
    server.ask("POST", "secret/config", Some(json!({"delete_version_after": "720h"})));
    let run = home.run("rotate -e production");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("the KV engine deletes versions after a while"), "{}", run.stderr);
    server.ask("POST", "secret/config", Some(json!({"delete_version_after": "0s"})));
    home.run("rotate -e production").done();
}

#[test]
fn nothing_is_written_behind_a_deleted_version() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    let home = home(&server, "", &KEYS[..1]);
    server.ask("DELETE", &format!("secret/data/{PATH}"), None);
    for command in ["render -e production", "rotate -e production", "lock -e production"] {
        let run = home.run_on(command, &home::STREAM.replace("@KEY@", "x"));
        run.refused(3, "source-failed");
        assert!(run.stderr.contains("version 1 was deleted"), "{}", run.stderr);
        assert!(run.stderr.contains("vault kv undelete"), "{}", run.stderr);
    }
    server.ask("POST", &format!("secret/destroy/{PATH}"), Some(json!({"versions": [1]})));
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("version 1 was destroyed"), "{}", run.stderr);
}

#[test]
fn running_keys_are_taken_over_into_a_path_that_is_not_there_yet() {
    let server = OpenBao::start();
    let home = home(&server, "", &[]);
    let secret = home::secret(&[("encryption-key-0", KEYS[0]), ("encryption-key-1", KEYS[1])]);
    home.run_on("adopt -e production --from-file -", &secret).done();
    assert_eq!(server.get(PATH), json!({"encryption-key-0": KEYS[0], "encryption-key-1": KEYS[1]}));
    assert_eq!(home.delivered(), KEYS[..2]);
    let again = home.run_on("adopt -e production --from-file -", &secret);
    assert!(again.done().stdout.contains("nothing to write"), "{}", again.stdout);
    // And back out of it.
    fs::create_dir(home.path().join("backup")).unwrap();
    home.run("copy -e production --to dir=backup").done();
    assert_eq!(home.read("backup/encryption-key-1"), KEYS[1]);
}

// --- what the review found ---

/// Nobody who may only write the path sees that the engine deletes versions: it is seen in what was written.
#[test]
fn a_key_that_vault_would_delete_unseen_is_not_locked() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    let mut home = home(&server, "", &KEYS[..1]);
    let policy = r#"path "secret/data/obs/*" { capabilities = ["create", "read", "update", "patch"] }"#;
    set(&mut home, "VAULT_TOKEN", &server.token("rotator", policy));
    server.ask("POST", "secret/config", Some(json!({"delete_version_after": "720h"})));
    let run = home.run("rotate -e production");
    run.refused(3, "not-written");
    assert!(run.stderr.contains("has taken the key, but will delete version 2"), "{}", run.stderr);
    assert!(run.stderr.contains("vault kv rollback -version=2 secret/obs/keys"), "{}", run.stderr);
    assert_eq!(home.lines(), 1);
    // As it says.
    server.ask("POST", "secret/config", Some(json!({"delete_version_after": "0s"})));
    let fields = server.get(PATH);
    server.ask("POST", &format!("secret/data/{PATH}"), Some(json!({ "data": fields })));
    home.run("rotate -e production").done();
    assert_eq!((home.lines(), home.delivered().len()), (2, 2));
}

#[test]
fn fields_of_one_place_are_taken_over_in_one_write() {
    for (mount, more) in [("secret", ""), ("old", " --i-am-alone")] {
        let server = OpenBao::start();
        server.ask("POST", "sys/mounts/old", Some(json!({"type": "kv", "options": {"version": "1"}})));
        let place = |names: &str| format!("{{vault: {{path: {mount}/both, address: \"{}\"{names}}}}}", server.address);
        let config = format!(
            "apiVersion: helm-keyring/v1\nkeyrings:\n  store:\n    profile: store.yaml\n    environments:\n      production:\n        source:\n          byField:\n            storage-key: {}\n            cookie-key: {}\n",
            place(", fields: {storage-key: st}"),
            place("")
        );
        let mut home = Home::with(&config, &[("store.yaml", home::PAIR)]);
        set(&mut home, "VAULT_TOKEN", ROOT);
        let secret =
            home::secret(&[("storage-key", KEYS[1]), ("storage-key-previous", KEYS[0]), ("cookie-key", KEYS[2])]);
        home.run_on(&format!("adopt -e production --from-file -{more}"), &secret).done();
        let path = if mount == "old" { "old/both" } else { "secret/data/both" };
        let held = server.ask("GET", path, None)["data"].clone();
        let held = if mount == "old" { held } else { held["data"].clone() };
        assert_eq!(held, json!({"st": KEYS[1], "storage-key-previous": KEYS[0], "cookie-key": KEYS[2]}), "{mount}");
        assert_eq!(home.lines(), 3);
        assert_eq!(requests(home.run("status -e production --stats").done()), "vault mount 1, vault read 1");
    }
}

#[test]
fn two_fields_under_one_name_are_refused_before_one_is_written_over() {
    let config = |fields: &str| {
        format!(
            "apiVersion: helm-keyring/v1\nkeyrings:\n  store:\n    profile: store.yaml\n    environments:\n      production:\n        source: {{vault: {{path: secret/x, fields: {{{fields}}}}}}}\n"
        )
    };
    for fields in
        ["storage-key: st, storage-key-previous: st", "storage-key: cookie-key", "storage-key-previous: cookie-key"]
    {
        let home = Home::with(&config(fields), &[("store.yaml", home::PAIR)]);
        let run = home.run("status -e production");
        run.refused(2, "field-contradiction");
        assert!(run.stderr.contains("the same name in the store"), "{fields}: {}", run.stderr);
    }
    // What is somebody else's in the store is not written over either.
    let server = OpenBao::start();
    server.put(PATH, &[("encryption-key-5", KEYS[3])]);
    let home = home(&server, "", &[]);
    let secret = home::secret(&[("encryption-key-0", KEYS[0])]);
    assert_ne!(home.run_on("adopt -e production --from-file -", &secret).code, 0);
    assert_eq!(server.get(PATH), json!({"encryption-key-5": KEYS[3]}));
    assert_eq!(server.ask("GET", &format!("secret/metadata/{PATH}"), None)["data"]["current_version"], 1);
}

#[test]
fn what_lies_around_goes_to_no_server_that_it_may_not_be_for() {
    let server = OpenBao::start();
    put(&server, &KEYS[..1]);
    let mut home = home(&server, ", auth: {approle: {}}", &KEYS[..1]);
    approle(&server, &mut home, READ);
    set(&mut home, "VAULT_ADDR", "https://other.example:8200");
    let run = render(&home, "");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("VAULT_ADDR names another server"), "{}", run.stderr);
    set(&mut home, "VAULT_ADDR", &format!("{}/", server.address));
    assert_eq!(home.delivered(), KEYS[..1]);
}

#[test]
fn a_login_is_ended_also_when_all_time_is_over() {
    use std::io::{BufRead as _, BufReader, Write as _};
    // A stand-in that gives a token, then lets everybody wait, and notes what it was asked.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                loop {
                    let (mut first, mut len) = (String::new(), 0);
                    if reader.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    let mut line = String::new();
                    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            len = value.trim().parse().unwrap();
                        }
                        line.clear();
                    }
                    std::io::copy(&mut std::io::Read::take(&mut reader, len), &mut std::io::sink()).unwrap();
                    sender.send(first.clone()).unwrap();
                    let body = if first.contains("/login") {
                        r#"{"auth": {"client_token": "t0ken-of-the-test"}}"#
                    } else {
                        "{}"
                    };
                    if first.contains("/data/") {
                        std::thread::sleep(std::time::Duration::from_secs(30));
                    }
                    let _ = stream.write_all(
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes(),
                    );
                }
            });
        }
    });
    let source = format!(
        "{{vault: {{path: secret/x, kvVersion: 2, address: \"{address}\", auth: {{approle: {{roleId: r}}}}}}}}"
    );
    let run = render(&with_source(&source, &KEYS[..1]), "--timeout 3 --stats");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("vault revoke 1"), "{}", run.stderr);
    let asked: Vec<String> = asked.try_iter().collect();
    assert!(asked.last().is_some_and(|last| last.contains("/revoke-self")), "{asked:?}");
}
