//! What is wrong with a configuration: all of it, in the order of the file.

#![expect(missing_docs, reason = "the fields of a variant are explained by the variant")]

use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;
use std::string::FromUtf8Error;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line it stands in, counted from 1; none if it comes from a key that is not there.
    pub line: Option<usize>,
    /// The key, as `section.key`; empty where the text is no TOML.
    pub key: String,
    /// What is wrong, and what to write.
    pub what: String,
}

/// Everything that is wrong with one configuration. `Display` gives one `file:line: key: what` a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    name: String,
    problems: Vec<Problem>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file.
    #[error("there is no configuration file {}; `restante init` writes one, --config names another", path.display())]
    Missing { path: PathBuf },
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {error}; see to its permissions", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    /// What stands in it is wrong.
    #[error(transparent)]
    Invalid(#[from] Errors),
}

/// What is wrong with a file of another encoding, or of no text at all.
pub(super) fn not_text(error: &FromUtf8Error) -> Problem {
    let sound = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
    let line = sound.filter(|octet| **octet == b'\n').count() + 1;
    Problem { line: Some(line), key: String::new(), what: "not UTF-8 here: save the file in that encoding".into() }
}

impl Errors {
    /// The problems of the configuration called `name`, in the order of its lines.
    pub(super) fn new(name: String, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { name, problems }
    }

    /// The problems, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Text that may repeat what stands in the file, where a key can be of any characters: it stays on its line.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Problem { line, key, what }) in self.problems.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "\n" })?;
            f.write_str(&self.name)?;
            line.map_or(Ok(()), |line| write!(f, ":{line}"))?;
            write!(f, ": {}{}{}", OneLine(key), if key.is_empty() { "" } else { ": " }, OneLine(what))?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
