//! The loop that drives a POP3 session, over whatever carries its octets.
//!
//! Bounds: input holds a read of [`COMMANDS`] octets, output some [`BLOCK`] octets more than what a client has taken, a
//! message one piece. A client that takes nothing of what it asked for is dropped after `pop3.stall_timeout`. A session that
//! has been idle for a second holds its mailbox's listing, and no buffer worth mentioning.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::coop;
use tokio::time;

use super::answers::{self, Mailbox, Text};
use crate::mail::Name;
use crate::protocol::pop3::{Answer, Question, Session, Step};
use crate::server::Service;
use crate::server::drive::{Carrier, linger, stopping};
use crate::telemetry::Event;
use crate::telemetry::event::Visit;

/// Octets read at a time.
const COMMANDS: usize = 4096;

/// Octets of a message that are gathered before they are sent.
const BLOCK: usize = 64 * 1024;

/// Octets of the input buffer of an idle session.
const IDLE: usize = 512;

/// How long a session that says nothing keeps its buffers: a client at work asks again in less, and making them anew each
/// time would cost more than the message.
const AT_WORK: Duration = Duration::from_secs(1);

/// Why the loop ended.
#[derive(Debug)]
pub enum Ending {
    /// The session is over, and the peer has been told.
    Closed,
    /// The session wants a TLS handshake on the bare stream.
    StartTls,
    /// The handshake that the session wanted failed.
    Handshake(io::Error),
    /// The peer or the network went away.
    Lost(io::Error),
}

/// What was done in a session, for the log.
#[derive(Debug, Default)]
struct Done {
    retrieved: u64,
    octets: u64,
    deleted: u64,
}

/// One session and the world's side of it.
pub struct Driver {
    session: Session,
    service: Arc<Service>,
    address: Option<IpAddr>,
    client: Arc<str>,
    mailbox: Option<Mailbox>,
    /// The mailbox that was this session's, for the log.
    visited: Option<Name>,
    text: Option<Text>,
    stopping: Option<watch::Receiver<bool>>,
    stall_timeout: Duration,
    input: BytesMut,
    output: Vec<u8>,
    piece: Vec<u8>,
    /// The client has said something lately.
    at_work: bool,
    done: Done,
}

impl Driver {
    /// Takes a session that has not greeted yet, and what was read before it.
    pub fn new(service: Arc<Service>, session: Session, input: BytesMut, address: Option<IpAddr>) -> Self {
        let stopping = Some(service.stopping.subscribe());
        let client = address.map_or_else(|| "local socket".to_owned(), |address| address.to_string()).into();
        let stall_timeout = service.rules.load().server.stall_timeout;
        let (mailbox, visited, text, output, piece) = (None, None, None, Vec::new(), Vec::new());
        Self {
            session,
            service,
            address,
            client,
            mailbox,
            visited,
            text,
            stopping,
            stall_timeout,
            input,
            output,
            piece,
            at_work: true,
            done: Done::default(),
        }
    }

    /// The client, for the log.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// What was read before the session.
    pub fn take_input(&mut self) -> BytesMut {
        std::mem::take(&mut self.input)
    }

    /// Greets, then goes on until the end.
    pub async fn greet<S: Carrier>(&mut self, stream: &mut S) -> Ending {
        self.session.greet(&mut self.output);
        self.run(stream).await
    }

    /// Goes on after the handshake that [`Ending::StartTls`] asked for. What came before it is gone already.
    pub async fn resume<S: Carrier>(&mut self, stream: &mut S) -> Ending {
        self.session.encrypted(Instant::now());
        self.run(stream).await
    }

    /// Says what is to be said of a connection that has ended.
    pub fn conclude(&self, ending: &Ending) {
        let client = self.client.as_ref();
        match ending {
            Ending::Closed | Ending::StartTls => {}
            Ending::Handshake(error) => Event::TlsFailed { client, cause: &error.to_string() }.say(),
            Ending::Lost(error) => Event::ConnectionLost { client, cause: &error.to_string() }.say(),
        }
        if let Some(name) = &self.visited {
            let Done { retrieved, octets, deleted } = self.done;
            let tls = self.session.is_encrypted();
            Event::MailboxVisited(Visit { mailbox: name.as_str(), client, tls, retrieved, octets, deleted }).say();
        }
    }

