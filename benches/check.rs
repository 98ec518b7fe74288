//! What `check` costs on 10,000 files of 15 MB, beside gitleaks on the same files in the same run, and how many of the
//! keys in them each finds. Then the same files without a key: what walking and reading costs.
//!
//! `cargo bench --bench check` fetches gitleaks; without it, `check` is measured alone. A missed aim fails nothing:
//! machines differ.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

const TOOL: &str = env!("CARGO_BIN_EXE_helm-keyring");
const GITLEAKS: &str = "gitleaks-8.30.1";
const FILES: usize = 10_000;
const FILE_BYTES: usize = 1_500;
const ROUNDS: usize = 5;

fn main() {
    let gitleaks = fetched(GITLEAKS);
    if gitleaks.is_none() {
        println!("{GITLEAKS} cannot be fetched (see above): check is measured alone");
    }
    for with_keys in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (planted, bytes) = plant(folder.path(), with_keys);
        println!(
            "\n{FILES} files, {:.1} MB, {}; medians of {ROUNDS} runs",
            bytes as f64 / 1e6,
            if with_keys { "a key in each" } else { "no key in any" }
        );
        let report = tempfile::NamedTempFile::new().unwrap();
        let mut programs = vec![("helm-keyring check", check(folder.path()))];
        programs.extend(gitleaks.as_deref().map(|binary| (GITLEAKS, gitleaks_dir(binary, folder.path()))));

        let mut times = vec![Vec::new(); programs.len()];
        for (name, command) in &mut programs {
            time(command, report.path()); // so that no measured run reads from a disk
            let lines = lines(report.path());
            let found: Vec<String> = planted.iter().map(|of_kind| of_kind.found(&lines)).collect();
            println!("{name}: found {}", found.join(", "));
            println!("{name}: {}", cost(command));
        }
        for _ in 0..ROUNDS {
            for ((_, command), times) in programs.iter_mut().zip(&mut times) {
                times.push(time(command, report.path()));
            }
        }
        let medians: Vec<Duration> = times.into_iter().map(median).collect();
        let files_per_second = FILES as f64 / medians[0].as_secs_f64();
        println!("helm-keyring check: {:.2?}, {files_per_second:.0} files/s (aim, with two cores: 500 ms)", medians[0]);
        if let Some(other) = medians.get(1) {
            println!("{GITLEAKS}: {other:.2?}, ratio {:.1} (aim 10)", other.as_secs_f64() / medians[0].as_secs_f64());
        }
    }
}

fn check(tree: &Path) -> Command {
    let mut command = Command::new(TOOL);
    command.args(["check", "--format", "json", "--fail-on", "never"]).current_dir(tree);
    command
}

fn gitleaks_dir(binary: &Path, tree: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["dir", "--no-banner", "--log-level", "error", "--exit-code", "0"]);
    command.args(["--report-format", "json", "--report-path", "-", "."]).current_dir(tree);
    command
}

fn fetched(part: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/fetch.py");
    let output = Command::new("python3").arg("-B").arg(script).arg(part).stderr(Stdio::inherit()).output().ok()?;
    let printed = String::from_utf8(output.stdout).ok()?;
    Some(printed.trim_end().strip_prefix(part)?.trim_start().into())
}

