//! What is wrong with a configuration: all of it, in the order of the file.

#![expect(missing_docs, reason = "the fields of a variant are explained by the variant")]

use std::fmt;
use std::io;
use std::path::PathBuf;

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

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Problem { line, key, what }) in self.problems.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "\n" })?;
            f.write_str(&self.name)?;
            line.map_or(Ok(()), |line| write!(f, ":{line}"))?;
            write!(f, ": {key}{}{what}", if key.is_empty() { "" } else { ": " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
