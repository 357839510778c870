//! The bytes on disk: a change of format has to be a new version beside the old one.

use super::super::key::{Due, Filing, Seat, Turn};
use super::*;
use crate::mail::QueueId;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap() // a constant of these tests; so below
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap() // a constant
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap() // a constant
}

fn message(kind: Kind, place: Place) -> Message {
    Message {
        sender: ReversePath::Mailbox(mailbox("Ann@here.example")),
        body: BodyType::EightBitMime,
        charset: Charset::Utf8,
        ret: Some(Return::Headers),
        envid: Some("E+2B1".into()),
        arrived: at(1_000_000_000),
        octets: 5000,
        lines: 300,
        place,
        kind,
        total: 3,
        open: 2,
    }
}

fn attempt(by_peer: bool) -> Attempt {
    let address = by_peer.then_some([192, 0, 2, 1].into());
    Attempt {
        at: at(1_000_000_600),
        remote: Some(("mx.far.example".into(), address)),
        status: (4, 2, 1),
        reply: "450 4.2.1 bücher".into(),
        by_peer,
    }
}

fn elsewhere() -> Recipient {
    let to = mailbox("Bob@far.example");
    let hop = Hop::of(&to, Filing::Domains);
    Recipient::new(To::Mailbox(to), hop, at(1_000_000_000))
}

fn at_list(progress: Progress) -> Recipient {
    let name = Name::parse("team").unwrap(); // a constant
    let id = AccountId(7);
    Recipient::new(To::List { id, name, address: address("team@here.example"), progress }, Hop::of_list(id), at(1_000_000_000))
}

fn recipients() -> Vec<(&'static str, Recipient)> {
    let tried = Recipient {
        asked: Some(ForwardPath::Mailbox(mailbox("info@here.example"))),
        original: Some("rfc822;x+2Bb@y".into()),
        notify: Some(Notify { success: true, failure: false, delay: true }),
        via: Some(address("info@here.example")),
        sender: Some(ReversePath::Null),
        state: State::Held,
        tries: 2,
        attempts: vec![attempt(true), attempt(false)],
        delay_told: true,
        ..elsewhere()
    };
    vec![
        ("recipient", elsewhere()),
        ("recipient that was tried", tried),
        ("recipient postmaster", Recipient { asked: Some(ForwardPath::Postmaster), ..elsewhere() }),
        ("posting", at_list(Progress::Fresh)),
        ("posting that waits", at_list(Progress::Held(at(1_000_000_001)))),
        ("posting approved", at_list(Progress::Approved)),
        ("posting on its way", at_list(Progress::After("bob@far.example".into()))),
        ("posting again", at_list(Progress::Again(vec!["a@b.example".into(), "c".into()]))),
    ]
}

fn messages() -> Vec<(&'static str, Message)> {
    let plain = Message {
        sender: ReversePath::Null,
        body: BodyType::SevenBit,
        charset: Charset::Ascii,
        ret: None,
        envid: None,
        ..message(Kind::Report, Place::Row)
    };
    vec![
        ("message", message(Kind::Forwarded, Place::Row)),
        ("message of a file", Message { ret: Some(Return::Full), ..message(Kind::Posting, Place::File) }),
        ("report", plain.clone()),
        ("message made here", Message { kind: Kind::Made, ..plain }),
    ]
}

/// For ever: each kind of record, and of key, as it is written.
const GOLDEN: &str = include_str!("formats.txt");

/// A line of [`GOLDEN`] for a record, which is read again as what it was.
fn line<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(kind: &str, record: &T) -> String {
    let bytes = write(record).unwrap(); // or the test fails
    assert_eq!(read::<T>(&bytes).ok().as_ref(), Some(record), "{kind}");
    format!("{kind}: {}\n", bytes.escape_ascii())
}

#[test]
fn records_and_keys_are_written_and_read_as_ever() {
    let mut written: String = messages().iter().map(|(kind, message)| line(kind, message)).collect();
    written.extend(recipients().iter().map(|(kind, recipient)| line(kind, recipient)));
    written += &line("hop that is down", &Down { failures: 3, until: at(1_000_001_000), last: attempt(true) });
    let (hop, seat) = (Hop::named("far.example"), Seat { id: QueueId::new(0x0102_0304), number: 5 });
    for (kind, key) in [
        ("key of a recipient", seat.key().to_vec()),
        ("key in due", Due { at: at(1_000_000_000), seat }.key(&hop)),
        ("key in turns", Turn { at: at(1_000_000_000), id: seat.id, hop }.key()),
        ("key in due of a list", Due { at: at(1_000_000_000), seat }.key(&Hop::of_list(AccountId(7)))),
        ("key in due of what waits for an owner", Due { at: at(1_000_000_000), seat }.key(&Hop::of_held(AccountId(7)))),
    ] {
        written += &format!("{kind}: {}\n", key.escape_ascii());
    }
    assert_eq!(written, GOLDEN);
}

#[test]
fn damage_is_told_from_a_newer_format() {
    for (kind, recipient) in recipients() {
        let bytes = write(&recipient).unwrap(); // or the test fails
        for damaged in [&[][..], &[VERSION], &bytes[..bytes.len() - 1]] {
            let error = read::<Recipient>(damaged).err().map(|error| error.kind());
            assert_eq!(error, Some(io::ErrorKind::InvalidData), "{kind}");
        }
    }
    let newer = read::<Message>(&[VERSION + 1, 0]).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(newer.contains("newer version"), "{newer}");
}
