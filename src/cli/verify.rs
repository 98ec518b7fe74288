//! `helm-keyring verify`: which key opens a ciphertext.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::which::{ProfileArg, SourceArgs, Which};
use super::{Done, process};
use crate::config::{Config, Overrides, Selection};
use crate::key::KeyText;
use crate::keyring::Numbered;
use crate::profile::{self, FieldSpec, Slot};
use crate::report::{Finding, Refusal, list};
use crate::source::{self, Sources};
use crate::verify::{self, Encoding, EncodingError, Layout, Opening};

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring verify -e production --ciphertext record.bin
  psql -tAc 'select secret from t limit 1' | helm-keyring verify -e production --ciphertext -
  helm-keyring verify --profile lightrun --source dir=backup/keys --ciphertext record.bin

Prints the field of each key that opens it (0), or says that none does (1). Never prints what is in it.";

/// A longer file is a mistake: one record is enough to know the key.
const MAX_BYTES: u64 = 16 << 20;

#[derive(clap::Args)]
pub struct Args {
    /// The file that holds one ciphertext; - for stdin
    #[arg(long, value_name = "FILE")]
    ciphertext: PathBuf,
    /// How it is laid out [default: each in turn]
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<LayoutArg>,
    /// What the application adds to the key before it derives another (only for pbkdf2)
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    context: String,
    /// How the file writes the bytes [default: recognised]
    #[arg(long, value_name = "ENCODING")]
    encoding: Option<EncodingArg>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    profile: ProfileArg,
    #[command(flatten)]
    from: SourceArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum LayoutArg {
    /// 12 bytes nonce, ciphertext, 16 bytes tag: AES-256-GCM under the key itself
    Key,
    /// 32 bytes salt, then the same under PBKDF2-HMAC-SHA-256(SHA-256(key text) and the context, 10,000 rounds)
    Pbkdf2,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum EncodingArg {
    /// the bytes themselves
    Raw,
    /// base64 or base64url text
    Base64,
    /// hexadecimal text
    Hex,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let sources = args.from.sources();
    args.from.patience.told(&sources, verify(args, &sources))
}

fn verify(args: &Args, sources: &Sources) -> Done {
    let selections = selections(args)?;
    let layouts = match args.layout {
        Some(LayoutArg::Key) => vec![Layout::Key],
        Some(LayoutArg::Pbkdf2) => vec![Layout::Pbkdf2],
        None => Layout::ALL.to_vec(),
    };
    let (encoding, ciphertext) = ciphertext(args)?;
    let shortest = layouts.iter().map(|layout| layout.shortest()).min().unwrap_or_default();
    if ciphertext.len() < shortest {
        let title = format!("{} bytes are too few for a ciphertext of this layout", ciphertext.len());
        let finding = Finding::refused("no-ciphertext", title)
            .found(format!("the file was read as {encoding}; the shortest has {shortest} bytes"))
            .help("check that the whole ciphertext was exported; `--encoding` says how the file writes it");
        return Err(Refusal::from(finding).into());
    }
    let rings = fetch(args, sources, &selections)?;
    let keys = rings.iter().flat_map(Fetched::keys);
    let opened: Vec<(Key<'_>, Opening)> = keys
        .filter_map(|key| Some((key, verify::opening(&ciphertext, key.text, &layouts, args.context.as_bytes())?)))
        .collect();
    if opened.is_empty() {
        let looked = format!("on {} bytes read as {encoding}", ciphertext.len());
        return Err(Refusal::from(none_opens(args, &rings, &layouts, &looked)).into());
    }
    let lines: String = opened.iter().map(|(key, opening)| line(key, *opening)).collect();
    process::print([lines.as_bytes()])?;
    Ok(opened.iter().filter_map(|(key, opening)| newline(key, *opening)).collect())
}

/// From the configuration file, or from a profile and a source alone.
fn selections(args: &Args) -> Result<Vec<Selection>, Refusal> {
    let overrides =
        Overrides { profile: args.profile.profile.clone(), source: args.from.source.clone(), ..args.which.overrides() };
    if let Some(config) = Config::find(Path::new(""), &overrides)? {
        return config.select(&overrides);
    }
    match (&args.profile.profile, &args.which.environment) {
        (Some(reference), None) => {
            Ok(vec![Selection::without_config(profile::load(reference, Path::new(""))?, &overrides)?])
        }
        _ => Err(Finding::usage("no-config", "whose keys to try is not known: there is no keyring.yaml")
            .help("name one with `--config`, or give `--profile` and `--source`")
            .into()),
    }
}

/// The file's bytes, decoded.
fn ciphertext(args: &Args) -> anyhow::Result<(Encoding, Vec<u8>)> {
    let file = read(&args.ciphertext)?;
    let said = args.encoding.map(|encoding| match encoding {
        EncodingArg::Raw => Encoding::Raw,
        EncodingArg::Base64 => Encoding::Base64,
        EncodingArg::Hex => Encoding::Hex,
    });
    verify::decode(&file, said).map_err(|error| {
        let finding = Finding::refused("no-ciphertext", format!("the file cannot be decoded: {error}"));
        let help = match error {
            EncodingError::Not(_) => "name the right one with `--encoding`, or leave the flag out",
            EncodingError::Ambiguous => "say which with `--encoding`",
            EncodingError::Unknown => "export the ciphertext alone, or say `--encoding raw` if this is it",
        };
        Refusal::from(finding.help(help)).into()
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let finding = Finding::usage("no-input", "stdin is a terminal").help("pipe a ciphertext into it");
            return Err(Refusal::from(finding).into());
        }
        stdin.lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).context("stdin cannot be read")?;
    } else {
        let file = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        file.with_context(|| format!("{} cannot be read", path.display()))?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        let finding = Finding::refused("no-ciphertext", "the file is larger than 16 MiB")
            .help("export one record: it is enough to know the key");
        return Err(Refusal::from(finding).into());
    }
    Ok(bytes)
}

/// A ring with its keys, as its source holds them; gaps do not matter here.
struct Fetched<'s> {
    selection: &'s Selection,
    source: String,
    spec: &'s FieldSpec,
    numbered: Numbered,
}

/// One key of a ring.
#[derive(Clone, Copy)]
struct Key<'f> {
    ring: &'f Fetched<'f>,
    number: u32,
    text: &'f KeyText,
}

