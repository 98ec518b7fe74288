//! `helm-keyring helm …`, which is `helm keyring …`: Helm as always, with the keyring behind it.

use std::ffi::OsString;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::render::{self, Before};
use super::{Done, Ended, process, usage};
use crate::helm::{Folder, Line, PLUGIN, RELAY, SOCKET, Verb, Version, serve, write_post_renderer};
use crate::render::{Outcome, Show, is_blank};
use crate::report::{Exit, Finding, Place, Refusal, nearest};
use crate::values::Known;

/// The flag that lets Helm 3 go on although hooks could not be looked at.
const UNSEEN_HOOKS: &str = Line::ALLOW_UNSEEN_HOOKS;

const USAGE: &str = "\
Runs helm with the keyring behind it. All of helm's own flags work, and:

  --keyring-environment NAME   the environment in keyring.yaml (HELM_KEYRING_ENVIRONMENT)
  --keyring-config FILE        the configuration file (HELM_KEYRING_CONFIG)
  --keyring-allow-empty        the chart may render nothing
  --keyring-allow-no-target    the chart may have no place for a key
  --keyring-allow-unseen-hooks no hook of the chart holds keys (Helm 3, where they cannot be seen)
  --keyring-show-keys          print keys to a terminal too (template)
  --keyring-timeout SECONDS    how long all stores together may take (HELM_KEYRING_TIMEOUT)
  --keyring-stats              say what was fetched, and how long it took

Usage:
  helm keyring install|upgrade|template …   as `helm install|upgrade|template …`
  helm-keyring helm plugin [FOLDER]         writes the post-renderer plugin for Helm 4

Every other HELM_KEYRING_… variable counts as for `helm-keyring render`.
";

#[derive(clap::Args)]
pub struct Args {
    /// Helm's sub-command and all that belongs to it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    words: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    match args.words.first().map(String::as_str) {
        None | Some("help" | "--help" | "-h") => {
            process::print([USAGE.as_bytes()])?;
            Ok(Vec::new())
        }
        Some("plugin") => plugin(args.words.get(1)),
        Some(word) => match Line::parse(&args.words) {
            Some(line) => wrap(&line),
            None => Err(Refusal::from(not_ours(word)).into()),
        },
    }
}

fn not_ours(word: &str) -> Finding {
    let finding = Finding::usage("not-a-render", "`helm keyring` runs install, upgrade and template");
    match word {
        "rollback" => finding
            .found("`helm rollback` applies the manifests that are stored with the old release, with the keys of that time, and renders nothing")
            .help("roll forward: `helm keyring upgrade` with the old chart and values delivers all keys of today"),
        _ => match nearest(word, ["install", "upgrade", "template"]) {
            Some(meant) => finding.help(format!("did you mean `helm keyring {meant}`?")),
            None => finding.help("helm's other commands are helm's: `helm list`; helm-keyring's own are the program's: `helm-keyring rotate`"),
        },
    }
}

/// The Helm at hand.
struct Helm {
    program: OsString,
    version: Version,
}

impl Helm {
    fn find() -> anyhow::Result<Self> {
        match Version::of_plugin() {
            Some(version) => Ok(Self { program: Self::program(), version }),
            None => Self::ask(),
        }
    }

    fn program() -> OsString {
        std::env::var_os("HELM_BIN").filter(|bin| !bin.is_empty()).unwrap_or_else(|| "helm".into())
    }

    /// Asks the program itself, which takes as long as a small render.
    fn ask() -> anyhow::Result<Self> {
        let program = Self::program();
        let output = Command::new(&program).args(["version", "--template", "{{.Version}}"]).output();
        let output = output.context("helm cannot be run: install it, or name it with HELM_BIN")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some(version) = Version::parse(&text) else {
            let finding =
                Finding::usage("unknown-helm", "this is no Helm 3 or 4").help("name another one with HELM_BIN");
            return Err(Refusal::from(finding).into());
        };
        Ok(Self { program, version })
    }

    fn command(&self) -> Command {
        Command::new(&self.program)
    }

