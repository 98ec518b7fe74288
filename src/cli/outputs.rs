//! `--format F --output FILE`, repeated: each file belongs to the format before it.

use std::path::PathBuf;

use clap::builder::{EnumValueParser, PathBufValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches, ValueEnum};

use crate::report::Format;

/// One report.
pub struct Output {
    /// How it is written.
    pub format: Format,
    /// Where to; stdout, if nothing is said.
    pub file: Option<PathBuf>,
}

/// All reports that are asked for; at most one of them goes to stdout.
pub struct Outputs(pub Vec<Output>);

#[derive(Clone, Copy, ValueEnum)]
enum Written {
    /// For people
    Human,
    /// For scripts
    Json,
    /// For code scanning
    Sarif,
    /// For the log of a GitHub workflow
    Github,
}

impl From<Written> for Format {
    fn from(written: Written) -> Self {
        match written {
            Written::Human => Self::Human,
            Written::Json => Self::Json,
            Written::Sarif => Self::Sarif,
            Written::Github => Self::Github,
        }
    }
}

impl FromArgMatches for Outputs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let formats = matches.get_many::<Written>("format").into_iter().flatten().map(|format| Format::from(*format));
        let mut outputs: Vec<(usize, Output)> = matches
            .indices_of("format")
            .into_iter()
            .flatten()
            .zip(formats.map(|format| Output { format, file: None }))
            .collect();
        let files = matches.get_many::<PathBuf>("output").into_iter().flatten();
        let unclear = |what: &str| Error::raw(ErrorKind::ArgumentConflict, format!("{what}\n"));
        for (at, file) in matches.indices_of("output").into_iter().flatten().zip(files) {
            let of = outputs.iter_mut().rev().find(|(format, _)| *format < at);
            match of {
                Some((_, output)) if output.file.is_none() => output.file = Some(file.clone()),
                _ => return Err(unclear("--output stands behind the --format that it belongs to, once")),
            }
        }
        if outputs.is_empty() {
            outputs.push((0, Output { format: Format::Human, file: None }));
        }
        if outputs.iter().filter(|(_, output)| output.file.is_none()).count() > 1 {
            return Err(unclear("one format goes to stdout; give the others an --output FILE each"));
        }
        Ok(Self(outputs.into_iter().map(|(_, output)| output).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Outputs {
    fn augment_args(command: Command) -> Command {
        command
            .arg(
                Arg::new("format")
                    .long("format")
                    .value_name("FORMAT")
                    .action(ArgAction::Append)
                    .value_parser(EnumValueParser::<Written>::new())
                    .help("How findings are written [default: human]; may be repeated, each but one with its --output"),
            )
            .arg(
                Arg::new("output")
                    .long("output")
                    .value_name("FILE")
                    .action(ArgAction::Append)
                    .value_parser(PathBufValueParser::new())
                    .help("The file for the format before it [default: stdout]"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
