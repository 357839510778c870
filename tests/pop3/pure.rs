//! A session without sockets, in a world that lies in memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use proptest::prelude::*;
use restante::protocol::pop3::text::Measure;
use restante::protocol::pop3::{Answer, Denied, Maildrop, Question, Session, Settings, Step, Unsent};

use crate::setup::{PASSWORD, Setup, Transcript, all, check};
use crate::transcript::{Event, Transport};

struct Drop(Vec<u64>);

impl Maildrop for Drop {
    fn messages(&self) -> usize {
        self.0.len()
    }
    fn octets(&self, index: usize) -> u64 {
        self.0[index]
    }
    fn write_uid(&self, index: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("m{}", index + 1).as_bytes());
    }
}

/// Both ends of a connection.
pub struct Pure {
    pub session: Session,
    setup: Setup,
    /// Octets of a message that are handed over at a time.
    piece: usize,
    now: Instant,
    input: BytesMut,
    output: Vec<u8>,
    lines: VecDeque<String>,
    pub messages: Vec<Option<Vec<u8>>>,
    open: Option<(Vec<u8>, usize)>,
    pub closed: bool,
    securing: bool,
}

impl Pure {
    /// A connection that was greeted.
    pub fn connect(setup: &Setup) -> Self {
        let now = Instant::now();
        let settings = Settings { hostname: "mx.example.org".into(), idle_timeout: Duration::from_secs(600), max_errors: setup.max_errors };
        let session = Session::new(Arc::new(settings), setup.encryption, setup.clear, now);
        let mut output = Vec::new();
        session.greet(&mut output);
        Self {
            session,
            setup: setup.clone(),
            piece: 1000,
            now,
            input: BytesMut::new(),
            output,
            lines: VecDeque::new(),
            messages: setup.messages.iter().cloned().map(Some).collect(),
            open: None,
            closed: false,
            securing: false,
        }
    }

    /// Goes on until the session wants more input.
    fn run(&mut self) {
        while !self.closed && !self.securing {
            match self.session.advance(&mut self.input, &mut self.output, self.now) {
                Step::Read => return,
                Step::Write => assert!(self.output.len() >= 32 * 1024, "the buffer is not full"),
                Step::Ask(question) => {
                    let answer = self.answer(question);
                    self.session.answer(answer, &mut self.output, self.now);
                }
                Step::Text => self.text(),
                Step::StartTls => self.securing = true,
                Step::Close => self.closed = true,
            }
            if self.output.len() >= 32 * 1024 {
                self.gather();
            }
            assert!(self.output.len() < 64 * 1024, "{} octets of output", self.output.len());
        }
    }

    fn text(&mut self) {
        let (text, at) = self.open.as_mut().expect("a message was opened");
        let end = (*at + self.piece).min(text.len());
        if *at == end {
            self.session.text_ended(&mut self.output, self.now);
        } else {
            self.session.text(&text[*at..end], &mut self.output, self.now);
            *at = end;
        }
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Login(credentials) => Answer::Login(self.log_in(&credentials.name, credentials.secret.expose())),
            Question::Open(index) if self.setup.gone == Some(index + 1) => Answer::Opened(Err(Unsent::Gone)),
            Question::Open(index) if self.setup.stuck == Some(index + 1) => Answer::Opened(Err(Unsent::Unreadable)),
            Question::Open(index) => {
                self.open = self.messages[index].clone().map(|text| (text, 0));
                Answer::Opened(Ok(()))
            }
            Question::Remove(indexes) => {
                let (failed, done): (Vec<_>, Vec<_>) = indexes.into_iter().partition(|index| self.setup.stuck == Some(index + 1));
                done.into_iter().for_each(|index| self.messages[index] = None);
                Answer::Removed(failed)
            }
        }
    }

    fn log_in(&self, name: &str, password: &str) -> Result<Arc<dyn Maildrop>, Denied> {
        match self.setup.broken.as_deref() {
            Some("accounts") => return Err(Denied::AccountsUnreadable),
            Some("mailbox") => return Err(Denied::MailboxUnreadable),
            Some("logins") => return Err(Denied::LoginsBusy),
            Some("failures") => return Err(Denied::TooManyFailures { wait: Duration::from_secs(30) }),
            _ => {}
        }
        match name.to_lowercase().as_str() {
            "alice" | "alice@example.org" if password == PASSWORD && self.setup.in_use => Err(Denied::InUse),
            "alice" | "alice@example.org" if password == PASSWORD => {
                let octets = self.messages.iter().flatten().map(|text| {
                    let mut measure = Measure::default();
                    measure.take(text);
                    measure.end()
                });
                Ok(Arc::new(Drop(octets.collect())))
            }
            "sam" if password == PASSWORD => Err(Denied::Suspended),
            _ => Err(Denied::WrongPassword),
        }
    }

    fn gather(&mut self) {
        let said = String::from_utf8_lossy(&std::mem::take(&mut self.output)).into_owned();
        let mut rest = said.as_str();
        while let Some((line, after)) = rest.split_once("\r\n") {
            self.lines.push_back(line.to_owned());
            rest = after;
        }
        self.output = rest.as_bytes().to_vec();
    }
}

