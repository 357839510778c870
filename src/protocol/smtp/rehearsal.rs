//! What a session would say to a sender. The machine itself is asked, so that the answer cannot drift from it.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use super::session::Session;
use super::settings::{Dialect, Encryption, Peer, Settings, Trust};
use crate::mail::ReversePath;

/// The reply to `MAIL FROM` with this sender, without its line end.
pub fn mail_from(settings: Arc<Settings>, sender: &ReversePath, now: Instant) -> String {
    let peer = Peer { address: None, name: None, trust: Trust::Ordinary };
    let mut session = Session::new(Dialect::Smtp, settings, peer, Encryption::Unavailable, now);
    let path = sender.to_string();
    let parameter = if path.is_ascii() { "" } else { " SMTPUTF8" };
    let (mut output, mut body) = (Vec::new(), Vec::new());
    for command in ["EHLO localhost".to_owned(), format!("MAIL FROM:<{path}>{parameter}")] {
        output.clear();
        session.advance(&mut BytesMut::from(format!("{command}\r\n").as_bytes()), &mut output, &mut body, now);
    }
    String::from_utf8_lossy(&output).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::{BareNewline, Vrfy};
    use super::*;
    use crate::mail::Mailbox;

    #[test]
    fn senders_hear_what_a_session_says() {
        let settings = Arc::new(Settings {
            hostname: "mx.example.org".to_owned(),
            max_message_size: 1000,
            max_recipients: 100,
            max_errors: 10,
            max_line: None,
            bare_newline: BareNewline::Normalize,
            vrfy: Vrfy::Noncommittal,
            command_timeout: std::time::Duration::from_secs(300),
            min_rate: 0,
        });
        let say = |sender: &ReversePath| mail_from(Arc::clone(&settings), sender, Instant::now());
        assert_eq!(say(&ReversePath::Null), "250 2.1.0 Ok");
        for address in ["a@example.com", "\"a b\"@example.com", "é@example.com", "a@[192.0.2.1]"] {
            assert_eq!(say(&ReversePath::Mailbox(Mailbox::parse(address).unwrap())), "250 2.1.0 Ok", "{address}");
        }
    }
}
