//! The repository as the plugin server unpacked it, and what in it an Application may name.
//!
//! A path of an Application never leaves the repository: the sidecar holds tokens and keys in files of its own.

use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use crate::report::{Finding, Place, Refusal};

/// The plugin server unpacks each repository into a folder of its own below a folder of this name.
const WORK: &str = "_cmp_server";
/// Argo CD takes a name with one of these for a glob.
const OF_GLOBS: [char; 3] = ['*', '?', '['];
/// Helm takes a name with one of these apart, and would read another file than the one that was looked at.
const OF_HELM: [char; 3] = [',', '"', '\\'];

/// More folders are no values files that somebody meant.
const FOLDERS_MAX: usize = 5_000;

/// The repository, and the chart's folder in it.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    chart: PathBuf,
}

/// A values file of an Application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuesFile {
    /// Its path from the chart's folder.
    File(String),
    /// An address, which Helm fetches.
    Address(String),
}

impl ValuesFile {
    /// What Helm is given.
    pub fn word(&self) -> &str {
        match self {
            Self::File(word) | Self::Address(word) => word,
        }
    }
}

impl Repository {
    /// The repository around the chart's folder.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn around(chart: &Path) -> std::io::Result<Self> {
        let chart = chart.canonicalize()?;
        let is_unpacked = |folder: &&Path| folder.parent().and_then(Path::file_name).is_some_and(|name| name == WORK);
        let is_checkout = |folder: &&Path| folder.join(".git").exists();
        // The nearest of them: a folder of this name inside of a repository makes it smaller, never larger.
        let root = chart.ancestors().find(is_unpacked).or_else(|| chart.ancestors().find(is_checkout));
        Ok(Self { root: root.unwrap_or(&chart).to_owned(), chart })
    }

    /// Its root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The chart's folder.
    pub fn chart(&self) -> &Path {
        &self.chart
    }

    /// The nearest file of this name from the chart's folder upward, as seen from there.
    pub fn nearest(&self, name: &str) -> Option<PathBuf> {
        let folders = self.chart.ancestors().take_while(|folder| folder.starts_with(&self.root));
        folders
            .map(|folder| folder.join(name))
            .find(|file| file.symlink_metadata().is_ok())
            .map(|file| self.seen(&file))
    }

    /// A file as messages name it: from the repository's root. `file` is as seen from the chart's folder.
    pub fn name(&self, file: &str) -> String {
        let plain = normal(&self.chart.join(file));
        plain.strip_prefix(&self.root).map_or_else(|_| file.to_owned(), |rest| rest.display().to_string())
    }

    /// A file that something in the repository, or an Application, names: as seen from the chart's folder.
    /// `what` says what it is.
    ///
    /// # Errors
    /// It is outside of the repository, also through a link, or no file.
    pub fn file(&self, path: &Path, what: &str) -> Result<PathBuf, Finding> {
        let path = normal(&self.chart.join(path));
        if !path.starts_with(&self.root) {
            return Err(outside(what));
        }
        let real = path.canonicalize().map_err(|_| self.missing(&path, what))?;
        if !real.starts_with(&self.root) {
            return Err(outside(what));
        }
        if real.is_file() { Ok(self.seen(&real)) } else { Err(self.missing(&path, what)) }
    }

    /// The file that a parameter names: beside the chart, or with a `/` first from the root.
    ///
    /// # Errors
    /// As [`Repository::file`], and a name that Helm would take apart: that of the file itself, wherever a link to it lies.
    pub fn named(&self, name: &str, what: &str) -> Result<PathBuf, Finding> {
        if scheme(name).is_some() {
            return Err(address(what));
        }
        self.whole_file(&self.path(name), what)
    }

    /// As [`Repository::file`], with a name that Helm does not take apart.
    fn whole_file(&self, path: &Path, what: &str) -> Result<PathBuf, Finding> {
        let file = self.file(path, what)?;
        whole(&file.to_string_lossy(), what)?;
        Ok(file)
    }

    /// A folder that something in the repository names: whether it is in there too. As Helm understands it, which takes
    /// `a/..` out before it looks whether `a` is a link.
    pub fn holds_folder(&self, path: &Path) -> bool {
        normal(&self.chart.join(path)).canonicalize().is_ok_and(|real| real.starts_with(&self.root))
    }

    /// The values files in the order in which Helm gets them. `names` have their variables put in already.
    ///
    /// # Errors
    /// All that cannot be taken, at once.
    pub fn values_files(
        &self,
        names: &[String],
        ignores_missing: bool,
        schemes: &[String],
    ) -> Result<Vec<ValuesFile>, Refusal> {
        let mut found: Vec<(bool, ValuesFile)> = Vec::new();
        let mut findings = Vec::new();
        for name in names {
            // A file may be called like a glob: Argo CD 3.2 knows no globs.
            let is_glob = name.contains(OF_GLOBS) && !self.path(name).is_file();
            let files = match scheme(name) {
                Some(scheme) if schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)) => {
                    whole(name, "a values file").map(|()| vec![ValuesFile::Address(name.clone())])
                }
                Some(_) => Err(address("a values file")),
                None if is_glob => self.matching(name, ignores_missing),
                None => self.named(name, "a values file").map(|file| vec![self.values_file(&file)]),
            };
            match files {
                Ok(files) => found.extend(files.into_iter().map(|file| (is_glob, file))),
                Err(finding) if ignores_missing && finding.id == "no-such-file" => {}
                Err(finding) => findings.push(finding),
            }
        }
        if !findings.is_empty() {
            return Err(Refusal(findings));
        }
        // What is named one by one keeps its place; a glob adds only what is not there yet.
        let explicit: Vec<ValuesFile> =
            found.iter().filter(|(is_glob, _)| !is_glob).map(|(_, file)| file.clone()).collect();
        let mut files: Vec<ValuesFile> = Vec::new();
        for (is_glob, file) in found {
            if !is_glob || !(explicit.contains(&file) || files.contains(&file)) {
                files.push(file);
            }
        }
        Ok(files)
    }

    /// The files that a glob finds, in the order of their paths.
    fn matching(&self, glob: &str, ignores_missing: bool) -> Result<Vec<ValuesFile>, Finding> {
        let path = self.path(glob);
        let is_plain = |part: &Component<'_>| {
            let part = part.as_os_str().to_string_lossy();
            !part.contains(OF_GLOBS) && !part.contains(['{', '\\'])
        };
        let base: PathBuf = path.components().take_while(is_plain).collect();
        // Beside other letters `**` is as good as `*`.
        let part = |part: Component<'_>| match part.as_os_str().to_string_lossy() {
            whole if whole == "**" => whole.into_owned(),
            part => part.replace("**", "*"),
        };
        let rest: PathBuf = path.components().skip_while(is_plain).map(part).collect();
        let base = normal(&self.chart.join(base));
        if !base.starts_with(&self.root) || rest.components().any(|part| part == Component::ParentDir) {
            return Err(outside("a glob of values files"));
        }
        if base.canonicalize().is_ok_and(|real| !real.starts_with(&self.root)) {
            return Err(outside("a glob of values files"));
        }
        let matcher = GlobBuilder::new(&rest.to_string_lossy()).literal_separator(true).build().map_err(|_| {
            Finding::usage("bad-glob", format!("{} is no glob", word(glob))).help("`*`, `**`, `?`, `[abc]` and `{a,b}`")
        })?;
        let matcher = matcher.compile_matcher();
        let depth = if rest.iter().any(|part| part == "**") { usize::MAX } else { rest.components().count() };
        let mut walk = Walk { root: &self.root, depth, way: Vec::new(), files: Vec::new(), count: 0 };
        if !walk.below(&base) {
            return Err(Finding::usage(
                "bad-glob",
                format!("the glob {} has too many folders to look through", word(glob)),
            )
            .help("begin it with the folder that is meant; links that lead to each other's folders multiply them"));
        }
        let is_meant = |file: &PathBuf| file.strip_prefix(&base).is_ok_and(|rest| matcher.is_match(rest));
        // A link that leads nowhere is a file that is missing.
        let is_there = |file: &PathBuf| !ignores_missing || file.exists();
        let mut files: Vec<PathBuf> = walk.files.into_iter().filter(|file| is_meant(file) && is_there(file)).collect();
        files.sort();
        if files.is_empty() && !ignores_missing {
            return Err(Finding::usage("no-such-file", format!("the glob {} finds no values file", word(glob)))
                .help("correct it, or set `ignore-missing-value-files` to \"true\""));
        }
        files
            .iter()
            .map(|file| self.whole_file(file, "a values file"))
            .map(|file| file.map(|file| self.values_file(&file)))
            .collect()
    }

    /// Where a name of an Application leads, from the chart's folder.
    fn path(&self, name: &str) -> PathBuf {
        match name.strip_prefix('/') {
            Some(rest) => self.root.join(rest.trim_start_matches('/')),
            None => self.chart.join(name),
        }
    }

    /// Helm takes no name for an option, an address or its own stdin if a `./` stands before it.
    fn values_file(&self, seen: &Path) -> ValuesFile {
        ValuesFile::File(Path::new(".").join(seen).display().to_string())
    }

    /// An absolute path as seen from the chart's folder.
    fn seen(&self, path: &Path) -> PathBuf {
        let shared = self.chart.ancestors().find(|folder| path.starts_with(folder)).unwrap_or(Path::new("/"));
        let up = self.chart.strip_prefix(shared).map_or(0, |rest| rest.components().count());
        let down = path.strip_prefix(shared).unwrap_or(path);
        std::iter::repeat_n(Path::new(".."), up).chain([down]).collect()
    }

    fn missing(&self, path: &Path, what: &str) -> Finding {
        Finding::usage("no-such-file", format!("{what} is not there, or is no file"))
            .at(Place::file(Path::new(".").join(self.seen(path)).display().to_string()))
            .help("correct its path: from the chart's folder, or with `/` first from the repository's root")
    }
}

