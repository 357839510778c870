//! Vacation replies (RFC 3834): what senders are told while the owner of an account is away.
//!
//! A sender is told once in seven days, and only if a person wrote to this person: never lists, programs or reports, and only mail
//! that names the account or one of its aliases in `To` or `Cc`. The reply has no sender that could be answered, so two
//! servers can never keep each other busy.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mail_parser::MessageParser;

use super::list::automatic::Origin;
use super::list::dress::phrase;
use super::submit::{Addressee, Letter, Office};
use crate::directory::{AccountId, AliasKey, Target, Unreadable, Vacation, View};
use crate::mail::trace::date;
use crate::mail::{Address, Mailbox, Recipient, ReversePath};
use crate::router::Destination;
use crate::spool::outgoing::Kind;
use crate::telemetry::Event;

/// How long a sender is not told again (RFC 3834 §2).
pub const PAUSE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Addresses of `To` and `Cc` that are looked at.
const ADDRESSES: usize = 200;

/// Characters of a subject that is answered.
const SUBJECT: usize = 200;

/// Answers on behalf of owners that are away.
pub struct Vacations {
    office: Arc<Office>,
}

impl Vacations {
    /// Sends by way of that office.
    pub fn new(office: Arc<Office>) -> Self {
        Self { office }
    }

    /// The vacation of an account that holds now.
    pub fn of<V: View + ?Sized>(view: &V, account: AccountId, now: Timestamp) -> Result<Option<Vacation>, Unreadable> {
        Ok(view.handling(account)?.and_then(|handling| handling.vacation).filter(|vacation| vacation.is_on(now)))
    }

    /// Answers a message that has come to these mailboxes at `now`, where that is due.
    pub async fn answer(&self, header: &[u8], sender: &ReversePath, mailboxes: &[Destination], now: Timestamp) {
        let ReversePath::Mailbox(to) = sender else { return };
        if Origin::read(header).bars_reply(sender).is_some() {
            return;
        }
        for mailbox in mailboxes {
            match self.letter(header, to, mailbox, now) {
                Ok(None) => {}
                Ok(Some(letter)) => {
                    Event::VacationReply { mailbox: mailbox.name.as_str(), to: sender }.say();
                    // What cannot be sent has been told by the office.
                    let _ = self.office.submit(letter).await;
                }
                Err(Unreadable(cause)) => Event::TaskFailed { task: "replying for an owner that is away", cause: &cause }.say(),
            }
        }
    }

    fn letter(&self, header: &[u8], to: &Mailbox, mailbox: &Destination, now: Timestamp) -> Result<Option<Letter>, Unreadable> {
        let directory = self.office.directory();
        let snapshot = directory.snapshot();
        let Some(vacation) = Self::of(&snapshot, mailbox.id, now)? else { return Ok(None) };
        if !is_addressed(&snapshot, header, mailbox)? || !directory.reply_due(mailbox.id, &to.to_string().to_lowercase(), now, PAUSE)? {
            return Ok(None);
        }
        let owner = snapshot.pop(&mailbox.name)?.map(|pop| pop.owner).unwrap_or_default();
        let text = reply(header, to, &mailbox.address, &owner, &vacation.text, now);
        let addressee = Addressee { recipient: Recipient::from(to.clone()), sender: None };
        Ok(Some(Letter { kind: Kind::Made, sender: ReversePath::Null, recipients: vec![addressee], text }))
    }
}

/// Whether `To` or `Cc` has the account's address, or that of an alias that leads to it at once.
fn is_addressed<V: View + ?Sized>(view: &V, header: &[u8], mailbox: &Destination) -> Result<bool, Unreadable> {
    let Some(message) = MessageParser::new().with_address_headers().parse_headers(header) else { return Ok(false) };
    let named = [message.to(), message.cc()].into_iter().flatten().flat_map(|addresses| addresses.iter());
    for text in named.filter_map(|address| address.address()).take(ADDRESSES) {
        let Ok(address) = Address::parse(text) else { continue };
        let base = address.local().split_once('+').map(|(base, _)| Address::new(base, address.domain().clone()));
        for address in [Some(address), base].into_iter().flatten() {
            if address == mailbox.address {
                return Ok(true);
            }
            let alias = view.alias(&AliasKey::Exact(address))?;
            if alias.is_some_and(|alias| alias.targets.contains(&Target::Account(mailbox.name.clone()))) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The reply, with LF line ends (RFC 3834 §3.1).
fn reply(header: &[u8], to: &Mailbox, from: &Address, owner: &str, words: &str, now: Timestamp) -> Vec<u8> {
    let parsed = MessageParser::new().parse_headers(header);
    let subject = parsed.as_ref().and_then(|message| message.subject()).unwrap_or_default();
    let subject: String = subject.chars().filter(|c| !c.is_control()).take(SUBJECT).collect();
    let subject = if subject.is_ascii() { format!("Auto: {subject}") } else { phrase(&format!("Auto: {subject}")) };
    let answered = parsed.as_ref().and_then(|message| message.message_id()).filter(|id| id.is_ascii() && !id.chars().any(char::is_control));
    let thread = answered.map(|id| format!("In-Reply-To: <{id}>\nReferences: <{id}>\n")).unwrap_or_default();
    format!(
        "From: {} <{from}>\nTo: <{to}>\nSubject: {}\nDate: {}\nMessage-ID: <vacation.{}@{}>\n{thread}\
         Auto-Submitted: auto-replied\nPrecedence: bulk\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\n{}\n",
        phrase(owner),
        subject.trim_end(),
        date(now),
        now.as_nanosecond(),
        from.domain(),
        words.replace("\r\n", "\n").replace('\r', "\n").trim_end()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_belongs_to_what_it_answers_and_ends_there() {
        let to = Mailbox::parse("ann@x.example").unwrap();
        let from = Address::parse("bob@y.example").unwrap();
        let header = b"Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <m1@x.example>\n\n";
        let text = String::from_utf8(reply(header, &to, &from, "Bob B.", "Away.\r\nBye.", Timestamp::UNIX_EPOCH)).unwrap();
        for line in [
            "From: \"Bob B.\" <bob@y.example>",
            "To: <ann@x.example>",
            "Subject: =?UTF-8?B?QXV0bzogR3LDvMOfZQ==?=",
            "In-Reply-To: <m1@x.example>",
            "Auto-Submitted: auto-replied",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        assert!(text.ends_with("\n\nAway.\nBye.\n"));
        let plain = String::from_utf8(reply(b"Subject: hi\n\n", &to, &from, "B", "x", Timestamp::UNIX_EPOCH)).unwrap();
        assert!(plain.contains("\nSubject: Auto: hi\n") && !plain.contains("In-Reply-To"));
    }
}
