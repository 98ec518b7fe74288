//! `helm-keyring argocd …`: Argo CD's config-management plugin, and what sets it up.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::source::probe;
use super::{Done, Ended, process};
use crate::argocd::{self, Asked, Generated, Manifest, Repository, SIDECAR_FILE, public};
use crate::config::LOCK;
use crate::lock::Lock;
use crate::report::Refusal;

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring argocd print plugin        the plugin's manifest
  helm-keyring argocd print values        values for the chart argo-cd: plugin, sidecar, volumes
  helm-keyring argocd print config        the sidecar's configuration, to be filled in

docs/argocd.md sets it up in five minutes.";

#[derive(clap::Subcommand)]
pub enum Command {
    /// Renders the chart of the working directory as Argo CD does, with its keys; for Argo CD's plugin server
    Generate(Args),
    /// Announces the parameters to Argo CD's user interface; for Argo CD's plugin server
    Parameters,
    /// Reads the keys that an Application would get, and says from where, as whom, how fast and what they are like; for
    /// whoever runs the sidecar, in the sidecar
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArgs),
    /// Prints ready YAML for the set-up
    Print {
        /// What
        what: Manifest,
    },
}

#[derive(clap::Args)]
pub struct Args {
    /// The sidecar's configuration
    #[arg(long, env = "HELM_KEYRING_SIDECAR", hide_env_values = true, value_name = "FILE", default_value = SIDECAR_FILE)]
    sidecar: PathBuf,
}

const TEST_EXAMPLES: &str = "\
Example:
  kubectl exec -n argocd deploy/argocd-repo-server -c helm-keyring -- helm-keyring argocd test \\
    --project observability --namespace obs --keyring lightrun -e production

Shows what Applications are not told: addresses, logins and the store's own words. Never a key.";

#[derive(clap::Args)]
pub struct TestArgs {
    /// The sidecar's configuration
    #[arg(long, env = "HELM_KEYRING_SIDECAR", hide_env_values = true, value_name = "FILE", default_value = SIDECAR_FILE)]
    sidecar: PathBuf,
    /// The project of the Application
    #[arg(long, value_name = "NAME")]
    project: String,
    /// The namespace of its destination
    #[arg(short, long, value_name = "NAME")]
    namespace: String,
    /// The keyring
    #[arg(long, value_name = "NAME")]
    keyring: String,
    /// The environment
    #[arg(short, long, value_name = "NAME")]
    environment: String,
    /// How the chart spells its keys [default: what the grant says, or the keyring's own name]
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// The root of the repository, for a sealed file in it
    #[arg(long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
}

/// Runs the command.
pub fn run(command: &Command) -> Done {
    match command {
        Command::Generate(args) => generate(args),
        Command::Parameters => {
            let announced = serde_json::to_string_pretty(&argocd::announce(&repository()?))?;
            process::print([announced.as_bytes(), b"\n"])?;
            Ok(Vec::new())
        }
        Command::Test(args) => test(args),
        Command::Print { what } => {
            process::print([what.text().as_bytes()])?;
            Ok(Vec::new())
        }
    }
}

fn repository() -> anyhow::Result<Repository> {
    Repository::around(Path::new(".")).context("the working directory cannot be read")
}

fn test(args: &TestArgs) -> Done {
    let TestArgs { sidecar, project, namespace, keyring, environment, profile, repository } = args;
    let asked = Asked { project, namespace, keyring, environment };
    let root =
        repository.canonicalize().with_context(|| format!("the repository {} cannot be read", repository.display()))?;
    let (selection, sources) = argocd::granted_selection(sidecar, asked, profile.as_deref(), &root)?;
    let Some(source) = argocd::open(&sources, &selection) else {
        let none = format!("{keyring}/{environment}\n  source  none: the key is in the chart's own values\n");
        process::print([none.as_bytes()])?;
        return Ok(Vec::new());
    };
    let lock = Lock::with_random_salt(LOCK)?;
    let mut text = String::new();
    let probed = probe(&selection, source.as_ref(), &lock, &sources, &mut text);
    process::print([text.as_bytes()])?;
    sources.close();
    let findings = probed?;
    if findings.iter().any(|finding| finding.exit().is_some()) { Err(Refusal(findings).into()) } else { Ok(findings) }
}

/// What there is to say is said here, since it is shorter than elsewhere: it goes into the Application's status.
fn generate(args: &Args) -> Done {
    let repository = repository()?;
    // What Argo CD says is UTF-8; what is not must not count as nothing said.
    let variable = |name: &str| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
    let said = |text: &str| {
        let _ = io::stderr().write_all(text.as_bytes());
    };
    let done = argocd::generate(&variable, &args.sidecar, &repository);
    let (code, findings) = match done {
        Ok(Generated { stream, findings }) => {
            process::print([stream.as_slice()])?;
            said(&public::remark(&findings, &repository));
            return Ok(Vec::new());
        }
        Err(refusal) => (refusal.exit() as u8, refusal.0),
    };
    said(&public::refusal(&findings, Some(&repository)));
    Err(Ended { code, findings: Vec::new() }.into())
}
