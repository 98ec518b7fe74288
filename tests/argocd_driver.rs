//! The imitation of Argo CD's plugin server does what the real one does: each test asks both the same, where both are
//! there. The plugins are small scripts.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[path = "common/argocd.rs"]
mod argocd;
mod common;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use argocd::{Application, DEADLINE, Server, Sidecar, app_env, parameter_env, parameters_env};
use common::{folder, is_running};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATH: (&str, &str) = ("PATH", "/usr/local/bin:/usr/bin:/bin");

/// A plugin whose `spec` is this JSON.
fn plugin(spec: &Value) -> TempDir {
    let manifest = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "ConfigManagementPlugin", "metadata": {"name": "small"}, "spec": spec
    });
    folder(&[("plugin.yaml", &manifest.to_string())])
}

/// Does the same on each server that is there, at once; the plugin's name tells which.
fn on_each(spec: &Value, variables: &[(&str, &str)], test: impl Fn(&Sidecar) + Sync) {
    let plugin = plugin(spec);
    std::thread::scope(|scope| {
        for server in Server::all() {
            let (plugin, test) = (plugin.path(), &test);
            let name = if matches!(server, Server::Imitated) { "imitated" } else { "real" };
            let run = move || test(&Sidecar::start(&server, plugin, &[&[PATH], variables].concat()));
            std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, run).expect("a thread");
        }
    });
}

fn shell(script: &str) -> Value {
    json!({"command": ["sh", "-c"], "args": [script]})
}

/// A plugin that prints what a script prints, as one object.
fn printing(script: &str) -> Value {
    let indented = format!("echo 'kind: Printed\ntext: |'; {{ {script}; }} | sed 's/^/  /'");
    json!({"generate": shell(&indented)})
}

fn printed(sidecar: &Sidecar, application: &Application) -> String {
    let objects = sidecar.generate(application, DEADLINE).expect("generated");
    assert_eq!(objects.len(), 1);
    objects[0]["text"].as_str().unwrap_or_default().to_owned()
}

/// A repository with an Application in `apps/one`.
fn repository() -> TempDir {
    folder(&[("apps/one/Chart.yaml", "name: one\n"), ("readme.md", "text\n")])
}

fn application(repo: &Path) -> Application {
    let env = app_env("one", "obs", "team", "apps/one", &Value::Null, "1.31.2");
    Application { repo: repo.to_owned(), path: "apps/one".to_owned(), env }
}

/// What an error of the plugin's command looks like in the Application.
fn failed(what: &str) -> String {
    format!(
        "CMP processing failed for application \"one\": error generating manifests in cmp: \
         rpc error: code = Unknown desc = error generating manifests: {what}"
    )
}

fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("a folder").next().is_none()
}

