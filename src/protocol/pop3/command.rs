//! The commands of POP3: one table says which there are, when each may come, and what it takes.
//!
//! The table is the specification: what is refused, what `CAPA` tells, and the syntax in a refusal all come from it. An
//! illegal command is refused before anything is done.

use super::reply::Reply;
use super::text::Extent;
use crate::mail::Secret;
use crate::protocol::sasl::{self, Mechanism};
use crate::protocol::smtp::Encryption;

/// A command that was understood.
pub(super) enum Command {
    Capa,
    User(String),
    Pass(Secret),
    /// `AUTH` alone asks which mechanisms there are: no RFC says so, and mail programs do it.
    Mechanisms,
    Auth(Mechanism, Option<Vec<u8>>),
    StartTls,
    Utf8,
    Stat,
    Sizes(Option<u64>),
    Uids(Option<u64>),
    Read(u64, Extent),
    Delete(u64),
    Noop,
    Reset,
    Quit,
}

/// How far a session has come, as far as commands care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nobody has logged in.
    Authorization,
    /// A name was given with `USER`.
    Named,
    /// Somebody has.
    Transaction,
}

use Phase::{Authorization, Named, Transaction};

const ALWAYS: &[Phase] = &[Authorization, Named, Transaction];
const BEFORE: &[Phase] = &[Authorization, Named];
const AFTER: &[Phase] = &[Transaction];

/// Under which circumstances a command is offered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    Always,
    /// Known, so that the refusal can say so.
    Never,
    /// As long as the session is in clear, and there is a certificate (RFC 2595 §4).
    InClear,
    /// Where a password may travel.
    WithPasswords,
}

/// One row of the table.
pub(super) struct Rule {
    verb: &'static str,
    phases: &'static [Phase],
    offer: Offer,
    usage: &'static str,
    parse: fn(&[u8]) -> Option<Result<Command, Reply>>,
}

#[rustfmt::skip]
static TABLE: [Rule; 18] = [
    rule("CAPA", ALWAYS,   Offer::Always,        "CAPA",                    |text| bare(text, Command::Capa)),
    rule("USER", BEFORE,   Offer::WithPasswords, "USER name",               user),
    rule("PASS", &[Named], Offer::WithPasswords, "PASS password",           pass),
    rule("AUTH", BEFORE,   Offer::WithPasswords, "AUTH mechanism [base64]", auth),
    rule("APOP", BEFORE,   Offer::Never,         "APOP name digest",        |_| None),
    rule("STLS", BEFORE,   Offer::InClear,       "STLS",                    |text| bare(text, Command::StartTls)),
    rule("UTF8", BEFORE,   Offer::Always,        "UTF8",                    |text| bare(text, Command::Utf8)),
    rule("LANG", ALWAYS,   Offer::Never,         "LANG [tag]",              |_| None),
    rule("STAT", AFTER,    Offer::Always,        "STAT",                    |text| bare(text, Command::Stat)),
    rule("LIST", AFTER,    Offer::Always,        "LIST [number]",           |text| Some(Ok(Command::Sizes(perhaps(text)?)))),
    rule("UIDL", AFTER,    Offer::Always,        "UIDL [number]",           |text| Some(Ok(Command::Uids(perhaps(text)?)))),
    rule("RETR", AFTER,    Offer::Always,        "RETR number",             |text| Some(Ok(Command::Read(number(text)?, Extent::Whole)))),
    rule("TOP",  AFTER,    Offer::Always,        "TOP number lines",        top),
    rule("DELE", AFTER,    Offer::Always,        "DELE number",             |text| Some(Ok(Command::Delete(number(text)?)))),
    rule("NOOP", AFTER,    Offer::Always,        "NOOP",                    |text| bare(text, Command::Noop)),
    rule("RSET", AFTER,    Offer::Always,        "RSET",                    |text| bare(text, Command::Reset)),
    rule("LAST", AFTER,    Offer::Never,         "LAST",                    |_| None),
    rule("QUIT", ALWAYS,   Offer::Always,        "QUIT",                    |text| bare(text, Command::Quit)),
];

const fn rule(
    verb: &'static str,
    phases: &'static [Phase],
    offer: Offer,
    usage: &'static str,
    parse: fn(&[u8]) -> Option<Result<Command, Reply>>,
) -> Rule {
    Rule { verb, phases, offer, usage, parse }
}

/// Whether passwords may come without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear {
    /// They may.
    Allowed,
    /// They may not.
    Refused,
}

/// What a session is like when a command comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    pub encryption: Encryption,
    pub clear: Clear,
    pub phase: Phase,
}

