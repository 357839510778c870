//! The commands of SMTP and LMTP: one table says which there are, when each may come, and what it takes.
//!
//! The table is the specification: what is refused, what `HELP` tells, and the usage in a `501` all come from it. An
//! illegal command is refused before anything is done.

use super::reply::Reply;
use super::settings::{Dialect, Encryption, Settings, Trust, Vrfy};
use super::{extensions, path, xclient};
use crate::mail::trace::Spoken;
use crate::mail::{Envelope, Recipient};

/// A command that was understood.
pub(super) enum Command {
    Hello { name: String, spoken: Spoken },
    Mail(Envelope),
    Rcpt(Recipient),
    Data,
    Bdat(Chunk),
    Rset,
    Noop,
    Quit,
    Vrfy,
    Help(Option<&'static Rule>),
    StartTls,
    Xclient(xclient::Attributes),
}

/// The argument of `BDAT` (RFC 3030 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub octets: u64,
    pub last: bool,
}

/// How far a session has come, as far as commands care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before `EHLO`.
    Connected,
    /// Between transactions.
    Ready,
    /// Behind `MAIL`.
    Open,
    /// Between the chunks of a message.
    Chunking,
}

use Phase::{Chunking, Connected, Open, Ready};

const ALWAYS: &[Phase] = &[Connected, Ready, Open, Chunking];
const BETWEEN_TRANSACTIONS: &[Phase] = &[Ready];

/// Under which circumstances a command is offered at all. The TLS rule is among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    Always,
    /// Known, so that the refusal can be 502 and not 500 (RFC 5321 §4.2.4).
    Never,
    /// As long as the session is in clear, and a certificate is there (RFC 3207 §4).
    InClear,
    /// To peers whose address is configured for it.
    ToProxies,
    /// Unless the operator says no.
    UnlessDisabled,
}

/// What may stand behind a command that did not wait for its reply (RFC 2920 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// Further commands.
    Commands,
    /// Nothing, since it has to end its group; clients that send on do no harm.
    Tolerated,
    /// Nothing, since it has to end its group. When it is refused, what was sent behind it is message text or a TLS
    /// handshake, which must not be taken for commands: the session ends.
    NotCommands,
}

/// One row of the table.
pub(super) struct Rule {
    pub verb: &'static str,
    /// None: both.
    dialect: Option<Dialect>,
    phases: &'static [Phase],
    offer: Offer,
    pub behind: Behind,
    pub usage: &'static str,
    parse: fn(&str) -> Result<Command, Fault>,
}

/// Why an argument is refused.
#[derive(Debug)]
pub(super) enum Fault {
    /// Its form is wrong: the usage is told.
    Usage,
    /// With a reply of its own.
    Told(Reply),
}

impl From<Reply> for Fault {
    fn from(reply: Reply) -> Self {
        Self::Told(reply)
    }
}

const SMTP: Option<Dialect> = Some(Dialect::Smtp);
const LMTP: Option<Dialect> = Some(Dialect::Lmtp);

