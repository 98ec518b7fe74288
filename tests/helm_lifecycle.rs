//! install → upgrade → rotate → upgrade → rollback refused, with real Helm: the live Secret at each step. The cluster is
//! a stand-in, since no real API server can run here.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[path = "common/cluster.rs"]
mod cluster;
mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::Cluster;
use common::{KEYS, folder, helm_binary, kubectl_binary, lock_numbered};

const VERSIONS: [&str; 5] = ["helm-3.17.3", "helm-3.18.0", "helm-3.19.0", "helm-4.1.4", "helm-4.3.1"];
const TOOL: &str = env!("CARGO_BIN_EXE_helm-keyring");
const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      production: {namespace: obs, source: {dir: {path: keys}}}
      trial: {namespace: trial, source: {values: {}}}
";

/// A user with Helm, a plugin, one locked key and a cluster.
struct User {
    folder: tempfile::TempDir,
    cluster: Cluster,
    helm: &'static str,
    namespace: &'static str,
}

impl User {
    fn new(helm: &'static str, namespace: &'static str) -> Self {
        let cluster = Cluster::start();
        let files = [
            ("keyring.yaml", CONFIG),
            ("keys/encryption-key-0", KEYS[0]),
            ("kubeconfig", &cluster.kubeconfig()),
            ("plugins/keyring/plugin.yaml", include_str!("../plugin.yaml")),
        ];
        let folder = folder(&files);
        lock_numbered(folder.path(), "lightrun/production", &KEYS[..1]);
        let bin = folder.path().join("plugins/keyring/bin");
        fs::create_dir(&bin).expect("a folder");
        symlink(TOOL, bin.join("helm-keyring")).expect("a link");
        Self { folder, cluster, helm, namespace }
    }

    fn run(&self, program: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", kubectl_binary().parent().expect("a folder").display());
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path()).env("PATH", path);
        command
            .env("HELM_PLUGINS", self.folder.path().join("plugins"))
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"));
        command.args(args).output().expect("it runs")
    }

    /// The chart with what the stand-in knows: without its CRD and its `kind: List`.
    fn chart(&self) -> String {
        let chart = self.folder.path().join("everything");
        for file in [
            "Chart.yaml",
            "values.yaml",
            "templates/all.yaml",
            "templates/hooks.yaml",
            "charts/sub/Chart.yaml",
            "charts/sub/templates/configmap.yaml",
        ] {
            let to = chart.join(file);
            fs::create_dir_all(to.parent().expect("a folder")).expect("made");
            fs::copy(Path::new(&common::chart("everything")).join(file), to).expect("copied");
        }
        chart.display().to_string()
    }

    /// `helm ARGS` in the user's namespace.
    fn helm(&self, args: &[&str]) -> Output {
        self.run(&helm_binary(self.helm), &[args, &["--namespace", self.namespace]].concat())
    }

    fn done(&self, args: &[&str]) {
        let output = self.helm(args);
        assert!(output.status.success(), "{} {args:?}: {}", self.helm, String::from_utf8_lossy(&output.stderr));
    }

    /// Asserts that a command is refused with this message.
    fn refused(&self, args: &[&str], id: &str) {
        let output = self.helm(args);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.contains(&format!("error[{id}]")), "{} {args:?}: {words}", self.helm);
    }

    fn tool(&self, args: &[&str]) -> Output {
        self.run(TOOL.as_ref(), args)
    }

    /// The keys in the live Secret, from number 0 on.
    fn live(&self) -> Vec<String> {
        let secret = self.cluster.get("secrets", self.namespace, "lr-backend").expect("a Secret");
        let data = secret["data"].as_object().expect("data").clone();
        let keys = data.into_iter().filter(|(field, _)| field.starts_with("encryption-key-"));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        keys.map(|(_, key)| text(STANDARD.decode(key.as_str().expect("text")).expect("base64"))).collect()
    }

    /// How many keys the live Deployment mounts.
    fn mounted(&self) -> usize {
        let deployment = self.cluster.get("deployments", self.namespace, "lr-backend").expect("a Deployment");
        let volumes = &deployment["spec"]["template"]["spec"]["volumes"];
        volumes[0]["secret"]["items"].as_array().expect("items").len()
    }
}

