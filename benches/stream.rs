//! What `render` costs: time against `cat` in the same run, memory against the size of the stream, start-up.
//!
//! `cargo bench` prints the numbers beside the aims. An aim that is missed fails nothing: machines differ.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TOOL: &str = env!("CARGO_BIN_EXE_helm-keyring");
const STREAM_BYTES: usize = 100_000_000;
const ROUNDS: usize = 9;
const STARTS: u32 = 200;

/// Base64 of 32 random bytes each.
const KEYS: [&str; 3] = [
    "DLHHULz7fcE/eGwUW+iS/BfRbEd0TPHoXLvzl0U4pws=",
    "MdQUmN9a9ZxzgkO45SIHlpP+DVI+lRbOBp7+KIH3OOM=",
    "tzX+z57EOrLUIZWOhPjImS+W66Ie56uRgoJrPUwAO30=",
];

const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings: {lightrun: {profile: lightrun, environments: {bench: {source: {dir: {path: keys}}}}}}
";

fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (keys, stream, small) = (folder.path().join("keys"), folder.path().join("stream"), folder.path().join("small"));
    fs::create_dir(&keys)?;
    for (n, key) in KEYS.iter().enumerate() {
        fs::write(keys.join(format!("encryption-key-{n}")), key)?;
    }
    fs::write(folder.path().join("keyring.yaml"), CONFIG)?;
    let locked = Command::new(TOOL).arg("lock").current_dir(folder.path()).output()?;
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
    write_stream(&stream, STREAM_BYTES)?;
    write_stream(&small, 0)?;
    let render = || {
        let mut command = Command::new(TOOL);
        command.arg("render").arg("--config").arg(folder.path().join("keyring.yaml"));
        command
    };
    let changed =
        run(&mut render(), &stream, Input::File)?.bytes - run(&mut Command::new("cat"), &stream, Input::File)?.bytes;
    println!("stream of {} MB; render adds {changed} bytes\n", STREAM_BYTES / 1_000_000);
    for input in [Input::File, Input::Pipe] {
        against_cat(input, &render, &stream)?;
    }
    for input in [Input::File, Input::Pipe] {
        memory(input, &mut render(), &stream)?;
    }
    start_up("/bin/true", &mut Command::new("/bin/true"), &small)?;
    start_up("--version", Command::new(TOOL).arg("--version"), &small)?;
    start_up("render of 3 documents", &mut render(), &small)
}

#[derive(Clone, Copy, Debug)]
enum Input {
    File,
    Pipe,
}

struct Run {
    time: Duration,
    bytes: usize,
}

/// Runs a program on a file (or on a pipe that `cat` fills) and reads all that it prints.
fn run(command: &mut Command, stream: &Path, input: Input) -> io::Result<Run> {
    let start = Instant::now();
    let mut feeder = match input {
        Input::File => None,
        Input::Pipe => Some(Command::new("cat").arg(stream).stdout(Stdio::piped()).spawn()?),
    };
    let stdin = match &mut feeder {
        None => File::open(stream)?.into(),
        Some(cat) => cat.stdout.take().unwrap().into(),
    };
    let mut child = command.stdin::<Stdio>(stdin).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut output = child.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        match output.read(&mut buffer)? {
            0 => break,
            read => bytes += read,
        }
    }
    assert!(child.wait()?.success(), "{command:?} fails");
    feeder.map(|mut cat| cat.wait()).transpose()?;
    Ok(Run { time: start.elapsed(), bytes })
}

fn against_cat(input: Input, render: &dyn Fn() -> Command, stream: &Path) -> io::Result<()> {
    let mut best = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        for (best, mut command) in best.iter_mut().zip([Command::new("cat"), render()]) {
            *best = run(&mut command, stream, input)?.time.min(*best);
        }
    }
    let [cat, render] = best.map(|time| time.as_secs_f64() * 1e3);
    println!("from a {input:?}: cat {cat:.0} ms, render {render:.0} ms, ratio {:.2} (aim 1.5)", render / cat);
    Ok(())
}