#[rustfmt::skip]
static TABLE: [Rule; 17] = [
    rule("EHLO",     SMTP, ALWAYS,               Offer::Always,         Behind::Tolerated,   "EHLO host",                                  ehlo),
    rule("HELO",     SMTP, ALWAYS,               Offer::Always,         Behind::Tolerated,   "HELO host",                                  helo),
    rule("LHLO",     LMTP, ALWAYS,               Offer::Always,         Behind::Tolerated,   "LHLO host",                                  lhlo),
    rule("MAIL",     None, BETWEEN_TRANSACTIONS, Offer::Always,         Behind::Commands,    "MAIL FROM:<address> [SIZE=n] [BODY=7BIT|8BITMIME] [SMTPUTF8] [RET=FULL|HDRS] [ENVID=xtext]", mail),
    rule("RCPT",     None, &[Open],              Offer::Always,         Behind::Commands,    "RCPT TO:<address> [NOTIFY=NEVER|SUCCESS,FAILURE,DELAY] [ORCPT=type;xtext]", rcpt),
    rule("DATA",     None, &[Open],              Offer::Always,         Behind::NotCommands, "DATA",                                       |text| bare(text, Command::Data)),
    rule("BDAT",     None, &[Open, Chunking],    Offer::Always,         Behind::NotCommands, "BDAT octets [LAST]",                         bdat),
    rule("RSET",     None, ALWAYS,               Offer::Always,         Behind::Commands,    "RSET",                                       |text| bare(text, Command::Rset)),
    rule("NOOP",     None, ALWAYS,               Offer::Always,         Behind::Tolerated,   "NOOP [anything]",                            |_| Ok(Command::Noop)),
    rule("QUIT",     None, ALWAYS,               Offer::Always,         Behind::Tolerated,   "QUIT",                                       |text| bare(text, Command::Quit)),
    rule("VRFY",     None, ALWAYS,               Offer::UnlessDisabled, Behind::Tolerated,   "VRFY address",                               vrfy),
    rule("EXPN",     None, ALWAYS,               Offer::Never,          Behind::Tolerated,   "EXPN list",                                  unoffered),
    rule("HELP",     None, ALWAYS,               Offer::Always,         Behind::Tolerated,   "HELP [command]",                             |text| Ok(Command::Help(Rule::named(text)))),
    rule("STARTTLS", None, BETWEEN_TRANSACTIONS, Offer::InClear,        Behind::NotCommands, "STARTTLS",                                   |text| bare(text, Command::StartTls)),
    rule("XCLIENT",  None, &[Connected, Ready],  Offer::ToProxies,      Behind::Tolerated,   "XCLIENT attribute=value ...",                |text| xclient::Attributes::parse(text).map(Command::Xclient)),
    rule("AUTH",     None, ALWAYS,               Offer::Never,          Behind::Tolerated,   "AUTH mechanism",                             unoffered),
    rule("TURN",     SMTP, ALWAYS,               Offer::Never,          Behind::Tolerated,   "TURN",                                       unoffered),
];

const fn rule(
    verb: &'static str,
    dialect: Option<Dialect>,
    phases: &'static [Phase],
    offer: Offer,
    behind: Behind,
    usage: &'static str,
    parse: fn(&str) -> Result<Command, Fault>,
) -> Rule {
    Rule { verb, dialect, phases, offer, behind, usage, parse }
}

/// What a session is like when a command comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation<'a> {
    pub dialect: Dialect,
    pub settings: &'a Settings,
    pub encryption: Encryption,
    pub trust: Trust,
    pub phase: Phase,
}

impl Situation<'_> {
    /// The row that a line is about, and its argument.
    pub fn rule<'a>(&self, line: &'a [u8]) -> Option<(&'static Rule, &'a [u8])> {
        let end = line.iter().position(|octet| *octet == b' ').unwrap_or(line.len());
        let (verb, argument) = line.split_at_checked(end)?;
        let rule = TABLE.iter().find(|rule| rule.verb.as_bytes().eq_ignore_ascii_case(verb) && rule.is_spoken_in(self.dialect))?;
        Some((rule, argument.trim_ascii()))
    }

    /// Whether the command may come now.
    pub fn permit(&self, rule: &Rule) -> Result<(), Reply> {
        rule.offer.check(rule.verb, self)?;
        if rule.phases.contains(&self.phase) { Ok(()) } else { Err(Reply::BadSequence { first: self.missing() }) }
    }

    /// What has to come before a command that is not allowed in this phase.
    fn missing(&self) -> &'static str {
        match self.phase {
            Phase::Connected => self.dialect.hello(),
            Phase::Ready => "MAIL",
            Phase::Open => "RSET",
            Phase::Chunking => "BDAT LAST or RSET",
        }
    }

    /// The verbs on offer, for `HELP`.
    pub fn offered(&self) -> String {
        TABLE.iter().filter(|rule| self.offers(rule)).map(|rule| rule.verb).collect::<Vec<_>>().join(" ")
    }

    /// Whether a command can be of use in this session.
    pub fn offers(&self, rule: &Rule) -> bool {
        rule.is_spoken_in(self.dialect) && rule.offer.check(rule.verb, self).is_ok()
    }
}

impl Rule {
    /// Reads the argument.
    pub fn parse(&self, argument: &[u8]) -> Result<Command, Reply> {
        let text = std::str::from_utf8(argument).map_err(|_| Reply::BadArgument { usage: self.usage })?;
        (self.parse)(text).map_err(|fault| match fault {
            Fault::Usage => Reply::BadArgument { usage: self.usage },
            Fault::Told(reply) => reply,
        })
    }

    fn named(verb: &str) -> Option<&'static Self> {
        TABLE.iter().find(|rule| rule.verb.eq_ignore_ascii_case(verb))
    }

    fn is_spoken_in(&self, dialect: Dialect) -> bool {
        self.dialect.is_none_or(|only| only == dialect)
    }
}

