//! The one loop that drives a session, over whatever carries its bytes.
//!
//! Reads when the session wants input, carries out its steps, and writes what it has to say before it would wait: replies
//! of a pipelined group leave together (RFC 2920 §3.2). Bounds: the input buffer holds [`COMMANDS`] octets, or [`TEXT`] up
//! to [`DATA`] while message text flows; output waits for no more input than that; a peer that does not read is
//! dropped after the command timeout. An idle session holds no buffer worth mentioning.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::task::coop;
use tokio::time;
use tokio_rustls::server::TlsStream;

use super::Service;
use super::answers;
use super::transaction::Transaction;
use crate::mail::Network;
use crate::protocol::smtp::{Session, Step};
use crate::telemetry::Event;

/// Octets read at a time from a peer that was idle: most commands.
const IDLE: usize = 512;

/// Octets read at a time while commands come. It also bounds the replies that one read can cause.
const COMMANDS: usize = 4096;

/// Octets read at a time when message text begins: most short messages.
const TEXT: usize = 16 * 1024;

/// Octets read at a time while message text comes, as long as reads fill it.
const DATA: usize = 64 * 1024;

/// Message text is handed on in pieces of this size: each may cost a change of threads.
const PIECE: usize = 64 * 1024;

/// How long a closing connection waits for the peer's close. Closing at once with input unread would make the kernel
/// send a reset, which can overtake our last reply (RFC 1122 §4.2.2.13).
const LINGER: Duration = Duration::from_millis(500);

/// Octets that a closing connection still reads, and ignores.
const LINGER_OCTETS: usize = 256 * 1024;

/// How long an SMTP client is listened to before it is greeted: a spammer's that talks at once gives itself away (the reply is
/// `554`), an honest one loses less than its first round trip over any network.
const GREETING_PAUSE: Duration = Duration::from_millis(3);

/// What carries a session's bytes.
pub trait Carrier: AsyncRead + AsyncWrite + Unpin {
    /// Acknowledges at once what has been read. A client whose system holds small segments back until then (RFC 896)
    /// would otherwise wait with the end of its message for our delayed acknowledgement, 40 ms on Linux.
    fn acknowledge(&self);
    /// Whether there is something to read, or its end, where that can be told without waiting.
    fn has_input(&self) -> Option<bool> {
        None
    }
    /// Whether TLS makes sense on it.
    fn can_encrypt(&self) -> bool {
        true
    }
}

impl Carrier for TcpStream {
    fn acknowledge(&self) {
        // A hint: without it the message comes later.
        let _ = rustix::net::sockopt::set_tcp_quickack(self, true);
    }
    fn has_input(&self) -> Option<bool> {
        match rustix::net::recv(self, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok(_) => Some(true),
            Err(Errno::WOULDBLOCK) => Some(false),
            Err(_) => None,
        }
    }
}

impl Carrier for UnixStream {
    fn acknowledge(&self) {}
    fn can_encrypt(&self) -> bool {
        false
    }
}

impl<S: Carrier> Carrier for TlsStream<S> {
    fn acknowledge(&self) {
        self.get_ref().0.acknowledge();
    }
}

/// Whether a client may be made to wait for its greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// Anybody may connect: who talks first is found out.
    Tested(Network),
    /// The other end is a system of our own.
    Trusted,
}

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

/// One session and the world's side of it.
pub struct Driver {
    session: Session,
    service: Arc<Service>,
    transaction: Transaction,
    name: Option<oneshot::Receiver<String>>,
    stopping: Option<watch::Receiver<bool>>,
    write_timeout: Duration,
    chunk: usize,
    filled: bool,
    flowing: bool,
    input: BytesMut,
    output: Vec<u8>,
    text: Vec<u8>,
}

/// What a wait for input ended with.
enum Woken {
    Read(io::Result<usize>),
    Deadline,
    Stopping,
    Named(Option<String>),
}