impl Situation {
    /// Reads a line, and says whether it may come now.
    pub fn read(self, line: &[u8]) -> Result<Command, Reply> {
        let end = line.iter().position(|octet| *octet == b' ').unwrap_or(line.len());
        let (verb, argument) = line.split_at_checked(end).unwrap_or((line, &[]));
        let rule = TABLE.iter().find(|rule| rule.verb.as_bytes().eq_ignore_ascii_case(verb)).ok_or(Reply::UnknownCommand)?;
        self.permit(rule)?;
        // One blank sets the argument off; any more belong to a password.
        let argument = argument.strip_prefix(b" ").unwrap_or(argument);
        (rule.parse)(argument).unwrap_or(Err(Reply::BadArgument { usage: rule.usage }))
    }

    fn permit(self, rule: &Rule) -> Result<(), Reply> {
        match rule.offer {
            Offer::Never => return Err(Reply::NotOffered { verb: rule.verb }),
            Offer::InClear if self.encryption == Encryption::Active => return Err(Reply::AlreadyEncrypted),
            Offer::InClear if self.encryption == Encryption::Unavailable => return Err(Reply::NotOffered { verb: rule.verb }),
            _ => {}
        }
        match self.phase {
            phase if rule.phases.contains(&phase) => {}
            Phase::Transaction => return Err(Reply::LoggedIn),
            _ if rule.phases == [Named] => return Err(self.passwords().err().unwrap_or(Reply::NoName)),
            _ => return Err(Reply::NotLoggedIn),
        }
        if rule.offer == Offer::WithPasswords { self.passwords() } else { Ok(()) }
    }

    fn passwords(self) -> Result<(), Reply> {
        if self.encryption == Encryption::Active || self.clear == Clear::Allowed { Ok(()) } else { Err(Reply::NeedsTls) }
    }

    /// What `CAPA` tells: what holds in this session. USER, SASL and UTF8 are told after the login too, as their RFCs ask
    /// (RFC 2449 §6, RFC 6856 §2); STLS is not (RFC 2595 §4).
    pub fn capabilities(self) -> Vec<String> {
        let mut lines: Vec<String> = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"].map(String::from).into();
        if self.passwords().is_ok() {
            lines.push("USER".to_owned());
            lines.push(format!("SASL {}", Mechanism::ALL.map(Mechanism::name).join(" ")));
        }
        if self.encryption == Encryption::Offered && self.phase != Phase::Transaction {
            lines.push("STLS".to_owned());
        }
        lines.push("UTF8".to_owned());
        lines.push("IMPLEMENTATION Restante".to_owned());
        lines
    }
}

fn bare(text: &[u8], command: Command) -> Option<Result<Command, Reply>> {
    text.trim_ascii().is_empty().then_some(Ok(command))
}

fn user(text: &[u8]) -> Option<Result<Command, Reply>> {
    let name = std::str::from_utf8(text).ok()?.trim();
    (!name.is_empty()).then(|| Ok(Command::User(name.to_owned())))
}

/// All of the rest of the line is the password, blanks too (RFC 1939 §7).
fn pass(text: &[u8]) -> Option<Result<Command, Reply>> {
    (!text.is_empty()).then(|| Ok(Command::Pass(sasl::secret(text))))
}

fn auth(text: &[u8]) -> Option<Result<Command, Reply>> {
    let mut words = text.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let Some(mechanism) = words.next() else { return Some(Ok(Command::Mechanisms)) };
    let initial = words.next().map(<[u8]>::to_vec);
    if words.next().is_some() {
        return None;
    }
    let mechanism = std::str::from_utf8(mechanism).ok().and_then(Mechanism::named);
    Some(mechanism.map(|mechanism| Command::Auth(mechanism, initial)).ok_or(Reply::UnknownMechanism))
}

fn top(text: &[u8]) -> Option<Result<Command, Reply>> {
    let text = text.trim_ascii();
    let blank = text.iter().position(|octet| *octet == b' ')?;
    let (message, lines) = text.split_at_checked(blank)?;
    Some(Ok(Command::Read(number(message)?, Extent::Top(number(lines)?))))
}

fn perhaps(text: &[u8]) -> Option<Option<u64>> {
    if text.trim_ascii().is_empty() { Some(None) } else { number(text).map(Some) }
}

/// Digits, however many: what no mailbox and no message can have is the greatest number there is.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_begins_with_the_verb_and_fits_a_reply() {
        for rule in &TABLE {
            assert!(rule.usage.starts_with(rule.verb), "{}", rule.verb);
            let mut line = Vec::new();
            Reply::BadArgument { usage: rule.usage }.write(&mut line);
            assert!(line.len() <= 512);
        }
    }

    #[test]
    fn numbers_are_digits() {
        for (text, read) in [("1", Some(1)), (" 007 ", Some(7)), ("0", Some(0)), ("99999999999999999999999", Some(u64::MAX))] {
            assert_eq!(number(text.as_bytes()), read, "{text}");
        }
        for text in ["", " ", "-1", "+1", "1.0", "0x1", "1 2", "\u{661}"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
