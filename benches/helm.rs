//! What `helm keyring template` costs beside plain `helm template` in the same run.
//!
//! `cargo bench --bench helm`, after `make test` has fetched the Helms. A missed aim fails nothing: machines differ.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program for developers")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TOOL: &str = env!("CARGO_BIN_EXE_helm-keyring");
const ROUNDS: usize = 31;
const HELMS: [&str; 2] = ["helm-3.19.0", "helm-4.3.1"];
const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings: {lightrun: {profile: lightrun, environments: {bench: {source: {dir: {path: keys}}}}}}
";

const COPY: &str = "\
apiVersion: v1
type: postrenderer/v1
name: copy
version: 0.1.0
runtime: subprocess
runtimeConfig:
  platformCommand: [{command: cat}]
";

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = folder.path().join("plugins/keyring");
    fs::create_dir_all(plugin.join("bin")).expect("a folder");
    fs::create_dir(folder.path().join("keys")).expect("a folder");
    fs::write(plugin.join("plugin.yaml"), include_str!("../plugin.yaml")).expect("written");
    symlink(TOOL, plugin.join("bin/helm-keyring")).expect("a link");
    fs::write(folder.path().join("keyring.yaml"), CONFIG).expect("written");
    let key = Command::new(TOOL).arg("keygen").output().expect("a key").stdout;
    fs::write(folder.path().join("keys/encryption-key-0"), key).expect("written");
    assert!(Command::new(TOOL).arg("lock").current_dir(folder.path()).output().expect("locked").status.success());
    // Post-renderers that only copy: what Helm itself does around any.
    let copy = folder.path().join("copy/copy");
    fs::create_dir_all(&copy).expect("a folder");
    fs::write(copy.join("plugin.yaml"), COPY).expect("written");
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/charts/lightrun");
    println!("medians of {ROUNDS} runs; aims: ratio under 1.2, own share under 10 ms\n");
    for helm in HELMS {
        let binary = helm_binary(helm);
        let helm_run = |words: &[&str]| {
            let mut command = Command::new(&binary);
            command
                .args(words)
                .arg(&chart)
                .current_dir(folder.path())
                .env("HELM_PLUGINS", folder.path().join("plugins"));
            median(&mut command)
        };
        let plain = helm_run(&["template", "lr"]);
        let is_4 = helm.starts_with("helm-4");
        let mut copied = Command::new(&binary);
        copied.args(["template", "lr"]).arg(&chart).args(["--post-renderer", if is_4 { "copy" } else { "cat" }]);
        let copied = median(
            copied
                .current_dir(folder.path())
                .env("HELM_PLUGINS", folder.path().join(if is_4 { "copy" } else { "plugins" })),
        );
        let keyring = helm_run(&["keyring", "template", "lr"]);
        let mut direct = Command::new(TOOL);
        direct.args(["helm", "template", "lr"]).arg(&chart).current_dir(folder.path()).env("HELM_BIN", &binary);
        direct.env("HELM_PLUGIN_DIR", &plugin);
        if is_4 {
            direct.env("HELM_CONTENT_CACHE", "");
        }
        let direct = median(&mut direct);
        println!(
            "{helm}: helm template {plain:.1?}, with a post-renderer that copies {copied:.1?}; helm keyring template {keyring:.1?} (ratio {:.2}), of which Helm starting a plugin {:.1?} and helm-keyring's own share {:.1?}",
            keyring.as_secs_f64() / plain.as_secs_f64(),
            keyring.saturating_sub(direct),
            direct.saturating_sub(copied),
        );
    }
}

fn median(command: &mut Command) -> Duration {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            assert!(command.status().expect("it runs").success(), "{command:?}");
            start.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

fn helm_binary(part: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("helm-keyring/parts").join(part).join("helm")
}
