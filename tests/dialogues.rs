//! Whole dialogues against the pure sessions: the transcripts in `tests/dialogues/`, and what holds for all of them.

#![allow(missing_docs, reason = "tests")]

#[path = "dialogues/pure.rs"]
mod pure;
#[path = "dialogues/transcript.rs"]
mod transcript;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use proptest::prelude::*;
use pure::Pure;
use restante::mail::QueueId;
use restante::protocol::smtp::{Answer, Dialect, Question, Reply, Session, Step};
use transcript::{Event, Setup, Transcript, Transport, all, check};

#[test]
fn transcripts_are_played_as_written() {
    check(|_| true, Pure::connect);
}

/// Cuts what is sent into pieces of so many octets.
struct Cut {
    pure: Pure,
    sizes: Vec<usize>,
}

impl Transport for Cut {
    fn send(&mut self, octets: &[u8]) {
        let mut rest = octets;
        for size in self.sizes.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            self.pure.send(piece);
            rest = after;
            if rest.is_empty() {
                return;
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        self.pure.line()
    }
    fn is_closed(&mut self) -> bool {
        self.pure.is_closed()
    }
    fn handshake(&mut self) {
        self.pure.handshake();
    }
    fn wait(&mut self, time: Duration) {
        self.pure.wait(time);
    }
    fn shut_down(&mut self) {
        self.pure.shut_down();
    }
    fn stored(&mut self) -> Option<Vec<Vec<u8>>> {
        self.pure.stored()
    }
}

fn is_cuttable(setup: &Setup) -> bool {
    !setup.whole
}

#[test]
fn transcripts_do_not_depend_on_how_octets_arrive_one_by_one() {
    check(is_cuttable, |setup| Cut { pure: Pure::connect(setup), sizes: vec![1] });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn transcripts_do_not_depend_on_how_octets_arrive(sizes in proptest::collection::vec(1usize..40, 1..8)) {
        check(is_cuttable, |setup| Cut { pure: Pure::connect(setup), sizes: sizes.clone() });
    }
}

/// Everything that the client of a transcript sends.
fn sent(transcript: &Transcript) -> Vec<u8> {
    let pieces = transcript.events.iter().filter_map(|(_, event)| match event {
        Event::Send(octets) => Some(octets.as_slice()),
        _ => None,
    });
    pieces.collect::<Vec<_>>().concat()
}

/// A client that goes away has stored exactly the messages whose end has come, wherever it stops.
#[test]
fn a_client_that_goes_away_leaves_nothing_behind() {
    let text = "% max_message_size 1000\nC: HELO c\nC: MAIL FROM:<>\nC: RCPT TO:<alice@example.org>\nC: DATA\nC: one\nC: ..\nC: .\n\
        C: MAIL FROM:<>\nC: RCPT TO:<bob@example.org>\nC: BDAT 5\nc: two\\r\\n\nC: BDAT 7 LAST\nc: three\\r\\n\nC: QUIT\n";
    let transcript = Transcript::parse(Dialect::Smtp, text);
    let octets = sent(&transcript);
    let ends = [&b"\r\n.\r\n"[..], b"three\r\n"].map(|end| octets.windows(end.len()).position(|at| at == end).map(|at| at + end.len()));
    assert!(ends.iter().all(Option::is_some));
    for at in 0..=octets.len() {
        let mut pure = Pure::connect(&transcript.setup);
        pure.send(&octets[..at]);
        let expected = ends.iter().filter(|end| **end <= Some(at)).count();
        assert_eq!(pure.stored.len(), expected, "{}", octets[..at].escape_ascii());
        assert_eq!(String::from_utf8_lossy(&pure.output).matches("queued as").count(), expected);
    }
}

#[test]
fn who_talks_before_the_greeting_is_told_so() {
    for dialect in [Dialect::Smtp, Dialect::Lmtp] {
        let setup = Transcript::parse(dialect, "").setup;
        let mut early = Pure::early(&setup, b"EHLO hasty.example\r\n");
        assert_eq!(early.line().as_deref(), Some("554 5.5.1 You talked before it was your turn"));
        assert!(early.line().is_none() && early.is_closed());
    }
}

/// Plays the `C:` lines of `text`, and gives the `Received` clauses: who, and how.
fn trace(text: &str, dialect: Dialect, lookup: Option<&str>) -> (String, Option<String>, Option<IpAddr>, String) {
    let transcript = Transcript::parse(dialect, text);
    let mut pure = Pure::connect(&transcript.setup);
    if let Some(name) = lookup {
        pure.session.named(name.to_owned());
    }
    for (_, event) in &transcript.events {
        match event {
            Event::Send(octets) => pure.send(octets),
            Event::Handshake => {
                pure.output.clear();
                pure.handshake();
            }
            other => panic!("{other:?}"),
        }
    }
    let client = pure.session.client();
    (client.helo, client.name, client.address, pure.session.with().to_string())
}

#[test]
fn trace_fields_say_who_and_how() {
    let peer = || Some(IpAddr::from([192, 0, 2, 1]));
    let found = |helo: &str, name: Option<&str>, address: Option<IpAddr>, with: &str| {
        (helo.to_owned(), name.map(str::to_owned), address, with.to_owned())
    };
    assert_eq!(trace("", Dialect::Smtp, None), found("unknown", None, peer(), "SMTP"));
    assert_eq!(trace("C: HELO a.example", Dialect::Smtp, Some("rdns.example")), found("a.example", Some("rdns.example"), peer(), "SMTP"));
    assert_eq!(trace("C: EHLO a.example", Dialect::Smtp, None), found("a.example", None, peer(), "ESMTP"));
    assert_eq!(trace("% tls active\nC: EHLO a.example", Dialect::Smtp, None), found("a.example", None, peer(), "ESMTPS"));
    assert_eq!(trace("C: LHLO a.example\nC: MAIL FROM:<> SMTPUTF8", Dialect::Lmtp, None), found("a.example", None, peer(), "UTF8LMTP"));
    let proxied = "% peer proxy\n% tls offered\nC: EHLO p.example\nC: XCLIENT NAME=c.example ADDR=192.0.2.7 HELO=said\nC: EHLO p.example";
    assert_eq!(trace(proxied, Dialect::Smtp, Some("p.example")), found("said", Some("c.example"), Some([192, 0, 2, 7].into()), "ESMTP"));
    let unknown = "% peer proxy\nC: XCLIENT NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] HELO=[UNAVAILABLE]\nC: EHLO p.example";
    assert_eq!(trace(unknown, Dialect::Smtp, Some("p.example")), found("p.example", None, None, "ESMTP"));
    let forgotten = format!("{proxied}\nC: STARTTLS\n= tls\nC: EHLO q.example");
    assert_eq!(trace(&forgotten, Dialect::Smtp, Some("p.example")), found("q.example", Some("p.example"), peer(), "ESMTPS"));
}

/// A text that is refused, or forgotten, is not kept while the rest of it comes in.
#[test]
fn refused_text_is_not_held() {
    for (setup, text) in [
        ("% max_message_size 1000", "DATA\r\n"),
        ("% max_line 100", "DATA\r\n"),
        ("% bare_newline reject", "DATA\r\n\n"),
        ("% max_line 100", "BDAT 90000\r\n"),
        ("% max_message_size 40000", "BDAT 60000\r\n"),
    ] {
        let mut pure = Pure::connect(&Transcript::parse(Dialect::Smtp, setup).setup);
        pure.send(b"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\n");
        pure.send(text.as_bytes());
        for _ in 0..50 {
            pure.send(&[b'x'; 1001]);
        }
        assert_eq!(pure.held(), 0, "{setup}");
        assert!(!pure.is_closed());
    }
    let mut pure = Pure::connect(&Transcript::parse(Dialect::Smtp, "").setup);
    pure.send(b"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nBDAT 9\r\n123456789");
    assert_eq!(pure.held(), 9);
    pure.send(b"HELO c\r\n");
    assert_eq!(pure.held(), 0);
}

/// What nobody asked for changes nothing.
#[test]
fn stray_answers_are_ignored() {
    let now = Instant::now();
    let mut pure = Pure::connect(&Transcript::parse(Dialect::Smtp, "").setup);
    pure.send(b"HELO c\r\nMAIL FROM:<>\r\n");
    pure.output.clear();
    for answer in [Answer::Recipient(Ok(())), Answer::Begin(Ok(())), Answer::Committed(Vec::new())] {
        pure.session.answer(answer, &mut pure.output, now);
    }
    assert!(pure.output.is_empty() && pure.session.envelope().is_some_and(|envelope| envelope.recipients.is_empty()));
    assert_eq!(pure.session.expire(&mut pure.output, now), Step::Close);
}

/// A session that has asked to commit a message for two recipients.
fn committing(dialect: Dialect) -> (Session, Vec<u8>, Instant) {
    let now = Instant::now();
    let mut session = Pure::connect(&Transcript::parse(dialect, "").setup).session;
    let (mut output, mut body) = (Vec::new(), Vec::new());
    let text = format!("{} c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\n", dialect.hello());
    let mut input = BytesMut::from(text.as_bytes());
    loop {
        let answer = match session.advance(&mut input, &mut output, &mut body, now) {
            Step::Ask(Question::Recipient(_)) => Answer::Recipient(Ok(())),
            Step::Ask(Question::Begin) => Answer::Begin(Ok(())),
            Step::Ask(Question::Commit) => return (session, body, now),
            other => panic!("{other:?}"),
        };
        session.answer(answer, &mut output, now);
    }
}

/// The peer counts replies, so it gets as many as it has to, whatever the world says.
#[test]
fn every_recipient_has_an_outcome() {
    let (stored, failed) = ("250 2.0.0 Ok: queued as 0000000000001\r\n", "451 4.3.0 Message could not be stored; try again later\r\n");
    for (dialect, outcomes, said) in [
        (Dialect::Smtp, 0, failed.to_owned()),
        (Dialect::Smtp, 2, stored.to_owned()),
        (Dialect::Lmtp, 0, failed.repeat(2)),
        (Dialect::Lmtp, 1, format!("{stored}{failed}")),
        (Dialect::Lmtp, 3, stored.repeat(2)),
    ] {
        let (mut session, _, now) = committing(dialect);
        let mut output = Vec::new();
        session.answer(Answer::Committed(vec![Reply::Queued { id: QueueId::new(1) }; outcomes]), &mut output, now);
        assert_eq!(String::from_utf8_lossy(&output), said, "{dialect:?} {outcomes}");
        assert!(session.envelope().is_none());
    }
}

/// A client waits ten minutes for the reply to its data (RFC 5321 §4.5.3.2.6).
#[test]
fn the_end_of_data_has_ten_minutes() {
    let (mut session, mut body, now) = committing(Dialect::Smtp);
    assert_eq!(session.deadline(), now + Duration::from_secs(600));
    let mut output = Vec::new();
    assert_eq!(session.advance(&mut BytesMut::new(), &mut output, &mut body, now), Step::Ask(Question::Commit));
    assert_eq!(session.expire(&mut output, session.deadline()), Step::Close);
    assert!(output.starts_with(b"421 4.4.2 "));
    assert_eq!(session.advance(&mut BytesMut::from("NOOP\r\n"), &mut output, &mut body, now), Step::Close);
}

/// There is a transcript for each reply that a session gives of its own accord.
#[test]
fn transcripts_cover_the_replies_of_a_session() {
    let expected: Vec<String> = all()
        .into_iter()
        .flat_map(|(_, t)| t.events)
        .filter_map(|(_, event)| if let Event::Reply(line) = event { Some(line) } else { None })
        .collect();
    for start in [
        "220 mx",
        "220 2.0.0",
        "250-mx",
        "250 mx",
        "250 2.0.0 Ok",
        "250 2.1.0",
        "250 2.1.5",
        "354",
        "250 2.0.0 Ok: queued",
        "250 2.0.0 Ok: 3 octets",
        "221",
        "252",
        "214 2.0.0 Commands",
        "214 2.0.0 Syntax",
        "421 4.3.2",
        "421 4.4.2 mx.example.org waited",
        "421 4.4.2 mx.example.org receives",
        "421 4.7.0",
        "500 5.5.2 Command",
        "500 5.5.2 Line",
        "500 5.5.2 NUL",
        "502 5.5.1 EXPN",
        "502 5.5.1 AUTH",
        "502 5.5.1 STARTTLS",
        "502 5.5.1 VRFY",
        "503 5.5.1 Bad",
        "503 5.5.1 TLS",
        "501 5.5.4 Syntax",
        "501 5.5.4 Parameter",
        "501 5.5.4 Bad value",
        "501 5.1.7",
        "501 5.1.3",
        "555 5.5.4",
        "553 5.6.7",
        "554 5.5.1 You",
        "554 5.5.1 No",
        "550 5.7.0",
        "552 5.3.4",
        "550 5.6.0",
        "550 5.6.11",
        "452 4.5.3",
        "550 5.7.1 Rel",
        "550 5.1.1",
        "550 5.2.1",
        "452 4.2.2",
        "452 4.3.1",
        "451 4.3.0",
    ] {
        assert!(expected.iter().any(|line| line.starts_with(start)), "no transcript has `{start}`");
    }
}
