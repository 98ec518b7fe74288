//! Every way behind every Helm: the same keys, the same refusals, and what the user sees.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{KEYS, chart, documents, folder, helm_binary, json, lock_numbered, program, root};
use serde_json::Value;

const VERSIONS: [&str; 5] = ["helm-3.17.3", "helm-3.18.0", "helm-3.19.0", "helm-4.1.4", "helm-4.3.1"];
const TOOL: &str = env!("CARGO_BIN_EXE_helm-keyring");

const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      production: {source: {dir: {path: keys}}}
      trial: {source: {values: {}}}
";

/// How helm-keyring stands behind Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `helm template … | helm-keyring render`
    Pipe,
    /// `--post-renderer helm-keyring` in Helm 3, `--post-renderer keyring-post-renderer` in Helm 4.
    PostRenderer,
    /// `helm keyring template …`
    Wrapper,
}

const WAYS: [Way; 3] = [Way::Pipe, Way::PostRenderer, Way::Wrapper];

/// What the user gets.
struct Seen {
    code: i32,
    stdout: String,
    stderr: String,
}

/// A user's folder with two locked keys, and Helm's plugins.
struct User {
    folder: tempfile::TempDir,
    environment: &'static str,
}

impl User {
    fn new(environment: &'static str) -> Self {
        let files = [
            ("keyring.yaml", CONFIG),
            ("keys/encryption-key-0", KEYS[0]),
            ("keys/encryption-key-1", KEYS[1]),
            ("plugins/keyring/plugin.yaml", include_str!("../plugin.yaml")),
        ];
        let folder = folder(&files);
        lock_numbered(folder.path(), "lightrun/production", &KEYS[..2]);
        let own = folder.path().join("plugins/keyring");
        fs::create_dir(own.join("bin")).expect("a folder");
        symlink(TOOL, own.join("bin/helm-keyring")).expect("a link");
        // The nested plugin finds the same program: only Helm 4 is given this folder.
        let helm4 = folder.path().join("plugins4");
        fs::create_dir(&helm4).expect("a folder");
        fs::create_dir(own.join("helm4")).expect("a folder");
        fs::create_dir(own.join("helm4/keyring-post-renderer")).expect("a folder");
        let nested = include_str!("../helm4/keyring-post-renderer/plugin.yaml");
        fs::write(own.join("helm4/keyring-post-renderer/plugin.yaml"), nested).expect("written");
        symlink(own.join("helm4/keyring-post-renderer"), helm4.join("keyring-post-renderer")).expect("a link");
        Self { folder, environment }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).expect("written");
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env_clear().env("HOME", self.path()).env("PATH", "/usr/bin:/bin");
        command.env("HELM_KEYRING_ENVIRONMENT", self.environment).env("HELM_PLUGINS", self.path().join("plugins"));
        command
    }

    /// `helm template lr CHART ARGS` on this way. The pipe is told the values that Helm gets.
    fn template(&self, helm: &str, way: Way, chart: &str, args: &[&str]) -> Seen {
        let binary = helm_binary(helm);
        match way {
            Way::Pipe => {
                let rendered = self.command(binary).args(["template", "lr", chart]).args(args).output().expect("helm");
                let values: Vec<&str> = args.iter().copied().filter(|arg| !arg.starts_with("--include")).collect();
                let mut tool = self.command(TOOL);
                tool.args(["render", "--chart", chart]).args(values);
                fed(&mut tool, &rendered.stdout)
            }
            Way::PostRenderer => {
                let mut command = self.command(binary);
                command.args(["template", "lr", chart]).args(args);
                match helm.starts_with("helm-3") {
                    true => command.args(["--post-renderer", TOOL, "--post-renderer-args", "render"]),
                    false => {
                        command.env("HELM_PLUGINS", self.path().join("plugins4"));
                        command.args(["--post-renderer", "keyring-post-renderer"])
                    }
                };
                for arg in [&["--chart", chart], args].concat().iter().filter(|arg| !arg.starts_with("--include")) {
                    command.args(["--post-renderer-args", arg]);
                }
                fed(&mut command, b"")
            }
            Way::Wrapper => {
                let mut command = self.command(binary);
                fed(command.args(["keyring", "template", "lr", chart]).args(args), b"")
            }
        }
    }
}

