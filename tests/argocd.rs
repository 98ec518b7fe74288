//! `helm-keyring argocd` as Argo CD runs it: by the shipped manifest, through the imitated plugin server and the real one.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[path = "common/argocd.rs"]
mod argocd;
mod common;
#[path = "common/faulty.rs"]
#[allow(dead_code, reason = "a part of it is enough here")]
mod faulty;
#[path = "common/openbao.rs"]
mod openbao;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use argocd::{Application, DEADLINE, Server, Sidecar, app_env, parameters_env};
use common::{
    HELMS, KEYS, Refusing, chart, copy, helm_binary, is_running, keyring_bytes, lock_numbered, program, root,
};
use openbao::{OpenBao, ROOT};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the repository says; of its source nothing counts.
const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      production: {namespace: obs, source: {dir: {path: keys}}}
      own: {source: {values: {}}}
";

/// A repository with the chart of Lightrun's shape in `apps/obs`, and two keys of its production locked.
struct Repo(TempDir);

impl Repo {
    fn new() -> Self {
        let folder =
            common::folder(&[("keyring.yaml", CONFIG), ("shared/good.yaml", &good()), (".git/HEAD", "ref: x\n")]);
        let app = folder.path().join("apps/obs");
        copy(Path::new(&chart("lightrun")), &app);
        lock_numbered(folder.path(), "lightrun/production", &KEYS[..2]);
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// With another chart, and without a keyring.yaml.
    fn of_chart(from: &Path) -> Self {
        let repo = Self::new();
        for file in ["keyring.yaml", "keyring.lock"] {
            fs::remove_file(repo.path().join(file)).expect("removed");
        }
        fs::remove_dir_all(repo.path().join("apps/obs")).expect("removed");
        copy(from, &repo.path().join("apps/obs"));
        repo
    }

    fn write(&self, file: &str, text: &str) -> &Self {
        fs::write(self.path().join(file), text).expect("written");
        self
    }
}

/// The user's own key, for the environment `own`.
fn good() -> String {
    fs::read_to_string(common::ci("lightrun", "values-good.yaml")).expect("values")
}

/// What is mounted into the sidecar, and its own variables.
struct Mounted {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// Who may use what in most tests.
const GRANT: &str = "projects: [observability], namespaces: [obs], keyrings: [lightrun], environments: [production]";

fn grant(source: &str) -> String {
    format!("grants:\n  - {{{GRANT}, source: {{{source}}}}}\n")
}

impl Mounted {
    fn new(helm: &str, config: &str) -> Self {
        let folder =
            common::folder(&[("sidecar.yaml", &format!("apiVersion: helm-keyring/v1\nkind: Sidecar\n{config}"))]);
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).expect("a folder");
        symlink(env!("CARGO_BIN_EXE_helm-keyring"), bin.join("helm-keyring")).expect("a link");
        symlink(helm_binary(helm), bin.join("helm")).expect("a link");
        fs::create_dir(folder.path().join("tmp")).expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let variables = [
            ("PATH", path("bin")),
            ("HOME", path("home")),
            ("TMPDIR", path("tmp")),
            ("HELM_KEYRING_SIDECAR", path("sidecar.yaml")),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { folder, variables }
    }

    /// With keys in files.
    fn with_keys(helm: &str, keys: &[&str]) -> Self {
        let mounted = Self::new(helm, &grant("dir: {path: keys}"));
        mounted.keys(keys);
        mounted
    }