impl Offer {
    fn check(self, verb: &'static str, situation: &Situation<'_>) -> Result<(), Reply> {
        match (self, situation.encryption, situation.trust, situation.settings.vrfy) {
            (Self::InClear, Encryption::Active, ..) => Err(Reply::AlreadyEncrypted),
            (Self::Never, ..) | (Self::InClear, Encryption::Unavailable, ..) | (Self::UnlessDisabled, _, _, Vrfy::Disabled) => {
                Err(Reply::NotOffered { verb })
            }
            (Self::ToProxies, _, Trust::Ordinary, _) => Err(Reply::NotAuthorised { verb }),
            _ => Ok(()),
        }
    }
}

fn bare(text: &str, command: Command) -> Result<Command, Fault> {
    if text.is_empty() { Ok(command) } else { Err(Fault::Usage) }
}

/// Stands in the rows of commands that are never offered.
fn unoffered(_: &str) -> Result<Command, Fault> {
    Err(Fault::Usage)
}

fn ehlo(text: &str) -> Result<Command, Fault> {
    Ok(Command::Hello { name: host(text)?, spoken: Spoken::Esmtp })
}

fn helo(text: &str) -> Result<Command, Fault> {
    Ok(Command::Hello { name: host(text)?, spoken: Spoken::Smtp })
}

fn lhlo(text: &str) -> Result<Command, Fault> {
    Ok(Command::Hello { name: host(text)?, spoken: Spoken::Lmtp })
}

/// What a client may call itself. Clients in use break the grammar of RFC 5321 §4.1.1.1 in every way, so all is taken
/// that cannot upset a `Received` field.
fn host(text: &str) -> Result<String, Fault> {
    let fits = |octet: u8| octet.is_ascii_graphic() && !b"()<>\"\\,;".contains(&octet);
    let named = !text.is_empty() && text.len() <= crate::mail::limits::DOMAIN_OCTETS && text.bytes().all(fits);
    if named { Ok(text.to_owned()) } else { Err(Fault::Usage) }
}

fn mail(text: &str) -> Result<Command, Fault> {
    let (sender, parameters) = path::reverse(text)?;
    extensions::mail(sender, parameters).map(Command::Mail)
}

fn rcpt(text: &str) -> Result<Command, Fault> {
    let (path, parameters) = path::forward(text)?;
    extensions::rcpt(path, parameters).map(Command::Rcpt)
}

fn vrfy(text: &str) -> Result<Command, Fault> {
    if text.is_empty() { Err(Fault::Usage) } else { Ok(Command::Vrfy) }
}

fn bdat(text: &str) -> Result<Command, Fault> {
    let (octets, last) = text.split_once(' ').map_or((text, None), |(octets, last)| (octets, Some(last.trim_ascii())));
    if last.is_some_and(|word| !word.eq_ignore_ascii_case("LAST")) {
        return Err(Fault::Usage);
    }
    Ok(Command::Bdat(Chunk { octets: extensions::number(octets).ok_or(Fault::Usage)?, last: last.is_some() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_end_where_rfc_2920_says() {
        for verb in ["EHLO", "DATA", "VRFY", "EXPN", "TURN", "QUIT", "NOOP"] {
            assert!(Rule::named(verb).is_some_and(|rule| rule.behind != Behind::Commands), "{verb}");
        }
        for verb in ["RSET", "MAIL", "RCPT"] {
            assert!(Rule::named(verb).is_some_and(|rule| rule.behind == Behind::Commands), "{verb}");
        }
    }

    #[test]
    fn usage_begins_with_the_verb_and_fits_a_reply() {
        for rule in &TABLE {
            assert!(rule.usage.starts_with(rule.verb), "{}", rule.verb);
            let mut line = Vec::new();
            Reply::BadArgument { usage: rule.usage }.write(&mut line);
            assert!(line.len() <= 512 && String::from_utf8_lossy(&line).contains(rule.usage), "{}", rule.verb);
        }
    }

    #[test]
    fn client_names_are_taken_as_they_come_unless_they_upset_a_field() {
        for name in ["mx.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]", "my_pc", "John's-PC", "localhost"] {
            assert!(host(name).is_ok_and(|taken| taken == name), "{name}");
        }
        for name in ["", "a b", "a(b)", "a\u{7f}", "é", "a\rb", "<a>", &"a".repeat(256)] {
            assert!(host(name).is_err(), "{name:?}");
        }
    }
}