fn fed(command: &mut Command, stdin: &[u8]) -> Seen {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = stdin.to_vec();
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("the writer ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Seen { code: output.status.code().expect("a code"), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Every object of a stream by kind and name: the value, and the bytes it came as. Items of a list are objects of their own.
fn objects(stream: &str) -> BTreeMap<String, (Value, String)> {
    let mut found = BTreeMap::new();
    for document in documents(stream) {
        let value = json(document);
        let items = match value["kind"].as_str() {
            Some("List") => value["items"].as_array().expect("items").clone(),
            Some(_) => vec![value],
            None => Vec::new(),
        };
        for item in items {
            let name = format!(
                "{}/{}",
                item["kind"].as_str().expect("a kind"),
                item["metadata"]["name"].as_str().expect("a name")
            );
            found.insert(name, (item, document.trim().to_owned()));
        }
    }
    found
}

#[test]
fn every_way_behind_every_helm_gives_the_same_objects() {
    let user = User::new("production");
    let everything = chart("everything");
    let mut expected: Option<BTreeMap<String, Value>> = None;
    for helm in VERSIONS {
        let mut bytes: Option<BTreeMap<String, String>> = None;
        for way in WAYS {
            let seen = user.template(helm, way, &everything, &["--include-crds"]);
            assert_eq!(seen.code, 0, "{helm} {way:?}: {}", seen.stderr);
            let objects = objects(&seen.stdout);
            let values: BTreeMap<String, Value> =
                objects.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
            let names: Vec<&str> = values.keys().map(String::as_str).collect();
            assert_eq!(
                names,
                [
                    "ConfigMap/lr-one",
                    "ConfigMap/lr-sub",
                    "ConfigMap/lr-two",
                    "CustomResourceDefinition/things.example.invalid",
                    "Deployment/lr-backend",
                    "Job/lr-before",
                    "Secret/lr-backend",
                ],
                "{helm} {way:?}"
            );
            assert_eq!(values["Secret/lr-backend"]["data"].as_object().expect("data").len(), 2, "{helm} {way:?}");
            assert_eq!(expected.get_or_insert_with(|| values.clone()), &values, "{helm} {way:?}");
            // Helm 3 keeps what a post-renderer prints; Helm 4 writes it anew.
            if helm.starts_with("helm-3") {
                let written = objects.into_iter().map(|(name, (_, document))| (name, document)).collect();
                assert_eq!(bytes.get_or_insert_with(|| BTreeMap::clone(&written)), &written, "{helm} {way:?}");
            }
        }
    }
}

#[test]
fn every_way_behind_every_helm_refuses_the_same_and_the_user_sees_why() {
    type Change = fn(&User);
    let cases: [(&str, &str, Change, &[&str]); 7] = [
        ("production", "no-lock", |user| fs::remove_file(user.path().join("keyring.lock")).expect("removed"), &[]),
        ("production", "lock-mismatch", |user| user.write("keys/encryption-key-0", KEYS[3]), &[]),
        ("production", "source-failed", |user| fs::remove_dir_all(user.path().join("keys")).expect("removed"), &[]),
        ("production", "rotate-in-gitops", |_| (), &["--set=secrets.keysEncryption.rotateKey=true"]),
        (
            "production",
            "key-conflict",
            |_| (),
            &["--set=secrets.keysEncryption.userEncryptionKey=P2wz9XkDAflhXQ+sR1nIZq5jV0c9tHqMzS4y7Yv0EbU="],
        ),
        ("trial", "auto-generated-key", |_| (), &[]),
        ("production", "empty-input", |_| (), &["--set=enabled=false,sub.greeting="]),
    ];
    for (environment, id, change, args) in cases {
        let user = User::new(environment);
        change(&user);
        for helm in VERSIONS {
            for way in WAYS {
                let seen = user.template(helm, way, &chart("everything"), args);
                let what = format!("{helm} {way:?} {id}");
                assert_ne!(seen.code, 0, "{what}");
                assert_eq!(seen.stdout, "", "{what}");
                assert!(seen.stderr.contains(&format!("error[{id}]")), "{what}:\n{}", seen.stderr);
                assert!(!KEYS.iter().any(|key| seen.stderr.contains(key)), "{what}");
                // What the values alone tell is told before Helm has rendered anything.
                let from_values = ["rotate-in-gitops", "auto-generated-key"].contains(&id) && way == Way::Wrapper;
                assert!(!from_values || !seen.stderr.contains("post render"), "{what}:\n{}", seen.stderr);
            }
        }
    }
}

const MESSAGES: &str = "testdata/helm/messages.txt";

/// What a user sees on every way behind every Helm when a key was replaced; UPDATE_GOLDEN=1 writes it anew.
#[test]
fn messages_are_those_that_are_written_down() {
    let user = User::new("production");
    user.write("keys/encryption-key-0", KEYS[3]);
    let mut told = String::from(
        "# What a user sees when a key was replaced in the source (`cargo test messages`; UPDATE_GOLDEN=1 writes this file)\n",
    );
    for helm in VERSIONS {
        for way in WAYS {
            let seen = user.template(helm, way, &chart("everything"), &[]);
            let plain = seen.stderr.replace(TOOL, "helm-keyring").replace(&user.path().display().to_string(), ".");
            let plain: String = plain.lines().map(|line| format!("{}\n", line.trim_end())).collect();
            let _ = writeln!(told, "\n## {helm}, {way:?}: exit code {}\n\n{}", seen.code, plain.trim_end());
        }
    }
    let file = root().join(MESSAGES);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &told).expect("written");
    }
    assert_eq!(fs::read_to_string(&file).expect("the file"), told);
}