    fn keys(&self, keys: &[&str]) {
        let folder = self.folder.path().join("keys");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        for (number, key) in keys.iter().enumerate() {
            fs::write(folder.join(format!("encryption-key-{number}")), key).expect("written");
        }
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    /// A sidecar with the manifest that is shipped.
    fn start(&self, server: &Server) -> Sidecar {
        Sidecar::start(server, &root().join("deploy/argocd"), &self.variables())
    }

    /// The program itself, in a folder as the plugin server makes it.
    fn run(&self, application: &Application) -> common::Run {
        let unpacked = tempfile::tempdir().expect("a folder");
        let repo = unpacked.path().join("_cmp_server/0123");
        copy(&application.repo, &repo);
        let own: Vec<(&str, &str)> = application.env.iter().map(|(name, value)| (&**name, &**value)).collect();
        let variables = [self.variables(), own].concat();
        let run = keyring_bytes(&repo.join(&application.path), &["argocd", "generate"], &variables, b"");
        for told in [&run.stdout, &run.stderr] {
            assert!(!told.contains(&*unpacked.path().to_string_lossy()), "a path of the server was told: {told}");
        }
        run
    }
}

fn application(repo: &Repo, parameters: Value) -> Application {
    application_of(repo, "observability", "1.31.2", parameters)
}

fn application_of(repo: &Repo, project: &str, kube_version: &str, parameters: Value) -> Application {
    let env = app_env("argocd_obs", "obs", project, "apps/obs", &parameters, kube_version);
    Application { repo: repo.path().to_owned(), path: "apps/obs".to_owned(), env }
}

fn text(name: &str, value: &str) -> Value {
    json!({"name": name, "string": value})
}

fn object<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind}/{name}"))
}

fn encoded(key: &str) -> Value {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(key).into()
}

#[test]
fn the_keys_of_the_grant_arrive() {
    let repo = Repo::new();
    for helm in HELMS {
        let mounted = Mounted::with_keys(helm, &KEYS[..2]);
        let application = application(&repo, json!([text("environment", "production")]));
        let outputs = Server::all().into_iter().map(|server| {
            let sidecar = mounted.start(&server);
            let objects = sidecar.generate(&application, DEADLINE).unwrap_or_else(|error| panic!("{helm}: {error}"));
            let again = sidecar.generate(&application, DEADLINE).expect("generated");
            assert_eq!(objects, again);
            let secret = object(&objects, "Secret", "obs-backend");
            assert_eq!(secret["data"]["encryption-key-0"], encoded(KEYS[0]));
            assert_eq!(secret["data"]["encryption-key-1"], encoded(KEYS[1]));
            assert!(objects.iter().all(|object| object["kind"].is_string()));
            // One line, and nothing of the store.
            let log = sidecar.log();
            assert!(log.contains("note[source-ignored]: sources and templates of keyring.yaml are ignored: the sidecar's own count (keyring.yaml)"), "{log}");
            for key in KEYS {
                assert!(!log.contains(key) && !log.contains(encoded(key).as_str().unwrap()), "a key was logged");
            }
            assert!(fs::read_dir(sidecar.work()).expect("a folder").next().is_none(), "a folder was left");
            objects
        });
        let outputs: Vec<_> = outputs.collect();
        assert!(outputs.iter().all(|output| *output == outputs[0]), "{helm}: the servers differ");
        let left: Vec<_> = fs::read_dir(mounted.folder.path().join("tmp")).expect("a folder").collect();
        assert!(left.is_empty(), "{helm}: {left:?}");
    }
}

/// Whose key is in his values needs no grant; and it is delivered as it is.
#[test]
fn a_key_in_the_values_needs_no_grant() {
    let repo = Repo::new();
    let mounted = Mounted::new(HELMS[0], "");
    let parameters = json!([text("environment", "own"), {"name": "values-files", "array": ["/shared/good.yaml"]}]);
    for server in Server::all() {
        let objects =
            mounted.start(&server).generate(&application(&repo, parameters.clone()), DEADLINE).expect("generated");
        let secret = object(&objects, "Secret", "obs-backend");
        assert_eq!(secret["data"]["encryption-key-0"], encoded("/IMfW+ckl7P20JjigYCu4mF97GwCJY5IJ5CS2XXeg0I="));
    }
}

/// A chart from a Helm repository carries neither keyring.yaml nor a lock.
#[test]
fn a_chart_without_keyring_yaml_gets_its_keys_by_name() {
    let repo = Repo::new();
    let lock = fs::read_to_string(repo.path().join("keyring.lock")).expect("a lock");
    let repo = Repo(tempfile::tempdir().expect("a folder"));
    copy(Path::new(&chart("lightrun")), repo.path());
    let parameters = json!([text("keyring", "lightrun"), text("environment", "production"), text("lock", &lock)]);
    let env = app_env("obs", "obs", "observability", "", &parameters, "1.31.2");
    let application = Application { repo: repo.path().to_owned(), path: ".".to_owned(), env };
    let config = format!("grants:\n  - {{{GRANT}, profile: lightrun, source: {{dir: {{path: keys}}}}}}\n");
    let mounted = Mounted::new(HELMS[0], &config);
    mounted.keys(&KEYS[..2]);
    for server in Server::all() {
        let objects = mounted.start(&server).generate(&application, DEADLINE).expect("generated");
        assert_eq!(object(&objects, "Secret", "obs-backend")["data"]["encryption-key-1"], encoded(KEYS[1]));
    }
    let without = json!([text("keyring", "lightrun"), text("environment", "production"), text("lock", "keyring.lock")]);
    for (parameters, id, code) in
        [(&without, "no-such-file", 2), (&json!(without.as_array().expect("a list")[..2]), "no-lock", 4)]
    {
        let env = app_env("obs", "obs", "observability", "", parameters, "1.31.2");
        let run = mounted.run(&Application { repo: repo.path().to_owned(), path: ".".to_owned(), env });
        assert!(id != "no-lock" || run.stderr.contains("set the parameter `lock`"), "{}", run.stderr);
        run.refused(code, id);
    }
    fs::create_dir(repo.path().join("locks")).expect("a folder");
    fs::write(repo.path().join("locks/p.lock"), &lock).expect("written");
    for path in ["locks/p.lock", "/locks/p.lock"] {
        let parameters = json!([text("keyring", "lightrun"), text("environment", "production"), text("lock", path)]);
        let env = app_env("obs", "obs", "observability", "", &parameters, "1.31.2");
        mounted.run(&Application { repo: repo.path().to_owned(), path: ".".to_owned(), env }).done();
    }
    let config = grant("dir: {path: keys}");
    let mounted = Mounted::new(HELMS[0], &config);
    mounted.keys(&KEYS[..2]);
    mounted.run(&application).refused(2, "no-profile");
}

/// A sealed file of the repository, whose master key only the sidecar has.
#[test]
fn a_sealed_file_of_the_repository_is_opened_with_the_sidecars_master_key() {
    let home =
        common::folder(&[("keyring.yaml", &CONFIG.replace("dir: {path: keys}", "sealed: {file: keys/p.sealed}"))]);
    let run = |line: &str, variables: &[(&str, &str)]| {
        let run = common::keyring(home.path(), &line.split(' ').collect::<Vec<_>>(), variables, "");
        run.done();
        run
    };
    run("sealed init -e production --deploy-key-file deploy.key --recovery-key-file recovery.key", &[]);
    let master = fs::read_to_string(home.path().join("deploy.key")).expect("a master key");
    let variables = [("HELM_KEYRING_MASTER_KEY", master.trim())];
    run("sealed add -e production", &variables);
    run("lock -e production", &variables);
    let repo = Repo::new();
    for file in ["keyring.yaml", "keyring.lock", "keys/p.sealed"] {
        fs::create_dir_all(repo.path().join("keys")).expect("a folder");
        fs::copy(home.path().join(file), repo.path().join(file)).expect("copied");
    }
    let mounted =
        Mounted::new(HELMS[0], &grant("sealed: {file: \"{repository}/keys/p.sealed\", masterKeyFile: deploy.key}"));
    fs::copy(home.path().join("deploy.key"), mounted.folder.path().join("deploy.key")).expect("copied");
    let run = mounted.run(&application(&repo, json!([text("environment", "production")])));
    run.done();
    assert!(run.stdout.contains("encryption-key-0: "), "{}", run.stdout);
    // A link in its place leads nowhere.
    fs::remove_file(repo.path().join("keys/p.sealed")).expect("removed");
    symlink("../../../../../../../../etc/passwd", repo.path().join("keys/p.sealed")).expect("a link");
    let application = application(&repo, json!([text("environment", "production")]));
    let error = mounted.start(&Server::Imitated).generate(&application, DEADLINE).expect_err("refused");
    assert!(error.contains("symlink"), "{error}");
}

/// One refusal: what is wrong, what the sidecar has mounted, and the exit code.
struct Refusal {
    name: &'static str,
    code: i32,
    mounted: Mounted,
    application: Application,
    _repo: Repo,
}

fn refusals(unreachable: &str, denied: &OpenBao) -> Vec<Refusal> {
    let helm = HELMS[0];
    let production = || json!([text("environment", "production")]);
    let with = |name: &'static str, code: i32, mounted: Mounted, change: &dyn Fn(&Repo), parameters: Value| {
        let repo = Repo::new();
        change(&repo);
        Refusal { name, code, mounted, application: application(&repo, parameters), _repo: repo }
    };
    let keys = || Mounted::with_keys(helm, &KEYS[..2]);
    let as_it_is = &|_: &Repo| {};
    let values = |yaml: &str| json!([text("environment", "own"), text("values", yaml)]);
    let of = |project: &str, kube_version: &str, refusal: Refusal| {
        let parameters = json!([text("environment", "production")]);
        let application = application_of(&refusal._repo, project, kube_version, parameters);
        Refusal { application, ..refusal }
    };
    let vault = |address: &str| grant(&format!("vault: {{address: \"{address}\", path: secret/obs/keys}}"));
    let lock = |repo: &Repo, keys: &[&str]| lock_numbered(repo.path(), "lightrun/production", keys);
    let mut all = vec![
        with(
            "a key that the chart makes up",
            1,
            keys(),
            as_it_is,
            values("secrets: {keysEncryption: {userEncryptionKey: \"\"}}"),
        ),
        with(
            "rotateKey: true",
            1,
            keys(),
            as_it_is,
            json!([
                text("environment", "production"),
                {"name": "helm-parameters", "map": {"secrets.keysEncryption.rotateKey": "true"}},
            ]),
        ),
        with(
            "a key of a wrong length",
            1,
            keys(),
            as_it_is,
            values("secrets: {keysEncryption: {userEncryptionKey: c2hvcnQgYW5kIHdyb25nIGtleQ==}}"),
        ),
        with(
            "no lock",
            4,
            keys(),
            &|repo| fs::remove_file(repo.path().join("keyring.lock")).expect("removed"),
            production(),
        ),
        with("another key than the locked one", 4, keys(), &|repo| lock(repo, &[KEYS[0], KEYS[2]]), production()),
        with("a locked key is missing", 4, keys(), &|repo| lock(repo, &KEYS[..3]), production()),
        with(
            "the store is down",
            3,
            Mounted::new(helm, &format!("timeout: 8\n{}", vault(unreachable))).and("VAULT_TOKEN", ROOT),
            as_it_is,
            production(),
        ),
        with(
            "the store refuses",
            3,
            Mounted::new(helm, &vault(&denied.address)).and("VAULT_TOKEN", "hvs.not-the-token"),
            as_it_is,
            production(),
        ),
        with(
            "the store has nothing there",
            3,
            Mounted::new(helm, &vault(&denied.address)).and("VAULT_TOKEN", ROOT),
            as_it_is,
            production(),
        ),
        with(
            "a values file outside of the repository",
            1,
            keys(),
            as_it_is,
            json!([{"name": "values-files", "array": ["../../../../../etc/passwd"]}]),
        ),
        with("a repository that names its own source", 1, Mounted::new(helm, ""), as_it_is, production()),
        with(
            "a profile outside of the repository",
            1,
            keys(),
            &|repo| {
                repo.write("keyring.yaml", &CONFIG.replace("profile: lightrun", "profile: ../../../../etc/profile"));
            },
            production(),
        ),
        with(
            "a namespace that only a parameter says",
            1,
            Mounted::new(helm, &grant("dir: {path: keys}").replace("namespaces: [obs]", "namespaces: [other]")),
            as_it_is,
            json!([text("environment", "production"), text("namespace", "other")]),
        ),
        with(
            "a profile behind a link and back",
            2,
            keys(),
            &|repo| {
                // By its words alone this is `mine.yaml`, and for whoever follows the link `a/mine.yaml`.
                fs::create_dir_all(repo.path().join("a/b")).expect("folders");
                symlink("a/b", repo.path().join("link")).expect("a link");
                repo.write("mine.yaml", "secrets: []\n").write("a/mine.yaml", "hunter2: 1\n");
                repo.write("keyring.yaml", &CONFIG.replace("profile: lightrun", "profile: link/../mine.yaml"));
            },
            production(),
        ),
        with(
            "a profile of the grant that is not there",
            5,
            Mounted::new(helm, &grant("dir: {path: keys}").replace("source:", "profile: mine/own.yaml, source:")),
            as_it_is,
            production(),
        ),
        of("marketing", "1.31.2", with("a project without a grant", 1, keys(), as_it_is, production())),
        of("", "1.31.2", with("no project: Argo CD before 3.0", 1, keys(), as_it_is, production())),
        of("observability", "", with("the source hydrator", 1, keys(), as_it_is, production())),
        with(
            "a chart that renders nothing",
            1,
            keys(),
            &|repo| {
                fs::remove_dir_all(repo.path().join("apps/obs/templates")).expect("removed");
            },
            production(),
        ),
        with("a keyring that is not there", 2, keys(), as_it_is, json!([text("keyring", "lightrum")])),
        with("an unknown parameter", 2, keys(), as_it_is, json!([text("value-files", "a.yaml"), text("mode", "dev")])),
        with(
            "a values file that is not there",
            2,
            keys(),
            as_it_is,
            json!([{"name": "values-files", "array": ["values-prod.yaml"]}]),
        ),
        with(
            "a values file of another source",
            2,
            keys(),
            as_it_is,
            json!([{"name": "values-files", "array": ["$values/a.yaml"]}]),
        ),
        with(
            "dev",
            2,
            keys(),
            &|repo| {
                repo.write("keyring.yaml", &CONFIG.replace("{source: {values: {}}}", "{mode: dev}"));
            },
            json!([text("environment", "own")]),
        ),
        with(
            "helm fails, with a password in its words",
            1,
            keys(),
            &|repo| {
                repo.write(
                    "apps/obs/templates/fail.yaml",
                    "{{ fail (printf \"no such database: %s\" .Values.db.url) }}\n",
                );
            },
            json!([
                text("environment", "production"),
                text("values", "db: {url: \"postgres://me:hunter2-hunter2@db/obs\"}")
            ]),
        ),
        with(
            "a values file that is no YAML",
            1,
            keys(),
            &|repo| {
                repo.write("apps/obs/broken.yaml", "a: [hunter2\n");
            },
            json!([{"name": "values-files", "array": ["broken.yaml"]}]),
        ),
        with(
            "two grants",
            2,
            Mounted::new(
                helm,
                &[grant("dir: {path: keys}"), grant("dir: {path: other}").replace("grants:\n", "")].concat(),
            ),
            as_it_is,
            production(),
        ),
        with(
            "a wrong configuration of the sidecar",
            2,
            Mounted::new(helm, &vault(unreachable).replace("vault:", "valut:")),
            as_it_is,
            production(),
        ),
        with(
            "no helm",
            2,
            Mounted::new(helm, &format!("helm: /nowhere/helm\n{}", grant("dir: {path: keys}"))),
            as_it_is,
            production(),
        ),
        with(
            "a chart that no profile fits, without keyring.yaml",
            1,
            keys(),
            &|repo| {
                fs::remove_file(repo.path().join("keyring.yaml")).expect("removed");
                fs::remove_dir_all(repo.path().join("apps/obs")).expect("removed");
                copy(&root().join("testdata/argocd/repo/apps/obs"), &repo.path().join("apps/obs"));
            },
            Value::Null,
        ),
    ];
    all.extend([with(
        "a lock in a parameter beside the repository's",
        2,
        keys(),
        as_it_is,
        json!([text("environment", "production"), text("lock", "apiVersion: helm-keyring/v1\nkind: Lock\n"),]),
    )]);
    all
}

