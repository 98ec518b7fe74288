//! With nothing to put in, `argocd generate` prints the same bytes as the `helm template` that Argo CD itself would run.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{HELMS, copy, helm_binary, root};
use serde_json::{Value, json};

/// Version and API versions of the cluster, as Argo CD tells them.
const KUBE: [&str; 4] = ["--kube-version", "1.31.2", "--api-versions", "apps/v1/Deployment"];

/// What an Application sets, and the command line that Argo CD's own Helm support would make of it.
struct Case {
    name: &'static str,
    path: &'static str,
    parameters: Value,
    /// Behind `helm template . --name-template obs --namespace prod`, `KUBE` and `--include-crds`, unless `whole`.
    helm: Vec<&'static str>,
    /// All words behind `helm template .`.
    whole: bool,
    stdin: &'static str,
}

fn case(name: &'static str, parameters: Value, helm: &[&'static str]) -> Case {
    Case { name, path: "apps/obs", parameters, helm: helm.to_vec(), whole: false, stdin: "" }
}

fn cases() -> Vec<Case> {
    let list = |name: &str, items: &[&str]| json!([{"name": name, "array": items}]);
    let inline = "from: inline\nreplicas: 7\n";
    vec![
        case("no parameters", Value::Null, &[]),
        case(
            "release, namespace, versions",
            json!([
                {"name": "release-name", "string": "other"},
                {"name": "namespace", "string": "elsewhere"},
                {"name": "kube-version", "string": "v1.29.4-eks-036c24b"},
                {"name": "api-versions", "array": ["example.com/v1/Widget", "v1"]},
            ]),
            &[],
        )
        .whole(&[
            "--name-template",
            "other",
            "--namespace",
            "elsewhere",
            "--kube-version",
            "1.29.4",
            "--api-versions",
            "example.com/v1/Widget",
            "--api-versions",
            "v1",
            "--include-crds",
        ]),
        case(
            "no CRDs, no tests, no schema",
            json!([
                {"name": "skip-crds", "string": "true"},
                {"name": "skip-tests", "string": "true"},
                {"name": "skip-schema-validation", "string": "true"},
                {"name": "helm-parameters", "map": {"replicas": "many"}},
            ]),
            &[],
        )
        .whole(&[
            "--name-template",
            "obs",
            "--namespace",
            "prod",
            "--kube-version",
            "1.31.2",
            "--api-versions",
            "apps/v1/Deployment",
            "--skip-schema-validation",
            "--skip-tests",
            "--set",
            "replicas=many",
        ]),
        case(
            "values files beside the chart and at the root, one through a link",
            list(
                "values-files",
                &["values-production.yaml", "/global/values.yaml", "../../global/obs.yaml", "link.yaml"],
            ),
            &["--values", "values-production.yaml", "--values", "../../global/values.yaml"],
        )
        .and(&["--values", "../../global/obs.yaml", "--values", "env/a.yaml"]),
        case(
            "globs, in the order of their paths, around files that are named",
            list("values-files", &["env/**/*.yaml", "env/a.yaml", "/global/v*.yaml"]),
            &["--values", "env/b.yaml", "--values", "env/deep/c.yaml", "--values", "env/a.yaml"],
        )
        .and(&["--values", "../../global/values.yaml"]),
        case(
            "missing files are left out",
            json!([
                {"name": "values-files", "array": ["nowhere.yaml", "values-production.yaml", "no/*.yaml"]},
                {"name": "ignore-missing-value-files", "string": "true"},
            ]),
            &["--values", "values-production.yaml"],
        ),
        case(
            "variables of Argo CD",
            json!([
                {"name": "values-files", "array": ["/global/$ARGOCD_APP_NAME.yaml"]},
                {"name": "helm-parameters", "map": {"who": "${ARGOCD_APP_PROJECT_NAME}-$$-$UNKNOWN!"}},
                {"name": "helm-string-parameters", "map": {"where": "$ARGOCD_APP_NAMESPACE"}},
            ]),
            &["--values", "../../global/obs.yaml", "--set", "who=platform-$-!", "--set-string", "where=prod"],
        ),
        case(
            "inline values win over files, parameters over both",
            json!([
                {"name": "values-files", "array": ["values-production.yaml"]},
                {"name": "values", "string": inline},
                {"name": "helm-parameters", "map": {"nested.a": "9"}},
            ]),
            &["--values", "values-production.yaml", "--values", "-", "--set", "nested.a=9"],
        )
        .reading(inline),
        case(
            "commas, lists, escapes",
            json!([
                {"name": "helm-parameters", "map": {
                    "a": "x,y", "b": "{p,q}", "c": "x\\,y", "d.e\\.f": "1", "list[1]": "zwei", "n": "null", "t": "true",
                }},
                {"name": "helm-string-parameters", "map": {"s": "007,8", "t2": "true"}},
            ]),
            &[
                "--set",
                "a=x\\,y",
                "--set",
                "b={p,q}",
                "--set",
                "c=x\\,y",
                "--set",
                "d.e\\.f=1",
                "--set",
                "list[1]=zwei",
            ],
        )
        .and(&["--set", "n=null", "--set", "t=true", "--set-string", "s=007\\,8", "--set-string", "t2=true"]),
        case(
            "values from files",
            json!([{"name": "file-parameters", "map": {"note": "files/note.txt", "deep.er": "/global/note.txt"}}]),
            &["--set-file", "deep.er=../../global/note.txt", "--set-file", "note=files/note.txt"],
        ),
        Case {
            path: "apps/umbrella",
            ..case(
                "an umbrella chart, one of its dependencies twice",
                json!([{"name": "values", "string": "second: {enabled: true, text: zwei}\n"}]),
                &["--values", "-"],
            )
            .reading("second: {enabled: true, text: zwei}\n")
        },
        Case { path: "apps/missing", ..case("a dependency that is built once helm misses it", Value::Null, &[]) },
    ]
}

