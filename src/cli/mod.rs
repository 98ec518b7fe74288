//! The command line: one file a command. Nothing else in the program reads stdin, prints or exits.

mod init;
mod process;
mod render;
mod usage;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::report::{Exit, Finding, Refusal, human};

/// What a command says when it is done: warnings and notes for stderr. An error is a [`Refusal`], or input or output
/// that failed, with what was being done.
type Done = anyhow::Result<Vec<Finding>>;

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
        Err(error) => usage::explained(&error),
    };
    match done {
        Ok(findings) => {
            say(&findings);
            ExitCode::SUCCESS
        }
        Err(error) => {
            let refusal = error.downcast().unwrap_or_else(|error| io_failed(&error));
            say(&refusal.0);
            ExitCode::from(refusal.exit() as u8)
        }
    }
}

fn run(command: Command) -> Done {
    match command {
        Command::Render(args) => render::run(&args),
        Command::Init(args) => Ok(init::run(&args, &mut io::stdout())?),
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: clap_complete::Shell) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "helm-keyring", &mut script);
    process::print([script.as_slice()])?;
    Ok(Vec::new())
}

/// Findings go to stderr. That it cannot be written to changes nothing: the exit code says enough.
fn say(findings: &[Finding]) {
    let _ = io::stderr().write_all(human(findings).as_bytes());
}

fn io_failed(error: &anyhow::Error) -> Refusal {
    Finding::error(Exit::Io, "io", format!("{error:#}")).into()
}