#[test]
fn files_folders_and_links_travel_without_their_modes() {
    let repo = repository();
    let at = |name: &str| repo.path().join(name);
    fs::write(at("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(at(".git/objects")).unwrap();
    fs::write(at(".git/config"), "[core]\n").unwrap();
    fs::set_permissions(at(".git"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir(at("empty")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());

    let script = "cd ../..; find . | LC_ALL=C sort | while read f; do stat -c '%A %n' $f; done; cat .git/config";
    on_each(&printing(script), &[], |sidecar| {
        let expected = "\
drwxr-xr-x .
drwxr-xr-x ./.git
-rw-r--r-- ./.git/config
drwxr-xr-x ./.git/objects
drwxr-xr-x ./apps
drwxr-xr-x ./apps/one
-rw-r--r-- ./apps/one/Chart.yaml
drwxr-xr-x ./empty
-rw-r--r-- ./readme.md
-rw-r--r-- ./run.sh
[core]
";
        assert_eq!(printed(sidecar, &application(repo.path())), expected);
    });
}

#[test]
fn links_stay_in_the_tree() {
    let repo = repository();
    let links = [
        ("absolute", "/readme.md"),
        ("apps/one/down", "z/later"),
        ("apps/one/up", "../../readme.md"),
        ("b", "absolute"),
        ("c", "readme.md"),
        ("nowhere", "missing"),
        ("z", "c"),
    ];
    for (name, target) in links {
        symlink(target, repo.path().join(name)).unwrap();
    }
    let script = "cd ../..; for f in absolute apps/one/down apps/one/up b c nowhere z; do readlink $f; done";
    on_each(&printing(script), &[], |sidecar| {
        // A link to what is there already leads to that itself; files come in the order of their names.
        let expected = "readme.md\nz/later\n../../readme.md\nabsolute\nreadme.md\nmissing\nreadme.md\n";
        assert_eq!(printed(sidecar, &application(repo.path())), expected);
    });
}

#[test]
fn a_link_out_of_the_tree_is_refused() {
    for (name, target) in [("up", "../outside"), ("apps/one/up", "../../../outside"), ("self", ".")] {
        let repo = repository();
        symlink(target, repo.path().join(name)).unwrap();
        on_each(&json!({"generate": shell("echo kind: A")}), &[], |sidecar| {
            let error = sidecar.generate(&application(repo.path()), DEADLINE).unwrap_err();
            let expected = failed("").replace("error generating manifests: ", "");
            let expected = format!(
                "{expected}generate manifest error receiving stream: error decompressing tgz file: \
                 illegal filepath in symlink: {}/",
                sidecar.work().display()
            );
            assert!(error.starts_with(&expected), "{error}");
        });
    }
}

#[test]
fn a_repository_without_a_file_is_not_sent() {
    let repo = tempfile::tempdir().unwrap();
    fs::create_dir_all(repo.path().join("apps/one")).unwrap();
    on_each(&json!({"generate": shell("echo kind: A")}), &[], |sidecar| {
        let error = sidecar.generate(&application(repo.path()), DEADLINE).unwrap_err();
        let expected = format!(
            "CMP processing failed for application \"one\": error generating manifests in cmp: \
             error sending file to cmp-server: no files to send({})",
            repo.path().display()
        );
        assert_eq!(error, expected);
    });
}

#[test]
fn a_program_of_the_repository_is_not_executable() {
    let repo = folder(&[("apps/one/run.sh", "#!/bin/sh\necho kind: A\n")]);
    fs::set_permissions(repo.path().join("apps/one/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    on_each(&json!({"generate": {"command": ["./run.sh"]}}), &[], |sidecar| {
        let error = sidecar.generate(&application(repo.path()), DEADLINE).unwrap_err();
        assert_eq!(error, failed("fork/exec ./run.sh: permission denied"));
    });
}

#[test]
fn programs_are_found_on_the_path_of_the_sidecar() {
    let repo = repository();
    on_each(&json!({"generate": {"command": ["no-such-program"]}}), &[], |sidecar| {
        let error = sidecar.generate(&application(repo.path()), DEADLINE).unwrap_err();
        assert_eq!(error, failed("exec: \"no-such-program\": executable file not found in $PATH"));
    });
    on_each(&json!({"generate": {"command": ["/no/such/program"]}}), &[], |sidecar| {
        let error = sidecar.generate(&application(repo.path()), DEADLINE).unwrap_err();
        assert_eq!(error, failed("fork/exec /no/such/program: no such file or directory"));
    });
    on_each(&json!({"generate": {"command": ["sh", "-c", "echo kind: A"]}}), &[], |sidecar| {
        let mut application = application(repo.path());
        application.env.push(("PATH".to_owned(), "/nowhere".to_owned()));
        assert_eq!(sidecar.generate(&application, DEADLINE), Ok(vec![json!({"kind": "A"})]));
    });
}

#[test]
fn each_request_has_a_folder_of_its_own_that_does_not_stay() {
    let repo = repository();
    on_each(&printing("pwd; id -u > left-behind; ls"), &[], |sidecar| {
        let mut folders = BTreeSet::new();
        for _ in 0..2 {
            let text = printed(sidecar, &application(repo.path()));
            let (folder, files) = text.split_once('\n').unwrap();
            let id = folder.strip_prefix(&format!("{}/", sidecar.work().display())).unwrap();
            let id = id.strip_suffix("/apps/one").unwrap();
            let is_uuid = id.len() == 36 && id.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
            assert!(is_uuid && id.matches('-').count() == 4, "{id}");
            assert_eq!(files, "Chart.yaml\nleft-behind\n");
            folders.insert(folder.to_owned());
        }
        assert_eq!(folders.len(), 2);
        wait_until("the folders are gone", Duration::from_secs(5), || is_empty(&sidecar.work()));
        assert_eq!(fs::metadata(sidecar.work()).unwrap().permissions().mode() & 0o777, 0o700);
    });
}

#[test]
fn an_application_at_the_root() {
    let repo = repository();
    on_each(&printing("pwd"), &[], |sidecar| {
        let mut application = application(repo.path());
        application.path = ".".to_owned();
        let folder = printed(sidecar, &application);
        assert_eq!(Path::new(folder.trim()).parent(), Some(&*sidecar.work()));
    });
}

#[test]
fn the_request_wins_over_the_sidecar() {
    let repo = repository();
    let parameters = json!([
        {"name": "values-files", "array": ["a.yaml", "b.yaml"]},
        {"name": "helm.parameters", "map": {"image.tag": "1 \"2\" <3>"}},
        {"name": "release-name", "string": "r"},
    ]);
    let variables = [("OF_SIDECAR", "own"), ("BOTH", "sidecar"), ("ARGOCD_APP_NAME", "forged")];
    // What the shell adds is not compared.
    let script = "env | grep -v -e '^PWD=' -e '^OLDPWD=' -e '^SHLVL=' -e '^_=' | LC_ALL=C sort";
    on_each(&printing(script), &variables, |sidecar| {
        let mut application = application(repo.path());
        application.env = app_env("one", "obs", "team", "apps/one", &parameters, "1.31.2");
        let more = [("BOTH", "first"), ("BOTH", "last"), ("EMPTY", ""), ("", "unnamed"), ("EQUALS", "a=b")];
        application.env.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let text = printed(sidecar, &application);
        let root = sidecar.work();
        let root = root.parent().unwrap().parent().unwrap().display();
        let expected = format!(
            "\
ARGOCD_APP_NAME=one
ARGOCD_APP_NAMESPACE=obs
ARGOCD_APP_PARAMETERS={parameters}
ARGOCD_APP_PROJECT_NAME=team
ARGOCD_APP_REVISION=8f1d2c3b4a5968778695a4b3c2d1e0f123456789
ARGOCD_APP_REVISION_SHORT=8f1d2c3
ARGOCD_APP_REVISION_SHORT_8=8f1d2c3b
ARGOCD_APP_SOURCE_PATH=apps/one
ARGOCD_APP_SOURCE_REPO_URL=https://git.example/obs/deploy.git
ARGOCD_APP_SOURCE_TARGET_REVISION=main
ARGOCD_CMP_WORKDIR={root}/work
ARGOCD_PLUGINSOCKFILEPATH={root}/sockets
BOTH=last
EMPTY=
EQUALS=a=b
KUBE_API_VERSIONS=apps/v1,apps/v1/Deployment,apps/v1/StatefulSet,v1,v1/ConfigMap,v1/Secret,v1/Service
KUBE_VERSION=1.31.2
OF_SIDECAR=own
PARAM_HELM_PARAMETERS_IMAGE_TAG=1 \"2\" <3>
PARAM_RELEASE_NAME=r
PARAM_VALUES_FILES_0=a.yaml
PARAM_VALUES_FILES_1=b.yaml
PATH={}
",
            PATH.1
        );
        assert_eq!(text, expected);
    });
}

#[test]
fn no_parameters_are_null_and_a_hydrator_tells_no_versions() {
    let env = app_env("one", "obs", "team", "apps/one", &Value::Null, "");
    let value = |name: &str| env.iter().find(|(n, _)| n == name).map(|(_, value)| &**value);
    assert_eq!(value("ARGOCD_APP_PARAMETERS"), Some("null"));
    assert_eq!((value("KUBE_VERSION"), value("KUBE_API_VERSIONS")), (Some(""), Some("")));
}

/// The repo-server's own code makes the same variables of the parameters, where there is Go to build it.
#[test]
fn the_variables_of_parameters_are_those_of_the_repo_server() {
    let parameters = json!([
        {"name": "release-name", "string": "r"},
        {"name": "values", "string": "a: \"1\" <2> & é\n"},
        {"name": "empty", "string": ""},
        {"name": "values-files", "array": ["a.yaml", ""]},
        {"name": "none", "array": []},
        {"name": "helm-parameters", "map": {"image.tag": "1", "a\\,b": "x,y"}},
        {"name": "nothing", "map": {}},
    ]);
    // The parameters themselves are JSON, whose order is free.
    let sorted = |variables: Vec<(String, String)>| -> BTreeMap<String, Value> {
        let read = |name: &str, text: String| match name {
            "ARGOCD_APP_PARAMETERS" => serde_json::from_str(&text).unwrap(),
            _ => Value::String(text),
        };
        variables.into_iter().map(|(name, text)| (name.clone(), read(&name, text))).collect()
    };
    for server in Server::all() {
        for parameters in [&parameters, &Value::Null] {
            if let Some(theirs) = server.variables(parameters) {
                assert_eq!(sorted(parameter_env(parameters)), sorted(theirs));
            }
        }
    }
}

#[test]
fn too_long_a_variable_starts_nothing() {
    let repo = repository();
    on_each(&json!({"generate": {"command": ["/bin/sh", "-c", "echo kind: A"]}}), &[], |sidecar| {
        let mut application = application(repo.path());
        application.env.push(("LONG".to_owned(), "x".repeat(200 << 10)));
        let error = sidecar.generate(&application, DEADLINE).unwrap_err();
        assert_eq!(error, failed("fork/exec /bin/sh: argument list too long"));
    });
}

#[test]
fn stdin_is_empty() {
    let repo = repository();
    on_each(&printing("readlink /proc/$$/fd/0"), &[], |sidecar| {
        assert_eq!(printed(sidecar, &application(repo.path())), "/dev/null\n");
    });
}

#[test]
fn a_failure_shows_the_command_and_stderr() {
    let repo = repository();
    let script = "echo out; echo ' two\nlines ' >&2; exit 4";
    on_each(&json!({"generate": shell(script)}), &[], |sidecar| {
        let error = sidecar.generate(&application(repo.path()), DEADLINE).unwrap_err();
        let expected = "`sh -c \"echo out; echo ' two\\nlines ' >&2; exit 4\"` failed exit status 4: two\nlines";
        assert_eq!(error, failed(expected));
        assert!(sidecar.log().contains("lines"), "{}", sidecar.log());
    });
    on_each(&json!({"generate": {"command": ["false", ""]}}), &[], |sidecar| {
        let error = sidecar.generate(&application(repo.path()), DEADLINE).unwrap_err();
        assert_eq!(error, failed("`false \"\"` failed exit status 1"));
    });
    on_each(&json!({"generate": shell("kill -9 $$")}), &[], |sidecar| {
        let error = sidecar.generate(&application(repo.path()), DEADLINE).unwrap_err();
        assert_eq!(error, failed("`sh -c \"kill -9 $$\"` failed signal: killed"));
    });
}

#[test]
fn stderr_of_a_success_is_logged_and_stdout_is_not() {
    let repo = repository();
    let script = "printf 'kind: %s%s\\n' Of Stdout; printf %s%s\\\\n of- stderr >&2";
    on_each(&json!({"generate": shell(script)}), &[], |sidecar| {
        let objects = sidecar.generate(&application(repo.path()), DEADLINE).unwrap();
        assert_eq!(objects, [json!({"kind": "OfStdout"})]);
        let log = sidecar.log();
        assert!(log.contains("of-stderr") && !log.contains("OfStdout"), "{log}");
    });
}

#[test]
fn init_goes_before_in_the_same_folder() {
    let repo = repository();
    let generate = shell("cat made");
    on_each(
        &json!({"init": shell("echo kind: Made > made; echo kind: Ignored"), "generate": generate}),
        &[],
        |sidecar| {
            assert_eq!(sidecar.generate(&application(repo.path()), DEADLINE), Ok(vec![json!({"kind": "Made"})]));
        },
    );
    on_each(&json!({"init": shell("exit 3"), "generate": generate}), &[], |sidecar| {
        let error = sidecar.generate(&application(repo.path()), DEADLINE).unwrap_err();
        assert_eq!(error, failed("`sh -c \"exit 3\"` failed exit status 3"));
    });
}

/// A plugin that prints the file `stdout` of the Application.
fn cat() -> Value {
    json!({"generate": {"command": ["cat", "stdout"]}})
}

fn outcome_of(sidecar: &Sidecar, stdout: &str) -> Result<Vec<Value>, String> {
    let repo = folder(&[("apps/one/stdout", stdout)]);
    sidecar.generate(&application(repo.path()), DEADLINE)
}

#[test]
fn nothing_printed_is_no_manifest_and_no_error() {
    on_each(&cat(), &[], |sidecar| {
        for stdout in
            ["", "\n", "\n\n", "---\n", "---\n---\n", "# only words\n", "---\n# words\n---\nnull\n", "~\n", "  "]
        {
            assert_eq!(outcome_of(sidecar, stdout), Ok(vec![]), "{stdout:?}");
        }
    });
}

#[test]
fn documents_become_objects() {
    let a = json!({"kind": "A"});
    let b = json!({"kind": "B"});
    let cases = [
        ("kind: A\n---\nkind: B\n", json!([a, b])),
        ("---\nkind: A\n---\n# nothing\n---\n\n--- # words\nkind: B", json!([a, b])),
        ("kind: A\r\n---\r\nkind: B\r\n", json!([a, b])),
        ("kind: A\n...\n---\nkind: B\n", json!([a, b])),
        // What stands behind the end of a document is lost.
        ("kind: A\n...\nkind: B\n", json!([a])),
        // JSON, several values
        ("{\"kind\": \"A\"}", json!([a])),
        ("  {\"kind\": \"A\"}{\"kind\": \"B\"}\n{\"kind\": \"A\"} null", json!([a, b, a])),
        // what only begins like it
        ("{kind: A}\n---\nkind: B\n", json!([a, b])),
        ("{\"kind\": \"A\"}\n---\nkind: B\n---\nkind: A\n", json!([a, b, a])),
        ("{\"kind\": \"A\",}\n", json!([a])),
        // lists are taken apart
        ("kind: List\nitems:\n- kind: A\n- kind: B\n---\nkind: A\n", json!([a, b, a])),
        ("kind: List\nitems:\n", json!([])),
        ("kind: A\nspec: {}\nitems:\n", json!([{"kind": "A", "spec": {}, "items": null}])),
        ("kind: Mine\nitems: []\n", json!([])),
        ("kind: List\nitems: [{a: 1}]\n", json!([{"a": 1}])),
        ("kind: A\ntext: |\n  --- no separator\n  {\n", json!([{"kind": "A", "text": "--- no separator\n{\n"}])),
        // The last newline of all is taken off.
        ("kind: A\ntext: |+\n  kept\n\n", json!([{"kind": "A", "text": "kept\n"}])),
        ("kind: A\ntext: |+\n  kept\n\n---\n", json!([{"kind": "A", "text": "kept\n\n"}])),
    ];
    on_each(&cat(), &[], |sidecar| {
        for (stdout, expected) in &cases {
            let objects = outcome_of(sidecar, stdout).unwrap_or_else(|error| panic!("{stdout:?}: {error}"));
            assert_eq!(Value::from(objects), *expected, "{stdout:?}");
        }
    });
}

#[test]
fn values_are_those_of_yaml_1_1() {
    let cases = [
        ("yes", json!(true)),
        ("Off", json!(false)),
        ("y", json!(true)),
        ("n", json!(false)),
        ("tRue", json!("tRue")),
        ("~", json!(null)),
        ("", json!(null)),
        ("0755", json!(493)),
        ("0o17", json!(15)),
        ("08", json!(8)),
        ("0x1F", json!(31)),
        ("0b11", json!(3)),
        ("1_000", json!(1000)),
        ("1e3", json!(1000)),
        ("1.0", json!(1)),
        ("-0.0", json!(0)),
        ("1.5e-7", json!(1.5e-7)),
        ("81111e1", json!(811_110)),
        ("12e400", json!("12e400")),
        ("9223372036854775807", json!(i64::MAX)),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_f64)),
        ("123456789012345678901234567890", json!(123_456_789_012_345_678_901_234_567_890_f64)),
        ("190:20:30", json!("190:20:30")),
        ("2001-12-14", json!("2001-12-14")),
        ("2001-12-14t21:59:43.10-05:00", json!("2001-12-14t21:59:43.10-05:00")),
        ("!!str 12", json!("12")),
        ("!!float 1", json!(1)),
        ("!!binary aGVsbG8=", json!("hello")),
        ("!unknown 12", json!("12")),
        ("'0755'", json!("0755")),
        ("\"a\\tb\\u00e9\"", json!("a\tbé")),
        ("\"<&>\\u2028😀\"", json!("<&>\u{2028}😀")),
        ("{yes: 1, 2: 2, 1.5: 3, 0755: 4, 1e3: 5}", json!({"true": 1, "2": 2, "1.5": 3, "493": 4, "1000": 5})),
        ("{a: 1, a: 2}", json!({"a": 2})),
        ("{a: &x {b: 1}, c: *x}", json!({"a": {"b": 1}, "c": {"b": 1}})),
        ("{a: &x {b: 1, c: 1}, d: {<<: *x, c: 2}}", json!({"a": {"b": 1, "c": 1}, "d": {"b": 1, "c": 2}})),
        (">\n  folded\n  text\n", json!("folded text\n")),
    ];
    on_each(&cat(), &[], |sidecar| {
        for (text, expected) in &cases {
            let objects = outcome_of(sidecar, &format!("kind: A\nvalue: {text}\n"));
            assert_eq!(objects, Ok(vec![json!({"kind": "A", "value": expected})]), "{text}");
        }
    });
}

#[test]
fn what_is_no_manifest_is_an_error() {
    let unread = "failed to unmarshal manifest: ";
    let yaml = "failed to unmarshal manifest: error converting YAML to JSON: yaml: ";
    // The server itself refuses these.
    let cases = [
        ("kind: A\n--- kind: B\n", format!("{unread}invalid Yaml document separator: kind: B")),
        ("kind: A\n---- \n", format!("{unread}invalid Yaml document separator: -")),
        ("kind: A\nkind\n", yaml.to_owned()),
        ("kind: A\n\tb: c\n", yaml.to_owned()),
        ("kind: A\nvalue: .inf\n", unread.to_owned()),
        ("kind: A\nvalue: {{ x }}\n", unread.to_owned()),
        ("kind: A\nvalue: *nothing\n", yaml.to_owned()),
        ("{\"kind\": \"A\"}{\"kind\": \"B\"}\n---\nkind: C\n", unread.to_owned()),
        ("{\"kind\": \"A\"}}\n", format!("{unread}json: offset")),
    ];
    on_each(&cat(), &[], |sidecar| {
        for (stdout, expected) in &cases {
            let error = outcome_of(sidecar, stdout).expect_err(stdout);
            assert!(error.starts_with(&failed(expected)), "{stdout:?}: {error}");
        }
    });
    // The repo-server refuses these. It shows the whole document.
    let prefix = "CMP processing failed for application \"one\": failed to convert CMP manifests to unstructured \
                  objects: failed to unmarshal manifest: error unmarshaling JSON: while decoding JSON: ";
    let cases = [
        ("a: 1\nb: {c: yes}\n", "Object 'Kind' is missing in '{\"a\":1,\"b\":{\"c\":true}}'"),
        ("kind: ''\n", "Object 'Kind' is missing in '{\"kind\":\"\"}'"),
        ("- kind: A\n", "json: cannot unmarshal"),
        ("words\n", "json: cannot unmarshal"),
        ("kind: A\n---\n12\n", "json: cannot unmarshal"),
    ];
    on_each(&cat(), &[], |sidecar| {
        for (stdout, expected) in cases {
            let error = outcome_of(sidecar, stdout).expect_err(stdout);
            assert!(error.starts_with(&format!("{prefix}{expected}")), "{stdout:?}: {error}");
        }
    });
}

/// Generates with a command that hangs and notes in a folder what happens to it: the folder, the error, and how many
/// milliseconds behind the deadline it came. On a busy machine the command may need longer to begin.
fn ended_with_marks(sidecar: &Sidecar, repo: &Path) -> (tempfile::TempDir, String, i128) {
    for seconds in [2, 6, 20] {
        let marks = tempfile::tempdir().unwrap();
        let mut application = application(repo);
        application.env.push(("MARKS".to_owned(), marks.path().display().to_string()));
        let begun = Instant::now();
        let error = sidecar.generate(&application, Duration::from_secs(seconds)).unwrap_err();
        let took = i128::try_from(begun.elapsed().as_millis()).unwrap() - i128::from(seconds) * 1000;
        let has_begun = fs::read_to_string(marks.path().join("child")).is_ok_and(|pid| pid.ends_with('\n'));
        if has_begun || seconds == 20 {
            return (marks, error, took);
        }
    }
    unreachable!("the last one is returned")
}

#[test]
fn a_command_that_hangs_is_ended_at_the_deadline_with_its_children() {
    let repo = repository();
    // A child in the same group that notes what it was told, and one in the background that holds no pipe.
    // The command itself would go on after a TERM, and does not end by itself before the KILL is there.
    let script = "trap : TERM; sleep 600 > /dev/null 2>&1 & echo $! > $MARKS/background; \
        sh -c 'echo $$ > $MARKS/child; trap \"echo told > $MARKS/told; exit\" TERM; while :; do sleep 0.05; done'; \
        sleep 1; echo never > $MARKS/after";
    let plugin = json!({"generate": shell(script)});
    on_each(&plugin, &[], |sidecar| {
        let (marks, error, took) = ended_with_marks(sidecar, repo.path());
        // 100 ms before the deadline both signals are sent at once; the message says which came first.
        let deadline = "error generating manifests in cmp: rpc error: code = DeadlineExceeded";
        let ended = ["failed signal: killed", "failed signal: terminated", deadline];
        assert!(ended.iter().any(|words| error.contains(words)), "{error}");
        assert!((-100..4000).contains(&took), "{took} ms behind the deadline");
        let read = |name: &str| fs::read_to_string(marks.path().join(name)).unwrap_or_default();
        wait_until("the child was told", Duration::from_secs(5), || read("told") == "told\n");
        for name in ["background", "child"] {
            wait_until(name, Duration::from_secs(5), || !is_running(&read(name)));
        }
        assert_eq!(read("after"), "", "the direct child got a KILL");
        wait_until("the folder is gone", Duration::from_secs(5), || is_empty(&sidecar.work()));
    });
}

#[test]
fn what_a_command_said_before_the_deadline_is_shown() {
    let repo = repository();
    on_each(&json!({"generate": shell("echo waiting for a store >&2; exec sleep 600")}), &[], |sidecar| {
        // The server has 100 ms to say it, which is not always enough on a busy machine.
        let mut error = String::new();
        let is_shown = (0..10).any(|_| {
            error = sidecar.generate(&application(repo.path()), Duration::from_secs(1)).unwrap_err();
            error.contains("failed signal: ") && error.ends_with(": waiting for a store")
        });
        assert!(is_shown, "{error}");
    });
}

#[test]
fn what_does_not_want_to_end_is_killed_five_seconds_later() {
    let repo = repository();
    // It holds stdout, so the server waits for it, and the repo-server is gone before.
    let script = "sh -c 'echo $$ > $MARKS/child; trap \"\" TERM; while :; do sleep 0.05; done' & wait";
    on_each(&json!({"generate": shell(script)}), &[], |sidecar| {
        let begun = Instant::now();
        let (marks, error, took) = ended_with_marks(sidecar, repo.path());
        let ended = begun.elapsed();
        let expected = "CMP processing failed for application \"one\": error generating manifests in cmp: \
                        rpc error: code = DeadlineExceeded desc = ";
        // Which side's clock was first decides the words behind it.
        assert!(error.starts_with(expected), "{error}");
        let child = fs::read_to_string(marks.path().join("child")).unwrap();
        assert!(is_running(&child) && !is_empty(&sidecar.work()));
        wait_until("it is killed", Duration::from_secs(10), || !is_running(&child));
        let later = took + i128::try_from((begun.elapsed() - ended).as_millis()).unwrap();
        assert!((4500..10000).contains(&later), "{later} ms behind the deadline");
        wait_until("the folder is gone", Duration::from_secs(5), || is_empty(&sidecar.work()));
    });
}

#[test]
fn what_a_command_leaves_running_is_ended_with_the_request() {
    let repo = repository();
    let script = "sleep 600 > /dev/null 2>&1 & printf 'kind: A\\npid: \"%s\"\\n' $!";
    on_each(&json!({"generate": shell(script)}), &[], |sidecar| {
        let objects = sidecar.generate(&application(repo.path()), DEADLINE).unwrap();
        let pid = objects[0]["pid"].as_str().unwrap().to_owned();
        wait_until("it is ended", Duration::from_secs(5), || !is_running(&pid));
    });
}

#[test]
fn init_and_generate_share_the_deadline() {
    let repo = repository();
    on_each(&json!({"init": shell("sleep 0.7"), "generate": shell("sleep 0.7; echo kind: A")}), &[], |sidecar| {
        let error = sidecar.generate(&application(repo.path()), Duration::from_millis(1200)).unwrap_err();
        assert!(error.contains("signal: ") || error.contains("DeadlineExceeded"), "{error}");
        assert!(sidecar.generate(&application(repo.path()), DEADLINE).is_ok());
    });
}

#[test]
fn many_requests_at_once() {
    let repo = repository();
    on_each(&json!({"generate": shell("sleep 0.5; echo kind: $ARGOCD_APP_NAME")}), &[], |sidecar| {
        std::thread::scope(|scope| {
            for i in 0..8 {
                let repo = &repo;
                scope.spawn(move || {
                    let mut application = application(repo.path());
                    application.env = app_env(&format!("app-{i}"), "obs", "team", "apps/one", &Value::Null, "1.31.2");
                    let objects = sidecar.generate(&application, DEADLINE);
                    assert_eq!(objects, Ok(vec![json!({"kind": format!("app-{i}")})]));
                });
            }
        });
    });
}

#[test]
fn announced_parameters() {
    let repo = repository();
    let mut application = application(repo.path());
    let set = json!([{"name": "values-files", "array": ["a.yaml"]}]);
    application.env = parameters_env("one", "apps/one", &set);
    let fixed =
        json!([{"name": "fixed", "title": "Fixed", "required": true, "tooltip": "", "map": {"a": "b"}, "unknown": 1}]);
    let fixed_read = json!({"name": "fixed", "title": "Fixed", "required": true, "map": {"a": "b"}});

    // Only the fixed ones, then none at all.
    let generate = shell("echo kind: A");
    on_each(&json!({"generate": generate, "parameters": {"static": fixed}}), &[], |sidecar| {
        assert_eq!(sidecar.parameters(&application), Ok(json!([fixed_read])));
    });
    on_each(&json!({"generate": generate}), &[], |sidecar| {
        assert_eq!(sidecar.parameters(&application), Ok(json!([])));
    });

    // The command sees the Application's folder and what is set there, and nothing of a cluster.
    let script = "env | grep -c -e ^KUBE_ -e NAMESPACE -e REVISION -e PROJECT > count; \
        printf '[{\"name\": \"%s\", \"string\": \"%s\", \"collectionType\": \"\", \"array\": []}, \
        {\"name\": \"count\", \"itemType\": \"number\", \"array\": [\"%s\"], \"collectionType\": \"array\"}]' \
        $(ls | head -1) \"$PARAM_VALUES_FILES_0\" $(cat count)";
    let spec = json!({"generate": generate, "parameters": {"static": fixed, "dynamic": shell(script)}});
    on_each(&spec, &[], |sidecar| {
        let expected = json!([
            {"name": "Chart.yaml", "string": "a.yaml"},
            // SOURCE_TARGET_REVISION
            {"name": "count", "itemType": "number", "array": ["1"], "collectionType": "array"},
            fixed_read,
        ]);
        assert_eq!(sidecar.parameters(&application), Ok(expected));
        wait_until("the folder is gone", Duration::from_secs(5), || is_empty(&sidecar.work()));
    });
}

#[test]
fn errors_of_announced_parameters() {
    let repo = repository();
    let prefix =
        "failed to get parameter announcement: rpc error: code = Unknown desc = get parameters announcement error: ";
    let unread = "error unmarshaling dynamic parameter output into ParametersAnnouncementResponse: ";
    let cases = [
        (
            "echo words >&2; exit 2",
            "error executing dynamic parameter output command: `sh -c \"echo words >&2; exit 2\"` failed exit status 2: words",
        ),
        ("echo '{}'", unread),
        ("true", unread),
        ("echo '[{\"name\": 1}]'", unread),
    ];
    for (script, expected) in cases {
        let spec = json!({"generate": shell("echo kind: A"), "parameters": {"dynamic": shell(script)}});
        on_each(&spec, &[], |sidecar| {
            let error = sidecar.parameters(&application(repo.path())).unwrap_err();
            assert!(error.starts_with(&format!("{prefix}{expected}")), "{script}: {error}");
        });
    }
}
