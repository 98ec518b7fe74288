//! Differences between two renders as findings, with the place in the templates that made each up.

use std::path::{Path, PathBuf};

use super::chart::{file_of_source, of_chart};
use super::defines::{Call, Define, calls, defines};
use super::differences::{Difference, Kind};
use super::generators::Generator;
use crate::report::{Finding, Place};
use crate::yaml::position;

/// More places than this help nobody.
const MAX_PLACES: usize = 4;

/// One finding for each field or object that differs, sorted by template, object and path. A checksum is a note on the
/// finding that it follows from. `chart`: the folder whose templates explain them; a chart that is no folder explains
/// nothing.
pub fn explained(differences: &[Difference], chart: &Path) -> Vec<Finding> {
    let templates = Templates::read(chart);
    // What only looks like a checksum is made up all the same: a key in hex, say.
    let is_cause = |difference: &&Difference| difference.kind != Kind::Checksum || templates.makes_up(difference);
    let (mut causes, mut checksums): (Vec<_>, Vec<_>) = differences.iter().partition(is_cause);
    if causes.is_empty() {
        std::mem::swap(&mut causes, &mut checksums);
    }
    causes.sort();
    let mut findings: Vec<Finding> = causes.iter().map(|cause| templates.finding(cause, &causes)).collect();
    for checksum in checksums {
        let Difference { object, path, .. } = checksum;
        let cause = causes.iter().position(|cause| templates.feeds(cause, checksum));
        let follows =
            if cause.is_some() { "only follows from it" } else { "follows from it or from another difference" };
        if let Some(finding) = findings.get_mut(cause.unwrap_or(0)) {
            finding.notes.push(format!("{object} {path} {follows}"));
        }
    }
    findings
}

/// A function that makes a value up, in one of the templates.
#[derive(Clone, Copy)]
struct Spot<'t> {
    template: &'t Template,
    generator: &'t Generator,
}

struct Template {
    file: PathBuf,
    generators: Vec<Generator>,
    defines: Vec<Define>,
    calls: Vec<Call>,
    text: String,
}

/// The templates of a chart's folder.
struct Templates<'c> {
    chart: &'c Path,
    all: Vec<Template>,
}

impl<'c> Templates<'c> {
    fn read(chart: &'c Path) -> Self {
        let templates = of_chart(chart).unwrap_or_default().into_iter();
        let varying = |(file, mut generators, text): (PathBuf, Vec<Generator>, String)| {
            generators.retain(Generator::varies);
            Template { file, generators, defines: defines(&text), calls: calls(&text), text }
        };
        Self { chart, all: templates.map(varying).collect() }
    }

    fn finding(&self, difference: &Difference, causes: &[&Difference]) -> Finding {
        let Difference { object, path, .. } = difference;
        let what = if path.is_empty() { object.clone() } else { format!("{object} {path}") };
        let title = match difference.kind {
            Kind::Missing => format!("{what} is in one of two renders only"),
            Kind::Value | Kind::Checksum => format!("{what} differs between two renders"),
        };
        let template = self.of(difference);
        let spots = template.map(|template| self.spots(template, difference, causes)).unwrap_or_default();
        let place = match (spots.first(), template) {
            (Some(spot), _) => Some(self.place(spot)),
            (None, Some(template)) => Some(Place::file(self.chart.join(&template.file).display().to_string())),
            (None, None) => None,
        };
        let mut finding = Finding::refused("unstable-render", title).at(place);
        for spot in spots.iter().take(MAX_PLACES) {
            finding = finding.found(format!("made up at {spot}"));
        }
        if let (Some(source), true) = (&difference.template, spots.is_empty()) {
            let why = if template.is_some() {
                "where no function that makes values up was found"
            } else {
                "which is not in the chart's own folder"
            };
            finding = finding.found(format!("rendered from {source}, {why}"));
        }
        if spots.len() > MAX_PLACES {
            finding = finding.found(format!("and at {} more places", spots.len() - MAX_PLACES));
        }
        finding.help(help(&spots))
    }

