//! The user's own `kubectl`: his context, his rights. No shell, a deadline, a short list of variables.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::Error;

/// What is set of the environment: what kubectl and the plugins behind its contexts log in with.
const VARIABLES: [&str; 8] = ["HOME", "PATH", "USER", "TMPDIR", "KUBECONFIG", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR"];
const PREFIXES: [&str; 6] = ["AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "KUBERNETES_", "XDG_"];
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// Longer is no Secret: the API server takes at most 1 MiB.
const MAX_BYTES: u64 = 4 << 20;
const DEADLINE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// Which cluster and namespace.
#[derive(Debug, Clone, Default)]
pub struct Kubectl {
    /// kubectl's `--context`; its own current one otherwise.
    pub context: Option<String>,
    /// kubectl's `--namespace`; its context's own otherwise.
    pub namespace: Option<String>,
}

/// ` in namespace obs, context prod`
impl fmt::Display for Kubectl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}")?,
            None => write!(f, " in the current namespace")?,
        }
        self.context.iter().try_for_each(|context| write!(f, ", context {context}"))
    }
}

impl Kubectl {
    /// Secrets as JSON: one as it is, several as a list.
    ///
    /// # Errors
    /// kubectl is not there, fails, prints too much or does not end in time. Of what it printed, only the reason is
    /// told, and only where that can hold nothing secret.
    pub fn secrets(&self, names: &[String]) -> Result<Zeroizing<String>, Error> {
        let failed = |error: io::Error| {
            Error::new(format!("kubectl cannot be run ({error})"), "install kubectl, and check that it is on the PATH")
        };
        let mut child = self.command(names).spawn().map_err(failed)?;
        let until = Instant::now() + DEADLINE;
        let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
        let ended = wait(&mut child, until).map_err(failed)?;
        // What kubectl left running may keep the pipes open: it gets no longer than kubectl itself.
        let read = [out, err].map(|bytes| bytes.recv_timeout(until.saturating_duration_since(Instant::now())));
        end_group(&child);
        let [Ok(out), Ok(err)] = read else {
            return Err(self.too_late());
        };
        match ended {
            None => Err(self.too_late()),
            Some(false) => Err(Error::new(
                format!("kubectl failed: {}", reason(&err)),
                "try the same `kubectl get secret` yourself",
            )),
            Some(true) if out.len() as u64 > MAX_BYTES => {
                Err(Error::new("kubectl printed more than a Secret can hold", "check the name"))
            }
            Some(true) => String::from_utf8(out.to_vec()).map(Zeroizing::new).map_err(|_| {
                Error::new("kubectl printed something else than JSON", "check which kubectl is on the PATH")
            }),
        }
    }

    fn too_late(&self) -> Error {
        Error::new(
            format!("kubectl did not end within {} seconds", DEADLINE.as_secs()),
            "does `kubectl get secrets` answer in this context?",
        )
    }

    fn command(&self, names: &[String]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["get", "secret", "--output=json", &format!("--request-timeout={}s", DEADLINE.as_secs())]);
        command.args(self.namespace.iter().map(|namespace| format!("--namespace={namespace}")));
        command.args(self.context.iter().map(|context| format!("--context={context}")));
        command.arg("--").args(names);
        let is_known = |name: &str| {
            VARIABLES.contains(&name)
                || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                || PROXIES.contains(&name.to_ascii_uppercase().as_str())
        };
        let variables = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_known));
        command.env_clear().envs(variables).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Reads to the end, but keeps no more than is of use.
fn reader(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
        if let Some(mut pipe) = pipe {
            let _ = (&mut pipe).take(MAX_BYTES + 1).read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

/// Whether it ended well; `None` if it did not end in time.
fn wait(child: &mut Child, until: Instant) -> io::Result<Option<bool>> {
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        thread::sleep(POLL);
    }
    end_group(child);
    child.wait().map(|_| None)
}

/// Ends kubectl and all that it started.
fn end_group(child: &Child) {
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// The last line of stderr, which holds the API server's reason; cut, and without anything that is no plain text.
fn reason(stderr: &[u8]) -> String {
    const LEN_MAX: usize = 200;
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("without a word");
    line.chars().filter(|c| !c.is_control()).take(LEN_MAX).collect()
}
