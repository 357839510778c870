//! A session without sockets, in a world that lies in memory.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use restante::mail::{ForwardPath, QueueId};
use restante::protocol::smtp::{Answer, Dialect, Peer, Question, Reply, Session, Settings, Step};

use crate::transcript::{Broken, HOST, Setup, Transport, refusal};

/// Both ends of a connection.
pub struct Pure {
    pub session: Session,
    dialect: Dialect,
    broken: Option<Broken>,
    now: Instant,
    input: BytesMut,
    pub output: Vec<u8>,
    body: Vec<u8>,
    lines: VecDeque<String>,
    pub stored: Vec<Vec<u8>>,
    pub closed: bool,
    securing: bool,
}

impl Pure {
    /// A connection that was greeted.
    pub fn connect(setup: &Setup) -> Self {
        Self::early(setup, b"")
    }

    /// A connection whose client has talked before the greeting.
    pub fn early(setup: &Setup, input: &[u8]) -> Self {
        let settings = Settings {
            hostname: HOST.to_owned(),
            max_message_size: setup.max_message_size,
            max_recipients: setup.max_recipients,
            max_errors: setup.max_errors,
            max_line: setup.max_line,
            bare_newline: setup.bare_newline,
            vrfy: setup.vrfy,
            command_timeout: Duration::from_secs(300),
            min_rate: setup.min_rate,
        };
        let peer = Peer { address: Some(IpAddr::from([192, 0, 2, 1])), name: None, trust: setup.trust };
        let now = Instant::now();
        let mut pure = Self {
            session: Session::new(setup.dialect, Arc::new(settings), peer, setup.encryption, now),
            dialect: setup.dialect,
            broken: setup.broken,
            now,
            input: BytesMut::from(input),
            output: Vec::new(),
            body: Vec::new(),
            lines: VecDeque::new(),
            stored: Vec::new(),
            closed: false,
            securing: false,
        };
        let step = pure.session.greet(&pure.input, &mut pure.output);
        pure.closed = step == Step::Close;
        pure
    }

    /// Goes on until the session wants more input.
    fn run(&mut self) {
        while !self.closed && !self.securing {
            match self.session.advance(&mut self.input, &mut self.output, &mut self.body, self.now) {
                Step::Read => return,
                Step::Ask(question) => {
                    let answer = self.answer(question);
                    self.session.answer(answer, &mut self.output, self.now);
                }
                Step::Discard => self.body.clear(),
                Step::StartTls => self.securing = true,
                Step::Close => self.closed = true,
            }
        }
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Recipient(recipient) => Answer::Recipient(match &recipient.path {
                ForwardPath::Postmaster => Ok(()),
                ForwardPath::Mailbox(mailbox) => {
                    mailbox.address().map_or(Err(Reply::RelayDenied), |to| refusal(to.local(), to.domain().as_str()).map_or(Ok(()), Err))
                }
            }),
            Question::Begin => Answer::Begin(if self.broken == Some(Broken::Begin) { Err(Reply::DiskFull) } else { Ok(()) }),
            Question::Commit => Answer::Committed(self.commit()),
        }
    }

    fn commit(&mut self) -> Vec<Reply> {
        let envelope = self.session.envelope().expect("an envelope");
        let outcomes = envelope.recipients.iter().map(|recipient| match &recipient.path {
            _ if self.broken == Some(Broken::Commit) => Reply::StorageFailed,
            ForwardPath::Mailbox(mailbox) if mailbox.local() == "brim" && self.dialect == Dialect::Lmtp => Reply::MailboxFull,
            _ => Reply::Queued { id: QueueId::new(1) },
        });
        let outcomes: Vec<_> = outcomes.collect();
        let body = std::mem::take(&mut self.body);
        if self.broken.is_none() {
            self.stored.push(body);
        }
        outcomes
    }

    /// Octets of message text that are held at the moment.
    pub fn held(&self) -> usize {
        self.body.len()
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
        let said = String::from_utf8(std::mem::take(&mut self.output)).expect("replies are ASCII");
        assert!(said.is_empty() || said.ends_with("\r\n"), "{said:?}");
        self.lines.extend(said.split_terminator("\r\n").map(str::to_owned));
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
            assert_eq!(self.session.expire(&mut self.output, self.now), Step::Close);
            self.closed = true;
        }
    }

    fn shut_down(&mut self) {
        match self.session.shut_down(&mut self.output) {
            Step::Close => self.closed = true,
            _ => self.run(),
        }
    }

    fn stored(&mut self) -> Option<Vec<Vec<u8>>> {
        Some(self.stored.clone())
    }
}
