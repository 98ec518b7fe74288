//! The texts that values come from, and their names.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::Error;
use crate::yaml::{Position, Span, position};

/// What one values file may hold at most.
const MAX_BYTES: u64 = 16 << 20;

/// A table of texts: the number of a text is the `file` of every [`Span`] in it.
///
/// No `Debug`: the texts may hold keys.
#[derive(Default)]
pub struct Files(Vec<(String, Zeroizing<String>)>);

impl Files {
    /// Adds a text under its name, and gives its number.
    pub fn add(&mut self, name: String, text: Zeroizing<String>) -> usize {
        self.0.push((name, text));
        self.0.len() - 1
    }

    /// The name of the text that a span lies in, and where it begins there.
    ///
    /// What comes from the command line has a name (`--set a.b`) and no text: it stands at line 1, column 1.
    pub fn place(&self, span: &Span) -> (&str, Position) {
        let (name, text) = self.get(span.file);
        (name, position(text.as_bytes(), span.start))
    }

    /// Reads a file and adds it under its path.
    pub(super) fn read(&mut self, path: &Path) -> Result<usize, Error> {
        let name = path.display().to_string();
        let text = read_text(path, &name)?;
        Ok(self.add(name, text))
    }

    /// The name and the text of a number.
    pub(super) fn get(&self, file: usize) -> (&str, &str) {
        self.0.get(file).map_or(("", ""), |(name, text)| (name, text))
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