#[test]
fn the_live_secret_has_all_keys_at_every_step() {
    for helm in VERSIONS {
        let user = User::new(helm, "obs");
        let everything = user.chart();
        let deploy = |verb| ["keyring", verb, "lr", everything.as_str()];
        if helm.starts_with("helm-3") {
            user.refused(&[&deploy("install")[..], &["--set", "hookSecret=true"]].concat(), "key-in-hook");
        }
        user.done(&[&deploy("install")[..], &["--create-namespace"]].concat());
        assert_eq!((user.live(), user.mounted()), (vec![KEYS[0].to_owned()], 1), "{helm}: install");
        user.done(&deploy("upgrade"));
        assert_eq!(user.live(), [KEYS[0]], "{helm}: upgrade");

        assert!(user.tool(&["rotate", "-e", "production"]).status.success(), "{helm}");
        assert_eq!(user.live(), [KEYS[0]], "{helm}: rotated, not deployed");
        user.done(&deploy("upgrade"));
        let keys = user.live();
        assert_eq!((keys.len(), keys[0].as_str(), user.mounted()), (2, KEYS[0], 2), "{helm}: deployed");
        let status = user.tool(&["status", "-e", "production", "--live", "--secret", "lr-backend"]);
        assert!(status.status.success(), "{helm}: {}", String::from_utf8_lossy(&status.stderr));

        user.refused(&["keyring", "rollback", "lr", "1"], "not-a-render");
        assert_eq!(user.live(), keys, "{helm}: rollback refused");

        // Forgotten once, the renderer lets the chart's own key through; the next look sees it.
        user.done(&["upgrade", "lr", &everything]);
        assert_ne!(user.live().first(), keys.first(), "{helm}: without the renderer");
        let status = user.tool(&["status", "-e", "production", "--live", "--secret", "lr-backend"]);
        assert!(String::from_utf8_lossy(&status.stderr).contains("error[live-differs]"), "{helm}");
        user.done(&deploy("upgrade"));
        assert_eq!(user.live(), keys, "{helm}: repaired");

        user.done(&["uninstall", "lr"]);
        assert_eq!(user.live(), keys, "{helm}: the Secret outlives its release");
        user.done(&deploy("install"));
        assert_eq!(user.live(), keys, "{helm}: and its release takes it again");
    }
}

#[test]
fn values_of_the_release_count_where_helm_keeps_them() {
    for helm in VERSIONS {
        let user = User::new(helm, "trial");
        let everything = user.chart();
        let set = format!("secrets.keysEncryption.userEncryptionKey={}", KEYS[1]);
        let install = ["keyring", "install", "lr", &everything, "--create-namespace"];
        user.refused(&install, "auto-generated-key");
        user.done(&[&install[..], &["--set", &set]].concat());
        assert_eq!(user.live(), [KEYS[1]], "{helm}");
        let upgrade = ["keyring", "upgrade", "lr", &everything];
        // Given nothing new, Helm keeps what it was given; so with --reuse-values; else it starts from the chart.
        user.done(&upgrade);
        user.done(&[&upgrade[..], &["--reuse-values", "--set", "sub.greeting=hi"]].concat());
        user.refused(&[&upgrade[..], &["--set", "sub.greeting=hi"]].concat(), "auto-generated-key");
        user.refused(&[&upgrade[..], &["--reset-values"]].concat(), "auto-generated-key");
        assert_eq!(user.live(), [KEYS[1]], "{helm}");
        // A release that is not there yet has no values.
        let other = ["keyring", "upgrade", "--install", "other", &everything];
        user.refused(&other, "auto-generated-key");
    }
}