impl Case {
    fn whole(self, helm: &[&'static str]) -> Self {
        Self { helm: helm.to_vec(), whole: true, ..self }
    }

    fn and(mut self, more: &[&'static str]) -> Self {
        self.helm.extend(more);
        self
    }

    fn reading(self, stdin: &'static str) -> Self {
        Self { stdin, ..self }
    }

    fn words(&self) -> Vec<&'static str> {
        let usual = ["--name-template", "obs", "--namespace", "prod"];
        let head = if self.whole { Vec::new() } else { [&usual[..], &KUBE, &["--include-crds"]].concat() };
        [&["template", "."][..], &head, &self.helm].concat()
    }
}

/// The repository as the plugin server unpacks it.
fn unpacked() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let repo = folder.path().join("_cmp_server/4c1d2e");
    copy(&root().join("testdata/argocd/repo"), &repo);
    symlink("env/a.yaml", repo.join("apps/obs/link.yaml")).expect("a link");
    // The same umbrella chart, with its dependency beside it instead of in `charts/`.
    copy(&repo.join("apps/umbrella"), &repo.join("apps/missing"));
    fs::rename(repo.join("apps/missing/charts/inner"), repo.join("inner")).expect("moved");
    fs::remove_dir(repo.join("apps/missing/charts")).expect("removed");
    let chart = "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n  - {name: inner, version: 0.1.0, alias: first, repository: \"file://../../inner\"}\n";
    fs::write(repo.join("apps/missing/Chart.yaml"), chart).expect("written");
    (folder, repo)
}

fn run(mut command: Command, stdin: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // Who reads nothing closes the pipe.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn generated(case: &Case, helm: &str, folder: &Path, repo: &Path) -> Output {
    run(generating(case, helm, folder, repo), "")
}

