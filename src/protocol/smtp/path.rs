//! The paths of `MAIL FROM` and `RCPT TO` (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.2).

use super::command::Fault;
use super::reply::Reply;
use crate::mail::{AddressError, ForwardPath, Mailbox, ReversePath};

/// Reads `FROM:<path>`; what follows the path is left.
pub(super) fn reverse(text: &str) -> Result<(ReversePath, &str), Fault> {
    let (path, rest) = enclosed(text, "FROM:")?;
    if path.is_empty() {
        return Ok((ReversePath::Null, rest));
    }
    let mailbox = mailbox(path).map_err(|why| Reply::BadSender { why: why.into() })?;
    Ok((ReversePath::Mailbox(mailbox), rest))
}

/// Reads `TO:<path>`; what follows the path is left.
pub(super) fn forward(text: &str) -> Result<(ForwardPath, &str), Fault> {
    let (path, rest) = enclosed(text, "TO:")?;
    if path.eq_ignore_ascii_case("postmaster") {
        return Ok((ForwardPath::Postmaster, rest));
    }
    let mailbox = mailbox(path).map_err(|why| Reply::BadRecipient { why: why.into() })?;
    Ok((ForwardPath::Mailbox(mailbox), rest))
}

/// What stands between `<` and `>`, and what stands behind. A space before `<` is against the grammar, and common.
fn enclosed<'a>(text: &'a str, label: &str) -> Result<(&'a str, &'a str), Fault> {
    let (found, path) = text.split_at_checked(label.len()).ok_or(Fault::Usage)?;
    if !found.eq_ignore_ascii_case(label) {
        return Err(Fault::Usage);
    }
    let inner = path.trim_start_matches(' ').strip_prefix('<').ok_or(Fault::Usage)?;
    let (path, rest) = unquoted(inner, '>').and_then(|end| inner.split_at_checked(end)).ok_or(Fault::Usage)?;
    let rest = rest.strip_prefix('>').ok_or(Fault::Usage)?;
    if rest.is_empty() || rest.starts_with(' ') { Ok((path, rest)) } else { Err(Fault::Usage) }
}

/// Where `wanted` first stands outside a quoted string.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            found if found == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// A mailbox, its source route dropped (RFC 5321 §4.1.2: "MUST BE accepted, SHOULD NOT be generated, SHOULD be ignored").
/// The reason for a refusal is in words of ours: a reply does not give back what the peer sent.
fn mailbox(path: &str) -> Result<Mailbox, &'static str> {
    let path = match path.starts_with('@') {
        true => unquoted(path, ':').and_then(|end| path.get(end + 1..)).ok_or("a source route ends with a colon")?,
        false => path,
    };
    Mailbox::parse(path).map_err(|error| match error {
        AddressError::Shape(_) => "write it as <local@domain>",
        AddressError::LocalPart(_) => "the local part is neither a dot-atom nor a quoted string",
        AddressError::Domain(_) => "the part behind the @ is not a domain",
        AddressError::Literal(_) => "the address literal is not one",
        AddressError::TooLong(_) => "it is too long",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_peers_write_them() {
        for (given, path, rest) in [
            ("TO:<a@b.example>", "a@b.example", ""),
            ("to: <a@b.example> NOTIFY=NEVER", "a@b.example", " NOTIFY=NEVER"),
            ("TO:<@x.example,@y.example:a@b.example>", "a@b.example", ""),
            ("TO:<\"a>b\"@b.example> X", "\"a>b\"@b.example", " X"),
            ("TO:<\"a\\\">b\"@b.example>", "\"a\\\">b\"@b.example", ""),
            ("TO:<PostMaster>", "postmaster", ""),
            ("TO:<a@[192.0.2.1]>", "a@[192.0.2.1]", ""),
        ] {
            let read = forward(given).map(|(path, rest)| (path.to_string(), rest));
            assert!(read.as_ref().is_ok_and(|(found, left)| found == path && *left == rest), "{given}: {read:?}");
        }
        assert!(reverse("FROM:<>").is_ok_and(|(path, rest)| path == ReversePath::Null && rest.is_empty()));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for given in [
            "",
            "TO",
            "TO:",
            "TO:a@b",
            "TO:<a@b",
            "TO:<a@b>x",
            "TO:<>",
            "FROM:<a@b>",
            "TO:<@x>",
            "TO:<a>",
            "TO <a@b>",
            "é:<a@b>",
            "TO:<<a@b>>",
        ] {
            assert!(forward(given).is_err(), "{given}");
        }
        assert!(reverse("FROM:<postmaster>").is_err());
    }
}