impl Transport for Pure {
    fn send(&mut self, octets: &[u8]) {
        if !self.closed {
            self.input.extend_from_slice(octets);
            self.run();
        }
    }
    fn line(&mut self) -> Option<String> {
        self.gather();
        assert!(self.output.is_empty(), "half a line: {}", self.output.escape_ascii());
        self.lines.pop_front()
    }
    fn is_closed(&mut self) -> bool {
        self.closed
    }
    fn handshake(&mut self) {
        assert!(self.securing && self.line().is_none(), "the server waits for no handshake");
        assert!(self.input.is_empty(), "octets in clear are left: {:?}", self.input);
        self.securing = false;
        self.session.encrypted(self.now);
    }
    fn wait(&mut self, time: Duration) {
        self.now += time;
        if !self.closed && self.session.deadline() <= self.now {
            self.session.expire(&mut self.output);
            self.run();
            assert!(self.closed);
        }
    }
    fn shut_down(&mut self) {
        self.session.shut_down(&mut self.output, self.now);
        self.run();
    }
    fn stored(&mut self) -> Option<Vec<Vec<u8>>> {
        Some(self.messages.iter().flatten().cloned().collect())
    }
}

#[test]
fn transcripts_are_played_as_written() {
    check(|_| true, Pure::connect);
}

/// Cuts what is sent, and the messages, into pieces of so many octets.
struct Cut {
    pure: Pure,
    sizes: Vec<usize>,
}