/// `UPDATE_GOLDEN=1 cargo test` writes the messages anew.
#[test]
fn refusals_are_told_in_short_and_print_nothing() {
    let refusing = Refusing::new();
    let unheard = format!("127.0.0.1:{}", refusing.port);
    let bao = OpenBao::start();
    let unreachable = format!("http://{unheard}");
    let told = |refusal: &Refusal| {
        let Refusal { name, code, mounted, application, .. } = refusal;
        // Side by side, since some wait for a store.
        let servers = Server::all();
        let (run, errors) = std::thread::scope(|scope| {
            let ask = |server| mounted.start(server).generate(application, DEADLINE).expect_err(name);
            let errors: Vec<_> = servers.iter().map(|server| scope.spawn(move || ask(server))).collect();
            let run = mounted.run(application);
            (run, errors.into_iter().map(|error| error.join().expect("refused")).collect::<Vec<String>>())
        });
        assert_eq!((run.code, run.stdout.as_str()), (*code, ""), "{name}:\n{}", run.stderr);
        for secret in ["hunter2", "passwd", ROOT, "secret/obs", &unheard, &bao.address, "127.0.0.1"] {
            assert!(!run.stderr.contains(secret), "{name}: `{secret}` was told:\n{}", run.stderr);
        }
        for (server, error) in servers.iter().zip(errors) {
            let expected = format!("`helm-keyring argocd generate` failed exit status {code}: {}", run.stderr.trim());
            assert!(error.contains(&expected), "{name}, {server:?}:\n{error}\nexpected in it:\n{expected}");
        }
        format!("=== {name}: exit {code}\n{}\n", run.stderr)
    };
    let refusals = refusals(&unreachable, &bao);
    let golden: String = std::thread::scope(|scope| {
        let workers: Vec<_> = refusals
            .chunks(refusals.len().div_ceil(4))
            .map(|some| scope.spawn(|| some.iter().map(told).collect()))
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("told")).collect::<Vec<String>>().concat()
    });
    let file = root().join("testdata/argocd/messages.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &golden).expect("written");
    }
    assert_eq!(golden, fs::read_to_string(&file).expect("the golden file"));
}

