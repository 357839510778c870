//! From a session's question to the world's answer. No socket in here.
//!
//! Who somebody is, is a matter of [`crate::directory::login`]; what lies in a mailbox, of [`crate::maildir`]. What may look at
//! the disk goes to the blocking threads, unless the system has it in memory.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::task;

use super::mailboxes::Hold;
use crate::directory::AccountId;
use crate::directory::login::{self, Origin};
use crate::mail::Name;
use crate::maildir::Maildrop;
use crate::protocol::pop3::{self, Denied, Unsent};
use crate::protocol::sasl::Credentials;
use crate::server::Service;
use crate::server::answers::off_thread;
use crate::sys::folder::{Source, Wait};
use crate::telemetry::Event;

/// Octets of a message that are read at a time.
const PIECE: usize = 64 * 1024;

/// A mailbox that is this session's.
pub struct Mailbox {
    pub id: AccountId,
    pub name: Name,
    /// Out for work while somebody else has it.
    maildrop: Option<Maildrop>,
    _hold: Hold,
}

/// A message that is being sent.
pub struct Text {
    /// Out for work while the disk is waited for.
    source: Option<Source>,
}

/// Lets somebody in.
pub async fn log_in(
    service: &Arc<Service>,
    credentials: &Credentials,
    client: Option<IpAddr>,
    shown: &Arc<str>,
) -> Result<(Mailbox, Arc<dyn pop3::Maildrop>), Denied> {
    let origin = Origin { service: "pop3", client };
    let pop = service.logins.pop(&credentials.name, &credentials.secret, origin).await.map_err(|denied| match denied {
        login::Denied::Wrong => Denied::WrongPassword,
        login::Denied::Suspended => Denied::Suspended,
        login::Denied::Limited { wait } => Denied::TooManyFailures { wait },
        login::Denied::Busy => Denied::LoginsBusy,
        login::Denied::Unreadable => Denied::AccountsUnreadable,
    })?;
    let (id, name) = (pop.id, pop.name);
    let hold = service.mailboxes.take(id, shown, Instant::now()).map_err(|in_use| {
        let seconds = in_use.time.as_secs();
        Event::MailboxInUse { mailbox: name.as_str(), client: shown, holder: &in_use.client, seconds }.say();
        Denied::InUse
    })?;
    let opened = {
        let (service, name) = (Arc::clone(service), name.clone());
        off_thread(move || service.maildirs.maildrop(id, &name)).await
    };
    match opened {
        Ok(maildrop) => {
            let listing = maildrop.listing();
            Ok((Mailbox { id, name, maildrop: Some(maildrop), _hold: hold }, listing))
        }
        Err(error) => {
            Event::MailboxUnreadable { mailbox: name.as_str(), cause: &error.to_string() }.say();
            Err(Denied::MailboxUnreadable)
        }
    }
}

impl Mailbox {
    /// Opens a message.
    pub async fn open(&mut self, index: usize) -> Result<Text, Unsent> {
        let cached = self.maildrop.as_ref().map(|maildrop| maildrop.open_cached(index));
        let opened = match cached {
            Some(Ok(source)) => Ok(source),
            _ => self.work(move |maildrop| maildrop.open(index)).await,
        };
        match opened {
            Ok(source) => Ok(Text { source: Some(source) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Unsent::Gone),
            Err(error) => {
                Event::MailboxUnreadable { mailbox: self.name.as_str(), cause: &error.to_string() }.say();
                Err(Unsent::Unreadable)
            }
        }
    }

    /// Removes messages; those that could not be removed.
    pub async fn remove(&mut self, service: &Arc<Service>, indexes: Vec<usize>) -> Vec<usize> {
        let all = indexes.clone();
        let (service, id) = (Arc::clone(service), self.id);
        let removed = self.work(move |maildrop| Ok(service.maildirs.expunge(id, maildrop, &indexes))).await;
        let failed = match removed {
            Ok(failed) => failed,
            Err(_) => return all,
        };
        for (_, error) in &failed {
            Event::NotExpunged { mailbox: self.name.as_str(), cause: &error.to_string() }.say();
        }
        failed.into_iter().map(|(index, _)| index).collect()
    }

    /// Works on the mailbox on a thread that may wait for the disk.
    async fn work<T: Send + 'static>(&mut self, work: impl FnOnce(&mut Maildrop) -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let Some(mut maildrop) = self.maildrop.take() else { return Err(io::Error::other("the mailbox is at work")) };
        let (maildrop, done) = off_thread(move || {
            let done = work(&mut maildrop);
            (maildrop, done)
        })
        .await;
        self.maildrop = Some(maildrop);
        done
    }
}

impl Text {
    /// Reads the next piece into `piece`; its octets, none at the end.
    pub async fn next(&mut self, piece: &mut Vec<u8>) -> io::Result<usize> {
        if piece.len() < PIECE {
            piece.resize(PIECE, 0);
        }
        let Some(source) = &mut self.source else { return Ok(0) };
        if let Ok(read) = source.read(piece, Wait::Never) {
            return Ok(read);
        }
        let (Some(mut source), mut taken) = (self.source.take(), std::mem::take(piece)) else { return Ok(0) };
        let work = task::spawn_blocking(move || {
            let read = source.read(&mut taken, Wait::Allowed);
            (source, taken, read)
        });
        let (source, taken, read) = work.await.map_err(io::Error::other)?;
        *piece = taken;
        self.source = Some(source);
        read
    }
}
