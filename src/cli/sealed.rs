//! `helm-keyring sealed …`: the sealed file, which is the source that needs nothing else.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::kept::{Kept, KeptArgs, key_from};
use super::{Done, process};
use crate::config::{Selection, Source as SourceConfig};
use crate::files::{Exclusive, Prepared, RealDisk};
use crate::keeper::Keeper;
use crate::key::KeyText;
use crate::report::{Finding, Place, Refusal};
use crate::sealed::{self, GivenMasterKey, MasterKey, Opened, SealedFile};
use crate::source::Sealed;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Makes the sealed file of an environment, and two master keys for it
    Init(Init),
    /// Adds the first key of each ring, or a given one; `rotate` adds later ones
    Add(Add),
    /// Adds or removes a master key that opens the file
    #[command(subcommand)]
    Recipient(RecipientCommand),
    /// Seals all keys anew under a new data key; does not un-leak what an old commit holds
    Rekey(Rekey),
}

#[derive(clap::Args)]
pub struct Init {
    #[command(flatten)]
    kept: KeptArgs,
    /// Write the master key for deploys into this new file (0600), instead of showing it
    #[arg(long, value_name = "FILE")]
    deploy_key_file: Option<PathBuf>,
    /// Write the master key for recovery into this new file (0600), instead of showing it
    #[arg(long, value_name = "FILE")]
    recovery_key_file: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Add {
    #[command(flatten)]
    kept: KeptArgs,
    /// Only this ring: its name or one of its fields [default: every ring without a key]
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// Take the key from this file, - for stdin, instead of making one
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
pub enum RecipientCommand {
    /// Lets one more master key open the file
    Add(RecipientAdd),
    /// Takes a master key's line out of the file
    Remove(RecipientRemove),
}

#[derive(clap::Args)]
pub struct RecipientAdd {
    #[command(flatten)]
    kept: KeptArgs,
    /// What to call it: ci, alice
    label: String,
    /// A file with its master key [default: a new one is made and shown once]
    #[arg(long, value_name = "FILE")]
    recipient_key_file: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct RecipientRemove {
    #[command(flatten)]
    kept: KeptArgs,
    /// Its label in the file
    label: String,
}

#[derive(clap::Args)]
pub struct Rekey {
    #[command(flatten)]
    kept: KeptArgs,
    /// A file with the master key of another recipient; once for each
    #[arg(long, value_name = "FILE")]
    recipient_key_file: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(command: &Command) -> Done {
    match command {
        Command::Init(args) => init(args),
        Command::Add(args) => add(args),
        Command::Recipient(RecipientCommand::Add(args)) => recipient_add(args),
        Command::Recipient(RecipientCommand::Remove(args)) => recipient_remove(args),
        Command::Rekey(args) => rekey(args),
    }
}

/// The sealed file of the one keyring that is meant.
struct Meant {
    kept: Kept,
    source: Sealed,
}

impl Meant {
    fn of(args: &KeptArgs) -> Result<Self, Refusal> {
        let kept = args.load()?;
        let selection = kept.one()?;
        let Some(SourceConfig::Sealed { file, master_key_file }) = &selection.source else {
            return Err(not_sealed(selection).into());
        };
        let master = args.from.master.given(master_key_file.as_deref());
        let source = Sealed { file: file.clone(), environment: selection.environment.clone(), master };
        Ok(Self { kept, source })
    }

    fn open(&self) -> Result<Opened, Refusal> {
        let failed = |error| crate::source::failed(&self.source, error, &self.kept.selections[0].title());
        Ok(self.source.open().map_err(failed)?)
    }

    fn write(&self, alone: &Exclusive, file: &SealedFile) -> Result<(), Refusal> {
        let text = file.to_text();
        let prepared = alone.prepare(&RealDisk, &[(&self.source.file, text.as_bytes())]);
        prepared.and_then(Prepared::put_all).map_err(|error| error.finding().into())
    }

    fn print_written(&self, how: &str) -> anyhow::Result<()> {
        let text = format!("written: {}{how}\n", self.source.file.display());
        process::print_after(&text, &[self.source.file.display().to_string()])
    }

    fn refused(&self, error: &sealed::Error) -> Refusal {
        error.finding(&self.source.file).into()
    }
}

fn not_sealed(selection: &Selection) -> Finding {
    Finding::usage("not-sealed", format!("the source of {} is no sealed file", selection.title()))
        .at(selection.place.clone())
        .help("configure one: `source: {sealed: {file: keys/production.sealed}}`, or pass `--source sealed=FILE`")
}

const KEEP_THEM: &str = "\
deploy: for whoever deploys, in HELM_KEYRING_MASTER_KEY or a file. recovery: keep it offline; it opens the file when
the other is lost. Neither is shown again, and without one of them the keys are gone.";

fn init(args: &Init) -> Done {
    let meant = Meant::of(&args.kept)?;
    let file = &meant.source.file;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let alone = meant.kept.alone(&[&meant.source])?;
    if file.symlink_metadata().is_ok() {
        let finding = Finding::usage("already-there", "there is a sealed file already")
            .at(Place::file(file.display().to_string()))
            .help("`init` never writes over one: `helm-keyring sealed rekey` seals it anew")
            .help("if its master keys are lost and nothing is encrypted with its keys yet, delete it");
        return Err(Refusal::from(finding).into());
    }
    let refused = |error: sealed::Error| meant.refused(&error);
    let masters = [MasterKey::generate().map_err(refused)?, MasterKey::generate().map_err(refused)?];
    let [deploy, recovery] = &masters;
    let environment = meant.source.environment.as_deref().unwrap_or_default();
    let opened = SealedFile::init(environment, &[("deploy", deploy), ("recovery", recovery)]).map_err(refused)?;
    let files = [&args.deploy_key_file, &args.recovery_key_file];
    let mut handed = Handed::default();
    for ((label, master), file) in ["deploy  ", "recovery"].into_iter().zip(masters).zip(files) {
        handed.out(label, &master.into_text(), file.as_deref())?;
    }
    // Nobody shall have a file whose master keys nobody saw.
    process::print([handed.shown.as_slice()])?;
    meant.write(&alone, opened.file())?;
    handed.keep();
    let text = format!("written: {}; it has no key yet: `helm-keyring sealed add -e {environment}`\n", file.display());
    process::print_after(&text, &[file.display().to_string()])?;
    Ok(vec![Finding::note("master-keys", "two master keys were made").found(KEEP_THEM.replace('\n', " "))])
}

/// Master keys on their way to the user. Files that were made for them go again, unless all went well.
#[derive(Default)]
struct Handed {
    shown: Zeroizing<Vec<u8>>,
    files: Vec<PathBuf>,
}

impl Handed {
    /// A master key goes into a new file, or among what is shown.
    fn out(&mut self, label: &str, text: &KeyText, file: Option<&Path>) -> anyhow::Result<()> {
        let Some(file) = file else {
            for part in [label.as_bytes(), b"  ", text.expose(), b"\n"] {
                self.shown.extend_from_slice(part);
            }
            return Ok(());
        };
        let unwritten = || format!("the master key cannot be written to {}", file.display());
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).with_context(unwritten)?;
        self.files.push(file.to_owned());
        new.write_all(text.expose()).and_then(|()| new.sync_all()).with_context(unwritten)?;
        self.shown.extend_from_slice(format!("{label}  in {}\n", file.display()).as_bytes());
        Ok(())
    }

    fn keep(mut self) {
        self.files.clear();
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.files.iter().for_each(|file| drop(std::fs::remove_file(file)));
    }
}

fn add(args: &Add) -> Done {
    let meant = Meant::of(&args.kept)?;
    let given = args.key_file.as_deref().map(key_from).transpose()?;
    let alone = meant.kept.alone(&[&meant.source])?;
    let lock = args.kept.lock.read(&meant.kept.config)?;
    let Some(keeper) = Keeper::new(meant.kept.one()?, &meant.source) else { return Ok(Vec::new()) };
    let first = keeper.first_keys(&lock, args.field.as_deref(), given)?;
    for (path, bytes) in &first.files {
        let prepared = alone.prepare(&RealDisk, &[(path, bytes)]);
        prepared.and_then(Prepared::put_all).map_err(|error| Refusal::from(error.finding()))?;
    }
    let owner = keeper.owner();
    let text = format!(
        "{owner}: added {} to {}\nnext: `helm-keyring lock -e {} --keyring {}`, then commit both files\n",
        crate::report::list(&first.fields),
        meant.source.file.display(),
        owner.environment,
        owner.keyring
    );
    let mut findings = first.findings;
    findings.extend(meant.kept.shared_with(meant.kept.one()?)?);
    process::print_after(&text, &[meant.source.file.display().to_string()])?;
    Ok(findings)
}

fn recipient_add(args: &RecipientAdd) -> Done {
    let meant = Meant::of(&args.kept)?;
    let refused = |error: sealed::Error| meant.refused(&error);
    let master = match &args.recipient_key_file {
        Some(file) => read_master(file).map_err(refused)?,
        None => MasterKey::generate().map_err(refused)?,
    };
    let alone = meant.kept.alone(&[&meant.source])?;
    let mut opened = meant.open()?;
    opened.add_recipient(&args.label, &master).map_err(refused)?;
    if args.recipient_key_file.is_none() {
        let mut handed = Handed::default();
        handed.out(&args.label, &master.into_text(), None)?;
        process::print([handed.shown.as_slice()])?;
    }
    meant.write(&alone, opened.file())?;
    meant.print_written("")?;
    Ok(Vec::new())
}

fn recipient_remove(args: &RecipientRemove) -> Done {
    let meant = Meant::of(&args.kept)?;
    let alone = meant.kept.alone(&[&meant.source])?;
    let mut opened = meant.open()?;
    opened.remove_recipient(&args.label).map_err(|error| meant.refused(&error))?;
    meant.write(&alone, opened.file())?;
    meant.print_written("")?;
    Ok(vec![
        Finding::warning("still-readable", "the removed master key still opens what was committed before")
            .found("whoever has it and an old commit knows the data key, and with it what is added to this file later")
            .help(format!("`helm-keyring sealed rekey -e {}` changes the data key", opened.file().environment()))
            .help("if the master key leaked, the keys did: rotate, and let the application encrypt anew"),
    ])
}

fn rekey(args: &Rekey) -> Done {
    let meant = Meant::of(&args.kept)?;
    let refused = |error: sealed::Error| meant.refused(&error);
    let alone = meant.kept.alone(&[&meant.source])?;
    let mut opened = meant.open()?;
    let mut masters = vec![meant.source.master.read().map_err(refused)?];
    for file in &args.recipient_key_file {
        masters.push(read_master(file).map_err(refused)?);
    }
    opened.rekey(&masters.iter().collect::<Vec<_>>()).map_err(refused)?;
    meant.write(&alone, opened.file())?;
    meant.print_written(", all sealed anew")?;
    Ok(vec![
        Finding::note("still-readable", "old commits still hold the keys under the old data key")
            .found("rekey protects what comes; it does not un-leak what an old commit holds")
            .help("if a master key leaked, rotate, and let the application encrypt anew"),
    ])
}

fn read_master(file: &Path) -> Result<MasterKey, sealed::Error> {
    GivenMasterKey { file: Some(file.to_owned()), variable: None }.read()
}