#[test]
fn the_parameters_are_announced_without_secrets() {
    let repo = Repo::new();
    repo.write(
        "apps/obs/values.yaml",
        "replicas: 3\nimage: {tag: 1.2.3}\ndb: {password: hunter2}\nodd: iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=\n\
         crypto: {tag: hunter2-horse}\n",
    );
    // A profile of the repository's own says where the key stands.
    let ledger = fs::read_to_string(root().join("testdata/profiles/ledger.yaml")).expect("a profile");
    repo.write("mine.yaml", &ledger.replace("storage.encryptionKey", "crypto.tag"));
    repo.write("keyring.yaml", &CONFIG.replace("profile: lightrun", "profile: mine.yaml"));
    let env = parameters_env("obs", "apps/obs", &Value::Null);
    let application = Application { repo: repo.path().to_owned(), path: "apps/obs".to_owned(), env };
    let mounted = Mounted::with_keys(HELMS[0], &KEYS[..1]);
    let announced: Vec<Value> =
        Server::all().iter().map(|server| mounted.start(server).parameters(&application).expect("announced")).collect();
    for parameters in &announced {
        let one = |name: &str| {
            let mut found = parameters.as_array().expect("a list").iter().filter(|one| one["name"] == name);
            found.next().unwrap_or_else(|| panic!("no {name}")).clone()
        };
        assert_eq!(parameters.as_array().expect("a list").len(), 18);
        assert_eq!(one("helm-parameters")["map"], json!({"image.tag": "1.2.3", "replicas": "3"}));
        assert_eq!(one("keyring")["string"], "lightrun");
        assert_eq!(one("values-files")["collectionType"], "array");
        assert!(!parameters.to_string().contains("hunter2"));
    }
}

/// Whatever is started, Helm sees nothing of the store.
#[test]
fn helm_sees_nothing_of_the_store() {
    let repo = Repo::new();
    let mounted = Mounted::with_keys(HELMS[0], &KEYS[..2])
        .and("VAULT_TOKEN", "hvs.canary")
        .and("AWS_SECRET_ACCESS_KEY", "canary")
        .and("HELM_KEYRING_MASTER_KEY", "canary");
    let helm = mounted.folder.path().join("bin/helm");
    let seen = mounted.folder.path().join("seen");
    let script = format!(
        "#!/bin/sh\n/usr/bin/env >{0}\nprintf '%s\\n' \"$@\" >>{0}\n/bin/ls -l /proc/self/fd >>{0}\nexec {1} \"$@\"\n",
        seen.display(),
        helm_binary(HELMS[0]).display()
    );
    program(&helm, &script);
    mounted.run(&application(&repo, json!([text("environment", "production")]))).done();
    let seen = fs::read_to_string(seen).expect("what helm saw");
    assert!(seen.contains("--include-crds"));
    for word in ["canary", "VAULT", "AWS_", "ARGOCD", "KEYRING", "sidecar.yaml"] {
        assert!(!seen.contains(word), "helm saw {word}:\n{seen}");
    }
}

/// At Argo CD's deadline everything ends, and nothing is left: no process, no file.
#[test]
fn a_run_that_is_killed_leaves_nothing() {
    let repo = Repo::new();
    let mounted = Mounted::with_keys(HELMS[0], &KEYS[..2]);
    let helm = mounted.folder.path().join("bin/helm");
    // It notes who it is, ignores a TERM as a child of it may, and never ends.
    let pids = mounted.folder.path().join("pids");
    let script = format!(
        "#!/bin/sh\ntrap '' TERM\necho $$ >{0}.new\n/bin/mv {0}.new {0}\nwhile :; do /bin/sleep 1; done\n",
        pids.display()
    );
    program(&helm, &script);
    for server in Server::all() {
        let _ = fs::remove_file(&pids);
        let sidecar = mounted.start(&server);
        // On a busy machine helm may not even have begun after two seconds.
        for seconds in [2, 8, 30] {
            let deadline = Duration::from_secs(seconds);
            let error = sidecar.generate(&application(&repo, Value::Null), deadline).expect_err("ended");
            assert!(
                ["killed", "terminated", "deadline", "Deadline"].iter().any(|word| error.contains(word)),
                "{error}"
            );
            if pids.exists() {
                break;
            }
        }
        let pid = fs::read_to_string(&pids).expect("it ran");
        let until = Instant::now() + Duration::from_secs(15);
        while is_running(&pid) {
            assert!(Instant::now() < until, "{server:?}: helm still runs");
            std::thread::sleep(Duration::from_millis(50));
        }
        while fs::read_dir(sidecar.work()).expect("a folder").next().is_some() {
            assert!(Instant::now() < until, "{server:?}: a folder was left");
            std::thread::sleep(Duration::from_millis(50));
        }
        let tmp = mounted.folder.path().join("tmp");
        assert!(fs::read_dir(&tmp).expect("a folder").next().is_none(), "{server:?}: a file was left");
    }
}