    fn place(&self, spot: &Spot<'_>) -> Place {
        let file = self.chart.join(&spot.template.file).display().to_string();
        Place::in_text(file, spot.template.text.as_bytes(), spot.generator.start)
    }

    /// The template that a difference was rendered from.
    fn of(&self, difference: &Difference) -> Option<&Template> {
        let file = file_of_source(self.chart, difference.template.as_deref()?)?;
        self.all.iter().find(|template| template.file == file)
    }

    /// What may have made a difference up: the functions on the field's own line; else those that stand on no other
    /// differing field's line; else all that the template reaches.
    fn spots<'t>(&'t self, template: &'t Template, difference: &Difference, causes: &[&Difference]) -> Vec<Spot<'t>> {
        let all = self.reached(template);
        let only = |keep: &dyn Fn(&Spot<'t>) -> bool| all.iter().copied().filter(keep).collect::<Vec<_>>();
        let own = only(&|spot| spot.is_on_line_of(template, difference));
        if !own.is_empty() {
            return own;
        }
        let siblings = || causes.iter().filter(|cause| cause.template == difference.template);
        let free = only(&|spot| !siblings().any(|sibling| spot.is_on_line_of(template, sibling)));
        if free.is_empty() { all } else { free }
    }

    /// Whether a function stands on the line of the field that differs.
    fn makes_up(&self, difference: &Difference) -> bool {
        let template = self.of(difference);
        template.is_some_and(|t| t.spots(&|_| true).iter().any(|spot| spot.is_on_line_of(t, difference)))
    }

    /// The functions of a template and of the named templates that it calls. If there are none, a name may have been put
    /// together: then those of all helpers of its chart.
    fn reached<'t>(&'t self, template: &'t Template) -> Vec<Spot<'t>> {
        let body = |at: usize| !template.defines.iter().any(|define| define.span.contains(&at));
        let mut spots = template.spots(&body);
        let mut names = template.calls(&body);
        let mut next = 0;
        while let Some(name) = names.get(next).copied() {
            next += 1;
            for (home, define) in self.defines().filter(|(_, define)| define.name == name) {
                let inside = |at: usize| define.span.contains(&at);
                spots.extend(home.spots(&inside));
                let new: Vec<&str> = home.calls(&inside).into_iter().filter(|name| !names.contains(name)).collect();
                names.extend(new);
            }
        }
        if spots.is_empty() {
            let helpers = self.all.iter().filter(|other| other.is_helper() && other.folder() == template.folder());
            return helpers.flat_map(|helper| helper.spots(&|_| true)).collect();
        }
        spots
    }

    fn defines(&self) -> impl Iterator<Item = (&Template, &Define)> {
        self.all.iter().flat_map(|home| home.defines.iter().map(move |define| (home, define)))
    }

    /// Whether a checksum's template names the file of a difference's template in the same chart, as `include (print
    /// $.Template.BasePath "/secret.yaml")` does.
    fn feeds(&self, cause: &Difference, checksum: &Difference) -> bool {
        let (Some(from), Some(to)) = (self.of(cause), self.of(checksum)) else { return false };
        let name = from.file.file_name().and_then(|name| name.to_str());
        from.folder() == to.folder() && name.is_some_and(|name| to.text.contains(&format!("/{name}\"")))
    }
}

impl Template {
    fn spots(&self, inside: &dyn Fn(usize) -> bool) -> Vec<Spot<'_>> {
        let here = self.generators.iter().filter(|generator| inside(generator.start));
        here.map(|generator| Spot { template: self, generator }).collect()
    }

    fn calls(&self, inside: &dyn Fn(usize) -> bool) -> Vec<&str> {
        self.calls.iter().filter(|call| inside(call.at)).map(|call| call.name.as_str()).collect()
    }

    fn is_helper(&self) -> bool {
        self.file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_'))
    }

