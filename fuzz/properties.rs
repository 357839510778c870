//! What has to hold for any input, shared by the fuzz targets and by `tests/fuzz.rs`.
//!
//! Each function takes octets and panics when its property does not hold. A long run of all of them: `fuzz/run`.

#![allow(dead_code, reason = "each target uses one of them")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use restante::mail::{Address, Domain, Mailbox, Name, QueueId};
use restante::protocol::data::{Decoder, Framing};
use restante::protocol::line::{COMMAND_OCTETS, Ending, Line, Lines};
use restante::protocol::pop3::{self, text::Measure};
use restante::protocol::smtp::{Answer, BareNewline, Dialect, Encryption, Peer, Question, Reply, Session, Settings, Step, Trust, Vrfy};

/// The first octet says how large the pieces are in which the others arrive.
fn cut(input: &[u8]) -> (usize, &[u8]) {
    input.split_first().map_or((1, input), |(size, rest)| (usize::from(*size) + 1, rest))
}

/// Lines do not depend on how they arrive, and never hold more than the bound.
pub fn line(input: &[u8]) {
    let (size, input) = cut(input);
    assert_eq!(lines(input, size), lines(input, input.len().max(1)));
}

fn lines(input: &[u8], size: usize) -> Vec<Option<(Vec<u8>, Ending)>> {
    let (mut reader, mut held, mut found) = (Lines::default(), Vec::new(), Vec::new());
    for piece in input.chunks(size) {
        held.extend_from_slice(piece);
        loop {
            let (line, used) = reader.next(&held);
            let line = match line {
                Line::Partial => None,
                Line::Whole { text, ending } => Some(Some((text.to_vec(), ending))),
                Line::TooLong => Some(None),
            };
            held.drain(..used);
            let Some(line) = line else { break };
            assert!(line.as_ref().is_none_or(|(text, _)| text.len() < COMMAND_OCTETS && !text.contains(&b'\n')));
            found.push(line);
        }
        assert!(held.len() < COMMAND_OCTETS);
    }
    found
}

/// Decoded text does not depend on how it arrives, has no CR, and is never longer than what arrived; and what a client
/// stuffs as it should comes out as it was.
pub fn data(input: &[u8]) {
    let (size, input) = cut(input);
    for framing in [Framing::Dots, Framing::Counted] {
        let pieces = decoded(framing, input, size);
        assert_eq!(pieces, decoded(framing, input, input.len().max(1)));
        assert!(pieces.body.len() <= input.len() && !pieces.body.contains(&b'\r'));
        assert!(pieces.octets <= input.len() as u64 && pieces.longest_line <= pieces.octets);
    }
    let text: Vec<u8> = input.iter().copied().filter(|octet| *octet != b'\r').collect();
    let sent = decoded(Framing::Dots, &stuffed(&text), size);
    let whole = if text.is_empty() || text.ends_with(b"\n") { text } else { [text, b"\n".to_vec()].concat() };
    assert!(sent.ended && !sent.bare);
    assert_eq!(sent.body, whole);
}

/// The text as a client sends it (RFC 5321 §4.5.2).
fn stuffed(text: &[u8]) -> Vec<u8> {
    let mut sent = Vec::new();
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            sent.push(b'.');
        }
        sent.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        sent.extend_from_slice(b"\r\n");
    }
    sent.extend_from_slice(b".\r\n");
    sent
}

#[derive(Debug, PartialEq, Eq)]
struct Text {
    body: Vec<u8>,
    ended: bool,
    consumed: usize,
    octets: u64,
    longest_line: u64,
    bare: bool,
}

fn decoded(framing: Framing, input: &[u8], size: usize) -> Text {
    let mut decoder = Decoder::new(framing);
    let (mut body, mut ended, mut consumed) = (Vec::new(), false, 0);
    for piece in input.chunks(size) {
        let progress = decoder.decode(piece, &mut body);
        consumed += progress.consumed;
        ended = progress.ended;
        if ended {
            break;
        }
        assert_eq!(progress.consumed, piece.len());
    }
    if framing == Framing::Counted {
        assert!(!ended);
        decoder.finish(&mut body);
    }
    Text { body, ended, consumed, octets: decoder.octets(), longest_line: decoder.longest_line(), bare: decoder.has_bare_newline() }
}

/// A session of SMTP keeps the rules of [`session`].
pub fn smtp(input: &[u8]) {
    session(Dialect::Smtp, input);
}

/// A session of LMTP keeps the rules of [`session`].
pub fn lmtp(input: &[u8]) {
    session(Dialect::Lmtp, input);
}

/// Nothing makes a session panic, spin, hold text without bound, or say what is no reply; and the outcome does not depend
/// on how octets arrive, unless that is what it depends on: a client that does not wait where it must, or a handshake.
fn session(dialect: Dialect, input: &[u8]) {
    let (size, input) = cut(input);
    for (bare_newline, trust) in [(BareNewline::Normalize, Trust::Proxy), (BareNewline::Reject, Trust::Ordinary)] {
        let play = |encryption, size: usize| Played::new(dialect, bare_newline, trust, encryption, input, size.max(1));
        play(Encryption::Offered, size);
        let pieces = play(Encryption::Unavailable, size);
        let whole = play(Encryption::Unavailable, input.len());
        if ![&pieces, &whole].iter().any(|played| played.output.contains("You talked before")) {
            assert_eq!(pieces, whole);
        }
    }
}

