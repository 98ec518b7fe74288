//! The command line: one file a command. Nothing else in the program reads stdin, prints or exits.

mod adopt;
mod argocd;
mod check;
mod copy;
mod explain;
mod guard;
mod helm;
mod init;
mod kept;
mod keygen;
mod lock;
mod outputs;
mod process;
mod progress;
mod relay;
mod render;
mod rendered_twice;
mod rotate;
mod sealed;
mod source;
mod status;
mod table;
mod usage;
mod verify;
mod which;

use std::io::{self, Write};
use std::process::ExitCode;

use anstream::AutoStream;
use clap::{CommandFactory, Parser, Subcommand};

use crate::report::{Exit, Finding, Refusal, human_styled};

/// What a command says when it is done: warnings and notes for stderr. An error is a [`Refusal`], or input or output
/// that failed, with what was being done.
type Done = anyhow::Result<Vec<Finding>>;

/// All is said, and this is the exit code: Helm's own, or that of a report.
#[derive(Debug, thiserror::Error)]
#[error("ended with {code}")]
struct Ended {
    code: u8,
    /// What is still to be said.
    findings: Vec<Finding>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done or clean · 1 refused · 2 usage or configuration · 3 source · 4 lock · 5 input/output. \
The highest that applies wins.";

/// Puts the right encryption keys into rendered Helm manifests, or nothing at all.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reads rendered manifests from stdin and prints them with the keyring in them
    #[command(after_help = render::EXAMPLES)]
    Render(Box<render::Args>),
    /// Writes a commented keyring.yaml for a chart
    Init(init::Args),
    /// Makes a key, and prints it
    #[command(after_help = keygen::EXAMPLES)]
    Keygen(keygen::Args),
    /// Makes and changes sealed files: keys in the repository, under master keys
    #[command(subcommand)]
    Sealed(sealed::Command),
    /// Adds the keys of the source to the lock
    #[command(after_help = lock::EXAMPLES)]
    Lock(lock::Args),
    /// Adds one more key to the source and the lock
    #[command(after_help = rotate::EXAMPLES)]
    Rotate(rotate::Args),
    /// Takes the keys of a running Secret into the source and the lock
    #[command(after_help = adopt::EXAMPLES)]
    Adopt(adopt::Args),
    /// Copies all keys to another source
    #[command(after_help = copy::EXAMPLES)]
    Copy(Box<copy::Args>),
    /// Asks a source for its keys, and says how that went
    #[command(subcommand)]
    Source(source::Command),
    /// Shows where every key is, and what is wrong
    #[command(after_help = status::EXAMPLES)]
    Status(status::Args),
    /// Finds what would lose a key or leak one, before it is merged: in values, manifests, Applications, charts
    #[command(after_help = check::EXAMPLES)]
    Check(check::Args),
    /// Prints what a finding means and what to do; without an id, all rules
    Explain(explain::Args),
    /// Says which key opens a ciphertext
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Args),
    /// Prints an admission policy that keeps the keys in the cluster
    #[command(after_help = guard::EXAMPLES)]
    Guard(guard::Args),
    /// Runs helm with the keyring behind it: install, upgrade, template; or writes the plugin for Helm 4
    #[command(disable_help_flag = true)]
    Helm(helm::Args),
    /// Argo CD's config-management plugin, and what sets it up
    #[command(subcommand, after_help = argocd::EXAMPLES)]
    Argocd(argocd::Command),
    /// Hands a stream to the helm-keyring that started helm
    #[command(hide = true)]
    Relay,
    /// Prints a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    process::harden();
    let done = match Cli::try_parse() {
        Ok(cli) => run(cli.command),
        Err(error) => render::told_to_helm4(usage::explained(&error)),
    };
    match done {
        Ok(findings) => {
            say(&findings);
            ExitCode::SUCCESS
        }
        Err(error) => match error.downcast::<Ended>() {
            Ok(ended) => {
                say(&ended.findings);
                ExitCode::from(ended.code)
            }
            Err(error) => {
                let refusal = refusal(error);
                say(&refusal.0);
                ExitCode::from(refusal.exit() as u8)
            }
        },
    }
}

/// What ended a run, as findings.
fn refusal(error: anyhow::Error) -> Refusal {
    error.downcast().unwrap_or_else(|error| io_failed(&error))
}

fn run(command: Command) -> Done {
    match command {
        Command::Render(args) => render::run(&args),
        Command::Init(args) => Ok(init::run(&args, &mut io::stdout())?),
        Command::Keygen(args) => keygen::run(&args),
        Command::Sealed(command) => sealed::run(&command),
        Command::Lock(args) => lock::run(&args),
        Command::Rotate(args) => rotate::run(&args),
        Command::Adopt(args) => adopt::run(&args),
        Command::Copy(args) => copy::run(&args),
        Command::Source(command) => source::run(&command),
        Command::Status(args) => status::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Guard(args) => guard::run(&args),
        Command::Helm(args) => helm::run(&args),
        Command::Argocd(command) => argocd::run(&command),
        Command::Relay => relay::run(),
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: clap_complete::Shell) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "helm-keyring", &mut script);
    process::print([script.as_slice()])?;
    Ok(Vec::new())
}

/// Findings go to stderr, in colours if a terminal shows them. That it cannot be written to changes nothing: the exit
/// code says enough.
fn say(findings: &[Finding]) {
    let findings: Vec<Finding> = findings.iter().cloned().map(Finding::without_lines).collect();
    let _ = AutoStream::auto(io::stderr()).write_all(human_styled(&findings).as_bytes());
}

fn io_failed(error: &anyhow::Error) -> Refusal {
    Finding::error(Exit::Io, "io", format!("{error:#}")).into()
}