/// Its own deadline ends a run before Argo CD does, and says so.
#[test]
fn a_helm_that_hangs_is_ended_in_time() {
    let repo = Repo::new();
    let mounted = Mounted::new(HELMS[0], &format!("timeout: 5\n{}", grant("dir: {path: keys}")));
    let helm = mounted.folder.path().join("bin/helm");
    program(&helm, "#!/bin/sh\nexec /bin/sleep 60\n");
    let begun = Instant::now();
    let run = mounted.run(&application(&repo, json!([text("environment", "production")])));
    run.refused(1, "helm-failed");
    assert!(run.stderr.contains("helm template did not end within 5 seconds"), "{}", run.stderr);
    assert!(begun.elapsed() < Duration::from_secs(15));
}

/// Many at once, as Argo CD does after a push: all the same, each complete.
#[test]
fn fifty_generations_at_once_are_equal() {
    let bao = OpenBao::start();
    bao.put("observability/lightrun", &[("encryption-key-0", KEYS[0]), ("encryption-key-1", KEYS[1])]);
    let repo = Repo::new();
    let source = format!("vault: {{address: \"{}\", path: \"secret/{{project}}/{{keyring}}\"}}", bao.address);
    // Fifty of a debug build on a slow machine need more time than Argo CD would give them.
    let mounted = Mounted::new(HELMS[0], &format!("timeout: 55\n{}", grant(&source))).and("VAULT_TOKEN", ROOT);
    let application = application(&repo, json!([text("environment", "production")]));
    // The real server, where there is one: the imitation puts nothing between the runs.
    let server = Server::all().pop().expect("a server");
    let sidecar = mounted.start(&server);
    let generate = || sidecar.generate(&application, 5 * DEADLINE);
    let outputs: Vec<Vec<Value>> = std::thread::scope(|scope| {
        let run = || generate().unwrap_or_else(|error| panic!("{server:?}: {error}"));
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("generated")).collect()
    });
    assert_eq!(outputs.len(), 50);
    assert!(outputs.iter().all(|output| *output == outputs[0]), "{server:?}");
    assert_eq!(object(&outputs[0], "Secret", "obs-backend")["data"]["encryption-key-1"], encoded(KEYS[1]));
    // And the bytes themselves.
    let runs: Vec<common::Run> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(|| mounted.run(&application))).collect();
        threads.into_iter().map(|thread| thread.join().expect("run")).collect()
    });
    assert!(runs.iter().all(|run| run.code == 0 && run.stdout == runs[0].stdout));
}

/// For whoever runs the sidecar: what Applications are not told.
#[test]
fn the_sidecar_can_be_tested_from_inside() {
    let bao = OpenBao::start();
    bao.put("observability/lightrun", &[("encryption-key-0", KEYS[0])]);
    let source = format!("vault: {{address: \"{}\", path: \"secret/{{project}}/{{keyring}}\"}}", bao.address);
    let words = "argocd test --project observability --namespace obs --keyring lightrun -e production";
    let test = |mounted: &Mounted, words: &str| {
        common::keyring(mounted.folder.path(), &words.split(' ').collect::<Vec<_>>(), &mounted.variables(), "")
    };
    let mounted = Mounted::new(HELMS[0], &grant(&source)).and("VAULT_TOKEN", ROOT);
    let run = test(&mounted, words);
    run.done();
    assert!(run.stdout.contains("encryption-key-0") && run.stdout.contains(&bao.address), "{}", run.stdout);
    assert!(!run.stdout.contains(KEYS[0]));
    test(&mounted, &words.replace("observability", "marketing")).refused(1, "not-granted");
    let in_values = Mounted::new(HELMS[0], &grant("values: {}"));
    let run = test(&in_values, words);
    run.done();
    assert!(run.stdout.contains("the key is in the chart's own values"), "{}", run.stdout);
    // A sealed file lies in the repository, which is where one stands unless it is said.
    let sealed = Mounted::new(HELMS[0], &grant("sealed: {file: \"{repository}/sealed/lightrun.yaml\"}"));
    for words in [words.to_owned(), format!("{words} --repository .")] {
        let run = test(&sealed, &words);
        assert_eq!(run.code, 3, "{}", run.stderr);
        let file = sealed.folder.path().join("sealed/lightrun.yaml").canonicalize();
        assert!(
            file.is_err() && run.stderr.contains(&format!("{}/sealed/lightrun.yaml", sealed.folder.path().display())),
            "{}",
            run.stderr
        );
    }
    let mounted = Mounted::new(HELMS[0], &grant(&source)).and("VAULT_TOKEN", "hvs.wrong");
    let run = test(&mounted, words);
    assert_eq!(run.code, 3);
    assert!(
        run.stderr.contains("permission denied") && run.stderr.contains("secret/observability/lightrun"),
        "{}",
        run.stderr
    );
}

