//! What `argocd generate` costs beside the `helm template` in it: alone, and fifty at once, as after a push. A real
//! OpenBao holds the keys.
//!
//! `cargo bench --bench argocd`, after `make test` has fetched Helm and OpenBao.

#![allow(clippy::print_stdout, clippy::expect_used, clippy::panic, reason = "a program for developers")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/openbao.rs"]
mod openbao;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{HELMS, KEYS, helm_binary};
use openbao::{OpenBao, ROOT};

const TOOL: &str = env!("CARGO_BIN_EXE_helm-keyring");
const ROUNDS: usize = 21;
const AT_ONCE: usize = 50;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let bao = OpenBao::start();
    bao.put("obs", &[("encryption-key-0", KEYS[0])]);
    let chart = folder.path().join("_cmp_server/0/obs");
    fs::create_dir_all(chart.parent().expect("a parent")).expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/charts/lightrun");
    assert!(Command::new("cp").arg("-r").args([&from, &chart]).status().expect("cp").success());
    let source = format!("vault: {{address: \"{}\", path: secret/obs}}", bao.address);
    let config = format!(
        "apiVersion: helm-keyring/v1\nkeyrings: {{lightrun: {{profile: lightrun, environments: {{bench: {{source: {{{source}}}}}}}}}}}\n"
    );
    fs::write(chart.join("keyring.yaml"), config).expect("written");
    let locked = Command::new(TOOL).arg("lock").current_dir(&chart).env("VAULT_TOKEN", ROOT).output().expect("locked");
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
    println!("medians of {ROUNDS} runs; {AT_ONCE} at once: until the last has ended\n");
    for helm in HELMS {
        let binary = helm_binary(helm);
        let sidecar = folder.path().join("sidecar.yaml");
        let grant = format!(
            "projects: [a], namespaces: [b], keyrings: [lightrun], environments: [bench], source: {{{source}}}"
        );
        let text =
            format!("apiVersion: helm-keyring/v1\nkind: Sidecar\nhelm: {}\ngrants: [{{{grant}}}]\n", binary.display());
        fs::write(&sidecar, text).expect("written");
        let plain = || {
            let mut command = Command::new(&binary);
            command.args(["template", ".", "--name-template", "obs", "--namespace", "b", "--include-crds"]);
            command.current_dir(&chart);
            command
        };
        let generate = || {
            let mut command = Command::new(TOOL);
            command.args(["argocd", "generate", "--sidecar"]).arg(&sidecar).current_dir(&chart);
            command.envs([
                ("VAULT_TOKEN", ROOT),
                ("ARGOCD_APP_NAME", "obs"),
                ("ARGOCD_APP_NAMESPACE", "b"),
                ("ARGOCD_APP_PROJECT_NAME", "a"),
                ("KUBE_VERSION", "1.31.2"),
            ]);
            command
        };
        report(helm, "alone", median(&plain), median(&generate));
        report(helm, "fifty at once", at_once(&plain), at_once(&generate));
    }
}

fn report(helm: &str, what: &str, plain: Duration, own: Duration) {
    let ratio = own.as_secs_f64() / plain.as_secs_f64();
    println!("{helm:<12} {what:<14} helm template {plain:>8.1?}   argocd generate {own:>8.1?}   ratio {ratio:.2}");
}

fn median(command: &dyn Fn() -> Command) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            run(command());
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

fn at_once(command: &(dyn Fn() -> Command + Sync)) -> Duration {
    let mut times: Vec<Duration> = (0..3)
        .map(|_| {
            let begun = Instant::now();
            thread::scope(|scope| {
                for _ in 0..AT_ONCE {
                    scope.spawn(|| run(command()));
                }
            });
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[1]
}

fn run(mut command: Command) {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
