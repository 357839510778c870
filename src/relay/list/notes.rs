//! What lists write to people: short, plain, and marked as written by a program (RFC 3834 §3.1.7).

use jiff::Timestamp;

use super::dress::phrase;
use crate::mail::trace::date;
use crate::mail::{Address, Beside, Mailbox};

/// A letter from a list.
pub struct Note<'a> {
    /// The list.
    pub list: &'a Address,
    /// What it is called.
    pub title: &'a str,
    /// To whom.
    pub to: &'a Mailbox,
    /// What it is about.
    pub subject: &'a str,
    /// What it says.
    pub words: &'a str,
    /// What tells it from others.
    pub id: &'a str,
    /// When.
    pub at: Timestamp,
}

impl Note<'_> {
    /// The message, with LF line ends.
    pub fn text(&self) -> Vec<u8> {
        let Self { list, title, to, subject, words, id, at } = self;
        let owner = Beside::Owner.of(list);
        let subject = if subject.is_ascii() { one_line(subject) } else { phrase(subject) };
        format!(
            "From: {} <{owner}>\nTo: <{to}>\nSubject: {subject}\nDate: {}\nMessage-ID: <{id}.{}@{}>\n\
             Auto-Submitted: auto-replied\nPrecedence: bulk\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: 8bit\n\n{}\n",
            phrase(title),
            date(*at),
            at.as_microsecond(),
            list.domain(),
            words.trim_end()
        )
        .into_bytes()
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// How a list is used.
pub fn help(list: &Address, title: &str) -> String {
    let (request, leave, owner) = (Beside::Request.of(list), Beside::Unsubscribe.of(list), Beside::Owner.of(list));
    format!(
        "This is the list {title}, <{list}>.\n\n\
         To leave it, write to <{leave}>.\n\
         To join it, write to <{request}> with the subject: subscribe\n\
         To reach its owner, write to <{owner}>.\n"
    )
}

/// Asks whoever reads the mail of an address whether it was they who wrote.
pub fn confirm(list: &Address, what: &str, member: &Mailbox, word: &str) -> String {
    let request = Beside::Request.of(list);
    format!(
        "Somebody asked to {what} <{member}> {} the list <{list}>.\n\n\
         If that was you, answer this message without changing its subject, or write to <{request}>\n\
         with the subject: confirm {word}\n\n\
         If it was not, do nothing: nothing happens then.\n",
        if what == "subscribe" { "to" } else { "from" }
    )
}

/// Tells that somebody has left.
pub fn left(list: &Address, member: &Mailbox) -> String {
    format!("<{member}> is no member of the list <{list}> any more. No more of its messages will come.\n")
}

/// Tells that somebody is not a member.
pub fn stranger(list: &Address, member: &Mailbox) -> String {
    let owner = Beside::Owner.of(list);
    format!(
        "<{member}> is no member of the list <{list}>. If its messages come to you by way of another address, write from that one, or to <{owner}>.\n"
    )
}

/// Asks the owner whether somebody may join: members are let in by the owner alone.
pub fn wishes_to_join(list: &Address, member: &Mailbox) -> String {
    format!(
        "<{member}> wishes to join the list <{list}>, and has confirmed that the address is theirs.\n\n\
         To let them in:\n\n    restante list members {} add {member}\n\nor use the page List Accounts of the panel.\n",
        list.local()
    )
}

/// Tells the owner that a posting waits.
pub fn held(list: &Address, id: &str, from: &str, subject: &str, days: i64) -> String {
    let name = list.local();
    format!(
        "A message to the list <{list}> waits for you.\n\n    From:    {}\n    Subject: {}\n\n\
         To send it to the members:   restante list approve {id}\nTo refuse it:                restante list refuse {id}\n\n\
         Or use the page List Accounts, `Held`, of the panel. After {days} days it is thrown away.\n\
         All that wait:               restante list held {name}\n",
        one_line(from),
        one_line(subject)
    )
}

/// Tells an author that a posting was refused.
pub fn refused(list: &Address, subject: &str, reason: &str) -> String {
    let reason = if reason.is_empty() { String::new() } else { format!("\nThe owner says:\n\n    {}\n", reason.replace('\n', "\n    ")) };
    format!("Your message to the list <{list}>\n\n    Subject: {}\n\nwas not accepted by its owner.\n{reason}", one_line(subject))
}

/// Tells the owner that a member was suspended.
pub fn suspended(list: &Address, member: &str, days: usize, status: &str) -> String {
    let name = list.local();
    format!(
        "Mail to the member {} of the list <{list}> came back for good on {days} days; the last time it was said: {}.\n\
         No more messages are sent there.\n\n\
         To send them again:  restante list members {name} resume {}\nTo end it:           restante list members {name} remove {}\n",
        one_line(member),
        one_line(status),
        one_line(member),
        one_line(member)
    )
}
