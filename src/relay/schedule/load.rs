//! From the queue to a conversation: a message with those of its recipients that can share one.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::outgoing::{self, Outgoing};
use super::super::settings::Settings;
use super::super::target::NextHop;
use super::super::verdict::Trouble;
use super::Dispatch;
use crate::mail::{Address, Mailbox, QueueId, ReversePath};
use crate::maildir::Text as _;
use crate::spool::outgoing::{Due, Hop, Kept, Kind, Message, Recipient, Seat, State, To};

/// A message with recipients that share sender, trace fields and next hop.
pub(super) struct Load {
    pub(super) message: Message,
    pub(super) recipients: Vec<(u32, Recipient)>,
    pub(super) text: Kept,
    /// Where it goes, and what is sent.
    pub(super) way: Result<(NextHop, Outgoing), Trouble>,
}

/// A recipient by its number, and where it is.
type Seated = (u32, Recipient, Mailbox);

/// What recipients have in common that share a conversation.
#[derive(PartialEq, Eq)]
struct Shared {
    sender: ReversePath,
    via: Option<Address>,
    hop: Result<NextHop, Trouble>,
}

impl Dispatch {
    /// Reads what is due of one message. Blocks.
    pub(super) fn load(&self, hop: &Hop, dues: &[Due]) -> io::Result<Vec<Load>> {
        let Some(Seat { id, .. }) = dues.first().map(|due| due.seat) else { return Ok(Vec::new()) };
        let Some(message) = self.queue.message(id)? else { return Ok(Vec::new()) };
        let settings = self.settings.load();
        let filing = self.queue.filing();
        let mut groups: Vec<(Shared, Vec<Seated>)> = Vec::new();
        for seat in dues.iter().map(|due| due.seat) {
            let Some(recipient) = self.queue.recipient(seat)?.filter(|recipient| recipient.state == State::Waiting) else { continue };
            let To::Mailbox(mailbox) = recipient.to.clone() else { continue };
            if Hop::of(&mailbox, filing) != *hop {
                self.queue.file_anew(seat)?;
                continue;
            }
            let shared = Shared {
                sender: self.sender(&settings, &message, &recipient),
                via: recipient.via.clone(),
                hop: NextHop::of(&mailbox, &settings),
            };
            let seated = (seat.number, recipient, mailbox);
            match groups.iter_mut().find(|(known, _)| *known == shared) {
                Some((_, seated_there)) => seated_there.push(seated),
                None => groups.push((shared, vec![seated])),
            }
        }
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let text = self.queue.text(id, &message)?;
        let unreadable = text.read().err().map(|error| Trouble::unreadable(&error));
        let loaded = |(mut shared, seated): (Shared, Vec<Seated>)| {
            if let Some(trouble) = &unreadable {
                shared.hop = Err(trouble.clone());
                return Ok(load(id, &message, &text, shared, seated));
            }
            // Recipients by way of a list have senders of their own, so each of them is alone.
            let text = match seated.first() {
                Some((_, recipient, _)) => self.lists.dressed(text.clone(), recipient)?,
                None => text.clone(),
            };
            Ok(load(id, &message, &text, shared, seated))
        };
        groups.into_iter().map(loaded).collect()
    }

    /// The sender that the next hop hears of. Bounces of forwarded mail come back here (SRS), so that the next hop does not take
    /// us for somebody who sends in the name of a stranger.
    fn sender(&self, settings: &Settings, message: &Message, recipient: &Recipient) -> ReversePath {
        let sender = recipient.sender.as_ref().unwrap_or(&message.sender);
        match (sender, &recipient.via) {
            (ReversePath::Mailbox(_), Some(via)) if settings.srs && message.kind == Kind::Forwarded => {
                let ours = settings.srs_domain.as_ref().unwrap_or_else(|| via.domain());
                self.office.srs().forward(sender, ours, Timestamp::now(), |domain| self.office.is_local(domain))
            }
            _ => sender.clone(),
        }
    }
}

fn load(id: QueueId, message: &Message, text: &Kept, shared: Shared, seated: Vec<Seated>) -> Load {
    let Shared { sender, via, hop } = shared;
    let text = via.map_or_else(|| text.clone(), |via| text.below(format!("Delivered-To: {via}\n")));
    let to = |(number, recipient, path): &Seated| outgoing::To {
        index: *number,
        path: path.clone(),
        notify: recipient.notify,
        original: recipient.original.clone(),
    };
    let way = hop.map(|hop| {
        let outgoing = Outgoing {
            id,
            sender,
            body: message.body,
            charset: message.charset,
            ret: message.ret,
            envid: message.envid.clone(),
            recipients: seated.iter().map(to).collect(),
            text: Arc::new(text.clone()),
        };
        (hop, outgoing)
    });
    let recipients = seated.into_iter().map(|(number, recipient, _)| (number, recipient)).collect();
    Load { message: message.clone(), recipients, text, way }
}