impl Cut {
    fn connect(setup: &Setup, sizes: &[usize]) -> Self {
        Self { pure: Pure { piece: sizes[0], ..Pure::connect(setup) }, sizes: sizes.to_vec() }
    }
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

#[test]
fn transcripts_do_not_depend_on_how_octets_arrive_one_by_one() {
    check(|setup| !setup.whole, |setup| Cut::connect(setup, &[1]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn transcripts_do_not_depend_on_how_octets_arrive(sizes in proptest::collection::vec(1usize..40, 1..8)) {
        check(|setup| !setup.whole, |setup| Cut::connect(setup, &sizes));
    }
}

/// A client that goes away before the end of its `QUIT` has removed nothing, wherever it stops.
#[test]
fn a_client_that_goes_away_removes_nothing() {
    let text = "% message one\\n\n% message two\\n\nC: USER alice\nC: PASS wonder land\nC: DELE 1\nC: RETR 2\nC: DELE 2\nC: QUIT\n";
    let transcript = Transcript::parse("", text);
    let octets = transcript.sent();
    for at in 0..octets.len() {
        let mut pure = Pure::connect(&transcript.setup);
        pure.send(&octets[..at]);
        assert_eq!(pure.messages.iter().flatten().count(), 2, "{}", octets[..at].escape_ascii());
        assert!(!pure.closed);
    }
    let mut pure = Pure::connect(&transcript.setup);
    pure.send(&octets);
    assert!(pure.closed && pure.messages.iter().all(Option::is_none));
}

/// However many answers a read asks for, and however long they are, output waits in bounded pieces: `Pure` checks it.
#[test]
fn pipelined_listings_of_a_large_mailbox_come_in_pieces() {
    let mut setup = Transcript::parse("", "").setup;
    setup.messages = vec![b"x\n".to_vec(); 20_000];
    let mut pure = Pure::connect(&setup);
    pure.send(b"USER alice\r\nPASS wonder land\r\n");
    pure.send(&b"UIDL\r\nLIST\r\n".repeat(20));
    pure.gather();
    assert_eq!(pure.lines.iter().filter(|line| line.as_str() == ".").count(), 40);
    assert_eq!(pure.lines.iter().filter(|line| line.as_str() == "20000 m20000").count(), 20);
}

/// What nobody asked for changes nothing.
#[test]
fn stray_answers_and_texts_are_ignored() {
    let now = Instant::now();
    let mut pure = Pure::connect(&Transcript::parse("", "% message one\\n").setup);
    for line in [&b""[..], b"USER alice\r\nPASS wonder land\r\n"] {
        pure.send(line);
        pure.output.clear();
        for answer in [Answer::Login(Err(Denied::InUse)), Answer::Opened(Ok(())), Answer::Removed(vec![0])] {
            pure.session.answer(answer, &mut pure.output, now);
        }
        pure.session.text(b"text", &mut pure.output, now);
        pure.session.text_ended(&mut pure.output, now);
        assert!(pure.output.is_empty());
    }
}

/// Half a message must not look like a whole one.
#[test]
fn a_message_that_is_lost_on_the_way_ends_the_connection() {
    let mut pure = Pure::connect(&Transcript::parse("", "% message one\\n").setup);
    pure.send(b"USER alice\r\nPASS wonder land\r\n");
    let mut input = BytesMut::from(&b"RETR 1\r\n"[..]);
    let (mut output, now) = (Vec::new(), Instant::now());
    assert!(matches!(pure.session.advance(&mut input, &mut output, now), Step::Ask(Question::Open(0))));
    pure.session.answer(Answer::Opened(Ok(())), &mut output, now);
    pure.session.text(b"on", &mut output, now);
    pure.session.text_lost();
    assert!(matches!(pure.session.advance(&mut input, &mut output, now), Step::Close));
    assert_eq!(output, b"+OK 5 octets\r\non");
}

/// There is a transcript for each reply that a session gives of its own accord.
#[test]
fn transcripts_cover_the_replies_of_a_session() {
    let expected: Vec<String> = all()
        .into_iter()
        .flat_map(|transcript| transcript.events)
        .filter_map(|(_, event)| if let Event::Reply(line) = event { Some(line) } else { None })
        .collect();
    for start in [
        "+OK mx.example.org POP3",
        "+OK Now the password",
        "+OK 2 messages (",
        "+OK 2 ",
        "+OK 1 m1",
        "+OK 1 ",
        "+OK UTF8",
        "+OK Begin TLS",
        "+ ",
        "+OK Message 1 is deleted",
        "+OK mx.example.org says goodbye",
        "+OK 1 messages removed",
        "+OK The top",
        "+OK Unique ids",
        "+OK Capabilities",
        "+OK Mechanisms",
        "-ERR [SYS/TEMP] Some deleted",
        "-ERR [SYS/TEMP] mx.example.org is stopping",
        "-ERR Too many errors",
        "-ERR Command not",
        "-ERR APOP is not offered",
        "-ERR STLS is not offered",
        "-ERR Line too long",
        "-ERR NUL",
        "-ERR The line ends in LF",
        "-ERR Syntax",
        "-ERR Log in first",
        "-ERR Already logged in",
        "-ERR USER first",
        "-ERR TLS is active",
        "-ERR [AUTH] Passwords are not",
        "-ERR Mechanism not",
        "-ERR Authentication cancelled",
        "-ERR That is not",
        "-ERR [AUTH] Name or password",
        "-ERR [AUTH] The account is suspended",
        "-ERR [SYS/TEMP] Too many failed",
        "-ERR [SYS/TEMP] Too many logins",
        "-ERR [IN-USE]",
        "-ERR [SYS/TEMP] Accounts",
        "-ERR [SYS/TEMP] The mailbox",
        "-ERR No such message",
        "-ERR Message 1 is deleted",
        "-ERR Message 1 is gone",
        "-ERR [SYS/TEMP] Message 1 cannot",
    ] {
        assert!(expected.iter().any(|line| line.starts_with(start)), "no transcript has `{start}`");
    }
}