    async fn run<S: Carrier>(&mut self, stream: &mut S) -> Ending {
        loop {
            let done = match self.session.advance(&mut self.input, &mut self.output, Instant::now()) {
                Step::Read => self.wait(stream).await,
                Step::Write => self.flush(stream).await,
                Step::Ask(question) => self.answer(question).await,
                Step::Text => self.pass_on(stream).await,
                Step::StartTls => return self.hand_over(stream).await,
                Step::Close => return self.close(stream).await,
            };
            if let Err(error) = done {
                return Ending::Lost(error);
            }
        }
    }

    async fn answer(&mut self, question: Question) -> io::Result<()> {
        let answer = match (question, &mut self.mailbox) {
            (Question::Login(credentials), _) => {
                let let_in = answers::log_in(&self.service, &credentials, self.address, &self.client).await;
                Answer::Login(let_in.map(|(mailbox, listing)| {
                    self.visited = Some(mailbox.name.clone());
                    self.mailbox = Some(mailbox);
                    listing
                }))
            }
            (Question::Open(index), Some(mailbox)) => {
                let opened = mailbox.open(index).await;
                self.done.retrieved += u64::from(opened.is_ok());
                Answer::Opened(opened.map(|text| self.text = Some(text)))
            }
            (Question::Remove(indexes), Some(mailbox)) => {
                let wanted = indexes.len();
                let failed = mailbox.remove(&self.service, indexes).await;
                self.done.deleted = (wanted - failed.len()) as u64;
                Answer::Removed(failed)
            }
            (Question::Open(_) | Question::Remove(_), None) => return Err(io::Error::other("nobody has logged in")),
        };
        self.session.answer(answer, &mut self.output, Instant::now());
        // Whatever was in memory was answered without a pause: others have their turn.
        coop::consume_budget().await;
        Ok(())
    }

    /// Hands a piece of the open message to the session, and what became of it to the client.
    async fn pass_on<S: Carrier>(&mut self, stream: &mut S) -> io::Result<()> {
        let now = Instant::now();
        let read = match &mut self.text {
            Some(text) => text.next(&mut self.piece).await,
            None => Ok(0),
        };
        match read {
            Ok(0) => {
                self.text = None;
                self.session.text_ended(&mut self.output, now);
            }
            Ok(read) => {
                self.done.octets += read as u64;
                self.session.text(self.piece.get(..read).unwrap_or_default(), &mut self.output, now);
            }
            Err(error) => {
                self.text = None;
                self.session.text_lost();
                return Err(error);
            }
        }
        if self.output.len() >= BLOCK { self.flush(stream).await } else { Ok(()) }
    }

    /// Sends what is pending, then waits for input, the deadline, or the server's end.
    async fn wait<S: Carrier>(&mut self, stream: &mut S) -> io::Result<()> {
        self.flush(stream).await?;
        // TOP may have left the end of a message unread.
        self.text = None;
        self.input.reserve(if self.at_work { COMMANDS } else { IDLE });
        let deadline = self.session.deadline();
        let pause = if self.at_work { deadline.min(Instant::now() + AT_WORK) } else { deadline };
        tokio::select! {
            biased;
            () = stopping(&mut self.stopping) => {
                self.stopping = None;
                self.session.shut_down(&mut self.output, Instant::now());
            }
            read = stream.read_buf(&mut self.input) => {
                if read? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.at_work = true;
            }
            () = time::sleep_until(pause.into()) => {
                if pause < deadline {
                    self.forget_buffers();
                } else {
                    self.session.expire(&mut self.output);
                }
            }
        }
        Ok(())
    }

    /// Buffers go with silence.
    fn forget_buffers(&mut self) {
        self.at_work = false;
        self.piece = Vec::new();
        self.output = Vec::new();
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Sends what is pending. As long as the client takes some of it now and then, it may take its time.
    async fn flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let stalled = || io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of what it asked for");
        let mut rest = self.output.as_slice();
        while !rest.is_empty() {
            let taken = time::timeout(self.stall_timeout, stream.write(rest)).await.map_err(|_| stalled())??;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        time::timeout(self.stall_timeout, stream.flush()).await.map_err(|_| stalled())??;
        self.output.clear();
        Ok(())
    }

    /// RFC 2595 §4: what the client sent before the handshake is thrown away.
    async fn hand_over<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Ending {
        self.input = BytesMut::new();
        match self.flush(stream).await {
            Ok(()) => Ending::StartTls,
            Err(error) => Ending::Lost(error),
        }
    }

    /// The mailbox is free before the client hears goodbye: it may come back at once.
    async fn close<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Ending {
        self.mailbox = None;
        match self.flush(stream).await {
            Ok(()) => {
                linger(stream).await;
                Ending::Closed
            }
            Err(error) => Ending::Lost(error),
        }
    }
}