fn generating(case: &Case, helm: &str, folder: &Path, repo: &Path) -> Command {
    let sidecar = folder.join("sidecar.yaml");
    let text = format!(
        "apiVersion: helm-keyring/v1\nkind: Sidecar\nallowNoTarget: true\nhelm: {}\n",
        helm_binary(helm).display()
    );
    fs::write(&sidecar, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_helm-keyring"));
    command.args(["argocd", "generate", "--sidecar"]).arg(&sidecar).current_dir(repo.join(case.path)).env_clear();
    command.envs([
        ("HOME", folder.to_str().expect("UTF-8")),
        ("ARGOCD_APP_NAME", "argocd_obs"),
        ("ARGOCD_APP_NAMESPACE", "prod"),
        ("ARGOCD_APP_PROJECT_NAME", "platform"),
        ("KUBE_VERSION", "1.31.2"),
        ("KUBE_API_VERSIONS", "apps/v1/Deployment"),
    ]);
    // Argo CD puts the namespace before the name, and helm's release is the name alone.
    if case.parameters.to_string().contains("$ARGOCD_APP_NAME.") {
        command.env("ARGOCD_APP_NAME", "obs");
    }
    command.env("ARGOCD_APP_PARAMETERS", case.parameters.to_string());
    command
}

/// Ours and Helm's own, which end well.
fn are_equal(case: &Case, helm: &str, folder: &Path, repo: &Path) {
    let ours = generated(case, helm, folder, repo);
    assert!(ours.status.success(), "{helm}, {}:\n{}", case.name, String::from_utf8_lossy(&ours.stderr));
    let theirs = templated(case, helm, folder, repo);
    assert!(ours.stdout == theirs.stdout && ours.stdout.len() > 100, "{helm}, {}", case.name);
}

#[test]
fn a_values_file_may_have_an_address() {
    for helm in HELMS {
        let (folder, repo) = unpacked();
        fs::create_dir(folder.path().join("shelf")).expect("a folder");
        fs::write(folder.path().join("shelf/v.yaml"), "from: an address\nreplicas: 5\n").expect("written");
        let charts = Charts::serve(&folder.path().join("shelf"));
        let address = format!("http://127.0.0.1:{}/v.yaml", charts.1);
        let words = ["--values", &*address.clone().leak()];
        let case = case("an address", json!([{"name": "values-files", "array": [address]}]), &words);
        are_equal(&case, helm, folder.path(), &repo);
        drop(charts);
        let refused = generated(&case, helm, folder.path(), &repo);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.contains("help: a values file comes from an address: does it answer"), "{helm}: {told}");
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    }
}

/// Charts of Helm 2's time name their dependencies in a file of its own.
#[test]
fn dependencies_are_built_before_each_render_if_that_is_asked() {
    let always = json!([{"name": "dependency-build", "string": "always"}]);
    for helm in HELMS {
        let (folder, repo) = unpacked();
        let chart = repo.join("apps/missing");
        fs::write(chart.join("Chart.yaml"), "apiVersion: v1\nname: umbrella\nversion: 0.1.0\n").expect("written");
        let inner = "dependencies:\n  - {name: inner, version: 0.1.0, repository: \"file://../../inner\"}\n";
        fs::write(chart.join("requirements.yaml"), inner).expect("written");
        let case = Case { path: "apps/missing", ..case("always", always.clone(), &[]) };
        are_equal(&case, helm, folder.path(), &repo);
        // What is there already is built anew.
        let template = repo.join("inner/templates/inner.yaml");
        let text = fs::read_to_string(&template).expect("a template");
        fs::write(&template, text + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: newer}\n")
            .expect("written");
        are_equal(&case, helm, folder.path(), &repo);
        assert!(String::from_utf8_lossy(&generated(&case, helm, folder.path(), &repo).stdout).contains("name: newer"));
    }
}

fn templated(case: &Case, helm: &str, folder: &Path, repo: &Path) -> Output {
    let mut command = Command::new(helm_binary(helm));
    command.args(case.words()).current_dir(repo.join(case.path)).env_clear().env("HOME", folder);
    run(command, case.stdin)
}

#[test]
fn the_bytes_are_those_of_helm_template() {
    let cases = cases();
    assert_eq!(cases.len(), 12);
    for helm in HELMS {
        for case in &cases {
            let (folder, repo) = unpacked();
            let ours = generated(case, helm, folder.path(), &repo);
            let told = String::from_utf8_lossy(&ours.stderr);
            assert!(ours.status.success(), "{helm}, {}:\n{told}", case.name);
            assert_eq!(told, "", "{helm}, {}", case.name);
            // After ours, which had to build the dependencies; and it left nothing else behind.
            let names =
                fs::read_dir(repo.join(case.path)).expect("a folder").map(|entry| entry.expect("one").file_name());
            let left = names.filter(|name| {
                let name = name.to_string_lossy();
                name.starts_with('.') || (name == "Chart.lock" && case.path != "apps/missing")
            });
            assert_eq!(left.collect::<Vec<_>>(), Vec::<std::ffi::OsString>::new(), "{helm}, {}", case.name);
            let theirs = templated(case, helm, folder.path(), &repo);
            assert!(theirs.status.success(), "{helm}, {}:\n{}", case.name, String::from_utf8_lossy(&theirs.stderr));
            let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(text(&ours), text(&theirs), "{helm}, {}", case.name);
            assert!(ours.stdout == theirs.stdout && ours.stdout.len() > 100, "{helm}, {}", case.name);
        }
    }
}