/// Serves one file to whoever asks, as a site with releases does.
fn serve(bytes: Vec<u8>) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut request);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/gzip\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                bytes.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes));
        }
    });
    port
}

#[test]
fn helm_installs_the_packaged_plugins() {
    // A package holds a program; a small one that starts the real one is enough to see that it is found.
    let packages = folder(&[("program", &format!("#!/bin/sh\nexec {TOOL} \"$@\"\n"))]);
    let package = |into: &str| {
        let mut python = Command::new("python3");
        let script = root().join("tools/package.py");
        python.arg("-B").arg(script).arg(packages.path().join("program")).arg("--into").arg(packages.path().join(into));
        assert!(python.output().expect("python3").status.success());
        fs::read(packages.path().join(into).join(format!("keyring-{}.tgz", env!("CARGO_PKG_VERSION"))))
            .expect("a package")
    };
    let bytes = package("dist");
    assert!(bytes == package("again"), "the same input gives the same bytes");
    let port = serve(bytes);
    for helm in VERSIONS {
        let user = User::new("production");
        let run = |args: &[&str]| {
            let mut command = user.command(helm_binary(helm));
            fed(command.env_remove("HELM_PLUGINS").args(args), b"")
        };
        let url = format!("http://127.0.0.1:{port}/keyring-{}.tgz", env!("CARGO_PKG_VERSION"));
        let verify: &[&str] = if helm.starts_with("helm-4") { &["--verify=false"] } else { &[] };
        let seen = run(&[&["plugin", "install", &url], verify].concat());
        assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        let seen = run(&["keyring", "template", "lr", &chart("everything")]);
        assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        if helm.starts_with("helm-4") {
            let renderer = format!("dist/keyring-post-renderer-{}.tgz", env!("CARGO_PKG_VERSION"));
            let renderer = packages.path().join(renderer).display().to_string();
            let seen = run(&["plugin", "install", &renderer, "--verify=false"]);
            assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
            let seen = run(&["template", "lr", &chart("everything"), "--post-renderer", "keyring-post-renderer"]);
            assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        }
    }
}

#[test]
fn check_names_what_helm_4_breaks_in_a_chart() {
    let user = User::new("production");
    let files = [
        ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n"),
        (
            "c/templates/a.yaml",
            "kind: ConfigMap\nmetadata: {name: a}\ndata:\n  text: >\n    one\n      more\n    two\n",
        ),
    ];
    for (file, text) in files {
        fs::create_dir_all(user.path().join(file).parent().expect("a folder")).expect("made");
        user.write(file, text);
    }
    let check = |chart: &str| {
        let mut tool = user.command(TOOL);
        fed(tool.env("HELM_BIN", helm_binary("helm-4.3.1")).args(["check", "--chart", chart]), b"")
    };
    let seen = check("c");
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    let folded = "warning[helm4-folded]: a folded text (`>`) with more-indented lines in c/templates/a.yaml";
    assert!(seen.stdout.contains(folded), "{}{}", seen.stdout, seen.stderr);
    // Helm 4 does break it: the post-renderer is one that changes nothing.
    assert!(!check(&chart("everything")).stdout.contains("helm4-"));
    assert_eq!(check("nowhere").code, 5);
}