    /// Where the user's plugins are.
    fn plugins() -> Vec<PathBuf> {
        if let Some(folders) = std::env::var_os("HELM_PLUGINS").filter(|folders| !folders.is_empty()) {
            return std::env::split_paths(&folders).collect();
        }
        Self::default_plugins().into_iter().collect()
    }

    /// Where Helm keeps plugins if nothing else is said.
    fn default_plugins() -> Option<PathBuf> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let data = variable("HELM_DATA_HOME")
            .or_else(|| Some(variable("XDG_DATA_HOME")?.join("helm")))
            .or_else(|| Some(variable("HOME")?.join(".local/share/helm")));
        data.map(|data| data.join("plugins"))
    }
}

fn refuse_flags(line: &Line, version: Version) -> Result<(), Refusal> {
    if line.has("post-renderer") || line.has("post-renderer-args") {
        return Err(Finding::usage("second-post-renderer", "helm takes one post-renderer, and helm-keyring is it")
            .help("chain them in a script: other-renderer | helm-keyring render, and pass that with plain `helm --post-renderer`")
            .into());
    }
    if version == Version::Three && line.has("output-dir") {
        return Err(Finding::usage(
            "output-dir",
            "Helm 3 writes the files of `--output-dir` before any post-renderer sees them",
        )
        .found("the keys that the chart made up would lie on disk")
        .help("`helm keyring template … >manifests.yaml`, or Helm 4")
        .into());
    }
    Ok(())
}

fn wrap(line: &Line) -> Done {
    if line.has("help") {
        let helm = Helm::find()?;
        return ended(
            helm.command().arg(line.verb.word()).arg("--help").status().context("helm cannot be run")?,
            Vec::new(),
        );
    }
    let helm = Helm::find()?;
    refuse_flags(line, helm.version)?;
    let args = match render::Args::of(&line.render_words()) {
        Ok(args) => args,
        Err(error) => return usage::explained(&error),
    };
    let once = line.read_once().map(|name| format!("{name} can be read only once, and is for helm"));
    let before = match &once {
        Some(reason) => Err(reason.clone()),
        None => given_before(&helm, line, &args)?,
    };
    let known = match &before {
        Ok(before) => args.known(before.clone())?,
        Err(reason) => Known::Unknown { reason: reason.clone() },
    };
    args.preflight(&known)?;
    let is_blind = helm.version == Version::Three && line.verb != Verb::Template;
    if is_blind && !line.has(UNSEEN_HOOKS) {
        match before {
            Ok(before) => pre_render(&helm, line, &args, before)?,
            Err(reason) => return Err(Refusal::from(hooks_unseen(&reason)).into()),
        }
    }
    let is_hidden = line.verb == Verb::Template && process::stdout_is_terminal() && !line.has("keyring-show-keys");
    let folder = Folder::new(&Helm::plugins()).context("the plugin folder for helm cannot be made")?;
    let told: Mutex<Vec<Finding>> = Mutex::new(Vec::new());
    let asked = AtomicBool::new(false);
    let tell = |findings: Vec<Finding>| {
        if let Ok(mut told) = told.lock() {
            told.extend(findings)
        }
    };
    let answer = |stream: Vec<u8>| {
        asked.store(true, Ordering::SeqCst);
        match answered(&args, &known, &stream, is_hidden) {
            Ok((output, findings)) => {
                tell(findings);
                Some(output)
            }
            Err(Refusal(findings)) => {
                tell(findings);
                None
            }
        }
    };
    let is_delivered = || {
        let is_refused = told.lock().is_ok_and(|told| told.iter().any(|finding| finding.exit().is_some()));
        asked.load(Ordering::SeqCst) && !is_refused
    };
    let served = serve(&folder.socket(), &answer, || run_helm(&helm, line, &folder, &args, &is_delivered));
    let status = match served.context("the socket for helm's post-renderer cannot be made")? {
        Ok(status) => status,
        Err(error) => {
            let mut findings = told.into_inner().unwrap_or_default();
            findings.extend(super::refusal(error).0);
            return Err(Refusal(findings).into());
        }
    };
    let mut findings = told.into_inner().unwrap_or_default();
    if status.success() && !asked.load(Ordering::SeqCst) {
        findings.push(not_asked(line.verb));
    }
    ended(status, findings)
}