/// A walk for a glob, also behind links to folders, as doublestar walks for Argo CD.
struct Walk<'r> {
    root: &'r Path,
    /// How deep the files lie at most.
    depth: usize,
    /// The folders above, so that a link that leads back ends there.
    way: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// How many folders were walked through.
    count: usize,
}

impl Walk<'_> {
    /// All files below a folder; `false` if there are too many folders.
    fn below(&mut self, folder: &Path) -> bool {
        let Some(real) = folder.canonicalize().ok().filter(|real| real.starts_with(self.root)) else { return true };
        if self.way.len() >= self.depth || self.way.contains(&real) {
            return true;
        }
        self.count += 1;
        self.way.push(real);
        let mut is_all = self.count <= FOLDERS_MAX;
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match is_all && path.is_dir() {
                true => is_all = self.below(&path),
                false => self.files.push(path),
            }
        }
        self.way.pop();
        is_all
    }
}

/// Nothing is said of what is out there, not even whether it is.
fn outside(what: &str) -> Finding {
    Finding::refused("outside-repository", format!("{what} is outside of the repository"))
        .help("name a file of the repository; `/` first means its root")
        .help("files of another source of the Application do not reach a plugin (argoproj/argo-cd#12476)")
}

/// Refuses a word that Helm would take for several.
fn whole(word: &str, what: &str) -> Result<(), Finding> {
    if !word.contains(OF_HELM) && !word.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
        return Ok(());
    }
    Err(Finding::usage("file-name", format!("{what} has a name that helm would take apart"))
        .help("rename it: no comma, quote or backslash; in an address a comma is `%2C`"))
}