#[test]
fn an_empty_chart_may_be_allowed_on_every_way() {
    let user = User::new("production");
    for helm in VERSIONS {
        for way in [Way::Pipe, Way::PostRenderer] {
            let mut args = vec!["--set=enabled=false,sub.greeting="];
            let seen = match way {
                Way::Pipe => {
                    let binary = helm_binary(helm);
                    let rendered = user
                        .command(binary)
                        .args(["template", "lr", &chart("everything")])
                        .args(&args)
                        .output()
                        .expect("helm");
                    fed(user.command(TOOL).args(["render", "--allow-empty"]), &rendered.stdout)
                }
                _ => {
                    args.extend(["--post-renderer-args", "--allow-empty"]);
                    let mut command = user.command(helm_binary(helm));
                    command.args(["template", "lr", &chart("everything")]);
                    match helm.starts_with("helm-3") {
                        true => command.args(["--post-renderer", TOOL, "--post-renderer-args", "render"]),
                        false => {
                            command.env("HELM_PLUGINS", user.path().join("plugins4"));
                            command.args(["--post-renderer", "keyring-post-renderer"])
                        }
                    };
                    fed(command.args(&args), b"")
                }
            };
            assert_eq!(seen.code, 0, "{helm} {way:?}: {}", seen.stderr);
            assert!(objects(&seen.stdout).is_empty(), "{helm} {way:?}");
        }
    }
}

/// Helm 4 shows hooks to a post-renderer, Helm 3 to nobody.
#[test]
fn a_key_in_a_hook_is_never_applied_as_the_chart_made_it() {
    let user = User::new("production");
    for helm in VERSIONS {
        for way in WAYS {
            if way == Way::PostRenderer && helm.starts_with("helm-3") {
                continue;
            }
            let seen = user.template(helm, way, &chart("everything"), &["--set=hookSecret=true"]);
            assert_ne!(seen.code, 0, "{helm} {way:?}");
            assert_eq!(seen.stdout, "", "{helm} {way:?}");
        }
        if helm.starts_with("helm-3") {
            let seen = user.template(helm, Way::Wrapper, &chart("everything"), &["--set=hookSecret=true"]);
            assert!(seen.stderr.contains("error[key-in-hook]: Secret/lr-hook is a hook"), "{helm}: {}", seen.stderr);
        }
    }
}

#[test]
fn warnings_of_a_run_that_succeeds_reach_the_user_of_the_wrapper() {
    let user = User::new("production");
    user.write("keys/encryption-key-2", KEYS[2]);
    for helm in VERSIONS {
        let seen = user.template(helm, Way::Wrapper, &chart("everything"), &[]);
        assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        assert!(seen.stderr.contains("warning[lock-behind]"), "{helm}: {}", seen.stderr);
        assert!(seen.stdout.contains("encryption-key-2"), "{helm}");
    }
}

#[test]
fn values_that_cannot_be_seen_are_unknown_and_not_absent() {
    let user = User::new("trial");
    for helm in VERSIONS {
        let mut command = user.command(helm_binary(helm));
        command.args(["keyring", "template", "lr", &chart("everything"), "-f", "-"]);
        let values = format!("secrets: {{keysEncryption: {{userEncryptionKey: {}}}}}\n", KEYS[1]);
        let seen = fed(&mut command, values.as_bytes());
        assert!(seen.stderr.contains("error[unknown-values]"), "{helm}: {}", seen.stderr);
        assert_eq!((seen.code, seen.stdout.as_str()), (1, ""), "{helm}");
    }
}