/// A pause of Argo CD after failures lasts an hour: a store that is away for seconds is waited for.
#[test]
fn a_store_that_is_away_for_seconds_costs_no_failure() {
    let well = |body: &str| faulty::answer(200, body);
    let away = || faulty::answer(503, r#"{"errors":["Vault is sealed"]}"#);
    let key = format!(
        r#"{{"data":{{"data":{{"encryption-key-0":"{}"}},"metadata":{{"version":1,"deletion_time":"","destroyed":false}}}}}}"#,
        KEYS[0]
    );
    let mount = r#"{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}"#;
    let script = [
        (
            "/v1/sys/internal/ui/mounts/secret/obs",
            [vec![away(), away(), away(), away(), away()], vec![well(mount)]].concat(),
        ),
        ("/v1/secret/data/obs", vec![well(&key)]),
    ];
    let store = faulty::Server::start(script.map(|(path, answers)| (path.to_owned(), answers)).into(), None);
    let source = format!("vault: {{address: \"http://127.0.0.1:{}\", path: secret/obs}}", store.port);
    let mounted = Mounted::new(HELMS[0], &grant(&source)).and("VAULT_TOKEN", ROOT);
    let repo = Repo::new();
    lock_numbered(repo.path(), "lightrun/production", &KEYS[..1]);
    let run = mounted.run(&application(&repo, json!([text("environment", "production")])));
    run.done();
    assert_eq!(store.asked().iter().filter(|asked| asked.path.contains("/mounts/")).count(), 6);
}

/// The shipped files are what the program prints; kustomize is kubectl's own.
#[test]
fn what_is_printed_is_what_is_shipped() {
    let folder = root().join("deploy/argocd");
    let files = [
        ("plugin", "plugin.yaml"),
        ("sidecar", "repo-server-patch.yaml"),
        ("values", "values.yaml"),
        ("config", "sidecar.yaml"),
        ("application", "application.yaml"),
    ];
    for (what, file) in files {
        let run = common::keyring(&folder, &["argocd", "print", what], &[], "");
        run.done();
        assert_eq!(run.stdout, fs::read_to_string(folder.join(file)).expect("a file"), "{what}");
    }
    // The plugin's manifest has neither of the two fast paths to trouble.
    let plugin = common::json(&fs::read_to_string(folder.join("plugin.yaml")).expect("a file"));
    assert!(plugin["spec"]["version"].is_null() && plugin["spec"]["discover"].is_null());
    // The example grants what the example asks for.
    let config = folder.join("sidecar.yaml").display().to_string();
    let asked = ["--project", "observability", "--namespace", "obs", "--keyring", "lightrun", "-e", "production"];
    let run = common::keyring(&folder, &[&["argocd", "test", "--sidecar", &config][..], &asked].concat(), &[], "");
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.stdout.contains("Vault path secret/observability/lightrun at https://vault.example.com:8200"),
        "{}",
        run.stdout
    );
}

/// The patch goes into Argo CD's own Deployment as it is meant to: containers and volumes are added.
#[test]
fn kubectl_builds_the_kustomization() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&root().join("deploy/argocd"), folder.path());
    let kustomization = folder.path().join("kustomization.yaml");
    let text = fs::read_to_string(&kustomization).expect("a file");
    // Argo CD's own manifests are on the net: a Deployment of the same shape stands for them.
    let remote = text.lines().find(|line| line.contains("https://")).expect("the remote resource");
    fs::write(&kustomization, text.replace(remote, "  - install.yaml")).expect("written");
    let install = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: argocd-repo-server}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers: [{name: argocd-repo-server, image: quay.io/argoproj/argocd:v3.2.12}]
      volumes: [{name: var-files, emptyDir: {}}, {name: plugins, emptyDir: {}}]
";
    fs::write(folder.path().join("install.yaml"), install).expect("written");
    let output = Command::new(common::kubectl_binary()).arg("kustomize").arg(folder.path()).output().expect("kubectl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let built = String::from_utf8(output.stdout).expect("UTF-8");
    let deployment = common::json(common::object(&built, "Deployment", "argocd-repo-server"));
    let pod = &deployment["spec"]["template"]["spec"];
    let names = |list: &Value| -> Vec<String> {
        list.as_array().expect("a list").iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
    };
    let mut containers = names(&pod["containers"]);
    containers.sort();
    assert_eq!(containers, ["argocd-repo-server", "helm-keyring"]);
    let own = pod["containers"].as_array().unwrap().iter().find(|one| one["name"] == "helm-keyring").unwrap();
    let volumes = names(&pod["volumes"]);
    for mount in own["volumeMounts"].as_array().expect("mounts") {
        let name = mount["name"].as_str().expect("a name");
        assert!(volumes.iter().any(|volume| volume == name), "no volume {name}");
    }
}

/// With an ExternalSecret no store is asked and no key is there, so the hydrator may commit it.
#[test]
fn an_external_secret_needs_no_store_and_may_be_committed() {
    let repo = Repo::new();
    // Nobody listens there, and there is no login.
    let source = "vault: {address: \"https://127.0.0.1:1\", path: secret/obs/keys}";
    let store = "emit: ExternalSecret, secretStore: {name: vault, kind: ClusterSecretStore}";
    let config = format!("grants:\n  - {{{GRANT}, {store}, source: {{{source}}}}}\n");
    let production = json!([text("environment", "production")]);
    for helm in HELMS {
        let mounted = Mounted::new(helm, &config);
        for kube_version in ["1.31.2", ""] {
            let application = application_of(&repo, "observability", kube_version, production.clone());
            for server in Server::all() {
                let objects = mounted.start(&server).generate(&application, DEADLINE).expect("generated");
                let external = object(&objects, "ExternalSecret", "obs-backend-keyring");
                let keys = external["spec"]["data"].as_array().expect("a list");
                let properties: Vec<&Value> = keys.iter().map(|key| &key["remoteRef"]["property"]).collect();
                assert_eq!(properties, ["encryption-key-0", "encryption-key-1"]);
                let data = object(&objects, "Secret", "obs-backend").to_string();
                assert!(!data.contains("encryption-key"), "the chart's made-up key is still there");
                let deployment = object(&objects, "Deployment", "obs-backend").to_string();
                assert!(deployment.contains("obs-backend-keyring"), "{deployment}");
            }
        }
    }
    // The repository alone cannot say which store the operator reads.
    repo.write(
        "keyring.yaml",
        &CONFIG
            .replace("profile: lightrun", "profile: lightrun\n    emit: ExternalSecret\n    secretStore: {name: mine}"),
    );
    let mounted = Mounted::new(HELMS[0], &grant(source));
    let run = mounted.run(&application(&repo, production));
    run.refused(2, "no-secret-store");
    assert!(
        run.stderr.contains("add `secretStore: {name: NAME, kind: ClusterSecretStore}` to the grant"),
        "{}",
        run.stderr
    );
}

/// What Argo CD would lose, or show to everybody, is refused.
#[test]
fn a_document_that_argo_cd_reads_otherwise_is_refused() {
    let repo = Repo::new();
    let mounted = Mounted::with_keys(HELMS[0], &KEYS[..2]);
    let production = json!([text("environment", "production")]);
    repo.write("apps/obs/templates/odd.yaml", "---\npassword: hunter2-hunter2\n");
    let run = mounted.run(&application(&repo, production.clone()));
    run.refused(1, "no-kind");
    assert!(run.stderr.contains("lightrun/templates/odd.yaml") && !run.stderr.contains("hunter2"), "{}", run.stderr);
    repo.write("apps/obs/templates/odd.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n...\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n");
    mounted.run(&application(&repo, production)).refused(1, "lost-document");
}

