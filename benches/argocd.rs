//! What `argocd generate` costs beside the `helm template` in it: alone, and fifty at once, as after a push. A real
//! OpenBao holds the keys.
//!
//! `cargo bench --bench argocd`, after `make test` has fetched Helm and OpenBao.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program for developers")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const TOOL: &str = env!("CARGO_BIN_EXE_helm-keyring");
const HELMS: [&str; 2] = ["helm-3.19.0", "helm-4.3.1"];
const ROUNDS: usize = 21;
const AT_ONCE: usize = 50;
const ROOT: &str = "root";

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, mut bao) = openbao(folder.path());
    let chart = folder.path().join("_cmp_server/0/obs");
    fs::create_dir_all(chart.parent().expect("a parent")).expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/charts/lightrun");
    assert!(Command::new("cp").arg("-r").args([&from, &chart]).status().expect("cp").success());
    let source = format!("vault: {{address: \"{address}\", path: secret/obs}}");
    let config = format!(
        "apiVersion: helm-keyring/v1\nkeyrings: {{lightrun: {{profile: lightrun, environments: {{bench: {{source: {{{source}}}}}}}}}}}\n"
    );
    fs::write(chart.join("keyring.yaml"), config).expect("written");
    let locked = Command::new(TOOL).arg("lock").current_dir(&chart).env("VAULT_TOKEN", ROOT).output().expect("locked");
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
    println!("medians of {ROUNDS} runs; {AT_ONCE} at once: until the last has ended\n");
    for helm in HELMS {
        let binary = part(helm, "helm");
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
    let _ = bao.kill();
    let _ = bao.wait();
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

fn openbao(folder: &Path) -> (String, std::process::Child) {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let address = format!("http://127.0.0.1:{port}");
    let process = Command::new(part("openbao-2.7.2", "bao"))
        .args(["server", "-dev", "-dev-no-store-token", &format!("-dev-root-token-id={ROOT}")])
        .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
        .env_clear()
        .env("HOME", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bao starts");
    let key = Command::new(TOOL).arg("keygen").output().expect("a key").stdout;
    let key = String::from_utf8(key).expect("UTF-8");
    let body = format!("{{\"data\": {{\"encryption-key-0\": \"{}\"}}}}", key.trim());
    let agent = ureq::Agent::new_with_defaults();
    let put = || {
        let request = agent.post(format!("{address}/v1/secret/data/obs")).header("X-Vault-Token", ROOT);
        request.send(body.as_str()).is_ok()
    };
    while !put() {
        thread::sleep(Duration::from_millis(20));
    }
    (address, process)
}

fn part(part: &str, name: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("helm-keyring/parts").join(part).join(name)
}