#[test]
fn what_only_helm_keyring_understands_is_passed_on_to_render() {
    let user = User::new("trial");
    let empty = "--set=enabled=false,sub.greeting=";
    for helm in VERSIONS {
        let run = |args: &[&str]| {
            let mut command = user.command(helm_binary(helm));
            fed(command.args(["keyring", "template", "lr", &chart("everything")]).args(args), b"")
        };
        let seen = run(&["--keyring-environment", "production"]);
        assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        let seen = run(&["--keyring-environment=production", "--keyring-allow-empty", empty]);
        assert_eq!((seen.code, objects(&seen.stdout).len()), (0, 0), "{helm}: {}", seen.stderr);
        let seen = run(&["--keyring-environment=nowhere"]);
        assert!(seen.stderr.contains("error[unknown-environment]"), "{helm}: {}", seen.stderr);
    }
}

/// A wrong flag of Helm 4's post-renderer would otherwise be lost with its stderr.
#[test]
fn a_wrong_argument_of_the_post_renderer_is_told() {
    let user = User::new("production");
    for helm in VERSIONS {
        let seen =
            user.template(helm, Way::PostRenderer, &chart("everything"), &["--post-renderer-args", "--no-such-flag"]);
        assert!(seen.code != 0 && seen.stderr.contains("there is no flag --no-such-flag"), "{helm}: {}", seen.stderr);
    }
}

#[test]
fn what_cannot_go_together_is_refused_before_helm_starts() {
    let user = User::new("production");
    let everything = chart("everything");
    for helm in VERSIONS {
        let run = |args: &[&str]| fed(user.command(helm_binary(helm)).arg("keyring").args(args), b"");
        for (args, id) in [
            (&["template", "lr", &everything, "--post-renderer", "x"][..], "second-post-renderer"),
            (&["rollback", "lr"], "not-a-render"),
            (&["tempalte", "lr", &everything], "not-a-render"),
            (&["uninstall", "lr"], "not-a-render"),
        ] {
            let seen = run(args);
            assert_ne!(seen.code, 0);
            assert!(seen.stderr.contains(&format!("error[{id}]")), "{helm} {args:?}: {}", seen.stderr);
        }
        let seen = run(&["template", "lr", &everything, "--output-dir", "out"]);
        match helm.starts_with("helm-3") {
            true => assert!(seen.stderr.contains("error[output-dir]") && !user.path().join("out").exists(), "{helm}"),
            false => {
                assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
                let secret =
                    fs::read_to_string(user.path().join("out/everything/templates/all.yaml")).expect("written");
                assert!(secret.contains("encryption-key-1"), "{helm}");
            }
        }
    }
}

#[test]
fn debug_shows_no_key_and_no_values_reach_an_argument_of_the_post_renderer() {
    let user = User::new("production");
    for helm in VERSIONS {
        for way in WAYS {
            let seen = user.template(helm, way, &chart("everything"), &["--debug"]);
            assert!(!KEYS.iter().any(|key| seen.stderr.contains(key)), "{helm} {way:?}");
        }
        user.write("keys/encryption-key-0", KEYS[3]);
        let refused = user.template(helm, Way::Wrapper, &chart("everything"), &["--debug", "--set=hookSecret=true"]);
        assert_eq!(refused.stdout, "", "{helm}");
        user.write("keys/encryption-key-0", KEYS[0]);
    }
}

/// An own Secret in a stream of Helm 4 has a file's name, or Helm 4 would make one up.
#[test]
fn a_document_of_ours_has_a_name_of_ours() {
    let user = User::new("production");
    user.write("keyring.yaml", &CONFIG.replace("profile: lightrun\n", "profile: lightrun\n    emit: Secret\n"));
    let values = common::ci("lightrun", "values-existing-secret.yaml");
    for helm in VERSIONS {
        for way in [Way::PostRenderer, Way::Wrapper] {
            let seen = user.template(helm, way, &chart("lightrun"), &["-f", &values]);
            assert_eq!(seen.code, 0, "{helm} {way:?}: {}", seen.stderr);
            let own = objects(&seen.stdout).into_keys().find(|name| name.ends_with("-keyring")).expect("an own Secret");
            let source = format!("# Source: helm-keyring/{}.yaml", own.trim_start_matches("Secret/"));
            assert_eq!(seen.stdout.contains(&source), helm.starts_with("helm-4"), "{helm} {way:?}: {source}");
            assert!(!seen.stdout.contains("generated-by-postrender"), "{helm} {way:?}");
        }
    }
}

