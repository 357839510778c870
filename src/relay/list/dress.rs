//! The header section of a posting on its way to a member.
//!
//! Fields are put above what is there, and those of another list are taken away. The body is never touched, so the author's
//! DKIM signature survives unless it covers what is replaced: the subject, where the list tags it. Only then, and only where the
//! author's domain asks receivers to refuse what is not signed, is `From` rewritten.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{HeaderName, MessageParser};

use super::address::Signer;
use super::automatic::list_id;
use crate::directory::{Switch, Target};
use crate::mail::trace::header_end;
use crate::mail::{Address, Beside};

/// How the postings of a list look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dress {
    /// The list's address.
    pub list: Address,
    /// What it is called.
    pub title: String,
    /// Whether subjects are tagged.
    pub tag: Switch,
    /// Whether the author's domain asks receivers to refuse what it has not signed (DMARC `quarantine` or `reject`).
    pub strict: Strict,
    /// Where the panel is reached, such as `https://mail.example.org`; none: no link takes a member off the list.
    pub panel: Option<String>,
}

/// What the author's domain asks of receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strict {
    /// To refuse, or to set aside, what it has not signed.
    Yes,
    /// Nothing, or nobody knows.
    #[default]
    No,
}

/// What the header section says that matters here.
struct Seen {
    replaced: Vec<Range<usize>>,
    subject: Option<(Range<usize>, String)>,
    from: Option<(Range<usize>, Option<String>, String)>,
    reply_to: bool,
}

static HEADER: LazyLock<MessageParser> =
    LazyLock::new(|| MessageParser::new().default_header_ignore().header_text(HeaderName::Subject).header_address(HeaderName::From));

impl Dress {
    /// Octets of the header section that the posting has on its way to `member`: with LF line ends, the empty line included.
    pub fn header(&self, header: &[u8], signer: &Signer, member: &Target) -> Vec<u8> {
        let header = header.get(..header_end(header).unwrap_or(header.len())).unwrap_or(header);
        let seen = seen(header);
        let mut above = self.fields(signer, member);
        let mut replaced = seen.replaced;
        if let Some((field, subject)) = self.tagged(header, &seen.subject) {
            replaced.extend(field);
            above += &subject;
            if let (Strict::Yes, Some((field, name, author))) = (self.strict, seen.from) {
                replaced.push(field);
                above += &self.from(name.as_deref(), &author, seen.reply_to);
            }
        }
        replaced.sort_by_key(|field| field.start);
        let mut out = above.into_bytes();
        let mut at = 0;
        for field in replaced {
            out.extend_from_slice(header.get(at..field.start).unwrap_or_default());
            at = field.end;
        }
        out.extend_from_slice(header.get(at..).unwrap_or_default());
        out
    }

    /// The fields of a list (RFC 2369, 2919, 8058).
    fn fields(&self, signer: &Signer, member: &Target) -> String {
        let Self { list, title, .. } = self;
        let (owner, request, leave) = (Beside::Owner.of(list), Beside::Request.of(list), Beside::Unsubscribe.of(list));
        let mut out = String::with_capacity(600);
        let title = phrase(title);
        // A String takes whatever is written to it.
        let _ = write!(
            out,
            "List-Id: {title} <{}>\nList-Post: <mailto:{list}>\nList-Help: <mailto:{request}?subject=help>\nList-Owner: <mailto:{owner}>\n",
            list_id(list)
        );
        match self.link(signer, member) {
            Some(link) => {
                let _ = write!(
                    out,
                    "List-Unsubscribe: <{link}>,\n\t<mailto:{leave}?subject=unsubscribe>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
                );
            }
            None => {
                let _ = writeln!(out, "List-Unsubscribe: <mailto:{leave}?subject=unsubscribe>");
            }
        }
        out + "Precedence: list\n"
    }

    /// The link that takes a member off the list, if the panel is reached by one.
    pub fn link(&self, signer: &Signer, member: &Target) -> Option<String> {
        let panel = self.panel.as_deref()?;
        let signature = signer.unsubscribing(&self.list, member);
        Some(format!("{panel}/leave/{}/{}/{signature}", escaped(self.list.local()), escaped(&member.to_string())))
    }

