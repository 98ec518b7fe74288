//! `helm-keyring init`: writes a first `keyring.yaml`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::FILE;
use crate::init;
use crate::report::{Exit, Finding, Place, Refusal};

/// Write a commented keyring.yaml for a chart.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The chart's folder [default: the only chart at or below the working directory]
    chart: Option<PathBuf>,
    /// A profile of your own for the chart (docs/profiles.md)
    #[arg(long, value_name = "FILE")]
    profile: Option<String>,
}

/// Writes `keyring.yaml` into the working directory, and says so on `out`.
///
/// # Errors
/// A file that is there already, no chart, no profile that fits, a file that cannot be written.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<Vec<Finding>, Refusal> {
    run_in(Path::new(""), args, out)
}

fn run_in(work_dir: &Path, args: &Args, out: &mut dyn Write) -> Result<Vec<Finding>, Refusal> {
    let file = work_dir.join(FILE);
    if file.symlink_metadata().is_ok() {
        return Err(already_there(&file).into());
    }
    let chart = args.chart.clone().map_or_else(|| init::chart_below(work_dir), Ok)?;
    let plan = init::plan(&chart, work_dir, args.profile.as_deref())?;
    write_new(&file, &plan.text)?;
    writeln!(out, "wrote {}: read it, and add what it leaves open", file.display())
        .map_err(|error| unwritten("<stdout>", &error))?;
    Ok(plan.notes)
}

/// Creates the file; never writes over one.
fn write_new(path: &Path, text: &str) -> Result<(), Finding> {
    let written =
        OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => already_there(path),
        _ => unwritten(&path.display().to_string(), &error),
    })
}

fn already_there(path: &Path) -> Finding {
    Finding::usage("already-there", "there is a keyring.yaml here already")
        .at(Place::file(path.display().to_string()))
        .help("change it, or move it away: `init` never writes over a file")
}

fn unwritten(name: &str, error: &io::Error) -> Finding {
    Finding::error(Exit::Io, "unwritable-file", "this file cannot be written")
        .at(Place::file(name))
        .found(error.to_string())
        .help("check the folder and its permissions")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Chart.yaml"), "name: devmesh\n").unwrap();
        fs::write(folder.path().join("values-staging.yaml"), "").unwrap();
        let args = Args { chart: None, profile: None };
        let mut out = Vec::new();
        assert_eq!(run_in(folder.path(), &args, &mut out), Ok(Vec::new()));
        let file = folder.path().join(FILE);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("wrote {}: read it, and add what it leaves open\n", file.display())
        );
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("staging:"));
        assert_eq!(
            run_in(folder.path(), &args, &mut Vec::new()).unwrap_err().to_string(),
            format!(
                "\
error[already-there]: there is a keyring.yaml here already
  --> {}
   = help: change it, or move it away: `init` never writes over a file
",
                file.display()
            )
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}
