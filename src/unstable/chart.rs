//! The template files of a chart's folder, and which of them a `# Source:` comment means.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use super::generators::{Generator, generators};
use crate::yaml::{Data, Value};

/// A template of more bytes than this is not read.
const MAX_BYTES: u64 = 1 << 20;

/// The templates of a chart and of the charts in its `charts` folder, as paths below `folder` in sorted order, each
/// with what makes up values in it, and its text.
///
/// Left out are archives, `NOTES.txt` (it never reaches the cluster), files larger than 1 MiB or not UTF-8, and what a
/// link reaches outside the chart.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn of_chart(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<Generator>, String)>> {
    let mut walk = Walk::new(folder)?;
    while let Some((folder, place)) = walk.next_folder() {
        walk.look_into(&folder, place)?;
    }
    let mut templates = Vec::new();
    for file in walk.templates {
        if let Ok(text) = String::from_utf8(fs::read(folder.join(&file))?) {
            templates.push((file, generators(&text), text));
        }
    }
    Ok(templates)
}

/// What a folder is to its chart.
#[derive(Clone, Copy)]
enum Folder {
    Chart,
    Charts,
    Templates,
}

struct Walk {
    folder: PathBuf,
    real: PathBuf,
    waiting: Vec<(PathBuf, Folder)>,
    /// Links to folders come last, so that a file goes by its own path.
    links: Vec<(PathBuf, Folder)>,
    seen: BTreeSet<PathBuf>,
    templates: BTreeSet<PathBuf>,
}

impl Walk {
    fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            real: folder.canonicalize()?,
            waiting: vec![(PathBuf::new(), Folder::Chart)],
            links: Vec::new(),
            seen: BTreeSet::new(),
            templates: BTreeSet::new(),
        })
    }

    /// The next folder, each once: links may lead in circles.
    fn next_folder(&mut self) -> Option<(PathBuf, Folder)> {
        loop {
            let (folder, place) = self.waiting.pop().or_else(|| self.links.pop())?;
            let real = self.real_path(&folder);
            if real.is_some_and(|real| self.seen.insert(real)) {
                return Some((folder, place));
            }
        }
    }

    /// Where a path below the chart really lies, if that is in the chart.
    fn real_path(&self, below: &Path) -> Option<PathBuf> {
        self.folder.join(below).canonicalize().ok().filter(|real| real.starts_with(&self.real))
    }

    fn look_into(&mut self, below: &Path, place: Folder) -> io::Result<()> {
        for entry in fs::read_dir(self.folder.join(below))? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), below.join(entry.file_name()));
            let Some(name) = name.to_str() else { continue };
            let is_link = entry.file_type()?.is_symlink();
            // A link that leads nowhere, or out of the chart.
            let Some(about) = self.real_path(&path).and_then(|real| fs::metadata(real).ok()) else { continue };
            if about.is_dir() {
                let inner = match (place, name) {
                    (Folder::Chart, "templates") | (Folder::Templates, _) => Folder::Templates,
                    (Folder::Chart, "charts") => Folder::Charts,
                    // Helm passes these over.
                    (Folder::Charts, name) if !name.starts_with(['_', '.']) => Folder::Chart,
                    _ => continue,
                };
                let list = if is_link { &mut self.links } else { &mut self.waiting };
                list.push((path, inner));
                continue;
            }
            let is_read = about.is_file() && about.len() <= MAX_BYTES && !name.ends_with("NOTES.txt");
            if is_read && matches!(place, Folder::Templates) {
                self.templates.insert(path);
            }
        }
        Ok(())
    }
}

/// The file below `folder` that a source such as `app/charts/db/templates/secret.yaml` means. Helm names charts there
/// by their name or alias, which need not be the name of their folder.
pub(super) fn file_of_source(folder: &Path, source: &str) -> Option<PathBuf> {
    let mut file = PathBuf::new();
    let (_, mut rest) = source.split_once('/')?;
    while let Some((name, behind)) = rest.strip_prefix("charts/").and_then(|inner| inner.split_once('/')) {
        file.push("charts");
        file.push(dependency(&folder.join(file.parent().unwrap_or(Path::new(""))), name)?);
        rest = behind;
    }
    file.push(rest);
    file.components().all(|part| matches!(part, Component::Normal(_))).then_some(file)
}

