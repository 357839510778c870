//! Postings that wait for the owner of their list: in the queue, due when the owner has taken too long.

use std::io;

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::{Lists, Posting, described, notes, now, own_address};
use crate::directory::{List, View};
use crate::mail::{QueueId, ReversePath};
use crate::maildir::Text as _;
use crate::relay::list::automatic::Origin;
use crate::spool::outgoing::{self, Hop, Progress, Seat, To};
use crate::telemetry::Event;

/// A posting that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Where it is.
    pub seat: Seat,
    /// The list that it waits for.
    pub list: crate::mail::Name,
    /// The envelope's sender.
    pub sender: ReversePath,
    /// Its author, as the message says.
    pub from: String,
    /// Its subject.
    pub subject: String,
    /// Octets.
    pub octets: u64,
    /// Since when.
    pub since: Timestamp,
    /// When it is thrown away.
    pub until: Timestamp,
}

impl Lists {
    /// Has a posting wait, and tells the owner.
    pub(super) fn hold(&self, seat: Seat, recipient: &outgoing::Recipient, list: &List, posting: &Posting) -> io::Result<()> {
        let (now, kept) = (now(), self.rules.load().held);
        let to = To::List { id: list.id, name: list.name.clone(), address: own_address(list), progress: Progress::Held(now) };
        let next = now.saturating_add(kept).unwrap_or(now);
        let waiting = outgoing::Recipient { to, hop: Hop::of_held(list.id), next, ..recipient.clone() };
        if self.queue().advance(seat, recipient, Some(&waiting), &[])? {
            Event::PostingHeld { id: seat.id, list: list.name.as_str() }.say();
            let (subject, from) = described(&posting.header);
            let words = notes::held(&own_address(list), &seat.id.to_string(), &from, &subject, kept.as_hours() / 24);
            self.note_owner(list, &format!("A message to {} waits for you", list.name), &words, "held");
        }
        Ok(())
    }

    /// The postings to a list that wait, the one that has waited longest first, after one that was seen last.
    pub fn held(&self, list: &List, after: Option<Seat>, limit: usize) -> io::Result<Vec<Held>> {
        let found = self.queue().postings_held(&Hop::of_held(list.id), after, limit)?;
        let mut held = Vec::new();
        for (seat, recipient) in found {
            held.extend(self.shown(seat, &recipient)?);
        }
        Ok(held)
    }

    /// The postings of a message that wait, each for a list.
    pub fn held_by_id(&self, id: QueueId) -> io::Result<Vec<Held>> {
        let mut held = Vec::new();
        for (number, recipient) in self.queue().recipients(id, 0, SEATS)? {
            if recipient.hop.is_held() {
                held.extend(self.shown(Seat { id, number }, &recipient)?);
            }
        }
        Ok(held)
    }

    fn shown(&self, seat: Seat, recipient: &outgoing::Recipient) -> io::Result<Option<Held>> {
        let (To::List { name, progress: Progress::Held(since), .. }, Some(message)) = (&recipient.to, self.queue().message(seat.id)?)
        else {
            return Ok(None);
        };
        let posting = Posting::read(self.queue(), seat.id, &message)?;
        let (subject, from) = described(&posting.header);
        let octets = posting.kept.len();
        let (list, since, until) = (name.clone(), *since, recipient.next);
        Ok(Some(Held { seat, list, sender: message.sender, from, subject, octets, since, until }))
    }

    /// Sends a posting that waits to the members. Whether it still waited.
    pub fn approve(&self, held: &Held) -> io::Result<bool> {
        let Some(recipient) = self.waiting(held)? else { return Ok(false) };
        let To::List { id, name, address, .. } = recipient.to.clone() else { return Ok(false) };
        let to = To::List { id, name, address, progress: Progress::Approved };
        let approved = outgoing::Recipient { to, hop: Hop::of_list(id), next: now(), ..recipient.clone() };
        self.queue().advance(held.seat, &recipient, Some(&approved), &[])
    }

    /// Throws a posting that waits away, and tells its author why, unless a program wrote it. Whether it still waited. Called where a
    /// thread may wait.
    pub fn refuse(&self, held: &Held, reason: Option<&str>) -> io::Result<bool> {
        let Some(recipient) = self.waiting(held)? else { return Ok(false) };
        let message = self.queue().message(held.seat.id)?;
        let header = message.as_ref().map(|message| Posting::read(self.queue(), held.seat.id, message)).transpose()?;
        if !self.queue().advance(held.seat, &recipient, None, &[])? {
            return Ok(false);
        }
        let list = self.directory().snapshot().list(&held.list).map_err(io::Error::other)?;
        let origin = header.map(|posting| Origin::read(&posting.header)).unwrap_or_default();
        if let (Some(reason), Some(list), ReversePath::Mailbox(author)) = (reason, list, &held.sender)
            && origin.bars_reply(&held.sender).is_none()
        {
            let words = notes::refused(&own_address(&list), &held.subject, reason);
            self.note(&list, author, &format!("Your message to {} was not accepted", list.name), &words, "refused");
        }
        Ok(true)
    }

    fn waiting(&self, held: &Held) -> io::Result<Option<outgoing::Recipient>> {
        Ok(self.queue().recipient(held.seat)?.filter(|recipient| recipient.hop.is_held()))
    }

    /// Sends a message on as it came, under its own sender. Called where a thread may wait.
    pub(super) fn pass_on(&self, to: &crate::mail::Mailbox, sender: &crate::mail::Mailbox, text: Vec<u8>) {
        use crate::relay::submit::{Addressee, Letter};
        let recipient = crate::mail::Recipient::from(to.clone());
        let letter = Letter {
            kind: outgoing::Kind::Forwarded,
            sender: ReversePath::Mailbox(sender.clone()),
            recipients: vec![Addressee { recipient, sender: None }],
            text,
        };
        // What cannot be sent has been told by the office.
        let _ = Handle::current().block_on(self.office.submit(letter));
    }
}

/// Recipients of a message that are looked through: a posting that waits has not become many yet.
const SEATS: usize = 1000;
