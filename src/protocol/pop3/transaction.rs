//! A mailbox as one session sees it: numbers that stay, and marks for deletion (RFC 1939 §5).

use std::io::Write as _;
use std::sync::Arc;

use super::reply::Reply;
use super::session::Maildrop;

/// Octets of a listing that are made at a time.
const PIECE: usize = 16 * 1024;

/// Somebody has logged in.
pub(super) struct Transaction {
    maildrop: Arc<dyn Maildrop>,
    /// One for each message; empty as long as none is marked.
    deleted: Vec<bool>,
    marked: usize,
    octets: u64,
}

/// What a listing tells of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Octets,
    Uid,
}

impl Transaction {
    pub fn new(maildrop: Arc<dyn Maildrop>) -> Self {
        let octets = (0..maildrop.messages()).map(|index| maildrop.octets(index)).sum();
        Self { maildrop, deleted: Vec::new(), marked: 0, octets }
    }

    fn messages(&self) -> usize {
        self.maildrop.messages() - self.marked
    }

    pub fn stat(&self) -> Reply {
        Reply::Stat { messages: self.messages(), octets: self.octets }
    }

    pub fn holds(&self) -> Reply {
        Reply::Mailbox { messages: self.messages(), octets: self.octets }
    }

    /// The place of a message that is there, from 0.
    pub fn index(&self, number: u64) -> Result<usize, Reply> {
        let messages = self.maildrop.messages();
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).filter(|index| *index < messages);
        let index = index.ok_or(Reply::NoSuchMessage { messages })?;
        if self.is_deleted(index) { Err(Reply::Deleted { number: index + 1 }) } else { Ok(index) }
    }

    pub fn octets(&self, index: usize) -> u64 {
        self.maildrop.octets(index)
    }

    /// One line of a listing.
    pub fn line(&self, column: Column, number: u64) -> Reply {
        match (self.index(number), column) {
            (Ok(index), Column::Octets) => Reply::Size { number: index + 1, octets: self.octets(index) },
            (Ok(index), Column::Uid) => {
                let mut uid = Vec::new();
                self.maildrop.write_uid(index, &mut uid);
                Reply::Uid { number: index + 1, uid: String::from_utf8_lossy(&uid).into_owned() }
            }
            (Err(reply), _) => reply,
        }
    }

    /// Appends a piece of a listing, from a message on; where to go on, or nothing at the end.
    pub fn list(&self, column: Column, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        let begun = out.len();
        for index in (from..self.maildrop.messages()).filter(|index| !self.is_deleted(*index)) {
            if out.len() - begun >= PIECE {
                return Some(index);
            }
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{} ", index + 1);
            match column {
                Column::Octets => drop(write!(out, "{}", self.octets(index))),
                Column::Uid => self.maildrop.write_uid(index, out),
            }
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        None
    }

    pub fn delete(&mut self, number: u64) -> Reply {
        match self.index(number) {
            Ok(index) => {
                self.deleted.resize(self.maildrop.messages(), false);
                if let Some(mark) = self.deleted.get_mut(index) {
                    *mark = true;
                }
                self.marked += 1;
                self.octets = self.octets.saturating_sub(self.octets(index));
                Reply::Marked { number: index + 1 }
            }
            Err(reply) => reply,
        }
    }

    pub fn reset(&mut self) -> Reply {
        *self = Self::new(Arc::clone(&self.maildrop));
        self.holds()
    }

    /// The places of the messages to be removed, from 0.
    pub fn deleted(&self) -> Vec<usize> {
        self.deleted.iter().enumerate().filter_map(|(index, deleted)| deleted.then_some(index)).collect()
    }

    fn is_deleted(&self, index: usize) -> bool {
        self.deleted.get(index).copied().unwrap_or(false)
    }
}