/// A mailbox of three messages.
struct Mailbox3;

/// Their texts: of no octets, with every kind of line end, and long enough to be sent in pieces.
fn mailbox_text(index: usize) -> Vec<u8> {
    match index {
        0 => Vec::new(),
        1 => b"a: b\r\n\n.c\rd\n..\ne".to_vec(),
        _ => b"x: y\n\n.line\n".repeat(5000),
    }
}

impl pop3::Maildrop for Mailbox3 {
    fn messages(&self) -> usize {
        3
    }
    fn octets(&self, index: usize) -> u64 {
        let mut measure = Measure::default();
        measure.take(&mailbox_text(index));
        measure.end()
    }
    fn write_uid(&self, index: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("uid{index}").as_bytes());
    }
}

/// Nothing makes a session of POP3 panic, spin, gather output without bound, remove anything but at `QUIT`, or let in
/// who gave no right password; and the outcome does not depend on how octets arrive, unless there is a handshake.
pub fn pop3(input: &[u8]) {
    let (size, input) = cut(input);
    play_pop3(Encryption::Offered, input, size);
    let pieces = play_pop3(Encryption::Unavailable, input, size);
    assert_eq!(pieces, play_pop3(Encryption::Unavailable, input, input.len()));
}

#[derive(Debug, PartialEq, Eq, Default)]
struct Visit {
    output: Vec<u8>,
    removed: Option<Vec<usize>>,
    logged_in: bool,
    open: Option<(usize, usize)>,
    closed: bool,
}

fn play_pop3(encryption: Encryption, input: &[u8], size: usize) -> Visit {
    let now = Instant::now();
    let settings = pop3::Settings { hostname: "mx.example.org".into(), idle_timeout: Duration::from_secs(600), max_errors: 20 };
    let mut session = pop3::Session::new(Arc::new(settings), encryption, pop3::Clear::Allowed, now);
    let (mut held, mut output, mut visit) = (BytesMut::new(), Vec::new(), Visit::default());
    session.greet(&mut output);
    for piece in input.chunks(size.max(1)) {
        held.extend_from_slice(piece);
        visit.advance(&mut session, &mut held, &mut output, now);
        if visit.closed {
            break;
        }
        assert!(held.len() < COMMAND_OCTETS, "input is left although the session wants more");
        assert!(session.deadline() > now && visit.removed.is_none());
    }
    visit.output.append(&mut output);
    assert!(visit.output.ends_with(b"\r\n") && visit.output.starts_with(b"+OK "));
    visit
}

impl Visit {
    fn advance(&mut self, session: &mut pop3::Session, held: &mut BytesMut, output: &mut Vec<u8>, now: Instant) {
        // A command is four octets at least, and the longest message comes in so many pieces.
        for _ in 0..(held.len() + 2) * 40 {
            assert!(output.len() < 256 * 1024, "{} octets of output", output.len());
            match session.advance(held, output, now) {
                pop3::Step::Read => return,
                pop3::Step::Close => {
                    self.closed = true;
                    return;
                }
                pop3::Step::Write => self.output.append(output),
                pop3::Step::StartTls => {
                    held.clear();
                    session.encrypted(now);
                }
                pop3::Step::Text => self.text(session, output, now),
                pop3::Step::Ask(question) => {
                    let answer = self.answer(question);
                    session.answer(answer, output, now);
                }
            }
        }
        panic!("the session does not come to rest");
    }

    fn text(&mut self, session: &mut pop3::Session, output: &mut Vec<u8>, now: Instant) {
        let (index, at) = self.open.expect("a message was opened");
        let text = mailbox_text(index);
        let end = (at + 4000).min(text.len());
        self.open = Some((index, end));
        if at == end {
            session.text_ended(output, now)
        } else {
            session.text(&text[at..end], output, now)
        }
        self.output.append(output);
    }

    fn answer(&mut self, question: pop3::Question) -> pop3::Answer {
        match question {
            pop3::Question::Login(credentials) => {
                assert!(!self.logged_in);
                self.logged_in = credentials.name == "alice" && credentials.secret.expose() == "secret";
                pop3::Answer::Login(if self.logged_in { Ok(Arc::new(Mailbox3)) } else { Err(pop3::Denied::WrongPassword) })
            }
            pop3::Question::Open(index) => {
                assert!(self.logged_in && index < 3);
                self.open = Some((index, 0));
                pop3::Answer::Opened(Ok(()))
            }
            pop3::Question::Remove(indexes) => {
                assert!(self.logged_in && !indexes.is_empty() && indexes.is_sorted() && indexes.iter().all(|index| *index < 3));
                assert!(self.removed.is_none());
                let failed = indexes.iter().copied().filter(|index| *index == 1).collect();
                self.removed = Some(indexes);
                pop3::Answer::Removed(failed)
            }
        }
    }
}

