//! Reports to the sender of a message (RFC 3461 §6, RFC 3464, RFC 6522; RFC 6533 where addresses are not ASCII).
//!
//! Pure: a [`Report`] in, its text out. The human part says in a few lines what happened, to whom, what the other side said, and what to
//! do; the machine part says the same exactly; the third gives back the header or the whole. Built by hand, since lettre's builder
//! knows no `multipart/report`, and of what it would do beyond (encoding and folding of header fields) there is nothing here: no field holds a
//! text of others except the machine part's.
//!
//! Nobody is told about a report: [`wanted`] says so for a null sender, and a report's own envelope has one.

use std::fmt::Write as _;
use std::io::{self, Read as _};

use jiff::Timestamp;

use super::verdict::{Diagnostic, Remote, Status, Trouble};
use crate::mail::envelope::Charset;
use crate::mail::trace::date;
use crate::mail::{BodyType, Mailbox, Notify, Return, ReversePath};
use crate::maildir::Text;

mod fields;
mod words;

/// Octets of a header section that a report gives back.
const HEADER_OCTETS: u64 = 64 * 1024;

/// What became of a recipient (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not there yet, and tried on.
    Delayed,
    /// In its mailbox.
    Delivered,
    /// Handed to a host that reports nothing.
    Relayed,
    /// Handed to several recipients, or to a list.
    Expanded,
}

/// One recipient of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The recipient as it was tried.
    pub path: Mailbox,
    /// `ORCPT` as it came: `addr-type;xtext`.
    pub original: Option<String>,
    /// What became of it.
    pub action: Action,
    /// The enhanced status code.
    pub status: Status,
    /// Whom the last attempt was made with.
    pub remote: Option<Remote>,
    /// What the other side said, or what we found.
    pub diagnostic: Option<Diagnostic>,
    /// When that was.
    pub last_attempt: Option<Timestamp>,
    /// Until when it is tried on.
    pub retry_until: Option<Timestamp>,
}

impl Reported {
    /// A recipient that is given up, or still waits: the class of the status stays what it is.
    pub fn troubled(path: Mailbox, action: Action, trouble: &Trouble) -> Self {
        Self {
            path,
            original: None,
            action,
            status: trouble.status,
            remote: trouble.remote.clone(),
            diagnostic: Some(trouble.diagnostic.clone()),
            last_attempt: None,
            retry_until: None,
        }
    }
}

/// What is given back of the message, with LF line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returned {
    /// All of it.
    Whole(Vec<u8>),
    /// Its header section.
    Header(Vec<u8>),
}

impl Returned {
    /// As much of a text as `RET` asks for and `most` octets allow. Of a message that has not failed it is the header (RFC 3461 §4.3).
    pub fn of(text: &dyn Text, ret: Option<Return>, action: Action, most: u64) -> io::Result<Self> {
        let mut octets = Vec::new();
        if action == Action::Failed && ret != Some(Return::Headers) && text.len() <= most {
            text.read()?.read_to_end(&mut octets)?;
            return Ok(Self::Whole(octets));
        }
        text.read()?.take(HEADER_OCTETS).read_to_end(&mut octets)?;
        let end = crate::mail::trace::header_end(&octets).map(|end| end - 1);
        // A header section that goes on is cut at the end of a line.
        let end = end.or_else(|| memchr::memrchr(b'\n', &octets).map(|at| at + 1)).unwrap_or(octets.len());
        octets.truncate(end);
        Ok(Self::Header(octets))
    }

    fn octets(&self) -> &[u8] {
        match self {
            Self::Whole(octets) | Self::Header(octets) => octets,
        }
    }
}

/// What is to be told about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Our name.
    pub hostname: String,
    /// A name for the report, of letters and digits, that nobody can have foreseen: it is the boundary, too.
    pub id: String,
    /// When it is made.
    pub at: Timestamp,
    /// The sender of the message: whom it goes to.
    pub to: Mailbox,
    /// When the message came.
    pub arrival: Timestamp,
    /// `ENVID`: the xtext as it came.
    pub envid: Option<String>,
    /// `Message-ID` of the message, without its angle brackets.
    pub message_id: Option<String>,
    /// Whether the message came with `SMTPUTF8`: then its sender can read a report that needs it.
    pub charset: Charset,
    /// What it tells of.
    pub recipients: Vec<Reported>,
    /// What is given back.
    pub returned: Returned,
}

