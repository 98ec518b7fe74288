//! Preflight: what in a repository would lose a key or leak one, found before it is merged. Starts no program and reads
//! no source.
//!
//! | file | what it knows |
//! |---|---|
//! | `walk` | which files there are |
//! | `interest` | which of them are worth parsing |
//! | `file` | what one of them is, by what it holds |
//! | `documents`, `text` | YAML documents, and where their bytes stand, also inside a string |
//! | `values`, `manifests`, `variables`, `templates` | keys in values, in manifests, in environments; templates |
//! | `argo`, `generators`, `flux` | who deploys a chart with which values |
//! | `reader` | one text on its way through these |
//! | `lines` | keys in what nobody can parse |
//! | `own` | master keys, and files that are keys |
//! | `roots` | the repositories that files lie in |
//! | `home` | a keyring.yaml, its environments and its lock |
//! | `sets` | values that are deployed together, merged and judged |
//! | `facts` | what one file tells |
//! | `ignores`, `settings` | what is not to be said |
//!
//! Files are looked at side by side, each on its own; then what they tell is judged together.

mod argo;
mod documents;
mod facts;
mod file;
mod flux;
mod generators;
mod home;
mod ignores;
mod interest;
mod lines;
mod manifests;
mod own;
mod reader;
mod roots;
mod sets;
mod settings;
mod templates;
mod text;
mod values;
mod variables;
mod walk;

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::config::Selection;
use crate::profile::{self, Profile};
use crate::report::{Finding, Place, Refusal, sorted};
use crate::rules;
use crate::values::{Request as Values, Stands};
use facts::Facts;
use file::Context;
use home::Home;
use interest::Interest;
use reader::Reader;
use roots::Roots;
use sets::{Candidate, Expected, Judged, Repository};
use settings::AllSettings;
use text::Text;
use walk::Found;

/// What is to be looked at.
#[derive(Default)]
pub struct Request {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// What came on stdin, and its name.
    pub stdin: Option<(String, String)>,
    /// The configurations above the paths; those below them are found.
    pub configs: Vec<PathBuf>,
    /// Where their lock lies, if not beside them.
    pub lock: Option<PathBuf>,
    /// Values that are merged and judged together.
    pub given: Option<Given>,
    /// What has been seen already, by programs that were started.
    pub seen: Vec<Finding>,
}

/// Values files, in order, over the defaults of a chart.
#[derive(Default)]
pub struct Given {
    /// The files.
    pub files: Vec<String>,
    /// The chart.
    pub chart: Option<PathBuf>,
    /// The keyrings that they are for, if an environment was named.
    pub selections: Vec<Selection>,
}

/// What was found.
pub struct Checked {
    /// In order, weighed, without what is ignored.
    pub findings: Vec<Finding>,
    /// How many files were looked at.
    pub files: usize,
}

/// Told after each file: how many are done, and of how many.
pub type Progress<'p> = dyn Fn(usize, usize) + Sync + 'p;

/// Looks at everything that is asked for.
///
/// # Errors
/// A path that is not there, a configuration or a profile that cannot be read.
pub fn check(request: &Request, progress: &Progress<'_>) -> Result<Checked, Refusal> {
    let mut found = walk::files(&request.paths)?;
    let named = request.given.iter().flat_map(|given| &given.files).map(|file| Found::named(Path::new(file)));
    found.extend(named.filter(|named| named.path.is_file()));
    let mut found = walk::once(found);
    let (homes, mut findings) = homes(request, &found);
    let mut settings = AllSettings::default();
    for home in &homes {
        settings.add(&home.config)?;
    }
    found.retain(|file| settings.takes(&file.path));

    let profiles = profiles(&homes)?;
    let interest = Interest::new(&profiles)?;
    let context = Context { profiles: &profiles, interest: &interest, roots: Roots::default() };
    let mut facts = side_by_side(&found, &context, progress);
    if let Some((name, text)) = &request.stdin {
        facts.push(file::look_at_stdin(name, text, &context));
    }

    let mut judged = Judged::default();
    let mut all = Facts::default();
    for one in facts {
        all.findings.extend(one.findings);
        all.lone.extend(one.lone);
        all.keys.extend(one.keys);
        all.deployments.extend(one.deployments);
        all.config_maps.extend(one.config_maps);
        all.ignores.extend(one.ignores);
    }
    own::files_of_sources(&homes, &found, &mut all);
    findings.append(&mut all.findings);
    findings.extend(request.seen.iter().cloned());
    all.ignores.extend(elsewhere(&request.seen, &found));
    let paths: HashSet<PathBuf> = found.iter().map(|file| absolute(&file.path)).collect();
    let looked_at = |path: &Path| paths.contains(&absolute(path));
    for home in &homes {
        findings.extend(home.findings());
        findings.extend(home.environments(&looked_at, &mut judged));
    }
    let repository = Repository { profiles: &profiles, homes: &homes, config_maps: &all.config_maps };
    for deployment in all.deployments {
        findings.extend(judged.deployment(deployment, &repository));
    }
    if let Some(given) = &request.given {
        findings.extend(given.judged(&profiles, &mut judged));
    }
    findings.extend(all.lone.into_iter().filter(|finding| !is_judged(finding, &judged)));
    findings.extend(rules::of_all_keys(&all.keys));

    let findings = ignores::apply(sorted(findings), &mut all.ignores);
    Ok(Checked {
        findings: sorted(settings.weigh(findings)),
        files: found.len() + usize::from(request.stdin.is_some()),
    })
}

