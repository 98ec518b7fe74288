//! What the key-holder's commands share: keyrings of keyring.yaml, their sources, the lock, and the right to change them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::which::{LockArg, SourceArgs, Which, configuration};
use crate::config::{Config, Overrides, Selection, Source as SourceConfig};
use crate::files::{Exclusive, RealDisk};
use crate::keeper::{Plan, Written};
use crate::key::KeyText;
use crate::report::{Exit, Finding, Refusal, list};
use crate::source::{Source, Sources};

/// A longer text is no key.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// For a store that cannot tell whether somebody else writes to it at the same time.
#[derive(clap::Args)]
pub struct AloneArg {
    /// Nobody else writes to the store meanwhile: needed for Vault's KV version 1, which cannot tell
    #[arg(long)]
    pub i_am_alone: bool,
}

#[derive(clap::Args)]
pub struct KeptArgs {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub from: SourceArgs,
    #[command(flatten)]
    pub lock: LockArg,
}

/// Keyrings of a configuration file, in one environment.
pub struct Kept {
    pub config: Config,
    pub selections: Vec<Selection>,
    pub lock_path: PathBuf,
}

impl KeptArgs {
    /// What the flags say.
    pub fn overrides(&self) -> Overrides {
        Overrides { source: self.from.source.clone(), ..self.which.overrides() }
    }

    /// The configuration file alone, whatever environments it has.
    pub fn configuration(&self) -> Result<Config, Refusal> {
        configuration(&self.overrides())
    }

    pub fn load(&self) -> Result<Kept, Refusal> {
        let overrides = self.overrides();
        let config = configuration(&overrides)?;
        let selections = config.select(&overrides)?;
        let lock_path = self.lock.path(&config);
        Ok(Kept { config, selections, lock_path })
    }

    /// The source of a selection, which must be one outside of the chart.
    pub fn open(&self, sources: &Sources, selection: &Selection) -> Result<Box<dyn Source>, Refusal> {
        self.open_source(sources, selection, selection.source.as_ref())
    }

    pub fn open_source(
        &self,
        sources: &Sources,
        selection: &Selection,
        source: Option<&SourceConfig>,
    ) -> Result<Box<dyn Source>, Refusal> {
        let opened = source.and_then(|source| self.from.open(sources, source, selection));
        opened.ok_or_else(|| no_source(selection, source).into())
    }
}

fn no_source(selection: &Selection, source: Option<&SourceConfig>) -> Finding {
    let title = match source {
        Some(SourceConfig::Live) => format!("a running Secret is no source to keep the keys of {}", selection.title()),
        _ => format!("the keys of {} come from the chart's values", selection.title()),
    };
    Finding::usage("no-source", title)
        .at(selection.place.clone())
        .help("configure a source in keyring.yaml, such as `source: {sealed: {file: keys/production.sealed}}`")
        .help("`helm-keyring adopt` takes over the keys of a running Secret")
}

impl Kept {
    /// The only keyring that is meant.
    pub fn one(&self) -> Result<&Selection, Refusal> {
        match self.selections.as_slice() {
            [only] => Ok(only),
            several => {
                let names: Vec<&str> = several.iter().map(|selection| selection.keyring.as_str()).collect();
                Err(Finding::usage(
                    "keyring-not-chosen",
                    format!("{} keyrings are meant: {}", names.len(), list(&names)),
                )
                .help("name one with `--keyring`")
                .into())
            }
        }
    }

    /// The right to change the lock and what lies in some sources. To be taken before anything is read that the change
    /// depends on.
    pub fn alone(&self, sources: &[&dyn Source]) -> Result<Exclusive, Refusal> {
        let stores: Vec<PathBuf> = sources.iter().filter_map(|source| source.store()?.folder()).collect();
        if let Some(missing) = stores.iter().find(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
            return Err(Finding::error(Exit::Io, "files", format!("there is no folder {}", missing.display()))
                .help(format!("make it first: `mkdir -m 700 {}`", missing.display()))
                .into());
        }
        let lock = self.lock_path.parent().unwrap_or(Path::new("")).to_owned();
        let folders: Vec<PathBuf> = stores.into_iter().chain([self.config.folder().to_owned(), lock]).collect();
        let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
        Exclusive::take(&folders).map_err(|error| error.finding().into())
    }

    /// Other keyrings that would get a key of this ring too, since they have the same source.
    pub fn shared_with(&self, selection: &Selection) -> Result<Vec<Finding>, Refusal> {
        let mut found = Vec::new();
        let names = |selection: &Selection| -> Vec<String> {
            selection.profile.rings().map(|(_, spec)| spec.name.to_string()).collect()
        };
        for (keyring, settings) in self.config.keyrings.iter().filter(|(name, _)| **name != selection.keyring) {
            for environment in settings.environments.keys() {
                let overrides = Overrides {
                    keyring: Some(keyring.clone()),
                    environment: Some(environment.clone()),
                    ..Overrides::default()
                };
                let Some(other) = self.config.select(&overrides)?.pop() else { continue };
                let shared: Vec<String> =
                    names(&other).into_iter().filter(|name| names(selection).contains(name)).collect();
                if other.source.is_some() && other.source == selection.source && !shared.is_empty() {
                    found.push(
                        Finding::warning("shared-source", format!("{} has the same source and fields", other.title()))
                            .at(other.place.clone())
                            .found(format!("its `{}` gets every key of {} too", list(&shared), selection.title()))
                            .help("give each keyring a source of its own"),
                    );
                }
            }
        }
        Ok(found)
    }
}

/// Writes a plan, unless it is a dry run, and says so: `written` is what was done besides.
pub fn write(
    plan: &Plan<'_>,
    alone: Option<&Exclusive>,
    lock_path: &Path,
    how: &str,
    text: &mut String,
) -> Result<Written, Refusal> {
    let Some(alone) = alone else {
        text.push_str("dry run: nothing was written\n");
        return Ok(Written::new());
    };
    let written = plan.write(alone, &RealDisk, lock_path)?;
    let _ = match written.is_empty() {
        true => writeln!(text, "nothing to write"),
        false => writeln!(text, "written{how}: {}", list(&written)),
    };
    Ok(written)
}

/// A key text from a file, or from stdin for `-`.
pub fn key_from(path: &Path) -> anyhow::Result<KeyText> {
    Ok(KeyText::from(bytes_from(path, KEY_BYTES_MAX, "a key")?))
}

/// All of a file, or of stdin for `-`, if it is not too long for `what`.
pub fn bytes_from(path: &Path, max: u64, what: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    if path == Path::new("-") {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let finding = Finding::usage("no-input", "stdin is a terminal").help(format!("pipe {what} into it"));
            return Err(Refusal::from(finding).into());
        }
        stdin.lock().take(max + 1).read_to_end(&mut bytes).context("stdin cannot be read")?;
    } else {
        let read = File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes));
        // What is no file may be the text itself, typed in the wrong place.
        let name = if path.exists() { path.display().to_string() } else { format!("the file of {what}") };
        read.with_context(|| format!("{name} cannot be read"))?;
    }
    if bytes.len() as u64 > max {
        let finding = Finding::refused("too-long", format!("{} has more than {} KiB", path.display(), max >> 10))
            .help(format!("this cannot be {what}"));
        return Err(Refusal::from(finding).into());
    }
    Ok(bytes)
}