/// Whatever ran in helm's place, the keys that the chart made up are in what it printed or applied.
fn not_asked(verb: Verb) -> Finding {
    let finding = Finding::refused("not-asked", "helm ended well, and never asked its post-renderer");
    match verb {
        Verb::Template => finding.found("nothing was printed").help("is HELM_BIN a script that drops arguments?"),
        Verb::Install | Verb::Upgrade => finding
            .found("what it applied holds keys that the chart made up")
            .help("look at the cluster: `helm-keyring status --live`; is HELM_BIN a script that drops arguments?"),
    }
}

fn hooks_unseen(why: &str) -> Finding {
    Finding::refused("hooks-unseen", "whether the chart's hooks hold keys could not be seen")
        .found("Helm 3 hands no hook to a post-renderer, so the chart is rendered beforehand to look at them")
        .found(why.to_owned())
        .help("if no hook of the chart is a Secret with keys, pass `--keyring-allow-unseen-hooks`")
        .help("else use the pipe or Helm 4")
}

fn answered(
    args: &render::Args,
    known: &Known,
    stream: &[u8],
    is_hidden: bool,
) -> Result<(Vec<u8>, Vec<Finding>), Refusal> {
    if is_blank(stream) {
        return Ok((args.blank(stream)?.to_vec(), Vec::new()));
    }
    let Outcome { stream, findings } =
        args.rendered(stream, known, if is_hidden { Show::Placeholders } else { Show::Keys })?;
    Ok((stream.chunks().collect::<Vec<_>>().concat(), findings))
}

/// Helm itself. The output of `template` is passed on when it is known to be right: Helm 3 puts the hooks behind what the
/// post-renderer has seen, and with `--debug` both print them although the post-renderer has failed.
fn run_helm(
    helm: &Helm,
    line: &Line,
    folder: &Folder,
    args: &render::Args,
    is_delivered: &dyn Fn() -> bool,
) -> anyhow::Result<ExitStatus> {
    let program = std::env::current_exe().context("the program does not know its own path")?;
    let mut command = helm.command();
    command.arg(line.verb.word()).env(SOCKET, folder.socket());
    match helm.version {
        Version::Three => {
            command.arg("--post-renderer").arg(&program).args(["--post-renderer-args", "relay"]);
        }
        Version::Four => {
            let (name, program) = Folder::program(&program);
            command.args(["--post-renderer", RELAY]).env("HELM_PLUGINS", folder.plugins()).env(name, program);
        }
    }
    command.args(&line.words);
    if line.verb != Verb::Template {
        return command.status().context("helm cannot be run");
    }
    let output = command.stderr(Stdio::inherit()).stdin(Stdio::inherit()).output().context("helm cannot be run")?;
    if output.status.success() && helm.version == Version::Three {
        args.refuse_hooks(&output.stdout)?;
    }
    if output.status.success() && is_delivered() {
        process::print([output.stdout.as_slice()])?;
    }
    Ok(output.status)
}

