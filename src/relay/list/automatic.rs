//! Mail that a program wrote: never distributed, never answered (RFC 3834 §2).

use std::sync::LazyLock;

use mail_parser::{HeaderName, MessageParser};

use crate::mail::{Address, ReversePath};

/// Why a message counts as automatic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Automatic {
    /// It has no sender to answer to.
    NullSender,
    /// Its sender's name says so: `owner-…`, `…-request`, `MAILER-DAEMON`, and the like.
    Sender,
    /// `Auto-Submitted` (RFC 3834 §5), or what others write in its place.
    Submitted,
    /// `Precedence: bulk`, `junk` or `list`.
    Precedence,
    /// It came from a list (RFC 2919).
    List,
}

/// What the header section tells of a message's origin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    submitted: bool,
    precedence: bool,
    listed: bool,
    /// Identifiers of the lists that it has come through.
    lists: Vec<String>,
}

static HEADER: LazyLock<MessageParser> = LazyLock::new(|| {
    ["Auto-Submitted", "Precedence", "X-Auto-Response-Suppress", "X-Autoreply", "X-Autorespond", "X-Loop"]
        .into_iter()
        .filter_map(HeaderName::parse)
        .fold(MessageParser::new().default_header_ignore(), |parser, name| parser.header_text(name))
        .header_text(HeaderName::ListId)
});

impl Origin {
    /// Reads a header section.
    pub fn read(header: &[u8]) -> Self {
        let mut origin = Self::default();
        let Some(message) = HEADER.parse_headers(header) else { return origin };
        for field in message.headers() {
            let text = field.value.as_text().unwrap_or_default().trim().to_ascii_lowercase();
            let name = field.name.as_str().to_ascii_lowercase();
            match name.as_str() {
                "auto-submitted" => origin.submitted |= !matches!(text.split([';', ' ']).next(), Some("no" | "")),
                "x-autoreply" | "x-autorespond" => origin.submitted |= text != "no",
                "x-auto-response-suppress" => origin.submitted |= text.contains("all") || text.contains("oof"),
                "precedence" => origin.precedence |= matches!(text.as_str(), "bulk" | "junk" | "list"),
                "list-id" | "x-loop" => {
                    origin.lists.extend(identifier(&text));
                    origin.listed |= name == "list-id";
                }
                name => origin.listed |= name.starts_with("list-"),
            }
        }
        origin
    }

    /// Whether it has come through this list before: distributing it again would go on for ever.
    pub fn came_through(&self, list: &Address) -> bool {
        let (id, address) = (list_id(list), list.to_string());
        self.lists.iter().any(|found| *found == id || *found == address)
    }

    /// Whether a list may not distribute it, and why.
    pub fn bars_posting(&self, sender: &ReversePath) -> Option<Automatic> {
        match sender {
            ReversePath::Null => Some(Automatic::NullSender),
            ReversePath::Mailbox(_) if self.submitted => Some(Automatic::Submitted),
            // Mail of another list has a precedence too, and may be a member here.
            ReversePath::Mailbox(_) if self.precedence && !self.listed => Some(Automatic::Precedence),
            ReversePath::Mailbox(_) => None,
        }
    }

    /// Whether nobody may answer it automatically, and why.
    pub fn bars_reply(&self, sender: &ReversePath) -> Option<Automatic> {
        let ReversePath::Mailbox(mailbox) = sender else { return Some(Automatic::NullSender) };
        if is_program(mailbox.local()) {
            return Some(Automatic::Sender);
        }
        if self.submitted {
            return Some(Automatic::Submitted);
        }
        if self.listed {
            return Some(Automatic::List);
        }
        self.precedence.then_some(Automatic::Precedence)
    }
}

/// `List-Id` without its brackets: the list's address with a dot for its `@`.
pub fn list_id(list: &Address) -> String {
    format!("{}.{}", list.local(), list.domain())
}

fn identifier(text: &str) -> Option<String> {
    let inside = match text.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => text,
    };
    Some(inside.trim().to_owned()).filter(|id| !id.is_empty())
}

const PROGRAMS: [&str; 12] = [
    "mailer-daemon",
    "postmaster",
    "daemon",
    "listserv",
    "majordomo",
    "mailer",
    "noreply",
    "no-reply",
    "donotreply",
    "do-not-reply",
    "bounce",
    "bounces",
];

const ENDINGS: [&str; 7] = ["-request", "-owner", "-bounces", "-bounce", "-relay", "-noreply", "-no-reply"];

/// Names that no person has (RFC 3834 §2, and what is usual beside it).
fn is_program(local: &str) -> bool {
    let local = local.trim_matches('"').to_ascii_lowercase();
    let base = local.split('+').next().unwrap_or_default();
    PROGRAMS.contains(&base) || base.starts_with("owner-") || ENDINGS.iter().any(|end| base.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Mailbox;

    fn sender(text: &str) -> ReversePath {
        Mailbox::parse(text).map_or(ReversePath::Null, ReversePath::Mailbox)
    }

    #[test]
    fn programs_are_told_from_people() {
        let person = sender("ann@x.example");
        for (header, posting, reply) in [
            ("Subject: hi\n\n", None, None),
            ("Auto-Submitted: no\n\n", None, None),
            ("Auto-Submitted: auto-replied (vacation)\n\n", Some(Automatic::Submitted), Some(Automatic::Submitted)),
            ("AUTO-SUBMITTED: auto-generated\n\n", Some(Automatic::Submitted), Some(Automatic::Submitted)),
            ("X-Auto-Response-Suppress: DR, OOF, AutoReply\n\n", Some(Automatic::Submitted), Some(Automatic::Submitted)),
            ("Precedence: bulk\n\n", Some(Automatic::Precedence), Some(Automatic::Precedence)),
            ("Precedence: first-class\n\n", None, None),
            ("List-Id: <other.example.org>\nPrecedence: list\n\n", None, Some(Automatic::List)),
            ("List-Unsubscribe: <mailto:x@y.example>\n\n", None, Some(Automatic::List)),
        ] {
            let origin = Origin::read(header.as_bytes());
            assert_eq!((origin.bars_posting(&person), origin.bars_reply(&person)), (posting, reply), "{header}");
        }
        assert_eq!(Origin::default().bars_posting(&ReversePath::Null), Some(Automatic::NullSender));
        for local in ["MAILER-DAEMON", "owner-x", "x-request", "noreply", "team-bounces+a=b"] {
            assert_eq!(Origin::default().bars_reply(&sender(&format!("{local}@x.example"))), Some(Automatic::Sender), "{local}");
        }
    }

    #[test]
    fn a_list_knows_its_own_postings() {
        let list = Address::parse("team@lists.example").unwrap();
        for (header, came) in [
            ("List-Id: Our Team <team.lists.example>\n\n", true),
            ("List-Id: <TEAM.lists.example>\n\n", true),
            ("X-Loop: team@lists.example\n\n", true),
            ("List-Id: <other.lists.example>\nX-Loop: x\n\n", false),
        ] {
            assert_eq!(Origin::read(header.as_bytes()).came_through(&list), came, "{header}");
        }
    }
}
