//! The texts: those of up to [`MESSAGE_IN_MEMORY`] octets with the records, larger ones as files, `texts/<id>`.

use std::io::{self, Read, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use super::Queue;
use super::engine::Family;
use super::record::{Message, Place};
use crate::mail::QueueId;
use crate::mail::limits::MESSAGE_IN_MEMORY;
use crate::maildir::Text;

/// Octets moved at a time.
const BLOCK: usize = 64 * 1024;

/// What a name in the folder of texts means: the rows of the table in `spool/README.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// `<id>`: the text of a message in the queue.
    Owned,
    /// `<id>` of no message: its message was not accepted, or is done with.
    Orphan,
    /// Anything else: not ours.
    Foreign,
}

/// What becomes of such a file at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is sent with its message.
    Keep,
    /// It is removed.
    Remove,
    /// It is left alone.
    Leave,
}

impl File {
    /// Reads a name; `owned` tells whether there is such a message.
    pub fn of<E>(name: &str, owned: impl Fn(QueueId) -> Result<bool, E>) -> Result<Self, E> {
        match QueueId::parse(name) {
            Err(_) => Ok(Self::Foreign),
            Ok(id) => Ok(if owned(id)? { Self::Owned } else { Self::Orphan }),
        }
    }

    /// What becomes of it at start.
    pub fn fate(self) -> Fate {
        match self {
            Self::Owned => Fate::Keep,
            Self::Orphan => Fate::Remove,
            Self::Foreign => Fate::Leave,
        }
    }
}

enum Source {
    Memory(Vec<u8>),
    File(PathBuf),
    /// The row is gone, as after damage: whoever reads it hears so.
    Lost,
}

/// A text of the queue, with what stands above it for some recipients.
#[derive(Clone)]
pub struct Kept {
    id: QueueId,
    above: Arc<[u8]>,
    /// Octets at the beginning of the text that `above` replaces.
    skipped: usize,
    source: Arc<Source>,
    queue: Arc<Queue>,
    octets: u64,
    lines: u64,
}

impl Kept {
    /// The message that it belongs to.
    pub fn id(&self) -> QueueId {
        self.id
    }

    /// The same text with these fields above it, each ended by LF.
    pub fn below(&self, above: String) -> Self {
        Self { above: [above.as_bytes(), &self.above].concat().into(), ..self.clone() }
    }

    /// The same text with another header section in place of its own, which is `own`.
    pub fn headed(&self, header: &[u8], own: &[u8]) -> Self {
        let lines = self.lines.saturating_sub(memchr::memchr_iter(b'\n', own).count() as u64);
        let octets = self.octets.saturating_sub(own.len() as u64);
        Self { above: header.into(), skipped: own.len(), octets, lines, ..self.clone() }
    }
}

impl Text for Kept {
    fn len(&self) -> u64 {
        self.octets + self.above.len() as u64
    }

    fn lines(&self) -> u64 {
        self.lines + memchr::memchr_iter(b'\n', &self.above).count() as u64
    }

    fn read(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match &*self.source {
            Source::Memory(text) => Box::new(self.above.chain(text.get(self.skipped..).unwrap_or_default())),
            Source::File(path) => {
                let mut file = self.queue.disk.open(path)?;
                io::copy(&mut file.by_ref().take(self.skipped as u64), &mut io::sink())?;
                Box::new(self.above.chain(file))
            }
            Source::Lost => return Err(io::Error::new(io::ErrorKind::NotFound, format!("the queue has no text of {}", self.id))),
        })
    }

    fn parts(&self) -> Option<Vec<&[u8]>> {
        match &*self.source {
            Source::Memory(text) => Some(vec![&self.above, text.get(self.skipped..).unwrap_or_default()]),
            Source::File(_) | Source::Lost => None,
        }
    }
}

impl Queue {
    /// The text of a message. One that is lost is noticed by whoever reads it.
    pub fn text(self: &Arc<Self>, id: QueueId, message: &Message) -> io::Result<Kept> {
        let source = match message.place {
            Place::File => Source::File(self.file(id)),
            Place::Row => self.engine.get(Family::Texts, &id.number().to_be_bytes())?.map_or(Source::Lost, Source::Memory),
        };
        Ok(Kept {
            id,
            above: Arc::default(),
            skipped: 0,
            source: Arc::new(source),
            queue: Arc::clone(self),
            octets: message.octets,
            lines: message.lines,
        })
    }

    /// Whether a text of that size lies with the records.
    pub(super) fn takes(octets: u64) -> bool {
        octets <= MESSAGE_IN_MEMORY as u64
    }

    pub(super) fn file(&self, id: QueueId) -> PathBuf {
        self.texts.join(id.to_string())
    }

    /// Writes a text to a file: when this returns, the disk has it. Until its message is written too, it belongs to nobody.
    pub(super) fn write_file(&self, id: QueueId, text: &mut dyn Read) -> io::Result<()> {
        let path = self.file(id);
        let written = self.disk.create(&path).and_then(|mut file| {
            let mut block = vec![0; BLOCK];
            while let Some(part) = Some(text.read(&mut block)?).and_then(|octets| block.get(..octets)).filter(|part| !part.is_empty()) {
                file.write_all(part)?;
            }
            file.sync()
        });
        written.and_then(|()| self.disk.sync_folder(&self.texts)).inspect_err(|_| {
            // What cannot be removed now is removed at the next start.
            let _ = self.disk.remove(&path);
        })
    }

    /// Removes the files of messages that are not there: what the end of a process left between two steps.
    pub(super) fn remove_orphans(&self) -> io::Result<()> {
        for (name, _) in self.disk.list(&self.texts)? {
            let file = File::of(&name, |id| self.message(id).map(|message| message.is_some()))?;
            match file.fate() {
                Fate::Remove => self.disk.remove(&self.texts.join(&name))?,
                Fate::Keep | Fate::Leave => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_the_fate_that_the_table_gives() {
        let table = include_str!("../../../spool/README.md");
        for (name, owned, fate, words) in [
            ("0000000000002", true, Fate::Keep, "a message in the queue"),
            ("0000000000003", false, Fate::Remove, "removed"),
            ("notes.txt", false, Fate::Leave, "left alone"),
        ] {
            let found = File::of(name, |_| Ok::<_, ()>(owned)).map(File::fate);
            assert_eq!(found, Ok(fate), "{name}");
            let row = format!("`outgoing/texts/{name}`");
            assert!(table.lines().any(|line| line.contains(&row) && line.contains(words)), "the table has no row for {name}: {words}");
        }
    }
}