/// The peak of resident memory, as the system tells `time`.
fn memory(input: Input, command: &mut Command, stream: &Path) -> io::Result<()> {
    let Ok(report) = tempfile::NamedTempFile::new() else { return Ok(()) };
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M", "-o"]).arg(report.path()).arg(command.get_program()).args(command.get_args());
    if run(&mut timed, stream, input).is_err() {
        println!("peak memory: /usr/bin/time is not there");
        return Ok(());
    }
    let peak: f64 = fs::read_to_string(report.path())?.trim().parse().unwrap();
    let (peak, size) = (peak * 1024.0, fs::metadata(stream)?.len() as f64);
    println!("from a {input:?}: peak memory {:.0} MB, ratio {:.2} (aim 1.2)", peak / 1e6, peak / size);
    Ok(())
}

fn start_up(name: &str, command: &mut Command, stream: &Path) -> io::Result<()> {
    let mut total = Duration::ZERO;
    for _ in 0..STARTS {
        total += run(command, stream, Input::File)?.time;
    }
    println!("{name}: {:.2} ms (mean of {STARTS}; aim 2 ms)", (total / STARTS).as_secs_f64() * 1e3);
    Ok(())
}

/// Foreign documents of several kinds up to a size, with a Secret and two consumers in their midst.
fn write_stream(path: &Path, bytes: usize) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut written = 0;
    let mut put = |text: &str| -> io::Result<usize> {
        out.write_all(text.as_bytes())?;
        written += text.len();
        Ok(written)
    };
    let mut n = 0;
    while put(&foreign(n))? < bytes / 2 {
        n += 1;
    }
    put(SECRET)?;
    for name in ["backend", "crons"] {
        put(&CONSUMER.replace("NAME", name))?;
    }
    while put(&foreign(n))? < bytes {
        n += 1;
    }
    out.flush()
}

fn foreign(n: usize) -> String {
    match n % 4 {
        0 => {
            let lines: String =
                (0..40).map(|i| format!("    server-{i} {{ listen {}; }} # --- {n}\n", 1000 + i)).collect();
            format!(
                "---\n# Source: c/templates/{n}.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c-{n}\ndata:\n  nginx.conf: |\n    ---\n{lines}"
            )
        }
        1 => CONSUMER
            .replace("NAME", &format!("web-{n}"))
            .replace("encryption-key-", "tls-")
            .replace("lr-backend", "tls"),
        2 => format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s-{n}, annotations: {{a: \"x\\ny\"}}}}\nspec: {{ports: [{{port: 80}}]}}\n"
        ),
        _ => format!(
            "---\nkind: Secret\napiVersion: v1\nmetadata:\n  name: s-{n}\ndata:\n  cert: {}\n",
            "bm90aGluZw".repeat(300)
        ),
    }
}

const SECRET: &str = "\
---
kind: Secret
apiVersion: v1
metadata:
  name: lr-backend
type: Opaque
stringData:
  SPRING_DATASOURCE_PASSWORD: 'only for this'
  encryption-key-0:
            bm90IGEga2V5LCBvbmx5IGEgdGV4dCBhYm91dCBvbmU=

  LICENSE: \"\"
";

const CONSUMER: &str = "\
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  labels: {app.kubernetes.io/name: NAME}
spec:
  replicas: 2
  selector:
    matchLabels: {app.kubernetes.io/name: NAME}
  template:
    metadata:
      labels: {app.kubernetes.io/name: NAME}
    spec:
      containers:
        - name: main
          image: registry.example/NAME:1.2.3
          args: [\"serve\", \"--port=8080\"]
          resources: {limits: {memory: 1Gi}, requests: {cpu: 100m, memory: 512Mi}}
          volumeMounts:
            - {name: keys, mountPath: /keys, readOnly: true}
      volumes:
        - name: keys
          secret:
            secretName: lr-backend
            items:
              - key: encryption-key-0
                path: encryption-key-0
";