#[test]
fn the_plugin_folder_is_written_for_helm_4_and_never_where_helm_3_looks() {
    for helm in VERSIONS {
        let user = User::new("production");
        let mut tool = user.command(TOOL);
        let seen = fed(tool.env("HELM_BIN", helm_binary(helm)).args(["helm", "plugin"]), b"");
        let written = user.path().join("plugins/keyring-post-renderer/plugin.yaml");
        assert_eq!(
            (seen.code == 0, written.exists()),
            (helm.starts_with("helm-4"), helm.starts_with("helm-4")),
            "{helm}: {}",
            seen.stderr
        );
        if seen.code == 0 {
            let mut command = user.command(helm_binary(helm));
            command.args(["template", "lr", &chart("everything"), "--post-renderer", "keyring-post-renderer"]);
            let seen = fed(&mut command, b"");
            assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        } else {
            assert!(seen.stderr.contains("error[helm3-folder]"), "{}", seen.stderr);
        }
    }
}

// --- what must not slip through: each was found by trying ---

#[test]
fn a_file_that_can_be_read_only_once_is_left_to_helm() {
    for helm in ["helm-3.19.0", "helm-4.3.1"] {
        let user = User::new("production");
        let made = Command::new("mkfifo").arg(user.path().join("once")).status().expect("mkfifo");
        assert!(made.success());
        let fifo = user.path().join("once");
        let writer = std::thread::spawn(move || fs::write(fifo, "sub: {greeting: from-the-pipe}\n"));
        let mut command = user.command(helm_binary(helm));
        let seen = fed(command.args(["keyring", "template", "lr", &chart("everything"), "-f", "once"]), b"");
        writer.join().expect("ends").expect("written");
        assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        assert!(seen.stdout.contains("greeting: from-the-pipe"), "{helm}: {}", seen.stdout);
    }
}