impl Driver {
    /// Takes a session that has not greeted yet, what was read before it, and the name that may still come.
    pub fn new(service: Arc<Service>, session: Session, early: BytesMut, name: Option<oneshot::Receiver<String>>) -> Self {
        let stopping = Some(service.stopping.subscribe());
        let transaction = Transaction::new(&service);
        let write_timeout = service.rules.load().session.command_timeout;
        let (output, text) = (Vec::new(), Vec::new());
        Self {
            session,
            service,
            transaction,
            name,
            stopping,
            write_timeout,
            chunk: IDLE,
            filled: false,
            flowing: false,
            input: early,
            output,
            text,
        }
    }

    /// Greets, unless the peer has talked already; then goes on until the end.
    pub async fn greet<S: Carrier>(&mut self, stream: &mut S, manners: Manners) -> Ending {
        if let Manners::Tested(client) = manners
            && self.input.is_empty()
            && let Err(gone) = self.listen(stream, client).await
        {
            return Ending::Lost(gone);
        }
        let step = self.session.greet(&self.input, &mut self.output);
        self.run(stream, step).await
    }

    /// Gives the client an opportunity to talk first; one that is known not to has had it already.
    async fn listen<S: Carrier>(&mut self, stream: &mut S, client: Network) -> io::Result<()> {
        let patience = &self.service.patience;
        if patience.spares(client) && stream.has_input() == Some(false) {
            return Ok(());
        }
        let mut early = [0; 1];
        match time::timeout(GREETING_PAUSE, stream.read(&mut early)).await {
            Err(_silence) => patience.waited(client),
            Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(_)) => {
                patience.talked(client);
                self.input.extend_from_slice(&early);
            }
            Ok(Err(error)) => return Err(error),
        }
        Ok(())
    }

    /// Goes on after the handshake that [`Ending::StartTls`] asked for. What came before it is gone already.
    pub async fn resume<S: Carrier>(&mut self, stream: &mut S) -> Ending {
        self.session.encrypted(Instant::now());
        self.run(stream, Step::Read).await
    }

    /// Says what is to be said of a connection that has ended.
    pub fn conclude(&self, ending: &Ending, client: &str) {
        match ending {
            Ending::Closed | Ending::StartTls => {}
            Ending::Handshake(error) => Event::TlsFailed { client, cause: &error.to_string() }.say(),
            Ending::Lost(error) => Event::ConnectionLost { client, cause: &error.to_string() }.say(),
        }
        match self.transaction.refusals_omitted() {
            0 => {}
            count => Event::RefusalsOmitted { client, count }.say(),
        }
    }

    async fn run<S: Carrier>(&mut self, stream: &mut S, first: Step) -> Ending {
        let mut step = first;
        loop {
            let done = match step {
                Step::Read => self.wait(stream).await,
                Step::Ask(question) => {
                    answers::answer(&self.service, &mut self.session, &mut self.transaction, question, &mut self.output).await;
                    coop::consume_budget().await;
                    Ok(None)
                }
                Step::Discard => {
                    self.transaction.discard_body();
                    Ok(None)
                }
                Step::StartTls => return self.hand_over(stream).await,
                Step::Close => return self.close(stream).await,
            };
            step = match done {
                Ok(Some(step)) => step,
                Ok(None) => self.advance().await,
                Err(e) => return Ending::Lost(e),
            };
        }
    }

    /// Lets the session go on, and hands on the text that it found.
    async fn advance(&mut self) -> Step {
        let before = self.text.len();
        let step = self.session.advance(&mut self.input, &mut self.output, &mut self.text, Instant::now());
        self.flowing = self.text.len() > before && matches!(step, Step::Read);
        if self.session.envelope().is_none() {
            self.transaction.forget_recipients();
        }
        if matches!(step, Step::Discard) {
            self.text.clear();
        }
        if self.text.len() >= PIECE || (!self.text.is_empty() && !matches!(step, Step::Read)) {
            self.transaction.take(&self.service, &mut self.text).await;
        }
        self.fit_buffers();
        step
    }

    /// Buffers grow while text fills them, within the memory that all sessions share, and shrink with silence.
    fn fit_buffers(&mut self) {
        if !self.flowing {
            let busy = self.filled || !self.input.is_empty();
            self.chunk = if self.session.awaits_text() {
                TEXT
            } else if busy {
                COMMANDS
            } else {
                IDLE
            };
            if self.text.capacity() > COMMANDS && self.text.is_empty() {
                self.text = Vec::new();
            }
        } else if self.filled && self.chunk < DATA && self.transaction.buffers(2 * self.chunk + PIECE).is_ok() {
            self.chunk *= 2;
        }
        if self.input.is_empty() && self.input.capacity() > self.chunk {
            self.input = BytesMut::new();
        }
    }

    /// Sends what is pending, then waits for input, the deadline, the server's end, or the peer's name.
    async fn wait<S: Carrier>(&mut self, stream: &mut S) -> io::Result<Option<Step>> {
        self.flush(stream).await?;
        if self.flowing {
            stream.acknowledge();
        }
        self.input.reserve(self.chunk);
        let deadline = self.session.deadline().into();
        let woken = tokio::select! {
            biased;
            () = stopping(&mut self.stopping) => Woken::Stopping,
            read = stream.read_buf(&mut self.input) => Woken::Read(read),
            name = named(&mut self.name) => Woken::Named(name),
            () = time::sleep_until(deadline) => Woken::Deadline,
        };
        Ok(match woken {
            Woken::Read(read) => {
                let read = read?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.filled = read >= self.chunk;
                None
            }
            Woken::Deadline => Some(self.session.expire(&mut self.output, Instant::now())),
            Woken::Stopping => {
                self.stopping = None;
                Some(self.session.shut_down(&mut self.output))
            }
            Woken::Named(name) => {
                self.name = None;
                if let Some(name) = name {
                    self.session.named(name);
                }
                Some(Step::Read)
            }
        })
    }

    async fn flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let write = async {
            stream.write_all(&self.output).await?;
            stream.flush().await
        };
        time::timeout(self.write_timeout, write).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        self.output.clear();
        if self.output.capacity() > IDLE {
            self.output = Vec::new();
        }
        Ok(())
    }

    /// RFC 3207 §4.2: what the client sent before the handshake is thrown away.
    async fn hand_over<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Ending {
        self.input = BytesMut::new();
        self.transaction.clear();
        match self.flush(stream).await {
            Ok(()) => Ending::StartTls,
            Err(e) => Ending::Lost(e),
        }
    }

    async fn close<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Ending {
        self.transaction.clear();
        match self.flush(stream).await {
            Ok(()) => {
                linger(stream).await;
                Ending::Closed
            }
            Err(e) => Ending::Lost(e),
        }
    }
}

/// Says that nothing more comes, and reads on for a moment.
pub(super) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let drain = async {
        stream.shutdown().await?;
        let (mut ignored, mut left) = ([0; IDLE], LINGER_OCTETS);
        loop {
            match stream.read(&mut ignored).await? {
                0 => return io::Result::Ok(()),
                read if read > left => return Ok(()),
                read => left -= read,
            }
        }
    };
    // Whatever happens now, the connection is over.
    let _ = time::timeout(LINGER, drain).await;
}

pub(super) async fn stopping(signal: &mut Option<watch::Receiver<bool>>) {
    match signal {
        // An error means that the server is gone already.
        Some(signal) => drop(signal.wait_for(|stopping| *stopping).await),
        None => std::future::pending().await,
    }
}

async fn named(name: &mut Option<oneshot::Receiver<String>>) -> Option<String> {
    match name {
        Some(name) => name.await.ok(),
        None => std::future::pending().await,
    }
}