#[test]
fn a_dependency_that_may_not_be_built_is_refused() {
    let (folder, repo) = unpacked();
    let never =
        Case { path: "apps/missing", ..case("never", json!([{"name": "dependency-build", "string": "never"}]), &[]) };
    for helm in HELMS {
        let refused = generated(&never, helm, folder.path(), &repo);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.starts_with("error[helm-failed]: helm template failed"), "{told}");
        assert!(told.contains("missing in charts/ directory"), "{told}");
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    }
}

/// A repository of charts on this machine; it ends with the value.
struct Charts(std::process::Child, u16);

impl Charts {
    fn serve(folder: &Path) -> Self {
        let mut command = Command::new("python3");
        command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]).current_dir(folder);
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python3 starts");
        // Serving HTTP on 127.0.0.1 port 40123 (http://127.0.0.1:40123/) ...
        let mut words = String::new();
        BufReader::new(server.stdout.take().expect("a pipe")).read_line(&mut words).expect("its first line");
        let port = words.split(' ').nth(5).and_then(|port| port.parse().ok()).expect("a port");
        Self(server, port)
    }
}

impl Drop for Charts {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Helm knows no repositories there: those that Chart.yaml names are added for the time of the build.
#[test]
fn a_dependency_comes_from_the_repository_that_the_chart_names() {
    for helm in HELMS {
        let (folder, repo) = unpacked();
        let shelf = folder.path().join("shelf");
        fs::create_dir(&shelf).expect("a folder");
        let run = |words: &[&str]| {
            let mut command = Command::new(helm_binary(helm));
            command.args(words).current_dir(&shelf).env_clear().env("HOME", folder.path());
            let output = command.output().expect("helm starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let charts = Charts::serve(&shelf);
        let address = format!("http://127.0.0.1:{}", charts.1);
        run(&["package", repo.join("inner").to_str().expect("UTF-8")]);
        run(&["repo", "index", ".", "--url", &address]);
        // Many a repository's index is larger than any file that Helm takes in a chart.
        let index = fs::read_to_string(shelf.join("index.yaml")).expect("an index");
        fs::write(shelf.join("index.yaml"), index + &"# more charts\n".repeat(400_000)).expect("written");
        let chart = repo.join("apps/missing/Chart.yaml");
        let text = fs::read_to_string(&chart).expect("a chart");
        fs::write(&chart, text.replace("file://../../inner", &address)).expect("written");
        let case = Case { path: "apps/missing", ..case("over http", Value::Null, &[]) };
        let ours = generated(&case, helm, folder.path(), &repo);
        let told = String::from_utf8_lossy(&ours.stderr);
        assert!(ours.status.success(), "{helm}:\n{told}");
        // Now the dependency is there, and Helm renders it by itself.
        let theirs = templated(&case, helm, folder.path(), &repo);
        assert!(ours.stdout == theirs.stdout && ours.stdout.len() > 100, "{helm}");
        assert!(String::from_utf8_lossy(&ours.stdout).contains("name: obs-"), "{helm}");
        let left = |folder: &str| -> Vec<_> {
            let entries = fs::read_dir(repo.join("apps/missing").join(folder)).expect("a folder").flatten();
            entries.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().starts_with('.')).collect()
        };
        assert_eq!((left("."), left("templates")), (Vec::new(), Vec::new()), "Helm's own files are gone");
        // Or from a list that whoever runs the sidecar has mounted, with whatever credentials it holds.
        let list = folder.path().join("repositories.yaml");
        let words = ["repo", "add", "shelf", &address, "--repository-config", list.to_str().expect("UTF-8")];
        run(&words);
        let text = fs::read_to_string(&chart).expect("a chart");
        fs::write(&chart, text.replace(&address, "@shelf")).expect("written");
        fs::remove_dir_all(repo.join("apps/missing/charts")).expect("removed");
        let mut command = generating(&case, helm, folder.path(), &repo);
        command.env("HELM_REPOSITORY_CONFIG", &list).env("HELM_REPOSITORY_CACHE", folder.path().join("nowhere"));
        let mounted = self::run(command, "");
        let told = String::from_utf8_lossy(&mounted.stderr).into_owned();
        assert!(mounted.stdout == ours.stdout, "{helm}: {told}");
        assert!(!folder.path().join("nowhere").exists(), "runs share no cache");
        fs::write(&chart, text).expect("written");
        drop(charts);
        fs::remove_dir_all(repo.join("apps/missing/charts")).expect("removed");
        let refused = generated(&case, helm, folder.path(), &repo);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.starts_with("error[helm-failed]: helm repo add failed"), "{helm}: {told}");
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    }
}
