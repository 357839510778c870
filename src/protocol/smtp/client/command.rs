//! The commands of a transaction, with the parameters that the server offers to understand.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::offer::Offer;
use crate::mail::envelope::Charset;
use crate::mail::{BodyType, Envelope, ForwardPath, Mailbox, Notify, Recipient, Return, ReversePath};

/// `MAIL` and its `RCPT`s, without their CRLF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// `MAIL FROM:<…>`.
    pub(super) mail: String,
    /// `RCPT TO:<…>`, in the order of the recipients.
    pub(super) recipients: Vec<String>,
}

/// A path that cannot be written in ASCII, to a server that wants it so (RFC 6531 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeedsUtf8;

impl Commands {
    /// The commands for an envelope all of whose paths [`path`] can write.
    pub fn of(envelope: &Envelope, offer: &Offer) -> Result<Self, NeedsUtf8> {
        let recipients = envelope.recipients.iter().map(|to| recipient(to, envelope.charset, offer)).collect::<Result<_, _>>()?;
        Ok(Self { mail: mail(envelope, offer)?, recipients })
    }
}

/// A mailbox as it may be written. Without SMTPUTF8 a domain still has its A-labels.
pub fn path(mailbox: &Mailbox, charset: Charset) -> Result<Cow<'_, str>, NeedsUtf8> {
    let text = mailbox.as_str();
    if charset == Charset::Utf8 || text.is_ascii() {
        return Ok(text.into());
    }
    let local = text.rsplit_once('@').map(|(local, _)| local).filter(|local| local.is_ascii()).ok_or(NeedsUtf8)?;
    mailbox.domain().map(|domain| format!("{local}@{domain}").into()).ok_or(NeedsUtf8)
}

fn mail(envelope: &Envelope, offer: &Offer) -> Result<String, NeedsUtf8> {
    let sender = match &envelope.sender {
        ReversePath::Null => Cow::default(),
        ReversePath::Mailbox(mailbox) => path(mailbox, envelope.charset)?,
    };
    let mut line = format!("MAIL FROM:<{sender}>");
    // A String takes whatever is written to it; so below.
    if let (Some(size), Some(_)) = (envelope.size, offer.size) {
        let _ = write!(line, " SIZE={size}");
    }
    if envelope.body == BodyType::EightBitMime && offer.eight_bit {
        line.push_str(" BODY=8BITMIME");
    }
    if envelope.charset == Charset::Utf8 && offer.utf8 {
        line.push_str(" SMTPUTF8");
    }
    if offer.dsn {
        match envelope.ret {
            Some(Return::Full) => line.push_str(" RET=FULL"),
            Some(Return::Headers) => line.push_str(" RET=HDRS"),
            None => {}
        }
        if let Some(envid) = &envelope.envid {
            let _ = write!(line, " ENVID={envid}");
        }
    }
    Ok(line)
}

fn recipient(to: &Recipient, charset: Charset, offer: &Offer) -> Result<String, NeedsUtf8> {
    let path = match &to.path {
        ForwardPath::Postmaster => "postmaster".into(),
        ForwardPath::Mailbox(mailbox) => path(mailbox, charset)?,
    };
    let mut line = format!("RCPT TO:<{path}>");
    if offer.dsn {
        if let Some(wanted) = to.notify {
            let _ = write!(line, " NOTIFY={}", notify(wanted));
        }
        // RFC 6533 §3: without SMTPUTF8 an address in UTF-8 cannot stand here as it is.
        if let Some(original) = to.original.as_ref().filter(|original| charset == Charset::Utf8 || original.is_ascii()) {
            let _ = write!(line, " ORCPT={original}");
        }
    }
    Ok(line)
}

fn notify(wanted: Notify) -> String {
    let words = [(wanted.success, "SUCCESS"), (wanted.failure, "FAILURE"), (wanted.delay, "DELAY")];
    let given: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    if given.is_empty() { "NEVER".into() } else { given.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::AddressError;

    fn envelope(sender: &str, to: &str) -> Result<Envelope, AddressError> {
        let mut envelope = Envelope::from_sender(ReversePath::Mailbox(Mailbox::parse(sender)?));
        envelope.recipients.push(Mailbox::parse(to)?.into());
        Ok(envelope)
    }

    #[test]
    fn parameters_go_to_those_who_offer_them() -> Result<(), AddressError> {
        let mut envelope = envelope("s@example.org", "\"a b\"@example.net")?;
        (envelope.size, envelope.body, envelope.charset) = (Some(7), BodyType::EightBitMime, Charset::Utf8);
        (envelope.ret, envelope.envid) = (Some(Return::Headers), Some("Q+2B1".into()));
        if let Some(to) = envelope.recipients.first_mut() {
            (to.notify, to.original) = (Some(Notify { success: true, failure: true, delay: false }), Some("rfc822;x@y".into()));
        }
        let all = Offer { size: Some(None), eight_bit: true, utf8: true, dsn: true, ..Offer::default() };
        let full = Commands::of(&envelope, &all).map(|commands| (commands.mail, commands.recipients));
        let mail = "MAIL FROM:<s@example.org> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=Q+2B1".to_owned();
        assert_eq!(full, Ok((mail, vec!["RCPT TO:<\"a b\"@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@y".into()])));
        let bare = Commands::of(&envelope, &Offer::default()).map(|commands| (commands.mail, commands.recipients));
        assert_eq!(bare, Ok(("MAIL FROM:<s@example.org>".into(), vec!["RCPT TO:<\"a b\"@example.net>".into()])));
        assert_eq!(notify(Notify::NEVER), "NEVER");
        Ok(())
    }

    #[test]
    fn a_path_is_ascii_where_it_can_be() -> Result<(), AddressError> {
        let written = |text: &str, charset| Mailbox::parse(text).map(|mailbox| path(&mailbox, charset).map(Cow::into_owned));
        assert_eq!(written("a@bücher.example", Charset::Ascii)?, Ok("a@xn--bcher-kva.example".into()));
        assert_eq!(written("a@bücher.example", Charset::Utf8)?, Ok("a@bücher.example".into()));
        assert_eq!(written("ä@bücher.example", Charset::Ascii)?, Err(NeedsUtf8));
        assert_eq!(written("\"a@b\"@[192.0.2.1]", Charset::Ascii)?, Ok("\"a@b\"@[192.0.2.1]".into()));
        assert_eq!(Commands::of(&envelope("ä@example.org", "a@b")?, &Offer::default()), Err(NeedsUtf8));
        assert_eq!(Commands::of(&envelope("a@example.org", "ä@b")?, &Offer::default()), Err(NeedsUtf8));
        Ok(())
    }
}