/// A report as it is sent, from the null sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The text, with LF line ends.
    pub text: Vec<u8>,
    /// What `BODY` says.
    pub body: BodyType,
    /// Whether it needs `SMTPUTF8`.
    pub charset: Charset,
}

/// Whether a sender is told of what became of a recipient (RFC 3461 §4.1, §5.2): a null sender never is.
pub fn wanted(notify: Option<Notify>, action: Action, sender: &ReversePath) -> bool {
    if *sender == ReversePath::Null {
        return false;
    }
    match action {
        Action::Failed => notify.is_none_or(|notify| notify.failure),
        Action::Delayed => notify.is_none_or(|notify| notify.delay),
        Action::Delivered | Action::Relayed | Action::Expanded => notify.is_some_and(|notify| notify.success),
    }
}

impl Report {
    /// Writes it.
    pub fn build(&self) -> Built {
        let charset = if self.charset == Charset::Utf8 && self.has_utf8() { Charset::Utf8 } else { Charset::Ascii };
        let boundary = self.boundary();
        let mut text = self.header(&boundary, charset).into_bytes();
        let mut part = |kind: &str, content: &[u8]| {
            let encoding = if content.is_ascii() { "7bit" } else { "8bit" };
            let head = format!("--{boundary}\nContent-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n");
            text.extend_from_slice(head.as_bytes());
            text.extend_from_slice(content);
            text.extend_from_slice(if content.ends_with(b"\n") { b"\n" } else { b"\n\n" });
        };
        part("text/plain; charset=utf-8", words::human(self).as_bytes());
        let global = charset == Charset::Utf8;
        part(if global { "message/global-delivery-status" } else { "message/delivery-status" }, fields::machine(self, charset).as_bytes());
        let kind = match (&self.returned, global) {
            (Returned::Whole(_), false) => "message/rfc822",
            (Returned::Whole(_), true) => "message/global",
            (Returned::Header(_), false) => "text/rfc822-headers; charset=utf-8",
            (Returned::Header(_), true) => "message/global-headers",
        };
        part(kind, self.returned.octets());
        text.extend_from_slice(format!("--{boundary}--\n").as_bytes());
        let body = if text.is_ascii() { BodyType::SevenBit } else { BodyType::EightBitMime };
        Built { text, body, charset }
    }

    /// Whether an address or the header given back holds more than ASCII.
    fn has_utf8(&self) -> bool {
        let mut addresses = self.recipients.iter().map(|recipient| &recipient.path).chain([&self.to]);
        let header = crate::mail::trace::header_end(self.returned.octets());
        let header = header.and_then(|end| self.returned.octets().get(..end)).unwrap_or(self.returned.octets());
        !header.is_ascii() || !addresses.all(Mailbox::is_ascii)
    }

    /// A boundary that stands nowhere in what is given back.
    fn boundary(&self) -> String {
        let mut boundary = format!("report-{}", self.id);
        while memchr::memmem::find(self.returned.octets(), boundary.as_bytes()).is_some() {
            boundary.push('x');
        }
        boundary
    }

    fn header(&self, boundary: &str, charset: Charset) -> String {
        let Self { hostname, id, at, .. } = self;
        let to = crate::protocol::smtp::client::command::path(&self.to, charset).unwrap_or_else(|_| self.to.as_str().into());
        let mut text = format!(
            "Date: {}\nFrom: Mail Delivery System <MAILER-DAEMON@{hostname}>\nTo: <{to}>\nSubject: {}\nMessage-ID: <{id}@{hostname}>\n",
            date(*at),
            words::subject(self.recipients.iter().map(|recipient| recipient.action).min())
        );
        let reference = self.message_id.as_ref().filter(|id| id.len() < 900 && id.bytes().all(|octet| octet.is_ascii_graphic()));
        if let Some(reference) = reference {
            // A String takes whatever is written to it; so in the other files.
            let _ = write!(text, "In-Reply-To: <{reference}>\nReferences: <{reference}>\n");
        }
        text.push_str("Auto-Submitted: auto-replied\nMIME-Version: 1.0\n");
        let _ = write!(text, "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"{boundary}\"\n\n");
        text.push_str("This is a report about a message, in the form of RFC 3464.\n\n");
        text
    }
}

#[cfg(test)]
mod tests;
