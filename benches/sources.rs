//! What keys cost in requests and time: 100 keys on one path against one request a key, and 20 paths side by side
//! against one after the other. A real OpenBao, behind a relay that makes each request take as long as a network does.
//!
//! `cargo bench --bench sources`, after `make test` has fetched OpenBao.

#![allow(clippy::print_stdout, clippy::expect_used, clippy::panic, reason = "a program for developers")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/openbao.rs"]
mod openbao;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use openbao::{OpenBao, ROOT};

const TOOL: &str = env!("CARGO_BIN_EXE_helm-keyring");
const ROUNDS: usize = 9;
/// What a request waits on its way.
const WAY: Duration = Duration::from_millis(10);

fn main() {
    let bao = OpenBao::start();
    let near = bao.address.clone();
    let folder = tempfile::tempdir().expect("a folder");
    let far = format!("http://{}", relay(near.replace("http://", "")));
    println!("medians of {ROUNDS} runs; each request takes {WAY:.0?} longer than on this machine alone\n");
    hundred_keys(&near, &far, folder.path());
    twenty_paths(&near, &far, folder.path());
}

fn hundred_keys(near: &str, far: &str, folder: &Path) {
    let data: Vec<String> = (0..100).map(|n| format!("\"encryption-key-{n}\": \"{}\"", key(n))).collect();
    ask(near, "secret/data/hundred", &format!("{{\"data\": {{{}}}}}", data.join(","))).expect("written");
    for number in 0..100 {
        let one = format!("{{\"data\": {{\"key\": \"{}\"}}}}", key(number));
        ask(near, &format!("secret/data/each/{number}"), &one).expect("written");
    }
    let config = format!(
        "apiVersion: helm-keyring/v1\nkeyrings: {{lightrun: {{profile: lightrun, environments: {{bench: {{source: {{vault: {{path: secret/hundred, address: \"{far}\"}}}}}}}}}}}}\n"
    );
    let (requests, time) = measure(&folder.join("hundred"), &config, None);
    let one_by_one = median(|| {
        let agent = agent();
        (0..100).for_each(|number| drop(get(&agent, far, &format!("secret/data/each/{number}")).expect("a key")));
    });
    report("100 keys on one path", requests, time, 100, one_by_one);
}

fn twenty_paths(near: &str, far: &str, folder: &Path) {
    let names: Vec<String> = (0..20).map(|index| format!("key-{index}")).collect();
    let fields: String =
        names.iter().map(|name| format!("      - {{name: {name}, policy: {{minCharacters: 32}}}}\n")).collect();
    let parts: String = names
        .iter()
        .map(|name| format!("            {name}: {{vault: {{path: secret/many/{name}, address: \"{far}\"}}}}\n"))
        .collect();
    for (number, name) in names.iter().enumerate() {
        let data = format!("{{\"data\": {{\"{name}\": \"{}\"}}}}", key(1000 + number));
        ask(near, &format!("secret/data/many/{name}"), &data).expect("written");
    }
    let profile = format!(
        "apiVersion: helm-keyring/v1\nkind: Profile\nname: many\nsecrets:\n  - name: many\n    fields:\n{fields}"
    );
    let config = format!(
        "apiVersion: helm-keyring/v1\nkeyrings:\n  many:\n    profile: many.yaml\n    environments:\n      bench:\n        source:\n          byField:\n{parts}"
    );
    let (requests, time) = measure(&folder.join("twenty"), &config, Some(&profile));
    let one_by_one = median(|| {
        let agent = agent();
        names.iter().for_each(|name| drop(get(&agent, far, &format!("secret/data/many/{name}")).expect("a key")));
    });
    report("20 paths", requests, time, 20, one_by_one);
}

fn report(what: &str, requests: usize, time: Duration, others: usize, one_by_one: Duration) {
    let ratio = one_by_one.as_secs_f64() / time.as_secs_f64();
    println!(
        "{what}: {requests} requests, {time:.1?}; one by one: {others} requests, {one_by_one:.1?} ({ratio:.1} times)"
    );
}

/// Requests and time of `source test`, start of the program included.
fn measure(folder: &Path, config: &str, profile: Option<&str>) -> (usize, Duration) {
    fs::create_dir(folder).expect("a folder");
    fs::write(folder.join("keyring.yaml"), config).expect("written");
    if let Some(profile) = profile {
        fs::write(folder.join("many.yaml"), profile).expect("written");
    }
    let run = || {
        let mut command = Command::new(TOOL);
        command.args(["lock", "-e", "bench", "--stats"]).current_dir(folder).env("VAULT_TOKEN", ROOT);
        command.output().expect("the program ends")
    };
    let first = run();
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(first.status.success(), "{said}");
    let words = said.lines().find_map(|line| line.strip_prefix("note[stats]: ")).expect("stats");
    let requests = words.split_whitespace().filter_map(|word| word.parse().ok()).next_back().expect("a number");
    (requests, median(|| assert!(run().status.success())))
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().proxy(None).build().new_agent()
}

fn get(agent: &ureq::Agent, server: &str, path: &str) -> Option<String> {
    let request = agent.get(format!("{server}/v1/{path}")).header("X-Vault-Token", ROOT);
    request.call().ok()?.body_mut().read_to_string().ok()
}

/// Asks, or writes where there is a body.
fn ask(server: &str, path: &str, body: &str) -> Option<String> {
    if body.is_empty() {
        return get(&agent(), server, path);
    }
    let request = agent().post(format!("{server}/v1/{path}")).header("X-Vault-Token", ROOT);
    request.send(body).ok()?.body_mut().read_to_string().ok()
}

/// Listens, and hands everything on to `server`, what goes there later.
fn relay(server: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let far = TcpStream::connect(&server).expect("the server");
            let back = (far.try_clone().expect("a copy"), near.try_clone().expect("a copy"));
            thread::spawn(move || hand_on(near, far, WAY));
            thread::spawn(move || hand_on(back.0, back.1, Duration::ZERO));
        }
    });
    address
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, later: Duration) {
    let mut buffer = [0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        thread::sleep(later);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// A key of 32 bytes, another one for each number. A passphrase would be measured as one: slowly.
fn key(number: usize) -> String {
    use base64::Engine as _;
    let mut state = number as u64 + 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[1]
    };
    let bytes: Vec<u8> = (0..40).map(|_| byte()).skip(8).collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