/// The name of the folder in `charts` that holds the chart of this name or alias.
fn dependency(chart: &Path, name: &str) -> Option<String> {
    let about = description(chart);
    let is_alias = |item: &&Value| item.get("alias").and_then(Value::text) == Some(name);
    let items = match about.as_ref().and_then(|about| about.get("dependencies")).map(|list| &list.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    };
    let real_name = items.iter().find(is_alias).and_then(|item| item.get("name")?.text()).unwrap_or(name);
    let folders = fs::read_dir(chart.join("charts")).ok()?;
    let mut names: Vec<String> = folders.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    // The folder of the same name first, then the others in order.
    names.sort_by_key(|folder| (folder != real_name, folder.clone()));
    names.into_iter().find(|folder| {
        let about = description(&chart.join("charts").join(folder));
        about.as_ref().and_then(|about| about.get("name")?.text()) == Some(real_name)
    })
}

fn description(chart: &Path) -> Option<Value> {
    let file = chart.join("Chart.yaml");
    // A pipe of that name would never end.
    let readable = fs::metadata(&file).is_ok_and(|about| about.is_file() && about.len() <= MAX_BYTES);
    Value::parse(&readable.then(|| fs::read_to_string(file).ok())??, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chart's folder with these files.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn paths(folder: &Path) -> Vec<String> {
        of_chart(folder).unwrap().into_iter().map(|(path, ..)| path.display().to_string()).collect()
    }

    #[test]
    fn templates_are_found_in_order_and_nothing_else() {
        let chart = folder(&[
            ("Chart.yaml", "name: a"),
            ("values.yaml", "{{ now }}"),
            ("templates/z.yaml", "{{ now }}"),
            ("templates/_a.tpl", ""),
            ("templates/deep/b.yaml", ""),
            ("templates/NOTES.txt", "{{ now }}"),
            ("templates/large.yaml", &" ".repeat((1 << 20) + 1)),
            ("charts/sub/templates/c.yaml", ""),
            ("charts/sub/charts/inner/templates/d.yaml", ""),
            ("charts/_off/templates/e.yaml", ""),
            ("charts/packed.tgz", ""),
            ("other/templates/f.yaml", ""),
        ]);
        fs::write(chart.path().join("templates/binary"), [0xff, 0xfe]).unwrap();
        assert_eq!(
            paths(chart.path()),
            [
                "charts/sub/charts/inner/templates/d.yaml",
                "charts/sub/templates/c.yaml",
                "templates/_a.tpl",
                "templates/deep/b.yaml",
                "templates/z.yaml"
            ]
        );
        let (_, found, text) = of_chart(chart.path()).unwrap().pop().unwrap();
        assert_eq!((found.len(), text.as_str()), (1, "{{ now }}"));
        assert!(of_chart(&chart.path().join("nowhere")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_in_the_chart_and_end() {
        use std::os::unix::fs::symlink;
        let outside = folder(&[("secret.yaml", ""), ("templates/x.yaml", "")]);
        let chart = folder(&[("templates/a/b.yaml", ""), ("charts/sub/templates/c.yaml", "")]);
        let link = |from: &Path, to: &str| symlink(from, chart.path().join(to)).unwrap();
        link(&outside.path().join("secret.yaml"), "templates/out.yaml");
        link(&outside.path().join("templates"), "templates/out");
        link(outside.path(), "charts/out");
        link(Path::new("nowhere"), "templates/broken.yaml");
        link(Path::new("a/b.yaml"), "templates/in.yaml");
        link(Path::new(".."), "templates/a/up");
        link(Path::new(".."), "charts/up");
        assert_eq!(paths(chart.path()), ["charts/sub/templates/c.yaml", "templates/a/b.yaml", "templates/in.yaml"]);
    }

    #[test]
    fn a_source_is_found_by_name_and_by_alias() {
        let chart = folder(&[
            ("Chart.yaml", "name: app\ndependencies: [{name: db, alias: store}, {name: db, alias: cache}]"),
            ("charts/db-1.2/Chart.yaml", "name: db\ndependencies: [{name: inner}]"),
            ("charts/db-1.2/charts/inner/Chart.yaml", "name: inner"),
        ]);
        let file = |source| file_of_source(chart.path(), source).map(|path| path.display().to_string());
        assert_eq!(file("app/templates/a/b.yaml").as_deref(), Some("templates/a/b.yaml"));
        assert_eq!(file("app/charts/store/templates/b.yaml").as_deref(), Some("charts/db-1.2/templates/b.yaml"));
        assert_eq!(
            file("app/charts/db/charts/inner/templates/b.yaml").as_deref(),
            Some("charts/db-1.2/charts/inner/templates/b.yaml")
        );
        assert_eq!(file("app/charts/other/templates/b.yaml"), None);
        assert_eq!(file("app/../../b.yaml"), None);
        assert_eq!(file("app"), None);
    }
}