#[test]
fn a_hook_with_keys_cannot_hide_in_a_list_or_behind_an_escape() {
    let user = User::new("production");
    let everything = Path::new(&chart("everything")).to_owned();
    for file in ["Chart.yaml", "values.yaml", "templates/all.yaml"] {
        let to = user.path().join("c").join(file);
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        fs::copy(everything.join(file), to).expect("copied");
    }
    let secret = "stringData: {encryption-key-0: made-up-by-the-chart}";
    for hook in [
        format!(
            "kind: List\nmetadata: {{annotations: {{helm.sh/hook: pre-install}}}}\nitems:\n  - {{apiVersion: v1, kind: Secret, metadata: {{name: h}}, {secret}}}\n"
        ),
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: h, annotations: {{\"\\x68elm.sh/hook\": pre-install}}}}\n{secret}\n"
        ),
    ] {
        user.write("c/templates/hook.yaml", &hook);
        for helm in ["helm-3.17.3", "helm-3.19.0"] {
            let seen = user.template(helm, Way::Wrapper, "c", &[]);
            assert!(seen.code != 0 && seen.stdout.is_empty(), "{helm}: {}", seen.stdout);
            assert!(seen.stderr.contains("error[key-in-hook]"), "{helm}: {}", seen.stderr);
        }
    }
}

#[test]
fn a_helm_that_never_asks_its_post_renderer_is_noticed() {
    let user = User::new("production");
    let script = "#!/bin/sh\n[ \"$1\" = version ] && { echo v3.19.0; exit 0; }\necho 'encryption-key-0: made-up'\n";
    program(&user.path().join("odd-helm"), script);
    let mut tool = user.command(TOOL);
    let seen = fed(tool.env("HELM_BIN", "./odd-helm").args(["helm", "template", "lr", &chart("everything")]), b"");
    assert_eq!((seen.code, seen.stdout.as_str()), (1, ""));
    assert!(seen.stderr.contains("error[not-asked]"), "{}", seen.stderr);
}

#[test]
fn words_that_look_like_a_switch_are_none_and_odd_ones_are_no_bug() {
    use std::os::unix::ffi::OsStrExt as _;
    let user = User::new("production");
    for helm in ["helm-3.19.0", "helm-4.3.1"] {
        let seen = user.template(helm, Way::Wrapper, &chart("everything"), &["--output-dir", "false"]);
        assert_eq!(user.path().join("false").exists(), helm.starts_with("helm-4"), "{helm}: {}", seen.stderr);
        let mut command = user.command(helm_binary(helm));
        command.args(["keyring", "template", "lr", &chart("everything"), "-f"]);
        command.arg(std::ffi::OsStr::from_bytes(b"v\xff.yaml"));
        let seen = fed(&mut command, b"");
        assert!(seen.code != 0 && !seen.stderr.contains("error[bug]"), "{helm}: {}", seen.stderr);
    }
}

#[test]
fn plugins_of_a_relative_folder_are_found() {
    let user = User::new("production");
    let script = "#!/bin/sh\necho 'sub: {greeting: from-a-getter}'\n";
    fs::create_dir_all(user.path().join("plugins/getter")).expect("made");
    user.write("plugins/getter/plugin.yaml", "name: getter\nversion: 0.1.0\nusage: x\ndescription: x\ncommand: \"$HELM_PLUGIN_DIR/get.sh\"\ndownloaders:\n  - {command: get.sh, protocols: [foo]}\n");
    program(&user.path().join("plugins/getter/get.sh"), script);
    let mut command = user.command(helm_binary("helm-4.3.1"));
    command.env("HELM_PLUGINS", "plugins").args(["keyring", "template", "lr", &chart("everything"), "-f", "foo://x"]);
    let seen = fed(&mut command, b"");
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    assert!(seen.stdout.contains("greeting: from-a-getter"), "{}", seen.stdout);
}

#[test]
fn the_values_of_one_keyring_are_not_held_against_another() {
    let user = User::new("production");
    let two = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    instance: {secret: lr-backend}
    environments: {production: {source: {dir: {path: keys}}}}
  trial:
    profile: lightrun
    instance: {secret: trial-backend}
    environments: {production: {source: {values: {}}}}
";
    user.write("keyring.yaml", two);
    for helm in VERSIONS {
        let seen = user.template(helm, Way::Wrapper, &chart("everything"), &[]);
        assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
    }
}

/// A checkout, as far as Helm looks at it.
#[test]
fn helm_installs_a_checkout() {
    for helm in VERSIONS {
        let user = User::new("production");
        let checkout = user.path().join("checkout");
        for file in ["plugin.yaml", "tools/plugin-install.sh", "helm4/keyring-post-renderer/plugin.yaml"] {
            let path = checkout.join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::copy(root().join(file), path).expect("copied");
        }
        fs::create_dir(user.path().join("bin")).expect("made");
        symlink(TOOL, user.path().join("bin/helm-keyring")).expect("a link");
        let run = |args: &[&str]| {
            let mut command = user.command(helm_binary(helm));
            command
                .env_remove("HELM_PLUGINS")
                .env("PATH", format!("{}:/usr/bin:/bin", user.path().join("bin").display()));
            fed(command.args(args), b"")
        };
        let path = checkout.display().to_string();
        let verify: &[&str] = if helm.starts_with("helm-4") { &["--verify=false"] } else { &[] };
        let seen = run(&[&["plugin", "install", &path], verify].concat());
        assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        assert!(run(&["plugin", "list"]).stdout.contains("keyring"), "{helm}");
        let seen = run(&["keyring", "template", "lr", &chart("everything")]);
        assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        assert!(seen.stdout.contains("encryption-key-1"), "{helm}");
        if helm.starts_with("helm-4") {
            let nested = checkout.join("helm4/keyring-post-renderer").display().to_string();
            assert_eq!(run(&["plugin", "install", &nested, "--verify=false"]).code, 0, "{helm}");
            let seen = run(&["template", "lr", &chart("everything"), "--post-renderer", "keyring-post-renderer"]);
            assert_eq!(seen.code, 0, "{helm}: {}", seen.stderr);
        }
    }
}

#[test]
fn all_files_of_the_plugins_have_the_program_s_version() {
    for file in ["plugin.yaml", "helm4/keyring-post-renderer/plugin.yaml"] {
        let text = fs::read_to_string(root().join(file)).expect(file);
        assert!(text.contains(&format!("\nversion: {}\n", env!("CARGO_PKG_VERSION"))), "{file}");
    }
}