    /// The subject with the tag, and the field that it replaces; none where it is tagged already, or not to be.
    fn tagged(&self, header: &[u8], subject: &Option<(Range<usize>, String)>) -> Option<(Option<Range<usize>>, String)> {
        let tag = format!("[{}]", self.list.local());
        match (self.tag, subject) {
            (Switch::Disabled, _) => None,
            (Switch::Enabled, None) => Some((None, format!("Subject: {tag}\n"))),
            (Switch::Enabled, Some((_, words))) if words.to_lowercase().contains(&tag) => None,
            (Switch::Enabled, Some((field, _))) => {
                let raw = header.get(field.clone()).unwrap_or_default();
                let value = raw.iter().position(|octet| *octet == b':').and_then(|at| raw.get(at + 1..)).unwrap_or_default();
                // As it came: an encoded word stays one, and a folded field stays folded.
                Some((Some(field.clone()), format!("Subject: {tag} {}\n", String::from_utf8_lossy(value).trim())))
            }
        }
    }

    fn from(&self, name: Option<&str>, author: &str, has_reply_to: bool) -> String {
        let shown = name.filter(|name| !name.trim().is_empty()).unwrap_or(author);
        let mut out = format!("From: {} <{}>\n", phrase(&format!("{shown} via {}", self.title)), self.list);
        if !has_reply_to {
            let _ = writeln!(out, "Reply-To: <{author}>");
        }
        out
    }
}

fn seen(header: &[u8]) -> Seen {
    let mut seen = Seen { replaced: Vec::new(), subject: None, from: None, reply_to: false };
    let Some(message) = HEADER.parse_headers(header) else { return seen };
    for field in message.headers() {
        let place = field.offset_field as usize..field.offset_end as usize;
        match &field.name {
            HeaderName::ReturnPath => seen.replaced.push(place),
            HeaderName::ReplyTo => seen.reply_to = true,
            HeaderName::Subject => seen.subject = Some((place, field.value.as_text().unwrap_or_default().to_owned())),
            HeaderName::From => {
                let first = field.value.as_address().and_then(|address| address.first());
                if let Some((address, name)) = first.and_then(|first| Some((first.address()?, first.name()))) {
                    seen.from = Some((place, name.map(str::to_owned), address.to_owned()));
                }
            }
            other => {
                let name = other.as_str().to_ascii_lowercase();
                if name.starts_with("list-") || matches!(name.as_str(), "precedence" | "errors-to") {
                    seen.replaced.push(place);
                }
            }
        }
    }
    seen
}

/// Words as a phrase of RFC 5322: quoted, or encoded (RFC 2047) where they are not ASCII.
pub fn phrase(words: &str) -> String {
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if words.is_ascii() {
        return format!("\"{}\"", words.replace('\\', "\\\\").replace('"', "\\\""));
    }
    // An encoded word has at most 75 characters (§2), so 45 octets of text.
    let mut parts = vec![String::new()];
    for c in words.chars() {
        if let Some(last) = parts.last_mut() {
            if last.len() + c.len_utf8() > 45 { parts.push(c.to_string()) } else { last.push(c) }
        }
    }
    parts.iter().map(|part| format!("=?UTF-8?B?{}?=", STANDARD.encode(part))).collect::<Vec<_>>().join("\n ")
}

