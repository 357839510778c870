//! Every reply that a POP3 client can hear, apart from what follows one: listings and messages.
//!
//! The set is closed: a reply that is not here cannot be sent, and each has one wording. One golden test holds them
//! all. Response codes are those of RFC 2449 §8 and RFC 3206; programs go by them, people read the rest.

#![expect(missing_docs, reason = "the fields of a variant are explained by the variant")]

use std::fmt;
use std::io::Write as _;

/// A reply, with what its text needs to be helpful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Connection opened. No `<...>` in it: that would offer APOP (RFC 1939 §7).
    Greeting { host: String },
    /// Done, and nothing to add.
    Ok,
    /// `USER` taken, whether there is such an account or not.
    GivePassword,
    /// Logged in, and after `RSET`: what the mailbox holds.
    Mailbox { messages: usize, octets: u64 },
    /// `STAT`.
    Stat { messages: usize, octets: u64 },
    /// `LIST` with a number.
    Size { number: usize, octets: u64 },
    /// `UIDL` with a number.
    Uid { number: usize, uid: String },
    /// A message follows.
    Octets { octets: u64 },
    /// A listing, or a part of a message, follows.
    Follows { what: &'static str },
    /// `DELE`.
    Marked { number: usize },
    /// `UTF8`.
    Utf8,
    /// The handshake may begin.
    StartTls,
    /// The client is to say more; the challenge is in base64.
    Challenge { text: &'static str },
    /// `QUIT`.
    Bye { host: String },
    /// `QUIT` after deletions that all succeeded.
    Removed { host: String, messages: usize },

    /// `QUIT` after deletions, of which these failed.
    NotRemoved { numbers: Vec<usize> },
    /// No place for another connection.
    TooBusy { host: String, whose: Whose },
    /// The server is stopping.
    Stopping { host: String },
    /// The client made too many errors.
    TooManyErrors,
    /// No such command.
    UnknownCommand,
    /// A command that is known and not offered.
    NotOffered { verb: &'static str },
    /// A command line over the limit; it was drained, not executed.
    LineTooLong { limit: usize },
    /// A NUL in a command.
    Nul,
    /// A line that ends in LF alone.
    BareLf,
    /// A known command with arguments that it does not take.
    BadArgument { usage: &'static str },
    /// A command for those who have logged in.
    NotLoggedIn,
    /// A command for those who have not.
    LoggedIn,
    /// `PASS` without `USER`.
    NoName,
    /// `STLS` inside TLS.
    AlreadyEncrypted,
    /// Passwords do not travel in clear here.
    NeedsTls,
    /// A mechanism that is not offered.
    UnknownMechanism,
    /// The client called the exchange off.
    Cancelled,
    /// What the client said in the exchange cannot be read.
    BadExchange,
    /// Name and password do not fit, or there is no such account; nobody is told which.
    WrongPassword,
    /// The password was right, and the account is suspended.
    Suspended,
    /// Too many failed logins of that name or from that address.
    TooManyFailures { seconds: u64 },
    /// More logins wait than can be looked at.
    LoginsBusy,
    /// Another session has the mailbox.
    InUse,
    /// The accounts cannot be read.
    AccountsUnreadable,
    /// The mailbox cannot be read.
    MailboxUnreadable,
    /// There is no message of that number.
    NoSuchMessage { messages: usize },
    /// It is marked as deleted.
    Deleted { number: usize },
    /// Another program removed it.
    Gone { number: usize },
    /// The disk refuses it.
    Unreadable { number: usize },
}

/// Which bound a new connection met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Connections in total.
    All,
    /// Connections from one client address.
    Yours,
}

/// Numbers of messages told in one reply; of more, only how many there are. A reply line has 512 octets (RFC 2449 §4).
const NUMBERS: usize = 40;

impl Reply {
    /// Whether the answer is no.
    pub fn is_refusal(&self) -> bool {
        self.to_string().starts_with('-')
    }

    /// Whether the client broke the protocol, or failed to log in: such replies are counted. That a message is not there
    /// is news, and no fault.
    pub fn is_counted(&self) -> bool {
        matches!(
            self,
            Self::UnknownCommand
                | Self::NotOffered { .. }
                | Self::LineTooLong { .. }
                | Self::Nul
                | Self::BareLf
                | Self::BadArgument { .. }
                | Self::NotLoggedIn
                | Self::LoggedIn
                | Self::NoName
                | Self::AlreadyEncrypted
                | Self::NeedsTls
                | Self::UnknownMechanism
                | Self::BadExchange
                | Self::WrongPassword
                | Self::Suspended
                | Self::TooManyFailures { .. }
        )
    }

    /// Appends the reply in its wire form.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{self}\r\n");
    }

    fn positive(&self, f: &mut fmt::Formatter<'_>) -> Option<fmt::Result> {
        Some(match self {
            Self::Greeting { host } => write!(f, "+OK {host} POP3 Restante"),
            Self::Ok => f.write_str("+OK"),
            Self::GivePassword => f.write_str("+OK Now the password"),
            Self::Mailbox { messages, octets } => write!(f, "+OK {messages} messages ({octets} octets)"),
            Self::Stat { messages, octets } => write!(f, "+OK {messages} {octets}"),
            Self::Size { number, octets } => write!(f, "+OK {number} {octets}"),
            Self::Uid { number, uid } => write!(f, "+OK {number} {uid}"),
            Self::Octets { octets } => write!(f, "+OK {octets} octets"),
            Self::Follows { what } => write!(f, "+OK {what}"),
            Self::Marked { number } => write!(f, "+OK Message {number} is deleted at QUIT"),
            Self::Utf8 => f.write_str("+OK UTF8 enabled"),
            Self::StartTls => f.write_str("+OK Begin TLS"),
            Self::Challenge { text } => write!(f, "+ {text}"),
            Self::Bye { host } => write!(f, "+OK {host} says goodbye"),
            Self::Removed { host, messages } => write!(f, "+OK {messages} messages removed; {host} says goodbye"),
            _ => return None,
        })
    }

    /// Response code (empty where there is none that fits) and text.
    fn refusal(&self) -> (&'static str, String) {
        let (code, text) = match self {
            Self::UnknownCommand => ("", "Command not recognised; CAPA tells what there is"),
            Self::Nul => ("", "NUL in a command"),
            Self::BareLf => ("", "The line ends in LF alone; end lines with CRLF"),
            Self::NotLoggedIn => ("", "Log in first"),
            Self::LoggedIn => ("", "Already logged in"),
            Self::NoName => ("", "USER first"),
            Self::AlreadyEncrypted => ("", "TLS is active already"),
            Self::NeedsTls => ("[AUTH] ", "Passwords are not taken in clear here; use TLS (STLS) first"),
            Self::UnknownMechanism => ("", "Mechanism not offered; CAPA tells which are"),
            Self::Cancelled => ("", "Authentication cancelled"),
            Self::BadExchange => ("", "That is not what the mechanism expects; authentication ended"),
            Self::WrongPassword => ("[AUTH] ", "Name or password is wrong"),
            Self::Suspended => ("[AUTH] ", "The account is suspended; ask the administrator"),
            Self::LoginsBusy => ("[SYS/TEMP] ", "Too many logins at a time; try again in a moment"),
            Self::InUse => ("[IN-USE] ", "Another session has the mailbox; try again later"),
            Self::AccountsUnreadable => ("[SYS/TEMP] ", "Accounts cannot be read; try again later"),
            Self::MailboxUnreadable => ("[SYS/TEMP] ", "The mailbox cannot be read; try again later"),
            Self::TooManyErrors => ("", "Too many errors; closing"),
            _ => return self.detailed_refusal(),
        };
        (code, text.to_owned())
    }

    fn detailed_refusal(&self) -> (&'static str, String) {
        match self {
            Self::NotRemoved { numbers } => ("[SYS/TEMP] ", not_removed(numbers)),
            Self::TooBusy { host, whose: Whose::All } => ("[SYS/TEMP] ", format!("{host} has too many connections; try again later")),
            Self::TooBusy { host, whose: Whose::Yours } => {
                ("[SYS/TEMP] ", format!("{host} has too many connections from your address; try again later"))
            }
            Self::Stopping { host } => ("[SYS/TEMP] ", format!("{host} is stopping; try again later")),
            Self::NotOffered { verb } => ("", format!("{verb} is not offered here")),
            Self::LineTooLong { limit } => ("", format!("Line too long; the limit is {limit} octets")),
            Self::BadArgument { usage } => ("", format!("Syntax: {usage}")),
            Self::TooManyFailures { seconds } => ("[SYS/TEMP] ", format!("Too many failed logins; try again in {seconds} seconds")),
            Self::NoSuchMessage { messages } => ("", format!("No such message; the mailbox has {messages}")),
            Self::Deleted { number } => ("", format!("Message {number} is deleted")),
            Self::Gone { number } => ("", format!("Message {number} is gone: another program removed it")),
            Self::Unreadable { number } => ("[SYS/TEMP] ", format!("Message {number} cannot be read; try again later")),
            _ => ("", "Not now".to_owned()),
        }
    }
}

fn not_removed(numbers: &[usize]) -> String {
    if numbers.len() > NUMBERS {
        return format!("{} deleted messages not removed", numbers.len());
    }
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    format!("Some deleted messages not removed: {}", numbers.join(", "))
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.positive(f).unwrap_or_else(|| {
            let (code, text) = self.refusal();
            write!(f, "-ERR {code}{text}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_has_its_words() {
        let host = || "mx.example.org".to_owned();
        for (reply, line) in [
            (Reply::Greeting { host: host() }, "+OK mx.example.org POP3 Restante"),
            (Reply::Ok, "+OK"),
            (Reply::GivePassword, "+OK Now the password"),
            (Reply::Mailbox { messages: 2, octets: 300 }, "+OK 2 messages (300 octets)"),
            (Reply::Stat { messages: 2, octets: 300 }, "+OK 2 300"),
            (Reply::Size { number: 1, octets: 7 }, "+OK 1 7"),
            (Reply::Uid { number: 1, uid: "x".into() }, "+OK 1 x"),
            (Reply::Octets { octets: 7 }, "+OK 7 octets"),
            (Reply::Follows { what: "Sizes follow" }, "+OK Sizes follow"),
            (Reply::Marked { number: 1 }, "+OK Message 1 is deleted at QUIT"),
            (Reply::Utf8, "+OK UTF8 enabled"),
            (Reply::StartTls, "+OK Begin TLS"),
            (Reply::Challenge { text: "" }, "+ "),
            (Reply::Bye { host: host() }, "+OK mx.example.org says goodbye"),
            (Reply::Removed { host: host(), messages: 3 }, "+OK 3 messages removed; mx.example.org says goodbye"),
            (Reply::NotRemoved { numbers: vec![2, 9] }, "-ERR [SYS/TEMP] Some deleted messages not removed: 2, 9"),
            (Reply::NotRemoved { numbers: vec![1_000_000; 1000] }, "-ERR [SYS/TEMP] 1000 deleted messages not removed"),
            (
                Reply::TooBusy { host: host(), whose: Whose::All },
                "-ERR [SYS/TEMP] mx.example.org has too many connections; try again later",
            ),
            (
                Reply::TooBusy { host: host(), whose: Whose::Yours },
                "-ERR [SYS/TEMP] mx.example.org has too many connections from your address; try again later",
            ),
            (Reply::Stopping { host: host() }, "-ERR [SYS/TEMP] mx.example.org is stopping; try again later"),
            (Reply::TooManyErrors, "-ERR Too many errors; closing"),
            (Reply::UnknownCommand, "-ERR Command not recognised; CAPA tells what there is"),
            (Reply::NotOffered { verb: "APOP" }, "-ERR APOP is not offered here"),
            (Reply::LineTooLong { limit: 4096 }, "-ERR Line too long; the limit is 4096 octets"),
            (Reply::Nul, "-ERR NUL in a command"),
            (Reply::BareLf, "-ERR The line ends in LF alone; end lines with CRLF"),
            (Reply::BadArgument { usage: "DELE number" }, "-ERR Syntax: DELE number"),
            (Reply::NotLoggedIn, "-ERR Log in first"),
            (Reply::LoggedIn, "-ERR Already logged in"),
            (Reply::NoName, "-ERR USER first"),
            (Reply::AlreadyEncrypted, "-ERR TLS is active already"),
            (Reply::NeedsTls, "-ERR [AUTH] Passwords are not taken in clear here; use TLS (STLS) first"),
            (Reply::UnknownMechanism, "-ERR Mechanism not offered; CAPA tells which are"),
            (Reply::Cancelled, "-ERR Authentication cancelled"),
            (Reply::BadExchange, "-ERR That is not what the mechanism expects; authentication ended"),
            (Reply::WrongPassword, "-ERR [AUTH] Name or password is wrong"),
            (Reply::Suspended, "-ERR [AUTH] The account is suspended; ask the administrator"),
            (Reply::TooManyFailures { seconds: 30 }, "-ERR [SYS/TEMP] Too many failed logins; try again in 30 seconds"),
            (Reply::LoginsBusy, "-ERR [SYS/TEMP] Too many logins at a time; try again in a moment"),
            (Reply::InUse, "-ERR [IN-USE] Another session has the mailbox; try again later"),
            (Reply::AccountsUnreadable, "-ERR [SYS/TEMP] Accounts cannot be read; try again later"),
            (Reply::MailboxUnreadable, "-ERR [SYS/TEMP] The mailbox cannot be read; try again later"),
            (Reply::NoSuchMessage { messages: 3 }, "-ERR No such message; the mailbox has 3"),
            (Reply::Deleted { number: 1 }, "-ERR Message 1 is deleted"),
            (Reply::Gone { number: 1 }, "-ERR Message 1 is gone: another program removed it"),
            (Reply::Unreadable { number: 1 }, "-ERR [SYS/TEMP] Message 1 cannot be read; try again later"),
        ] {
            assert_eq!(reply.to_string(), line);
            assert_eq!(reply.is_refusal(), line.starts_with("-ERR "), "{line}");
            assert!(!reply.is_counted() || reply.is_refusal(), "{line}");
        }
    }

    #[test]
    fn the_longest_reply_fits_its_line() {
        let mut line = Vec::new();
        Reply::NotRemoved { numbers: vec![9_999_999; NUMBERS] }.write(&mut line);
        assert!(line.len() <= 512, "{}", line.len());
    }
}
