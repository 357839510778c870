//! A message's text, read as it is sent: off the async threads, a few blocks ahead, unless it lies in memory.

use std::io::{self, Read};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task;

use crate::maildir::Text;

/// Octets of a block.
const BLOCK: usize = 64 * 1024;

/// Blocks that may wait to be sent.
const AHEAD: usize = 2;

/// A text being read. Dropped, it reads no further.
pub(super) enum Reading {
    /// It lies in memory: it is small.
    Memory(Option<Vec<u8>>),
    /// Its blocks come from another thread.
    Blocks(mpsc::Receiver<io::Result<Vec<u8>>>),
}

impl Reading {
    /// Begins to read.
    pub fn of(text: Arc<dyn Text + Send + Sync>) -> Self {
        if let Some(parts) = text.parts() {
            return Self::Memory(Some(parts.concat()));
        }
        let (sender, blocks) = mpsc::channel(AHEAD);
        task::spawn_blocking(move || {
            if let Err(error) = read(&*text, |block| sender.blocking_send(Ok(block)).is_ok()) {
                // Nobody listens any more if this fails.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Self::Blocks(blocks)
    }

    /// The next block; none at the end.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Memory(text) => Ok(text.take()),
            Self::Blocks(blocks) => blocks.recv().await.transpose(),
        }
    }
}

/// Hands out the text in blocks, until one is not taken.
fn read(text: &dyn Text, mut take: impl FnMut(Vec<u8>) -> bool) -> io::Result<()> {
    let mut source = text.read()?;
    let mut octets = 0;
    loop {
        let mut block = Vec::with_capacity(BLOCK);
        source.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        octets += block.len() as u64;
        if block.is_empty() {
            // A text cut short by its disk is no message.
            return if octets == text.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        if !take(block) {
            return Ok(());
        }
    }
}

/// What a text holds beyond ASCII.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Content {
    /// Anywhere.
    pub eight_bit: bool,
    /// In its header section.
    pub utf8_header: bool,
}

/// Looks through a text.
pub(super) async fn content(text: Arc<dyn Text + Send + Sync>) -> io::Result<Content> {
    task::spawn_blocking(move || {
        let (mut content, mut in_header, mut last) = (Content::default(), true, b'\n');
        read(&*text, |block| {
            for octet in block {
                content.eight_bit |= !octet.is_ascii();
                content.utf8_header |= in_header && !octet.is_ascii();
                in_header &= !(last == b'\n' && octet == b'\n');
                last = octet;
            }
            true
        })?;
        Ok(content)
    })
    .await
    .map_err(io::Error::other)?
}