const MAX_MESSAGE_SIZE: u64 = 2000;

#[derive(Debug, PartialEq, Eq)]
struct Played {
    output: String,
    stored: Vec<Vec<u8>>,
    closed: bool,
}

impl Played {
    fn new(dialect: Dialect, bare_newline: BareNewline, trust: Trust, encryption: Encryption, input: &[u8], size: usize) -> Self {
        let settings = Settings {
            hostname: "mx.example.org".to_owned(),
            max_message_size: MAX_MESSAGE_SIZE,
            max_recipients: 3,
            max_errors: 10,
            max_line: Some(1000),
            bare_newline,
            vrfy: Vrfy::Noncommittal,
            command_timeout: Duration::from_secs(300),
            min_rate: 10,
        };
        let peer = Peer { address: Some(IpAddr::from([192, 0, 2, 1])), name: None, trust };
        let now = Instant::now();
        let mut session = Session::new(dialect, Arc::new(settings), peer, encryption, now);
        let (mut held, mut output, mut body) = (BytesMut::new(), Vec::new(), Vec::new());
        let mut played = Self { output: String::new(), stored: Vec::new(), closed: false };
        session.greet(&held, &mut output);
        for piece in input.chunks(size) {
            held.extend_from_slice(piece);
            played.advance(&mut session, &mut held, &mut output, &mut body, now);
            if played.closed {
                break;
            }
            assert!(held.len() < COMMAND_OCTETS, "input is left although the session wants more");
            assert!(session.deadline() > now);
            // A session keeps whatever a read has brought, and no more than a read beyond the limit.
            assert!(body.len() as u64 <= MAX_MESSAGE_SIZE + size as u64);
        }
        played.output = String::from_utf8(output).expect("replies are ASCII");
        assert!(played.output.is_empty() || played.output.ends_with("\r\n"));
        for line in played.output.split_terminator("\r\n") {
            assert!(line.len() <= 510 && line.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{line:?}");
            assert!(line.get(..3).is_some_and(|code| code.parse::<u16>().is_ok_and(|code| (200..600).contains(&code))), "{line:?}");
        }
        played
    }

    fn advance(&mut self, session: &mut Session, held: &mut BytesMut, output: &mut Vec<u8>, body: &mut Vec<u8>, now: Instant) {
        // Each step but these four uses up input, so that there can be no more of them than octets.
        for _ in 0..held.len() * 4 + 16 {
            let answer = match session.advance(held, output, body, now) {
                Step::Read => return,
                Step::Close => {
                    self.closed = true;
                    return;
                }
                Step::Discard => {
                    body.clear();
                    continue;
                }
                Step::StartTls => {
                    held.clear();
                    session.encrypted(now);
                    continue;
                }
                Step::Ask(Question::Recipient(recipient)) => {
                    let refused = recipient.path.to_string().len() % 3 == 0;
                    Answer::Recipient(if refused { Err(Reply::UnknownRecipient) } else { Ok(()) })
                }
                Step::Ask(Question::Begin) => Answer::Begin(if self.stored.len() == 2 { Err(Reply::DiskFull) } else { Ok(()) }),
                Step::Ask(Question::Commit) => {
                    let recipients = session.envelope().map_or(0, |envelope| envelope.recipients.len());
                    assert!((1..=3).contains(&recipients) && body.len() as u64 <= MAX_MESSAGE_SIZE);
                    self.stored.push(std::mem::take(body));
                    Answer::Committed(vec![Reply::Queued { id: QueueId::new(1) }; recipients])
                }
            };
            session.answer(answer, output, now);
        }
        panic!("the session does not come to rest");
    }
}

/// What can be read as an address, domain or name is in its canonical spelling, and reads back as itself.
pub fn address(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(mailbox) = Mailbox::parse(&text) {
        assert_eq!(mailbox.as_str(), text);
        assert!(!text.chars().any(char::is_control));
    }
    if let Ok(address) = Address::parse(&text) {
        assert_eq!(Address::parse(&address.to_string()).as_ref(), Ok(&address), "{text:?}");
        assert_eq!(Address::parse(&address.unicode()).as_ref(), Ok(&address), "{text:?}");
    }
    if let Ok(domain) = Domain::parse(&text) {
        assert_eq!(Domain::parse(domain.as_str()).as_ref(), Ok(&domain), "{text:?}");
        assert!(domain.as_str().is_ascii());
    }
    if let Ok(name) = Name::parse(&text) {
        assert_eq!(Name::parse(&name.to_string()).as_ref(), Ok(&name), "{text:?}");
    }
}

/// A configuration is taken or refused; refused, every line says what is wrong.
pub fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Err(errors) = restante::config::parse(&text) {
        let told = errors.to_string();
        assert!(!told.is_empty() && told.lines().all(|line| !line.trim().is_empty()), "{text:?}: {told:?}");
    }
}