/// What the rules about values as they are written say of some files: a name that is misspelt or stands twice, a value of
/// a wrong type. For `render`, which judges the merged values itself. What cannot be read, or only once, says nothing here.
pub fn of_values_files(files: &[String], profiles: &[Profile]) -> Vec<Finding> {
    let found = files.iter().filter(|file| Path::new(file).is_file()).flat_map(|file| {
        let content = zeroize::Zeroizing::new(crate::schema::read_text(Path::new(file)).unwrap_or_default());
        of_values(file, &content, profiles)
    });
    sorted(found.collect())
}

/// The same of values that stand in no file; `name` is what messages call them.
pub fn of_values(name: &str, content: &str, profiles: &[Profile]) -> Vec<Finding> {
    let mut facts = Facts::default();
    let text = Text::new(name, content, Stands::Whole, false);
    file::values_only(&mut Reader::new(&text, Path::new(""), profiles, &mut facts));
    let is_asked = |finding: &Finding| ["duplicate-field", "unknown-field", "wrong-type"].contains(&finding.id);
    sorted(facts.findings.into_iter().filter(is_asked).collect())
}

/// The configurations above and below, and what is wrong with those that cannot be read.
fn homes(request: &Request, found: &[Found]) -> (Vec<Home>, Vec<Finding>) {
    let below = found.iter().map(|file| file.path.as_path()).filter(|path| Home::is_one(path));
    let mut paths: Vec<&Path> = Vec::new();
    for path in below.chain(request.configs.iter().map(PathBuf::as_path)) {
        if !paths.iter().any(|known| same(known, path)) {
            paths.push(path);
        }
    }
    let (mut homes, mut findings) = (Vec::new(), Vec::new());
    for path in paths {
        // As the user sees it from here.
        let path = path.strip_prefix(".").unwrap_or(path);
        let is_above = request.configs.iter().any(|above| same(path, above));
        match Home::read(path, request.lock.as_deref().filter(|_| is_above)) {
            Ok(home) => homes.push(home),
            Err(Refusal(refused)) => findings.extend(refused),
        }
    }
    (homes, findings)
}

/// The shipped profiles, and those that a configuration names.
fn profiles(homes: &[Home]) -> Result<Vec<Profile>, Refusal> {
    let mut profiles: Vec<Profile> =
        profile::shipped_names().filter_map(profile::shipped).collect::<Result<_, Refusal>>()?;
    for pair in homes.iter().flat_map(|home| &home.pairs) {
        if !profiles.iter().any(|known| known.name == pair.profile.name) {
            profiles.push(pair.profile.clone());
        }
    }
    Ok(profiles)
}

/// Looks at each file, on as many threads as there are cores; the order is that of the files.
fn side_by_side<'p>(found: &[Found], context: &Context<'p>, progress: &Progress<'_>) -> Vec<Facts<'p>> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut seen = Vec::new();
        while let Some((index, file)) = take(&next, found) {
            seen.push((index, file::look(file, context)));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, found.len());
        }
        seen
    };
    let count = thread::available_parallelism().map_or(1, usize::from).min(found.len().max(1));
    let mut all: Vec<(usize, Facts<'p>)> = thread::scope(|scope| {
        let workers: Vec<_> = (1..count).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        // A worker that panics has ended the process already.
        all.extend(workers.into_iter().filter_map(|worker| worker.join().ok()).flatten());
        all
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, facts)| facts).collect()
}

fn take<'f>(next: &AtomicUsize, found: &'f [Found]) -> Option<(usize, &'f Found)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    found.get(index).map(|file| (index, file))
}

impl Given {
    /// `-f A -f B --chart DIR`
    fn judged(&self, profiles: &[Profile], judged: &mut Judged) -> Vec<Finding> {
        let Self { files, chart, selections } = self;
        let place = match (files.last(), chart) {
            (Some(file), _) => Place::file(file.clone()),
            (None, Some(chart)) => Place::file(chart.display().to_string()),
            (None, None) => return Vec::new(),
        };
        let request = Values { chart: chart.clone(), files: files.clone(), ..Values::default() };
        let title = "`-f` and `--chart`";
        if selections.is_empty() {
            let candidates: Vec<_> =
                profiles.iter().flat_map(|profile| Candidate::in_folder(profile, chart.as_deref())).collect();
            return judged.set(title, &place, &request, &candidates, &Expected::default());
        }
        let of_selection =
            |pair: &Selection| judged.set(title, &place, &request, &[Candidate::of(pair)], &Expected::of(pair, None));
        selections.iter().flat_map(of_selection).collect()
    }
}

/// The comments that silence what was seen in files that were not looked at.
fn elsewhere(seen: &[Finding], found: &[Found]) -> Vec<ignores::Ignore> {
    let mut files: Vec<&str> = seen.iter().filter_map(|finding| Some(finding.places.first()?.file.as_str())).collect();
    files.sort_unstable();
    files.dedup();
    let unseen = files.into_iter().filter(|file| !found.iter().any(|found| found.name == *file));
    let ignores = unseen.flat_map(|file| {
        let content = crate::schema::read_text(Path::new(file)).unwrap_or_default();
        let text = Text::new(file, &content, Stands::Whole, true);
        ignores::of(&text)
            .into_iter()
            .filter(|ignore| seen.iter().any(|finding| ignore.names(finding.id)))
            .collect::<Vec<_>>()
    });
    ignores.collect()
}

fn is_judged(finding: &Finding, judged: &Judged) -> bool {
    finding.places.first().is_some_and(|place| judged.has(&place.file))
}

fn same(one: &Path, other: &Path) -> bool {
    absolute(one) == absolute(other)
}

/// From the root, without `.` and `..`; links are not followed.
pub fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}