    /// The chart that it belongs to: what stands before the last `templates`.
    fn folder(&self) -> PathBuf {
        let parts: Vec<_> = self.file.components().collect();
        let end = parts.iter().rposition(|part| part.as_os_str() == "templates").unwrap_or(0);
        parts.into_iter().take(end).collect()
    }
}

impl Spot<'_> {
    /// Whether it stands in this template, on a line that begins with the last key of the difference's path.
    fn is_on_line_of(&self, template: &Template, difference: &Difference) -> bool {
        let before = self.template.text.get(..self.generator.start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let Some((key, _)) = line.trim_start_matches([' ', '-']).split_once(':') else { return false };
        let key = key.trim_matches(['"', '\'']);
        let path = difference.path.as_str();
        let path = if path.ends_with(']') { path.rsplit_once('[').map_or(path, |(list, _)| list) } else { path };
        let above = path.strip_suffix(key).filter(|_| !key.is_empty());
        self.template.file == template.file && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    }
}

impl std::fmt::Display for Spot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = position(self.template.text.as_bytes(), self.generator.start);
        write!(f, "{}:{}:{}: {}", self.template.file.display(), at.line, at.column, self.generator.function)
    }
}

fn help(spots: &[Spot<'_>]) -> &'static str {
    let is_time = |spot: &Spot<'_>| matches!(spot.generator.function, "now" | "ago");
    if !spots.is_empty() && spots.iter().all(is_time) {
        return "leave the time out of the manifest, or give it in the values";
    }
    "give the value in the values, or let it come from a source; otherwise each sync delivers another one"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::report::human;

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

    fn of(template: &str, object: &str, path: &str, kind: Kind) -> Difference {
        Difference { template: Some(format!("c/{template}")), object: object.to_owned(), path: path.to_owned(), kind }
    }

    fn secret(path: &str) -> Difference {
        of("templates/s.yaml", "Secret/a", path, Kind::Value)
    }

    /// The findings without their help, with `CHART` for the folder.
    fn told(chart: &Path, differences: &[Difference]) -> String {
        let text = human(&explained(differences, chart)).replace(&chart.display().to_string(), "CHART");
        text.lines().filter(|line| !line.starts_with("   = help: ")).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn a_function_on_the_field_s_own_line_explains_it_alone() {
        let chart = folder(&[("templates/s.yaml", "a: {{ now }}\n  \"x\": {{ uuidv4 }}\n- {{ randInt 0 9 }}\n")]);
        let spots = |differences: &[Difference]| {
            let notes = explained(differences, chart.path()).into_iter().map(|finding| finding.notes.join(", "));
            notes.map(|notes| notes.replace("made up at templates/s.yaml:", "")).collect::<Vec<_>>()
        };
        assert_eq!(spots(&[secret("data.x")]), ["2:11: uuidv4"]);
        assert_eq!(spots(&[secret("data.x[3]")]), ["2:11: uuidv4"]);
        // `b` has no line; what stands on the line of `x` made up `x`.
        assert_eq!(spots(&[secret("data.b"), secret("data.x")]), ["1:7: now, 3:6: randInt", "2:11: uuidv4"]);
        assert_eq!(spots(&[secret("data.xx")]), ["1:7: now, 2:11: uuidv4, 3:6: randInt"]);
    }

    #[test]
    fn named_templates_are_followed() {
        let chart = folder(&[
            ("templates/s.yaml", "x: {{ include \"a\" . }}"),
            (
                "templates/_h.tpl",
                "{{ define \"a\" }}{{ include \"b\" . }}{{ end }}{{ define \"z\" }}{{ now }}{{ end }}",
            ),
            ("charts/l/templates/_h.tpl", "{{ define \"b\" }}{{ include \"a\" . }}{{ uuidv4 }}{{ end }}"),
        ]);
        assert_eq!(
            told(chart.path(), &[secret("data.x")]),
            "error[unstable-render]: Secret/a data.x differs between two renders\n\
             \x20 --> CHART/charts/l/templates/_h.tpl:1:39\n\
             \x20  = note: made up at charts/l/templates/_h.tpl:1:39: uuidv4\n"
        );
    }

    #[test]
    fn a_name_put_together_may_be_any_helper_of_the_chart() {
        let chart = folder(&[
            ("templates/s.yaml", "x: {{ include $name . }}"),
            ("templates/_h.tpl", "{{ define \"a\" }}{{ now }}{{ lookup }}{{ end }}"),
            ("charts/l/templates/_h.tpl", "{{ define \"b\" }}{{ uuidv4 }}{{ end }}"),
        ]);
        let findings = explained(&[secret("data.x")], chart.path());
        assert_eq!(findings[0].notes, ["made up at templates/_h.tpl:1:20: now"]);
        assert_eq!(findings[0].help, ["leave the time out of the manifest, or give it in the values"]);
    }

    #[test]
    fn what_nothing_explains_is_told_all_the_same() {
        let chart = folder(&[("templates/s.yaml", "x: 1")]);
        let missing = of("templates/s.yaml", "Secret/b", "", Kind::Missing);
        let unknown = Difference { template: None, ..secret("data.x") };
        assert_eq!(
            told(chart.path(), &[missing, unknown]),
            "error[unstable-render]: Secret/a data.x differs between two renders\n\
             \n\
             error[unstable-render]: Secret/b is in one of two renders only\n\
             \x20 --> CHART/templates/s.yaml\n\
             \x20  = note: rendered from c/templates/s.yaml, where no function that makes values up was found\n"
        );
        let findings = explained(&[secret("data.x")], &chart.path().join("nowhere"));
        assert_eq!(findings[0].notes, ["rendered from c/templates/s.yaml, which is not in the chart's own folder"]);
    }

    #[test]
    fn many_places_are_counted() {
        let chart = folder(&[("templates/s.yaml", &"{{ now }}".repeat(7))]);
        let findings = explained(&[secret("data.x")], chart.path());
        assert_eq!(findings[0].notes.len(), MAX_PLACES + 1);
        assert_eq!(findings[0].notes[MAX_PLACES], "and at 3 more places");
    }

    #[test]
    fn a_checksum_is_noted_where_it_comes_from() {
        let sum = "sum/x: {{ include (print $.Template.BasePath \"/s.yaml\") . | sha256sum }}";
        let chart = folder(&[("templates/s.yaml", ""), ("templates/a.yaml", ""), ("templates/d.yaml", sum)]);
        let a = of("templates/a.yaml", "ConfigMap/a", "data.x", Kind::Value);
        let checksum = of("templates/d.yaml", "Deployment/d", "sum/x", Kind::Checksum);
        let last_notes = |differences: &[Difference]| {
            let findings = explained(differences, chart.path());
            findings.into_iter().map(|mut finding| finding.notes.pop().unwrap_or_default()).collect::<Vec<_>>()
        };
        let nothing = "rendered from c/templates/a.yaml, where no function that makes values up was found";
        assert_eq!(
            last_notes(&[a.clone(), checksum.clone(), secret("data.x")]),
            [nothing, "Deployment/d sum/x only follows from it"]
        );
        assert_eq!(
            last_notes(&[a, checksum.clone()]),
            ["Deployment/d sum/x follows from it or from another difference"]
        );
        // Nothing is lost when nothing else is told.
        assert_eq!(explained(&[checksum], chart.path()).len(), 1);
    }

    #[test]
    fn what_is_made_up_on_its_own_line_is_no_checksum() {
        let chart =
            folder(&[("templates/d.yaml", "value: {{ randAlphaNum 32 | sha256sum }}"), ("templates/s.yaml", "")]);
        let hex = of("templates/d.yaml", "Deployment/d", "spec.env[0].value", Kind::Checksum);
        assert_eq!(explained(&[hex, secret("data.x")], chart.path()).len(), 2);
    }
}
