//! What a Maildir reader sees.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::until;

/// How long a message may take from its `250` to its mailbox.
const ARRIVED: Duration = Duration::from_secs(30);

/// One account's Maildir.
pub struct Maildir {
    folder: PathBuf,
}

/// A message as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The file.
    pub path: PathBuf,
    /// Everything in it.
    pub text: Vec<u8>,
}

impl Maildir {
    /// The Maildir in this folder, which need not be there yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The files in `new` and `cur`. One that a reader moves from the one to the other meanwhile is counted once.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = ["new", "cur"].iter().filter_map(|part| fs::read_dir(self.folder.join(part)).ok()).flatten().flatten();
        files.map(|file| (unique(&file.path()), file.path())).collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// All messages, in the order of their names.
    pub fn messages(&self) -> Vec<Message> {
        // A file that has gone was moved by a reader after we saw its name: look again.
        let read = || self.files().into_iter().map(|path| fs::read(&path).map(|text| Message { path, text })).collect::<Result<_, _>>();
        until(ARRIVED, || read().ok()).expect("the Maildir can be read")
    }

    /// Waits until there are `count` messages, no more and no less.
    pub fn wait(&self, count: usize) -> Vec<Message> {
        let found = until(ARRIVED, || (self.files().len() >= count).then(|| self.messages()));
        let messages = found.unwrap_or_else(|| panic!("{}: {} messages instead of {count}", self.folder.display(), self.files().len()));
        assert_eq!(messages.len(), count, "{}", self.folder.display());
        messages
    }

    /// The one message there is.
    pub fn one(&self) -> Message {
        self.wait(1).remove(0)
    }
}

impl Message {
    /// What the client sent: all that stands below the fields of final delivery, the last of which is `Received`.
    pub fn sent(&self) -> &[u8] {
        let mut rest = self.text.as_slice();
        for field in ["Return-Path", "Delivered-To", "X-Original-To", "Received"] {
            let starts = rest.get(..field.len()).is_some_and(|start| start == field.as_bytes());
            assert!(starts, "{field} is missing above:\n{}", String::from_utf8_lossy(rest));
            rest = after_field(rest);
        }
        rest
    }

    /// The value of the first header field of that name, unfolded as far as line ends go.
    pub fn field(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.text);
        let header = text.split("\n\n").next()?.replace("\n\t", " ").replace("\n ", " ");
        header.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    }
}

/// The part of a file's name that a reader keeps when it adds flags.
fn unique(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split(':').next().unwrap_or_default().to_owned()
}

/// What follows a header field with its folded lines.
fn after_field(text: &[u8]) -> &[u8] {
    let folded = |at: &usize| matches!(text.get(at + 1), Some(b' ' | b'\t'));
    let end = text.iter().enumerate().filter(|(_, octet)| **octet == b'\n').map(|(at, _)| at).find(|at| !folded(at));
    end.and_then(|end| text.get(end + 1..)).unwrap_or_default()
}