/// An address may hold a password, so it is not told.
fn address(what: &str) -> Finding {
    Finding::refused("values-file-scheme", format!("{what} has an address that may not be fetched"))
        .help("put it into the repository")
        .help("for values files, whoever runs the sidecar may allow a scheme: `valuesFileSchemes`")
}

/// The scheme of an address, as Go tells it.
fn scheme(name: &str) -> Option<&str> {
    let (scheme, _) = name.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(scheme)
}

/// Without `.` and `..`, by the words alone.
fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// A glob as a message may show it.
fn word(glob: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./{}*?[],!^".contains(c);
    match glob.len() < 100 && glob.chars().all(plain) {
        true => format!("`{glob}`"),
        false => "of a parameter".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A repository as the plugin server unpacks it, with the chart in `apps/obs`, and a secret beside it.
    fn unpacked() -> (tempfile::TempDir, Repository) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("_cmp_server/5d1f");
        for file in ["apps/obs/values.yaml", "apps/obs/env/b.yaml", "apps/obs/env/a.yaml", "apps/obs/env/deep/c.yaml"] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "a: 1\n").unwrap();
        }
        fs::write(root.join("global.yaml"), "a: 1\n").unwrap();
        fs::write(root.join("a,b.yaml"), "a: 1\n").unwrap();
        fs::write(folder.path().join("token"), "hunter2\n").unwrap();
        fs::write(folder.path().join("_cmp_server/other"), "hunter2\n").unwrap();
        symlink(folder.path().join("token"), root.join("apps/obs/link.yaml")).unwrap();
        symlink("env/a.yaml", root.join("apps/obs/inner.yaml")).unwrap();
        symlink(folder.path(), root.join("apps/obs/up")).unwrap();
        // Helm would take `x,/env/a.yaml` for two files, the second one outside.
        fs::create_dir_all(root.join("apps/obs/x,/env")).unwrap();
        fs::write(root.join("apps/obs/x,/env/a.yaml"), "a: 1\n").unwrap();
        symlink("x,/env/a.yaml", root.join("apps/obs/comma.link")).unwrap();
        symlink("env", root.join("apps/obs/folder")).unwrap();
        symlink("..", root.join("apps/obs/env/deep/back")).unwrap();
        fs::write(root.join("apps/obs/v[1].yaml"), "a: 1\n").unwrap();
        let repository = Repository::around(&root.join("apps/obs")).unwrap();
        (folder, repository)
    }

    fn files(repository: &Repository, names: &[&str]) -> Result<Vec<String>, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let found = repository.values_files(&names, false, &["https".to_owned()]);
        let ids = |refusal: Refusal| refusal.0.iter().map(|finding| finding.id).collect::<Vec<_>>().join(" ");
        found.map(|files| files.iter().map(|file| file.word().to_owned()).collect()).map_err(ids)
    }

    #[test]
    fn files_of_the_repository_are_found() {
        let (_folder, repository) = unpacked();
        let found = files(&repository, &["values.yaml", "/global.yaml", "../../global.yaml", "inner.yaml"]);
        assert_eq!(found.unwrap(), ["./values.yaml", "./../../global.yaml", "./../../global.yaml", "./env/a.yaml"]);
        assert_eq!(files(&repository, &["https://example.com/v.yaml"]).unwrap(), ["https://example.com/v.yaml"]);
        assert_eq!(repository.name("../../global.yaml"), "global.yaml");
        assert_eq!(repository.name("values.yaml"), "apps/obs/values.yaml");
        assert_eq!(repository.nearest("global.yaml"), Some("../../global.yaml".into()));
        assert_eq!(repository.nearest("token"), None);
    }

    #[test]
    fn nothing_outside_of_the_repository_is_found() {
        let (_folder, repository) = unpacked();
        for name in ["../../../other", "../../../../token", "/../other", "link.yaml", "up/token", "/apps/obs/up/token"]
        {
            assert_eq!(files(&repository, &[name]), Err("outside-repository".to_owned()), "{name}");
        }
        assert_eq!(files(&repository, &["../../../*"]), Err("outside-repository".to_owned()));
        assert_eq!(files(&repository, &["*/../../../../token"]), Err("outside-repository".to_owned()));
        assert_eq!(files(&repository, &["*.yaml"]), Err("outside-repository".to_owned()), "a link that leads away");
        assert_eq!(files(&repository, &["up/*"]), Err("outside-repository".to_owned()));
        for name in ["http://example.com/v.yaml", "file:///etc/passwd", "a:b"] {
            assert_eq!(files(&repository, &[name]), Err("values-file-scheme".to_owned()), "{name}");
        }
        for name in ["/a,b.yaml", "comma.link", "x,/env/a.yaml"] {
            assert_eq!(files(&repository, &[name]), Err("file-name".to_owned()), "{name}");
        }
        for address in ["https://example.com/v.yaml,/etc/passwd", "https://example.com/\"a", "https://example.com/a\\b"]
        {
            assert_eq!(files(&repository, &[address]), Err("file-name".to_owned()), "{address}");
        }
        assert_eq!(files(&repository, &["nowhere.yaml"]), Err("no-such-file".to_owned()));
        assert_eq!(files(&repository, &["env"]), Err("no-such-file".to_owned()));
        // Whether something is there or not sounds the same.
        let refusal = |name: &str| repository.named(name, "a values file").unwrap_err();
        assert_eq!(refusal("../../../other"), refusal("../../../nothing"));
    }

    #[test]
    fn links_that_multiply_folders_are_not_followed_for_ever() {
        let (_folder, repository) = unpacked();
        let inside = |name: String| repository.chart().join("many").join(name);
        for one in 0..9 {
            fs::create_dir_all(inside(one.to_string())).unwrap();
            (0..9).for_each(|other| symlink(inside(other.to_string()), inside(format!("{one}/to-{other}"))).unwrap());
        }
        assert_eq!(files(&repository, &["many/**/*.yaml"]), Err("bad-glob".to_owned()));
        // Nobody looks deeper than a glob can match.
        fs::write(inside("1/here.yaml".to_owned()), "a: 1\n").unwrap();
        assert_eq!(files(&repository, &["many/1/h*.yaml"]).unwrap(), ["./many/1/here.yaml"]);
    }

    proptest::proptest! {
        /// However a name is made of what leads away and back, no file outside is found.
        #[test]
        fn no_name_leads_out(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "..", ".", "", "up", "_cmp_server", "5d1f", "apps", "obs", "env", "deep", "a.yaml", "link.yaml", "token",
                    "other", "*", "**", "global.yaml", "inner.yaml", "[a-z]*", "x,", "comma.link", "folder", "back",
                ]),
                1..9,
            ),
            from_root: bool,
        ) {
            let (_folder, repository) = unpacked();
            let name = format!("{}{}", if from_root { "/" } else { "" }, parts.join("/"));
            for file in repository.values_files(&[name], true, &[]).unwrap_or_default() {
                let real = repository.chart().join(file.word()).canonicalize().unwrap();
                proptest::prop_assert!(real.starts_with(repository.root()), "{}", real.display());
                proptest::prop_assert!(!fs::read_to_string(real).unwrap().contains("hunter2"));
            }
        }
    }

    #[test]
    fn globs_find_files_in_order_and_leave_named_ones_where_they_are() {
        let (_folder, repository) = unpacked();
        assert_eq!(files(&repository, &["env/*.yaml"]).unwrap(), ["./env/a.yaml", "./env/b.yaml"]);
        assert_eq!(
            files(&repository, &["env/**/*.yaml", "env/a.yaml", "/apps/*/env/[bc].yaml"]).unwrap(),
            ["./env/b.yaml", "./env/deep/c.yaml", "./env/a.yaml"]
        );
        assert_eq!(files(&repository, &["folder/b*.yaml", "f*/a.yaml"]).unwrap(), ["./env/b.yaml", "./env/a.yaml"]);
        assert_eq!(files(&repository, &["v[1].yaml"]).unwrap(), ["./v[1].yaml"]);
        assert_eq!(files(&repository, &["{env,none}/{a,b}*.yaml"]).unwrap(), ["./env/a.yaml", "./env/b.yaml"]);
        assert_eq!(files(&repository, &["env/**.yaml"]).unwrap(), ["./env/a.yaml", "./env/b.yaml"]);
        fs::write(repository.chart().join("prod:eu.yaml"), "a: 1\n").unwrap();
        assert_eq!(files(&repository, &["prod*.yaml"]).unwrap(), ["./prod:eu.yaml"]);
        assert_eq!(files(&repository, &["env/x*.yaml"]), Err("no-such-file".to_owned()));
        let names = ["env/x*.yaml", "none.yaml", "values.yaml"].map(str::to_owned);
        assert_eq!(repository.values_files(&names, true, &[]).unwrap(), [ValuesFile::File("./values.yaml".to_owned())]);
        // A link that leads nowhere is missing, and the files beside it are not.
        symlink("nowhere.yaml", repository.chart().join("env/z.yaml")).unwrap();
        assert_eq!(files(&repository, &["env/*.yaml"]), Err("no-such-file".to_owned()));
        let found = repository.values_files(&["env/*.yaml".to_owned()], true, &[]).unwrap();
        assert_eq!(found.iter().map(ValuesFile::word).collect::<Vec<_>>(), ["./env/a.yaml", "./env/b.yaml"]);
    }
}