fn time(command: &mut Command, report: &Path) -> Duration {
    let start = Instant::now();
    let status = command.stdout(File::create(report).unwrap()).stderr(Stdio::null()).status().unwrap();
    let time = start.elapsed();
    assert!(status.success(), "{command:?} fails");
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The peak of resident memory, and the time of all cores together, which says more on a busy machine; as the system
/// tells `time`.
fn cost(command: &Command) -> String {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M %U %S", "-o"]).arg(report.path()).arg(command.get_program()).args(command.get_args());
    timed.current_dir(command.get_current_dir().unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    if timed.status().is_err() {
        return "memory unknown: /usr/bin/time is not there".to_owned();
    }
    let told = fs::read_to_string(report.path()).unwrap();
    let numbers: Vec<f64> = told.split_whitespace().map(|number| number.parse().unwrap()).collect();
    format!("peak memory {:.0} MB, {:.2} s on all cores together", numbers[0] * 1024.0 / 1e6, numbers[1] + numbers[2])
}

/// A line of a file.
type Line = (String, u64);

/// The lines that a JSON report of either program calls a key.
fn lines(report: &Path) -> HashSet<Line> {
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match &report["findings"] {
        Value::Array(ours) => ours
            .iter()
            .filter(|finding| finding["id"] == "key-in-plaintext")
            .map(|finding| &finding["places"][0])
            .map(|place| (text(&place["file"]), place["line"].as_u64().unwrap()))
            .collect(),
        _ => {
            let theirs = report.as_array().unwrap().iter();
            // Any rule of theirs counts, and any line that it spans.
            theirs
                .flat_map(|leak| {
                    let line = |name: &str| leak[name].as_u64().unwrap();
                    (line("StartLine")..=line("EndLine")).map(|line| (text(&leak["File"]), line))
                })
                .collect()
        }
    }
}

/// Where the keys of one kind are.
struct Planted {
    kind: Kind,
    lines: Vec<Line>,
}

impl Planted {
    fn found(&self, lines: &HashSet<Line>) -> String {
        let found = self.lines.iter().filter(|line| lines.contains(*line)).count();
        format!("{found} of {} {:?}", self.lines.len(), self.kind)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// 32 bytes as base64, in values.
    Base64,
    /// 32 letters and digits, in values.
    Alphanumeric,
    /// 32 hex digits, in values.
    Hex,
    /// A line of a file of variables.
    Variable,
    /// A Secret among other manifests.
    Manifest,
}

const KINDS: [Kind; 5] = [Kind::Base64, Kind::Alphanumeric, Kind::Hex, Kind::Variable, Kind::Manifest];

impl Kind {
    /// Half of the files, a quarter, an eighth, and a sixteenth twice.
    fn of(file: usize) -> Self {
        match file % 16 {
            0..8 => Self::Base64,
            8..12 => Self::Alphanumeric,
            12..14 => Self::Hex,
            14 => Self::Variable,
            _ => Self::Manifest,
        }
    }
}

/// Writes the files; where the keys are, and how many bytes there are.
fn plant(tree: &Path, with_keys: bool) -> (Vec<Planted>, usize) {
    let mut random = Random(20_250_101);
    let mut planted: Vec<Planted> = KINDS.into_iter().map(|kind| Planted { kind, lines: Vec::new() }).collect();
    let mut bytes = 0;
    for n in 0..FILES {
        let kind = Kind::of(n);
        let ending = if kind == Kind::Variable { "env" } else { "yaml" };
        let name = format!("clusters/c{}/service-{}/values-{}.{ending}", n / 1000, n / 10, n % 10);
        let key = with_keys.then(|| random.key(kind));
        let text = file(kind, n, key.as_deref());
        let path = tree.join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &text).unwrap();
        bytes += text.len();
        if let Some(line) = key.and_then(|key| text.lines().position(|line| line.contains(&key))) {
            let of_kind = planted.iter_mut().find(|planted| planted.kind == kind).unwrap();
            of_kind.lines.push((name, line as u64 + 1));
        }
    }
    (planted, bytes)
}

/// A file of about 1.5 KB, as services have them; with a key in its place, or without that place.
fn file(kind: Kind, n: usize, key: Option<&str>) -> String {
    let (head, place, more) = match kind {
        Kind::Variable => (VARIABLES, VARIABLE, "# What the team asked for\nFEATURE_MORE_ENABLED=true\n"),
        Kind::Manifest => (
            MANIFESTS,
            SECRET,
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: service-N-MORE\nspec:\n  ports:\n    - port: 8080\n      name: http\n",
        ),
        _ => (
            VALUES,
            SETTING,
            "extraMORE:\n  # Read by the sidecar\n  path: /etc/service-N/MORE.conf\n  enabled: true\n",
        ),
    };
    let mut text = head.to_owned();
    text += &key.map_or(String::new(), |key| place.replace("{key}", key));
    for number in 0.. {
        if text.len() >= FILE_BYTES - more.len() / 2 {
            break;
        }
        text += &more.replace("MORE", &number.to_string());
    }
    text.replace("service-N", &format!("service-{n}"))
}

const SETTING: &str = "\
secrets:
  # Encrypts what users store; never change it.
  keysEncryption:
    userEncryptionKey: {key}
    rotateKey: false
";

const VARIABLE: &str = "DEVMESH_ENCRYPTION_KEY={key}\n";

const SECRET: &str = "\
---
apiVersion: v1
kind: Secret
metadata:
  name: encryption-keys
type: Opaque
data:
  devmesh-encryption-key: {key}
";

const VALUES: &str = "\
# Values of service-N. See the chart's README for what else there is.
replicaCount: 3
general:
  hostname: service-N.example.test
  # -- Turned off while nothing reads it
  statistics: false
image:
  repository: registry.example.test/platform/service-N
  pullPolicy: IfNotPresent
  tag: \"3.50.0\"
imagePullSecrets:
  - name: registry-credentials
serviceAccount:
  create: true
  annotations: {}
podAnnotations:
  prometheus.io/scrape: \"true\"
  prometheus.io/port: \"9090\"
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
service: {type: ClusterIP, port: 8080}
ingress:
  enabled: true
  className: nginx
  hosts:
    - host: service-N.example.test
      paths:
        - path: /
          pathType: Prefix
  tls: []
resources:
  limits:
    cpu: \"1\"
    memory: 1Gi
  requests:
    cpu: 100m
    memory: 512Mi
# Between the replicas of one zone
affinity: {}
tolerations: []
env:
  - name: LOG_LEVEL
    value: info
  - name: DATABASE_URL
    value: postgres://service-N-db.example.test:5432/main?sslmode=require
";

const VARIABLES: &str = "\
# Settings of service-N for docker run and for local work.
LOG_LEVEL=info
LOG_FORMAT=json
HTTP_PORT=8080
METRICS_PORT=9090
PUBLIC_URL=https://service-N.example.test
DATABASE_URL=postgres://service-N-db.example.test:5432/main?sslmode=require
REDIS_HOST=redis.example.test
REDIS_PORT=6379
TZ=UTC
";

const MANIFESTS: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: service-N
  labels: {app.kubernetes.io/name: service-N}
spec:
  replicas: 2
  selector:
    matchLabels: {app.kubernetes.io/name: service-N}
  template:
    metadata:
      labels: {app.kubernetes.io/name: service-N}
    spec:
      containers:
        - name: main
          image: registry.example.test/platform/service-N:1.2.3
          args: [\"serve\", \"--port=8080\"]
          resources: {limits: {memory: 1Gi}, requests: {cpu: 100m, memory: 512Mi}}
";

/// SplitMix64: the same keys in every run. Nothing else uses them.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn characters(&mut self, alphabet: &[u8]) -> String {
        (0..32).map(|_| char::from(alphabet[self.next() as usize % alphabet.len()])).collect()
    }

    /// As it is written in a file of this kind.
    fn key(&mut self, kind: Kind) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        match kind {
            Kind::Base64 => BASE64_STANDARD.encode([(); 4].map(|()| self.next().to_le_bytes()).concat()),
            Kind::Alphanumeric | Kind::Variable => self.characters(LETTERS),
            Kind::Hex => self.characters(b"0123456789abcdef"),
            Kind::Manifest => BASE64_STANDARD.encode(self.characters(LETTERS)),
        }
    }
}
