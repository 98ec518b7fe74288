//! The texts that values come from, and their names.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::Error;
use crate::report::Place;
use crate::yaml::{Span, position};

/// What one values file may hold at most.
const MAX_BYTES: u64 = 16 << 20;

/// A table of texts: the number of a text is the `file` of every [`Span`] in it.
///
/// No `Debug`: the texts may hold keys.
#[derive(Default)]
pub struct Files(Vec<Text>);

struct Text {
    name: String,
    text: Zeroizing<String>,
    stands: Stands,
}

/// Where a text is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// It is a file.
    Whole,
    /// It is a block of text in a file: its first line is this line there, and all are moved to the right.
    Inside {
        /// The file's line that holds the first line, from 1.
        line: usize,
        /// Columns by which every line is moved.
        indent: usize,
    },
    /// It is what stands at this place, with no lines of its own.
    At(Box<Place>),
}

impl Files {
    /// Adds a text under its name, and gives its number.
    pub fn add(&mut self, name: String, text: Zeroizing<String>) -> usize {
        self.add_standing(name, text, Stands::Whole)
    }

    /// Adds a text that stands in another.
    pub fn add_standing(&mut self, name: String, text: Zeroizing<String>, stands: Stands) -> usize {
        self.0.push(Text { name, text, stands });
        self.0.len() - 1
    }

    /// Where a span stands: in the file that holds its text.
    pub fn place(&self, span: &Span) -> Place {
        let Some(Text { name, text, stands }) = self.0.get(span.file) else { return Place::file("") };
        stands.place(|| Place::shown_in_text(name.clone(), text, span.start..span.end))
    }

    /// Reads a file and adds it under its path.
    pub(super) fn read(&mut self, path: &Path) -> Result<usize, Error> {
        let name = path.display().to_string();
        let text = read_text(path, &name)?;
        Ok(self.add(name, text))
    }

    /// The name and the text of a number.
    pub(super) fn get(&self, file: usize) -> (&str, &str) {
        self.0.get(file).map_or(("", ""), |Text { name, text, .. }| (name, text))
    }
}

impl Stands {
    /// Where something stands in the file, which stands at `here` in the text.
    pub fn place(&self, here: impl FnOnce() -> Place) -> Place {
        match self {
            Self::Whole => here(),
            Self::Inside { line, indent } => here().moved(line - 1, *indent),
            Self::At(place) => place.as_ref().clone(),
        }
    }
}

fn read_text(path: &Path, name: &str) -> Result<Zeroizing<String>, Error> {
    let failed = |source| Error::Io { name: name.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    // Room for the whole file at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.min(MAX_BYTES) as usize + 1));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::TooLarge { name: name.to_owned() });
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => {
            let position = position(&bytes, error.valid_up_to());
            Err(Error::NotUtf8 { name: name.to_owned(), position })
        }
    }
}