/// Text as a segment of a link.
fn escaped(text: &str) -> String {
    let keep = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~' | b'@');
    text.bytes().fold(String::new(), |mut out, octet| {
        if keep(octet) {
            out.push(char::from(octet));
        } else {
            let _ = write!(out, "%{octet:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dress(tag: Switch, strict: Strict) -> Dress {
        let list = Address::parse("team@lists.example").unwrap();
        Dress { list, title: "Our Team".into(), tag, strict, panel: Some("https://mail.example".into()) }
    }

    fn dressed(dress: &Dress, header: &str) -> String {
        let member = Target::parse("bob@x.example").unwrap();
        String::from_utf8(dress.header(header.as_bytes(), &Signer::new(b"key"), &member)).unwrap()
    }

    #[test]
    fn a_posting_gets_the_fields_of_its_list_and_loses_those_of_others() {
        let text = dressed(
            &dress(Switch::Disabled, Strict::Yes),
            "Return-Path: <x@y>\nDKIM-Signature: v=1\nList-Id: <other>\nlist-unsubscribe: <a>,\n <b>\nPrecedence: bulk\nSubject: =?UTF-8?Q?h=C3=A9?=\nFrom: Ann <ann@x.example>\n\nBody: not a header\n",
        );
        let link =
            Dress::link(&dress(Switch::Disabled, Strict::No), &Signer::new(b"key"), &Target::parse("bob@x.example").unwrap()).unwrap();
        assert_eq!(
            text,
            format!(
                "List-Id: \"Our Team\" <team.lists.example>\nList-Post: <mailto:team@lists.example>\n\
                 List-Help: <mailto:team-request@lists.example?subject=help>\nList-Owner: <mailto:team-owner@lists.example>\n\
                 List-Unsubscribe: <{link}>,\n\t<mailto:team-unsubscribe@lists.example?subject=unsubscribe>\n\
                 List-Unsubscribe-Post: List-Unsubscribe=One-Click\nPrecedence: list\n\
                 DKIM-Signature: v=1\nSubject: =?UTF-8?Q?h=C3=A9?=\nFrom: Ann <ann@x.example>\n\n"
            )
        );
        assert!(link.starts_with("https://mail.example/leave/team/bob@x.example/"));
    }

    #[test]
    fn a_subject_is_tagged_once_and_from_is_rewritten_only_where_it_would_fail() {
        let tagged = |header: &str, strict| {
            let text = dressed(&dress(Switch::Enabled, strict), header);
            text.split_once("Precedence: list\n").unwrap().1.to_owned()
        };
        assert_eq!(
            tagged("From: Ann <ann@x.example>\nSubject: hi\n there\n\n", Strict::No),
            "Subject: [team] hi\n there\nFrom: Ann <ann@x.example>\n\n"
        );
        assert_eq!(tagged("Subject: Re: [TEAM] hi\n\n", Strict::Yes), "Subject: Re: [TEAM] hi\n\n");
        assert_eq!(tagged("Subject: =?UTF-8?B?W3RlYW1dIGjDqQ==?=\n\n", Strict::Yes), "Subject: =?UTF-8?B?W3RlYW1dIGjDqQ==?=\n\n");
        assert_eq!(tagged("Subject: =?UTF-8?Q?h=C3=A9?=\n\n", Strict::No), "Subject: [team] =?UTF-8?Q?h=C3=A9?=\n\n");
        assert_eq!(
            tagged("From: Ann <ann@x.example>\nSubject: hi\n\n", Strict::Yes),
            "Subject: [team] hi\nFrom: \"Ann via Our Team\" <team@lists.example>\nReply-To: <ann@x.example>\n\n"
        );
        assert_eq!(
            tagged("From: ann@x.example\nReply-To: <r@x.example>\nSubject: hi\n\n", Strict::Yes),
            "Subject: [team] hi\nFrom: \"ann@x.example via Our Team\" <team@lists.example>\nReply-To: <r@x.example>\n\n"
        );
        assert_eq!(tagged("X: y\n\n", Strict::No), "Subject: [team]\nX: y\n\n");
    }

    #[test]
    fn phrases_are_quoted_or_encoded() {
        assert_eq!(phrase("A \"b\" \\"), "\"A \\\"b\\\" \\\\\"");
        assert_eq!(phrase("Åsa"), "=?UTF-8?B?w4VzYQ==?=");
        assert!(phrase(&"å".repeat(100)).lines().all(|line| line.len() <= 76));
        assert_eq!(phrase("a\nb"), "\"a b\"");
    }
}
