//! Who is told what about a recipient: the sender of the message, the postmaster, or nobody.
//!
//! Owns the end of every chain: nothing is ever reported to a null sender, and a report that reaches nobody goes to the postmaster,
//! once. What a sender wants to know is for [`report::wanted`] to say, and what a report looks like for [`Report`].

use std::io::{self, Read as _};

use jiff::Timestamp;
use tokio::task;

use super::report::{self, Action, Report, Reported, Returned};
use super::submit::{Addressee, Letter, Office, Unsent};
use super::verdict::{Diagnostic, Remote, Security, Status, Taken};
use crate::mail::trace::Journey;
use crate::mail::{ForwardPath, Mailbox, QueueId, Recipient as Receiver, ReversePath};
use crate::maildir::Text as _;
use crate::spool::outgoing::{Attempt, Kept, Kind, Message, Recipient, To};
use crate::telemetry::Event;

/// Octets of a text in which its `Message-ID` is looked for.
const HEADER: u64 = 64 * 1024;

/// What there is to tell about a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A host has it that does not report by itself.
    Relayed {
        /// Which, and what it said.
        taken: Taken,
        /// When.
        at: Timestamp,
    },
    /// It takes longer.
    Delayed {
        /// The last attempt.
        attempt: Attempt,
        /// Until when it is tried.
        until: Timestamp,
    },
    /// Nobody takes it, or it has waited for too long.
    Failed {
        /// The last attempt.
        attempt: Attempt,
    },
}

impl News {
    fn action(&self) -> Action {
        match self {
            Self::Relayed { .. } => Action::Relayed,
            Self::Delayed { .. } => Action::Delayed,
            Self::Failed { .. } => Action::Failed,
        }
    }
}

/// Tells the sender of a message that its delivery to these recipients was cancelled here. Nobody is told of a report, or of a copy that a
/// list sends: those have senders that count bounces.
pub async fn cancelled(office: &Office, id: QueueId, message: &Message, text: &Kept, recipients: Vec<Recipient>) -> io::Result<()> {
    if message.sender == ReversePath::Null {
        return Ok(());
    }
    let attempt = Attempt { at: Timestamp::now(), remote: None, status: CANCELLED, reply: CANCELLED_WORDS.into(), by_peer: false };
    let own = recipients.into_iter().filter(|recipient| recipient.sender.is_none());
    let news = own.map(|recipient| (recipient, News::Failed { attempt: attempt.clone() })).collect();
    // The header section is enough to know it by.
    tell(office, 0, id, message, text, news).await
}

/// What became of mail that an operator has removed: nothing in RFC 3463 is closer.
const CANCELLED: (u8, u16, u16) = (5, 0, 0);

/// The same in words.
pub const CANCELLED_WORDS: &str = "its delivery was cancelled by the operator of this server";

/// Tells whom it concerns about recipients of one message; `returned` octets of a message are given back whole. It fails where somebody has to be told and cannot be for now.
pub(super) async fn tell(
    office: &Office,
    returned: u64,
    id: QueueId,
    message: &Message,
    text: &Kept,
    news: Vec<(Recipient, News)>,
) -> io::Result<()> {
    let mut groups: Vec<(Whom, Action, Vec<Reported>)> = Vec::new();
    for (recipient, news) in news {
        let sender = recipient.sender.clone().unwrap_or_else(|| message.sender.clone());
        let action = news.action();
        let Some(whom) = whom(message, &recipient, action, sender) else {
            if action == Action::Failed && message.sender == ReversePath::Null {
                Event::ReportLost { id, cause: &format!("<{}> cannot be reached, and there is no sender", recipient.address()) }.say();
            }
            continue;
        };
        let Some(reported) = reported(recipient, news) else { continue };
        match groups.iter_mut().find(|(known, of, _)| *known == whom && *of == action) {
            Some((_, _, recipients)) => recipients.push(reported),
            None => groups.push((whom, action, vec![reported])),
        }
    }
    for (whom, action, recipients) in groups {
        let letter = letter(office.hostname(), returned, message, text, &whom, action, recipients).await?;
        send(office, id, action, whom, letter).await?;
    }
    Ok(())
}

/// Who hears of something.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    Sender(Mailbox),
    /// Of a report that cannot be delivered itself.
    Postmaster,
}

fn whom(message: &Message, recipient: &Recipient, action: Action, sender: ReversePath) -> Option<Whom> {
    match sender {
        ReversePath::Null if message.kind == Kind::Report && action == Action::Failed => Some(Whom::Postmaster),
        sender if !report::wanted(recipient.notify, action, &sender) => None,
        ReversePath::Mailbox(mailbox) => Some(Whom::Sender(mailbox)),
        ReversePath::Null => None,
    }
}