/// Nothing that only a trusted file may say counts: a template that is not even there does no harm.
#[test]
fn what_the_repository_may_not_say_is_ignored() {
    let repo = Repo::new();
    let mounted = Mounted::with_keys(HELMS[0], &KEYS[..2]);
    let production = || json!([text("environment", "production")]);
    let usual = mounted.run(&application(&repo, production()));
    usual.done();
    let more = "profile: lightrun\n    template: nowhere.yaml\n    secretStore: {name: mine}";
    for source in
        ["exec: {command: [touch, /tmp/owned]}", "vault: {path: a/b, address: 'https://evil.example'}", "values: {}"]
    {
        let config = CONFIG.replace("profile: lightrun", more).replace("dir: {path: keys}", source);
        repo.write("keyring.yaml", &config);
        let run = mounted.run(&application(&repo, production()));
        run.done();
        assert_eq!((run.stdout, run.stderr.lines().count()), (usual.stdout.clone(), 1), "{source}");
    }
}

/// A file of the sidecar, and every way that was found to it: nothing of it is ever in what is printed or said.
#[test]
fn no_file_of_the_sidecar_is_read() {
    let (token, mounted) =
        (tempfile::NamedTempFile::new().expect("a file"), Mounted::new(HELMS[0], "allowNoTarget: true\n"));
    fs::write(token.path(), "hunter2: hunter2-of-the-sidecar\n").expect("written");
    let token = token.path().to_str().expect("UTF-8");
    let unpacked = tempfile::tempdir().expect("a folder");
    let chart = unpacked.path().join("_cmp_server/0123/apps/obs");
    copy(&root().join("testdata/argocd/repo/apps/obs"), &chart);
    let within = |name: &str| {
        let file = chart.join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(file, "a: 1\n").expect("written");
    };
    // Helm would read `TOKEN` beside the file that was looked at.
    within(&format!("b={token}"));
    within("x");
    within(&format!("x,{token}"));
    within("a\\");
    within(&format!("a\\\\,k={token}"));
    symlink(format!("x,{token}"), chart.join("comma.yaml")).expect("a link");
    symlink(format!("a\\\\,k={token}"), chart.join("backslash")).expect("a link");
    symlink(token, chart.join("away.yaml")).expect("a link");
    let file = |map: Value| json!([{"name": "file-parameters", "map": map}]);
    let values = |name: &str| json!([{"name": "values-files", "array": [name]}]);
    let tries = [
        (file(json!({"a\\": format!("b={token}")})), "parameter-value"),
        (file(json!({format!("a={token},b"): "x"})), "parameter-value"),
        (file(json!({"n": "backslash"})), "file-name"),
        (file(json!({"n": token})), "no-such-file"),
        (file(json!({"n": format!("{{{token}}}")})), "no-such-file"),
        (file(json!({"n": "https://user:hunter2@example.com/x"})), "values-file-scheme"),
        (values("comma.yaml"), "file-name"),
        (values("comma*"), "file-name"),
        (values(&format!("x,{token}")), "file-name"),
        (values("away.yaml"), "outside-repository"),
        (values(token), "no-such-file"),
        (values(&format!("../../../../../../..{token}")), "outside-repository"),
        (values(&format!("http://127.0.0.1:1/v.yaml,{token}")), "file-name"),
        // A version like any other, and no flag.
        (json!([{"name": "api-versions", "array": [format!("--registry-config={token}")]}]), "nothing"),
    ];
    for (parameters, id) in tries {
        let env = app_env("obs", "obs", "observability", "apps/obs", &parameters, "1.31.2");
        let own: Vec<(&str, &str)> = env.iter().map(|(name, value)| (&**name, &**value)).collect();
        let run = keyring_bytes(&chart, &["argocd", "generate"], &[mounted.variables(), own].concat(), b"");
        match id {
            "nothing" => assert_eq!(run.code, 0, "{parameters}:\n{}", run.stderr),
            id => {
                assert!(run.stderr.starts_with(&format!("error[{id}]")), "{parameters}:\n{}", run.stderr);
                assert_eq!(run.stdout, "", "{parameters}");
            }
        }
        assert!(!(run.stdout + &run.stderr).contains("hunter2"), "{parameters}");
    }
}

/// What Helm quotes of the user's values is not told, wherever they come from.
#[test]
fn what_helm_quotes_is_not_told() {
    let schema = r#"{"type": "object", "properties": {"db": {"type": "object", "properties": {"dbPass": {"type": "string", "pattern": "^x$"}}}}}"#;
    let fail = "{{ fail (printf \"%v and %v\" .Values.db .Values.db.dbPass) }}\n";
    for helm in HELMS {
        let mounted = Mounted::new(helm, "allowNoTarget: true\n");
        let own = "db: {dbPass: swordfish, pin: 481516, text: \"first line\\nZ9x8Y7\"}\n";
        let cases = [
            ("inline", "", json!([text("values", own)])),
            ("a file", "own.yaml", json!([{"name": "values-files", "array": ["own.yaml"]}])),
            ("the chart's own", "values.yaml", Value::Null),
            ("a parameter", "", json!([{"name": "helm-string-parameters", "map": {"db.dbPass": "swordfish"}}])),
            (
                "beside an address that cannot be read here",
                "",
                json!([text("values", own), {"name": "values-files", "array": ["http://me:hunter2@127.0.0.1:1/v.yaml?token=hunter2"]}]),
            ),
            (
                "a name that our reader refuses",
                "",
                json!([{"name": "helm-parameters", "map": {"db[x": "swordfish", "db.dbPass": "swordfish"}}]),
            ),
        ];
        for (name, values, parameters) in cases {
            for (file, content) in [("values.schema.json", schema), ("templates/fail.yaml", fail)] {
                let repo = Repo::of_chart(&root().join("testdata/argocd/repo/apps/obs"));
                fs::remove_file(repo.path().join("apps/obs/values.schema.json")).expect("removed");
                repo.write(&format!("apps/obs/{file}"), content);
                if !values.is_empty() {
                    repo.write(&format!("apps/obs/{values}"), own);
                }
                let run = mounted.run(&application(&repo, parameters.clone()));
                assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{helm}, {name}: {}", run.stderr);
                for word in ["swordfish", "481516", "Z9x8Y7", "hunter2"] {
                    assert!(!run.stderr.contains(word), "{helm}, {name}, {file}: {}", run.stderr);
                }
                if file.contains("fail") && !name.contains("address") && !name.contains("refuses") {
                    assert!(run.stderr.contains("obs/templates/fail.yaml:1:3"), "where it was is told: {}", run.stderr);
                }
            }
        }
    }
}

/// A chart of nothing but nulls and empty lists is success with nothing for Argo CD, whatever the sidecar allows.
#[test]
fn nothing_is_never_success() {
    let chart =
        common::folder(&[("Chart.yaml", "apiVersion: v2\nname: obs\nversion: 0.1.0\n"), ("templates/a.yaml", "")]);
    let repo = Repo::of_chart(chart.path());
    let mounted = Mounted::new(HELMS[0], "allowNoTarget: true\n");
    for content in
        ["null\n", "apiVersion: v1\nkind: List\nitems: []\n", "apiVersion: v1\nkind: List\nitems:\n", "# nothing\n"]
    {
        repo.write("apps/obs/templates/a.yaml", content);
        mounted.run(&application(&repo, Value::Null)).refused(1, "empty-input");
    }
}