/// Helm 3 hands no hooks to a post-renderer, so a render beforehand shows them.
fn pre_render(helm: &Helm, line: &Line, args: &render::Args, before: Option<Before>) -> anyhow::Result<()> {
    let mut command = helm.command();
    command.args(line.template_words(before.is_some()));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("helm cannot be run")?;
    if let (Some(mut stdin), Some((_, text))) = (child.stdin.take(), &before) {
        // A helm that ends before it has read them says why itself.
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().context("helm cannot be run")?;
    if output.status.success() {
        return Ok(args.refuse_hooks(&output.stdout)?);
    }
    Err(Refusal::from(hooks_unseen("`helm template` with the same values failed")).into())
}

/// What a release was given before, if Helm keeps that: nothing if there is no such release. The reason if it cannot be
/// told.
fn given_before(helm: &Helm, line: &Line, args: &render::Args) -> anyhow::Result<Result<Option<Before>, String>> {
    let keeps = line.verb == Verb::Upgrade && line.keeps_old_values(args.gives_values()?);
    let Some(release) = line.release().filter(|_| keeps) else { return Ok(Ok(None)) };
    let mut command = helm.command();
    command.args(["get", "values", release, "--output", "yaml"]).args(line.cluster_words()).stdin(Stdio::null());
    let output = command.output().context("helm cannot be run")?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        let text = Zeroizing::new(String::from_utf8_lossy(&output.stdout).into_owned());
        return Ok(Ok(Some((format!("release {release}"), text))));
    }
    let is_new = stderr.contains("release: not found");
    Ok(if is_new { Ok(None) } else { Err(format!("the values of release {release} cannot be read")) })
}

/// Helm's exit code is the run's, unless Helm did not notice what helm-keyring refuses.
fn ended(status: ExitStatus, findings: Vec<Finding>) -> Done {
    match status.code().map(|code| u8::try_from(code).unwrap_or(1)) {
        Some(0) if findings.iter().all(|finding| finding.exit().is_none()) => Ok(findings),
        Some(0) => Err(Refusal(findings).into()),
        code => Err(Ended { code: code.unwrap_or(1), findings }.into()),
    }
}

fn plugin(folder: Option<&String>) -> Done {
    let folder = folder.map(PathBuf::from).or_else(|| Helm::plugins().into_iter().next());
    let Some(folder) = folder else {
        let finding = Finding::usage("no-folder", "where helm keeps its plugins is not known").help("name a folder");
        return Err(Refusal::from(finding).into());
    };
    refuse_for_helm3(&folder)?;
    let program = std::env::current_exe().context("the program does not know its own path")?;
    let written = match write_post_renderer(&folder, &program) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let there = folder.join(PLUGIN);
            let finding = Finding::usage("already-there", "the plugin is there already")
                .at(Place::file(there.display().to_string()))
                .help("remove that folder first, to write it anew");
            return Err(Refusal::from(finding).into());
        }
        written => written.with_context(|| format!("the plugin cannot be written into {}", folder.display()))?,
    };
    let text = format!(
        "written: {}\nnow: helm upgrade … --post-renderer {PLUGIN} --post-renderer-args --environment=NAME\n",
        written.display()
    );
    process::print([text.as_bytes()])?;
    Ok(vec![
        Finding::note("helm4-only", "this plugin is for Helm 4 alone")
            .found("a Helm 3 that looks into the same folder would refuse all its plugins")
            .help("where both are used, name a folder of its own, and set HELM_PLUGINS to it for Helm 4"),
    ])
}

/// A plugin of Helm 4 in the folder of a Helm 3 makes that one refuse every plugin, and even `helm plugin` itself.
fn refuse_for_helm3(folder: &Path) -> anyhow::Result<()> {
    let real = |folder: &Path| folder.canonicalize().or_else(|_| std::path::absolute(folder)).ok();
    let looked_into = Helm::plugins().into_iter().chain(Helm::default_plugins());
    let is_looked_into = looked_into.into_iter().any(|own| real(&own) == real(folder));
    // Asked, and not taken from the environment: a mistake here would cost all plugins.
    let helm = if is_looked_into { Helm::ask() } else { return Ok(()) };
    if helm.is_ok_and(|helm| helm.version == Version::Four) {
        return Ok(());
    }
    Err(Refusal::from(
        Finding::error(Exit::Usage, "helm3-folder", format!("{} is the plugin folder of a Helm 3", folder.display()))
            .found("a plugin of Helm 4 in it would make Helm 3 refuse all plugins")
            .help("Helm 3 needs none: `--post-renderer helm-keyring --post-renderer-args render`")
            .help("for a Helm 4 beside it, name another folder, and set HELM_PLUGINS to it"),
    )
    .into())
}