/// Tells it. Whoever should have heard of a failure and cannot be reached leaves it to the postmaster.
async fn send(office: &Office, id: QueueId, action: Action, whom: Whom, letter: Letter) -> io::Result<()> {
    let text = letter.text.clone();
    match office.submit(letter).await.into_iter().next() {
        None | Some(Ok(_)) => Ok(()),
        // What has been delivered, or is still tried, is no reason to try again.
        Some(Err(_)) if action != Action::Failed => Ok(()),
        Some(Err(Unsent::Unstored(failure))) => Err(io::Error::other(format!("a report about {id} could not be stored: {failure:?}"))),
        Some(Err(Unsent::Unroutable(reply))) if whom == Whom::Postmaster => {
            Event::ReportLost { id, cause: &format!("the postmaster: {reply}") }.say();
            Ok(())
        }
        Some(Err(Unsent::Unroutable(_))) => match office.submit(to_postmaster(text)).await.into_iter().next() {
            Some(Err(Unsent::Unstored(failure))) => Err(io::Error::other(format!("a report about {id} could not be stored: {failure:?}"))),
            Some(Err(Unsent::Unroutable(reply))) => {
                Event::ReportLost { id, cause: &format!("the postmaster: {reply}") }.say();
                Ok(())
            }
            None | Some(Ok(_)) => Ok(()),
        },
    }
}

/// Nothing is told of what becomes of such a letter.
fn to_postmaster(text: Vec<u8>) -> Letter {
    let recipient = Receiver { path: ForwardPath::Postmaster, notify: None, original: None };
    Letter { kind: Kind::Made, sender: ReversePath::Null, recipients: vec![Addressee { recipient, sender: None }], text }
}

async fn letter(
    hostname: &str,
    most: u64,
    message: &Message,
    text: &Kept,
    whom: &Whom,
    action: Action,
    recipients: Vec<Reported>,
) -> io::Result<Letter> {
    let (read, ret) = (text.clone(), message.ret);
    // A text that is lost is no reason to say nothing.
    let nothing = || (Returned::Header(Vec::new()), None);
    let read = move || Ok::<_, io::Error>((Returned::of(&read, ret, action, most)?, message_id(&read)?));
    let (returned, message_id) = task::spawn_blocking(move || read().unwrap_or_else(|_| nothing())).await.map_err(io::Error::other)?;
    let postmaster = || Mailbox::parse(&format!("postmaster@{hostname}")).map_err(io::Error::other);
    let to = match whom {
        Whom::Sender(sender) => sender.clone(),
        Whom::Postmaster => postmaster()?,
    };
    let report = Report {
        hostname: hostname.to_owned(),
        id: format!("{:032x}", rand::random::<u128>()),
        at: Timestamp::now(),
        to: to.clone(),
        arrival: message.arrived,
        envid: message.envid.clone(),
        message_id,
        charset: message.charset,
        recipients,
        returned,
    };
    let text = report.build().text;
    Ok(match whom {
        Whom::Postmaster => to_postmaster(text),
        Whom::Sender(_) => {
            let addressee = Addressee { recipient: Receiver::from(to), sender: None };
            Letter { kind: Kind::Report, sender: ReversePath::Null, recipients: vec![addressee], text }
        }
    })
}

fn message_id(text: &Kept) -> io::Result<Option<String>> {
    let mut header = Vec::new();
    text.read()?.take(HEADER).read_to_end(&mut header)?;
    Ok(Journey::read(&header).message_id)
}

/// A recipient as a report names it. Lists are reported by those who distribute.
fn reported(recipient: Recipient, news: News) -> Option<Reported> {
    let To::Mailbox(path) = recipient.to else { return None };
    let original = recipient.original.or_else(|| Some(format!("rfc822;{}", xtext(&recipient.asked?.to_string())?)));
    let action = news.action();
    Some(match news {
        News::Relayed { taken, at } => Reported {
            path,
            original,
            action,
            status: Status::new(2, 0, 0),
            remote: Some(taken.remote),
            diagnostic: Some(Diagnostic::Reply(taken.reply)),
            last_attempt: Some(at),
            retry_until: None,
        },
        News::Delayed { attempt, until } => Reported { retry_until: Some(until), ..troubled(path, original, action, attempt) },
        News::Failed { attempt } => troubled(path, original, action, attempt),
    })
}

fn troubled(path: Mailbox, original: Option<String>, action: Action, attempt: Attempt) -> Reported {
    let Attempt { at, remote, status: (class, subject, detail), reply, by_peer } = attempt;
    Reported {
        path,
        original,
        action,
        status: Status::new(class, subject, detail),
        remote: remote.map(|(name, address)| Remote { name, address, security: Security::Clear }),
        diagnostic: Some(if by_peer { Diagnostic::Reply(reply) } else { Diagnostic::Ours(reply) }),
        last_attempt: Some(at),
        retry_until: None,
    }
}

/// An address in the form of RFC 3461 §4; none where that form cannot hold it.
fn xtext(address: &str) -> Option<String> {
    let printable = address.bytes().all(|octet| octet.is_ascii_graphic());
    printable.then(|| address.chars().map(|c| if matches!(c, '+' | '=') { format!("+{:02X}", u32::from(c)) } else { c.into() }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn originals_are_written_as_xtext() {
        assert_eq!(xtext("a+b=c@example.org").as_deref(), Some("a+2Bb+3Dc@example.org"));
        assert_eq!((xtext("é@example.org"), xtext("\"a b\"@example.org")), (None, None));
    }
}