fn fetch<'s>(args: &Args, sources: &Sources, selections: &'s [Selection]) -> Result<Vec<Fetched<'s>>, Refusal> {
    let open = |selection: &'s Selection| {
        let opened = selection.source.as_ref().and_then(|source| args.from.open(sources, source, selection));
        opened.map(|source| (selection, source)).ok_or_else(|| no_source(selection))
    };
    let opened = selections.iter().map(open).collect::<Result<Vec<_>, Finding>>()?;
    let mut all = Vec::new();
    for (selection, source) in opened {
        let specs: Vec<&FieldSpec> = selection.profile.rings().map(|(_, spec)| spec).collect();
        let rings = source::fetch(source.as_ref(), &specs, &whose(selection))?;
        let described = |(spec, numbered)| Fetched { selection, source: source.describe(), spec, numbered };
        all.extend(specs.into_iter().zip(rings).map(described));
    }
    Ok(all)
}

fn no_source(selection: &Selection) -> Finding {
    Finding::usage("no-source", format!("the keys of {} come from the chart's values", selection.keyring))
        .at(selection.place.clone())
        .help("write each key into a file named like its field, and name the folder: `--source dir=PATH`")
}

impl Fetched<'_> {
    fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        self.numbered.iter().map(|(number, text)| Key { ring: self, number: *number, text })
    }

    fn is_active(&self, number: u32) -> bool {
        self.numbered.keys().next_back() == Some(&number)
    }

    /// The field of a key. A fixed ring has one for its last two keys only.
    fn field(&self, number: u32) -> String {
        let slot = match self.numbered.range(number..).count() {
            1 => Some(Slot::Active),
            2 => Some(Slot::Previous),
            _ => None,
        };
        let fixed = slot.and_then(|slot| self.spec.field(slot));
        let field = self.spec.field(Slot::Number(number)).or(fixed);
        field.unwrap_or_else(|| format!("{} (key {number})", self.spec.name))
    }
}

impl Key<'_> {
    fn field(&self) -> String {
        self.ring.field(self.number)
    }
}

fn whose(selection: &Selection) -> String {
    match &selection.environment {
        Some(environment) => format!("{} in {environment}", selection.keyring),
        None => selection.keyring.clone(),
    }
}

fn line(key: &Key<'_>, Opening { layout, reading }: Opening) -> String {
    let age = if key.ring.is_active(key.number) { "the active key" } else { "an older key" };
    format!(
        "{} opens it: {age} of {} ({}), {reading}; {layout}\n",
        key.field(),
        whose(key.ring.selection),
        key.ring.source
    )
}

fn newline(key: &Key<'_>, Opening { reading, .. }: Opening) -> Option<Finding> {
    reading.drops_newline().then(|| {
        Finding::warning("newline", format!("{} opens it only without the line end behind it", key.field()))
            .found(format!("{} holds the key with a line end", key.ring.source))
            .help("an application that does not take it off cannot decrypt: that may be the failure you look for")
    })
}

fn none_opens(args: &Args, rings: &[Fetched<'_>], layouts: &[Layout], looked: &str) -> Finding {
    let keys: Vec<Key<'_>> = rings.iter().flat_map(Fetched::keys).collect();
    let title = match keys.len() {
        0 => "there is no key to try".to_owned(),
        1 => "the one key there is does not open it".to_owned(),
        n => format!("none of the {n} keys opens it"),
    };
    let mut finding =
        Finding::refused("no-key-opens", title).found("decryption failures: verify you are using the correct key");
    for ring in rings {
        let fields: Vec<String> = ring.keys().map(|key| key.field()).collect();
        finding = finding.found(format!("tried {} of {} ({})", list(&fields), whose(ring.selection), ring.source));
    }
    let layouts_shown: Vec<String> = layouts.iter().map(|layout| format!("\"{layout}\"")).collect();
    finding = finding.found(format!("in {}, {looked}", list(&layouts_shown)));
    let odd = keys.iter().filter(|key| !verify::can_be_a_key(key.text));
    let odd: Vec<String> = odd.map(Key::field).collect();
    if layouts.contains(&Layout::Key) && !odd.is_empty() {
        finding = finding.found(format!("no reading of {} has the 32 bytes of an AES-256 key", list(&odd)));
    }
    finding =
        finding.help("try another environment with `-e`, and what was there before: a backup with `--source dir=PATH`");
    if layouts.contains(&Layout::Pbkdf2) && args.context.is_empty() {
        finding = finding.help("if the application adds a context to the key, give it with `--context`");
    }
    finding.help("try another record: one that was cut or changed opens under no key")
}
