//! The session alone, without a socket, however its input is cut.

use bytes::BytesMut;
use proptest::prelude::*;
use restante::mail::{Envelope, Mailbox, ReversePath};
use restante::protocol::smtp::client::command::Commands;
use restante::protocol::smtp::client::{Encoder, Encrypt, Fate, Outcome, Session, Settings, Step};

fn session(pipelining: bool) -> Session {
    Session::new(Settings { hostname: "mx.here.example".into(), encrypt: Encrypt::IfOffered, login: None, is_private: false, pipelining })
}

/// Feeds `replies` in pieces, answers every step at once, and gives what was said and what came of it.
fn played(replies: &str, recipients: &[&str], pipelining: bool, size: usize) -> (String, Option<Outcome>) {
    let (mut session, mut input, mut output) = (session(pipelining), BytesMut::new(), Vec::new());
    // A server does not say its next line before it is asked to: lines come apart, each in pieces.
    let mut pieces = replies.split_inclusive('\n').flat_map(|line| line.as_bytes().chunks(size));
    let mut step = session.advance(&mut input, &mut output);
    loop {
        step = match step {
            Step::Ready => {
                let mut envelope = Envelope::from_sender(ReversePath::Null);
                envelope.recipients = recipients.iter().map(|to| Mailbox::parse(to).unwrap().into()).collect();
                session.begin(Commands::of(&envelope, session.offer()).unwrap(), &mut output)
            }
            Step::Handshake => {
                input.clear();
                session.encrypted(&mut output)
            }
            Step::Text => {
                let mut encoder = Encoder::default();
                encoder.encode(b"text\n", &mut output);
                session.sent(&encoder, &input, &mut output)
            }
            Step::Read(_) => match pieces.next() {
                Some(piece) => {
                    input.extend_from_slice(piece);
                    session.advance(&mut input, &mut output)
                }
                None => break,
            },
            Step::Done | Step::Failed(_) | Step::Over => break,
        };
    }
    (String::from_utf8(output).unwrap(), session.outcome())
}

#[test]
fn a_transcript_is_said_as_the_rfc_says_it() {
    let replies = "220 p\r\n250-p\r\n250 STARTTLS\r\n220 go\r\n250 p\r\n250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n250 taken\r\n";
    for size in [1, 2, 3] {
        let (said, outcome) = played(replies, &["a@x.example", "b@x.example"], true, size);
        let expected = "EHLO mx.here.example\r\nSTARTTLS\r\nEHLO mx.here.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\n\
            RCPT TO:<b@x.example>\r\nDATA\r\ntext\r\n.\r\n";
        assert_eq!(said, expected);
        let fates = outcome.unwrap().fates;
        assert!(
            matches!(fates.as_slice(), [Fate::Taken(taken), Fate::Refused(no)] if taken.text == "taken" && no.code == 550),
            "{fates:?}"
        );
    }
}

#[test]
fn many_recipients_are_sent_in_windows() {
    let recipients: Vec<String> = (0..250).map(|n| format!("u{n}@x.example")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let opening = "220 p\r\n250-p\r\n250 PIPELINING\r\n";
    let (said, outcome) = played(opening, &recipients, true, 1000);
    assert_eq!(said.matches("RCPT TO").count(), 99, "MAIL and 99 more wait for their replies");
    assert!(outcome.unwrap().fates.iter().all(|fate| *fate == Fate::Unanswered));
    let replies = format!("{opening}{}354 go\r\n250 taken\r\n", "250 ok\r\n".repeat(251));
    let (said, outcome) = played(&replies, &recipients, true, 8);
    assert_eq!(said.matches("RCPT TO").count(), 250);
    assert!(outcome.unwrap().fates.iter().all(|fate| matches!(fate, Fate::Taken(_))));
}

proptest! {
    /// Whatever a server says: no panic, an answer for everybody, and nobody is taken without a text that was sent whole.
    #[test]
    fn nothing_makes_it_lie(
        replies in proptest::collection::vec(
            prop_oneof![
                Just("250 ok\r\n"), Just("250-p\r\n"), Just("250 PIPELINING\r\n"), Just("220 p\r\n"), Just("354 go\r\n"), Just("421 x\r\n"),
                Just("450 x\r\n"), Just("550 x\r\n"), Just("334 x\r\n"), Just("x\r\n"), Just("250"), Just("\r\n"), Just("250-PIPELINING\r\n"),
            ],
            0..14,
        ),
        good in 0usize..3,
        pipelining: bool,
        size in 1usize..20,
    ) {
        let opening = ["", "220 p\r\n", "220 p\r\n250 p\r\n"][good];
        let (said, outcome) = played(&format!("{opening}{}", replies.concat()), &["a@x.example", "b@x.example"], pipelining, size);
        if let Some(outcome) = outcome {
            prop_assert_eq!(outcome.fates.len(), 2);
            let taken = outcome.fates.iter().any(|fate| matches!(fate, Fate::Taken(_)));
            prop_assert!(!taken || said.ends_with("text\r\n.\r\n"), "{}", said);
        }
    }
}
