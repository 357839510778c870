//! What a message that came back says: a report (RFC 3464), or words.

use std::sync::LazyLock;

use mail_parser::{MessageParser, MimeHeaders as _};

use crate::directory::BounceKind;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// For good, or for now.
    pub kind: BounceKind,
    /// The enhanced status code, or a word for what there was in its place.
    pub status: String,
}

/// Characters of a text in words that are searched.
const SEARCHED: usize = 16 * 1024;

static PARSER: LazyLock<MessageParser> = LazyLock::new(|| MessageParser::new().with_mime_headers());

/// Reads a message that was sent to a bounce address. None if it is no report of a failure: a delay or a success, or an
/// answer of a program such as "I am on vacation".
pub fn read(message: &[u8]) -> Option<Bounce> {
    let parsed = PARSER.parse(message)?;
    let status = parsed.parts.iter().find(|part| {
        part.content_type().is_some_and(|kind| {
            kind.ctype().eq_ignore_ascii_case("message")
                && kind
                    .subtype()
                    .is_some_and(|sub| sub.eq_ignore_ascii_case("delivery-status") || sub.eq_ignore_ascii_case("global-delivery-status"))
        })
    });
    match status {
        Some(part) => report(&String::from_utf8_lossy(part.contents())),
        None => words(&parsed.body_text(0).unwrap_or_default()),
    }
}

/// A `message/delivery-status`: of several recipients the worst counts, all being this member.
fn report(text: &str) -> Option<Bounce> {
    let (mut worst, mut action, mut status) = (None, String::new(), String::new());
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            worst = worse(worst, judged(&action, &status));
            (action, status) = (String::new(), String::new());
            continue;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "action" => action = value.trim().to_ascii_lowercase(),
            "status" => status = value.split_whitespace().next().unwrap_or_default().to_owned(),
            _ => {}
        }
    }
    worst
}

fn judged(action: &str, status: &str) -> Option<Bounce> {
    let kind = match (action, status.as_bytes().first()) {
        ("failed", Some(b'5')) => BounceKind::Hard,
        ("failed", _) => BounceKind::Soft,
        // A delay is followed by a failure, or by nothing; a success is none.
        _ => return None,
    };
    let status = if status.is_empty() { "failed".to_owned() } else { status.to_owned() };
    Some(Bounce { kind, status })
}

fn worse(a: Option<Bounce>, b: Option<Bounce>) -> Option<Bounce> {
    match (&a, &b) {
        (Some(first), Some(second)) if first.kind == BounceKind::Soft && second.kind == BounceKind::Hard => b,
        (None, _) => b,
        _ => a,
    }
}

/// Words: an enhanced status code (RFC 3463) in them is believed, anything else counts for now.
fn words(text: &str) -> Option<Bounce> {
    let text = text.char_indices().nth(SEARCHED).and_then(|(end, _)| text.get(..end)).unwrap_or(text);
    let code = text.split(|c: char| !(c.is_ascii_digit() || c == '.')).map(|word| word.trim_matches('.')).find(|word| is_status(word));
    match code {
        Some(code) if code.starts_with('5') => Some(Bounce { kind: BounceKind::Hard, status: code.to_owned() }),
        Some(code) if code.starts_with('4') => Some(Bounce { kind: BounceKind::Soft, status: code.to_owned() }),
        Some(_) => None,
        None => Some(Bounce { kind: BounceKind::Soft, status: "unknown".to_owned() }),
    }
}

fn is_status(word: &str) -> bool {
    let mut parts = word.split('.');
    let class = parts.next().is_some_and(|class| matches!(class, "2" | "4" | "5"));
    let number = |part: Option<&str>| part.is_some_and(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    class && number(parts.next()) && number(parts.next()) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dsn(fields: &str) -> Option<Bounce> {
        let text = format!(
            "From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nSorry 5.0.0.\n\
             --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\n{fields}\n--b\nContent-Type: message/rfc822\n\nSubject: x\n\n--b--\n"
        );
        read(text.as_bytes())
    }

    #[test]
    fn reports_are_read_by_their_machine_part() {
        let found = |kind, status: &str| Some(Bounce { kind, status: status.into() });
        assert_eq!(dsn("Final-Recipient: rfc822; a@b\nAction: failed\nStatus: 5.1.1\n"), found(BounceKind::Hard, "5.1.1"));
        assert_eq!(dsn("Action: failed\nStatus: 4.4.7 (expired)\n"), found(BounceKind::Soft, "4.4.7"));
        assert_eq!(dsn("Action: FAILED\nStatus: 4.4.7\n\nAction: failed\nStatus: 5.7.1\n"), found(BounceKind::Hard, "5.7.1"));
        assert_eq!(dsn("Action: delayed\nStatus: 4.4.1\n"), None);
        assert_eq!(dsn("Action: delivered\nStatus: 2.0.0\n"), None);
        assert_eq!(dsn("nothing: of use\n"), None);
    }

    #[test]
    fn words_count_by_their_codes_and_broken_structure_does_not_matter() {
        let kind = |text: &str| read(text.as_bytes()).map(|bounce| (bounce.kind, bounce.status));
        assert_eq!(kind("Subject: failure\n\nSorry: 550 5.1.1 <a@b.example> unknown.\n"), Some((BounceKind::Hard, "5.1.1".into())));
        assert_eq!(kind("Subject: failure\n\nhost 192.0.2.5 said: 4.2.2 full\n"), Some((BounceKind::Soft, "4.2.2".into())));
        assert_eq!(kind("Subject: failure\n\nIt did not work.\n"), Some((BounceKind::Soft, "unknown".into())));
        assert_eq!(
            kind(
                "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nAction: failed\nStatus: 5.2.1"
            ),
            Some((BounceKind::Hard, "5.2.1".into()))
        );
        assert!(kind("\n\u{e9}").is_some());
    }
}
