//! Why a command did not do its work: one line, and an exit code.

use std::io;

use super::super::problem::{Exit, Problem};

/// A failure as the user sees it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{line}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong, and what to do.
    pub line: String,
    /// The server's own word, where it came from there.
    pub problem: Option<Box<Problem>>,
}

impl Failure {
    /// A failure with exit code 1.
    pub fn failed(line: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, line: line.into(), problem: None }
    }

    /// The end of a command whose reader went away: no line, and no reproach.
    pub fn quiet() -> Self {
        Self { exit: Exit::Done, line: String::new(), problem: None }
    }

    /// A failure with exit code 3.
    pub fn no_such_thing(line: impl Into<String>) -> Self {
        Self { exit: Exit::NoSuchThing, line: line.into(), problem: None }
    }

    /// A failure with exit code 2.
    pub fn usage(line: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, line: line.into(), problem: None }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { exit: problem.kind.exit(), line: problem.detail.replace(['\n', '\r'], " "), problem: Some(Box::new(problem)) }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The reader of our output (head, less) has seen enough.
            io::ErrorKind::BrokenPipe => Self::quiet(),
            _ => Self::failed(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(format!("the server's answer makes no sense ({error}); is it of the same version?"))
    }
}