fn chart_of_another() -> TempDir {
    let chart = ("Chart.yaml", "apiVersion: v2\nname: inner\nversion: 0.1.0\n");
    common::folder(&[chart, ("values.yaml", "a: hunter2\n")])
}

/// A chart may not take another Application's chart, or a folder of the sidecar, for its dependency.
#[test]
fn a_dependency_outside_of_the_repository_is_refused() {
    let repo = Repo::of_chart(&root().join("testdata/argocd/repo/apps/obs"));
    let outside = chart_of_another();
    let mounted = Mounted::new(HELMS[0], "allowNoTarget: true\n");
    // Helm takes `cwd/..` out: for it this is `/proc/self/root`, and the system's own root with it.
    let away = format!("file:///proc/self/cwd/../root{}", outside.path().display());
    copy(outside.path(), &repo.path().join(format!("apps/root{}", outside.path().display())));
    // So it is with a link in the repository.
    fs::create_dir_all(repo.path().join("deep/er/and/deeper")).expect("folders");
    symlink("../../deep/er/and/deeper", repo.path().join("apps/obs/link")).expect("a link");
    let up = outside.path().strip_prefix("/").expect("an absolute path").display().to_string();
    let around = format!("file://link/../../../../../../../../../../../../../../{up}");
    for address in [
        format!("file://{}", outside.path().display()),
        "file://../../../../..".to_owned(),
        "file:///proc/self/cwd".to_owned(),
        away,
        around,
    ] {
        let chart = format!(
            "apiVersion: v2\nname: obs\nversion: 0.1.0\ndependencies: [{{name: inner, version: 0.1.0, repository: \"{address}\"}}]\n"
        );
        repo.write("apps/obs/Chart.yaml", &chart);
        let run = mounted.run(&application(&repo, Value::Null));
        // Its own folder through another door is still in the repository, and no chart of that name.
        if address != "file:///proc/self/cwd" {
            run.refused(1, "outside-repository");
        }
        assert!(run.stdout.is_empty() && !run.stderr.contains("hunter2"), "{}", run.stderr);
    }
}

/// Helm fetches what the lock of the chart says, and the lock is the repository's.
#[test]
fn a_dependency_outside_of_the_repository_is_refused_in_the_lock_too() {
    let repo = Repo::of_chart(&root().join("testdata/argocd/repo/apps/obs"));
    let outside = chart_of_another();
    let head = "apiVersion: v2\nname: obs\nversion: 0.1.0\n";
    repo.write(
        "apps/obs/Chart.yaml",
        &format!("{head}dependencies: [{{name: inner, version: 0.1.0, repository: \"file://./x\"}}]\n"),
    );
    copy(outside.path(), &repo.path().join("apps/obs/x"));
    let address = format!("file://{}", outside.path().display());
    repo.write("apps/obs/Chart.lock", &format!("dependencies:\n- {{name: inner, version: 0.1.0, repository: \"{address}\"}}\ndigest: sha256:0\ngenerated: 2026-01-01T00:00:00Z\n"));
    let mounted = Mounted::new(HELMS[0], "allowNoTarget: true\n");
    mounted.run(&application(&repo, Value::Null)).refused(1, "outside-repository");
    // Helm reads names in any case, ends lines elsewhere, and knows other encodings.
    fs::remove_file(repo.path().join("apps/obs/Chart.lock")).expect("removed");
    let dependency = format!("[{{name: inner, version: 0.1.0, repository: \"{address}\"}}]\n");
    for odd in [
        format!("{head}Dependencies: {dependency}"),
        format!("{head}dependencies: {}", dependency.replace("repository", "Repository")),
        format!("{head}dependencie\u{17f}: {dependency}"),
        format!("{head}description: a\u{85}dependencies: {dependency}"),
        format!("\u{feff}{head}dependencies: {dependency}"),
    ] {
        repo.write("apps/obs/Chart.yaml", &odd);
        let run = mounted.run(&application(&repo, Value::Null));
        assert!(run.code > 0 && !(run.stdout + &run.stderr).contains("hunter2"), "{odd}");
    }
}

/// What a helm that hangs has started ends with it, also when nobody above ends the group.
#[test]
fn what_a_hanging_helm_has_started_ends_too() {
    let repo = Repo::new();
    let mounted = Mounted::new(HELMS[0], &format!("timeout: 5\n{}", grant("dir: {path: keys}")));
    let helm = mounted.folder.path().join("bin/helm");
    let pids = mounted.folder.path().join("pids");
    let script = format!("#!/bin/sh\ntrap '' TERM\n/bin/sleep 300 &\necho $! >{}\n/bin/sleep 300\n", pids.display());
    program(&helm, &script);
    let env = app_env("obs", "obs", "observability", "apps/obs", &Value::Null, "1.31.2");
    let mut command = Command::new(env!("CARGO_BIN_EXE_helm-keyring"));
    command.args(["argocd", "generate"]).current_dir(repo.path().join("apps/obs")).env_clear();
    command.envs(mounted.variables()).envs(env).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    // As the plugin server starts it: it leads a group of its own.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let output = command.stderr(std::process::Stdio::piped()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let pid = fs::read_to_string(&pids).expect("it ran");
    let until = Instant::now() + Duration::from_secs(5);
    while is_running(&pid) {
        assert!(Instant::now() < until, "it still runs");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A link in the place of a sealed file leads nowhere, also where no plugin server refused it before.
#[test]
fn a_sealed_file_that_is_a_link_out_of_the_repository_is_refused() {
    let repo = Repo::new();
    let unpacked = tempfile::tempdir().expect("a folder");
    let root = unpacked.path().join("_cmp_server/0123");
    copy(repo.path(), &root);
    fs::write(unpacked.path().join("other.sealed"), "x").expect("written");
    symlink(unpacked.path().join("other.sealed"), root.join("p.sealed")).expect("a link");
    let mounted = Mounted::new(HELMS[0], &grant("sealed: {file: \"{repository}/p.sealed\", masterKeyFile: k}"));
    let env = app_env("obs", "obs", "observability", "apps/obs", &json!([text("environment", "production")]), "1.31.2");
    let own: Vec<(&str, &str)> = env.iter().map(|(name, value)| (&**name, &**value)).collect();
    keyring_bytes(&root.join("apps/obs"), &["argocd", "generate"], &[mounted.variables(), own].concat(), b"")
        .refused(1, "outside-repository");
}
