//! Messages to send, and what became of them in short.

use std::io::{self, Read};
use std::sync::Arc;

use restante::config;
use restante::mail::envelope::Charset;
use restante::mail::{BodyType, Mailbox, QueueId, ReversePath};
use restante::maildir::Text;
use restante::relay::{Outgoing, Settings, To, Verdict};

/// A text in memory, or one whose reading fails after so many octets.
pub struct Memory {
    text: Vec<u8>,
    fails_after: Option<usize>,
}

impl Text for Memory {
    fn len(&self) -> u64 {
        self.text.len() as u64
    }
    fn lines(&self) -> u64 {
        self.text.iter().filter(|octet| **octet == b'\n').count() as u64
    }
    fn read(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self.fails_after {
            None => Box::new(self.text.as_slice()),
            Some(octets) => Box::new(self.text[..octets].chain(Broken)),
        })
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk has gone"))
    }
}

/// A message from `s@here.example`.
pub fn message(to: &[&str], text: &[u8]) -> Outgoing {
    let recipient =
        |(index, address): (usize, &&str)| To { index: index as u32, path: Mailbox::parse(address).unwrap(), notify: None, original: None };
    Outgoing {
        id: QueueId::new(1),
        sender: ReversePath::Mailbox(Mailbox::parse("s@here.example").unwrap()),
        body: BodyType::SevenBit,
        charset: Charset::Ascii,
        ret: None,
        envid: None,
        recipients: to.iter().enumerate().map(recipient).collect(),
        text: Arc::new(Memory { text: text.to_vec(), fails_after: None }),
    }
}

/// The same, of whose text only the beginning can be read.
pub fn unreadable(to: &[&str], text: &[u8], fails_after: usize) -> Outgoing {
    Outgoing { text: Arc::new(Memory { text: text.to_vec(), fails_after: Some(fails_after) }), ..message(to, text) }
}

/// The defaults.
pub fn settings() -> Settings {
    (*config::parse("hostname = 'mx.here.example'").unwrap().relay).clone()
}

/// A verdict in a line.
pub fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Delivered(taken) => format!("delivered {}", taken.reply),
        Verdict::Deferred(trouble) => format!("deferred {} {}", trouble.status, trouble.diagnostic.text()),
        Verdict::Failed(trouble) => format!("failed {} {}", trouble.status, trouble.diagnostic.text()),
    }
}
