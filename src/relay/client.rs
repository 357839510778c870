//! A connection to one host: opened, used for one message after the other, closed.
//!
//! Drives a [`Session`] and puts its findings into words. Promises one answer for each recipient, and never *delivered* where the server
//! has not said so.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::Instant;

use super::outgoing::Outgoing;
use super::reading::{self, Reading};
use super::settings::{Settings, Timeouts, Tls};
use super::tls::{Trust, Worth};
use super::verdict::{Diagnostic, Remote, Security, Status, SuccessReport, Taken, Trouble, Verdict};
use super::wire::{self, Wire};
use crate::mail::envelope::Charset;
use crate::mail::{BodyType, Envelope, ForwardPath, Recipient};
use crate::protocol::smtp::client::command::{self, Commands};
use crate::protocol::smtp::client::{self, Encoder, Encrypt, Fate, Heard, Login, Obstacle, Outcome, Session, Step, Wait};

/// Octets of text that are gathered before they are sent.
const BLOCK: usize = 64 * 1024;

/// What a connection is to be like.
pub(super) struct Manner<'a> {
    pub settings: &'a Settings,
    pub trust: &'a Trust,
    pub tls: Tls,
    /// TLS from the first octet.
    pub implicit_tls: bool,
    pub login: Option<Login>,
    /// Whether commands may be sent ahead of replies.
    pub pipelining: bool,
}

/// Why a connection cannot be had.
pub(super) enum NotOpened {
    /// The handshake failed: without TLS it may work.
    Handshake(Trouble),
    /// Everything else.
    Other(Trouble),
}

impl NotOpened {
    pub fn trouble(self) -> Trouble {
        match self {
            Self::Handshake(trouble) | Self::Other(trouble) => trouble,
        }
    }
}

/// A connection over which messages can be sent.
pub(super) struct Connection {
    wire: Wire,
    session: Session,
    input: BytesMut,
    output: Vec<u8>,
    remote: Remote,
    timeouts: Timeouts,
    /// Messages so far.
    pub messages: usize,
    /// Replies failed to come, or came where none was due, while commands were sent ahead.
    confused: bool,
}

/// What one attempt says of one recipient.
pub(super) enum Answer {
    /// The last word of this attempt.
    Final(Verdict),
    /// The server takes no more recipients with this message; another transaction may.
    TooMany(Trouble),
    /// The server does not want this message now, and has not seen its text: another server of the domain may take it.
    NotNow(Trouble),
    /// There was no answer, and the message was not sent whole: nobody has it.
    Lost(Trouble),
}

impl Connection {
    /// Connects, greets, protects, and logs in.
    pub async fn open(manner: &Manner<'_>, name: &str, address: SocketAddr) -> Result<Self, NotOpened> {
        let timeouts = manner.settings.timeouts;
        let mut remote = Remote { name: name.to_owned(), address: Some(address.ip()), security: Security::Clear };
        let stream = wire::connect(address, &manner.settings.sources, timeouts.connect).await;
        let stream = stream.map_err(|error| NotOpened::Other(unreachable(&error, &remote)))?;
        let session = Session::new(manner.session(address.ip()));
        let wire = if manner.implicit_tls {
            let (stream, worth) = manner
                .trust
                .connect(stream, name, address.ip(), timeouts.command)
                .await
                .map_err(|error| NotOpened::Other(ours(Status::new(4, 7, 5), format!("the TLS handshake failed: {error}"), &remote)))?;
            protected(&mut remote, manner.tls, &worth)?;
            Wire::Tls(Box::new(stream))
        } else {
            Wire::Clear(stream)
        };
        let (input, output) = (BytesMut::new(), Vec::new());
        let mut connection = Self { wire, session, input, output, remote, timeouts, messages: 0, confused: false };
        connection.get_ready(manner, name, address.ip()).await?;
        Ok(connection)
    }

    /// From the greeting to the point where a message can be sent.
    async fn get_ready(&mut self, manner: &Manner<'_>, name: &str, address: IpAddr) -> Result<(), NotOpened> {
        let mut step = Step::Read(Wait::Command);
        loop {
            step = match self.go_on(step).await.map_err(|error| NotOpened::Other(self.lost(&error)))? {
                Step::Ready => return Ok(()),
                Step::Handshake => {
                    self.protect(manner, name, address).await?;
                    self.session.encrypted(&mut self.output)
                }
                Step::Failed(obstacle) => return Err(NotOpened::Other(hindered(obstacle, &self.remote))),
                _ => return Err(NotOpened::Other(ours(Status::new(4, 4, 2), "the host closed the conversation", &self.remote))),
            }
        }
    }

    async fn protect(&mut self, manner: &Manner<'_>, name: &str, address: IpAddr) -> Result<(), NotOpened> {
        self.input.clear();
        let failed = |error: &io::Error, remote: &Remote| {
            NotOpened::Handshake(ours(Status::new(4, 7, 5), format!("the TLS handshake failed: {error}"), remote))
        };
        let Wire::Clear(stream) = std::mem::replace(&mut self.wire, Wire::Closed) else {
            return Err(failed(&io::ErrorKind::NotConnected.into(), &self.remote));
        };
        match manner.trust.connect(stream, name, address, self.timeouts.command).await {
            Ok((stream, worth)) => {
                self.wire = Wire::Tls(Box::new(stream));
                protected(&mut self.remote, manner.tls, &worth)
            }
            Err(error) => Err(failed(&error, &self.remote)),
        }
    }

    /// Reads until there is something else to do.
    async fn go_on(&mut self, mut step: Step) -> io::Result<Step> {
        let mut heard = self.session.heard();
        let mut since = Instant::now();
        while let Step::Read(wait) = step {
            self.wire.write(&mut self.output, self.timeouts.data_block).await?;
            if self.session.heard() != heard {
                (heard, since) = (self.session.heard(), Instant::now());
            }
            // A reply has its time as a whole: one that comes octet by octet does not gain any.
            let deadline = since + self.patience(wait);
            self.wire.read_some(&mut self.input, deadline).await?;
            step = self.session.advance(&mut self.input, &mut self.output);
        }
        Ok(step)
    }

    fn patience(&self, wait: Wait) -> std::time::Duration {
        match wait {
            Wait::Command => self.timeouts.command,
            Wait::Data => self.timeouts.data_begin,
            Wait::End => self.timeouts.data_end,
            Wait::Farewell => self.timeouts.farewell,
        }
    }

    /// Recipients that one transaction may have.
    pub fn most_recipients(&self) -> usize {
        const MOST: usize = 100;
        self.session.offer().recipients.map_or(MOST, |limit| limit.min(MOST))
    }

    /// Whether another message can be sent. Notices what the server has said or done in the meantime.
    pub async fn is_usable(&mut self) -> bool {
        while !self.session.is_over() {
            match self.wire.read_ready(&mut self.input).await {
                Ok(false) => return true,
                Ok(true) => drop(self.session.advance(&mut self.input, &mut self.output)),
                Err(_) => return false,
            }
        }
        false
    }

    /// Whether the conversation has ended.
    pub fn is_over(&self) -> bool {
        self.session.is_over()
    }

    /// Whether the server seems to have lost commands that were sent ahead.
    pub fn lost_its_way(&self) -> bool {
        self.confused && self.session.offer().pipelining
    }

    /// Says goodbye. Whatever the server answers, or does not, is of no interest.
    pub async fn close(mut self) {
        if !self.session.is_over() {
            let step = self.session.quit(&mut self.output);
            let _ = self.go_on(step).await;
        }
    }

    /// Sends the message to some of its recipients, named by their places. One answer for each of `which`, in that order.
    pub async fn send(&mut self, message: &Outgoing, which: &[usize]) -> Vec<Answer> {
        self.messages += 1;
        let mut answers: Vec<Option<Answer>> = which.iter().map(|_| None).collect();
        let (envelope, places) = match self.envelope(message, which, &mut answers).await {
            Ok(fitting) => fitting,
            Err(trouble) => return which.iter().map(|_| Answer::Final(trouble.clone().verdict())).collect(),
        };
        if let (false, Ok(commands)) = (places.is_empty(), Commands::of(&envelope, self.session.offer())) {
            let (outcome, error) = self.transact(commands, message).await;
            self.confused |= outcome.as_ref().is_some_and(|outcome| outcome.fault.is_some());
            self.judge(outcome, error.as_ref(), &places, &mut answers);
        }
        let unsaid = || Answer::Lost(ours(Status::new(4, 5, 0), "nothing was said about this recipient", &self.remote));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unsaid)).collect()
    }

    /// The envelope as this host can take it, and the places of its recipients. Others get their answers here.
    async fn envelope(
        &self,
        message: &Outgoing,
        which: &[usize],
        answers: &mut [Option<Answer>],
    ) -> Result<(Envelope, Vec<usize>), Trouble> {
        let offer = *self.session.offer();
        let refused = |detail: u16, why: String| ours(Status::new(5, 6, detail), why, &self.remote);
        let size = message.size();
        if let Some(limit) = offer.size.flatten().filter(|limit| size > *limit) {
            let why = format!("the message has {size} octets, and the host takes no more than {limit}");
            return Err(ours(Status::new(5, 3, 4), why, &self.remote));
        }
        let in_doubt = (message.body == BodyType::EightBitMime && !offer.eight_bit) || (message.charset == Charset::Utf8 && !offer.utf8);
        let content = if in_doubt {
            reading::content(Arc::clone(&message.text)).await.map_err(|error| self.unreadable(&error))?
        } else {
            Default::default()
        };
        if message.body == BodyType::EightBitMime && !offer.eight_bit && content.eight_bit {
            return Err(refused(3, "the message has 8-bit text, and the host does not offer 8BITMIME".into()));
        }
        if message.charset == Charset::Utf8 && !offer.utf8 && content.utf8_header {
            return Err(refused(9, "the message has UTF-8 in its header, and the host does not offer SMTPUTF8".into()));
        }
        let charset = if offer.utf8 { message.charset } else { Charset::Ascii };
        let needs_utf8 = |whose: &str| refused(7, format!("the {whose} address needs SMTPUTF8, which the host does not offer"));
        if message.sender.mailbox().is_some_and(|sender| command::path(sender, charset).is_err()) {
            return Err(needs_utf8("sender's"));
        }
        let mut envelope = Envelope { size: Some(size), body: message.body, charset, ..Envelope::from_sender(message.sender.clone()) };
        (envelope.ret, envelope.envid) = (message.ret, message.envid.clone());
        let mut places = Vec::with_capacity(which.len());
        for (place, (index, answer)) in which.iter().zip(answers).enumerate() {
            let Some(to) = message.recipients.get(*index) else { continue };
            if command::path(&to.path, charset).is_err() {
                *answer = Some(Answer::Final(needs_utf8("recipient's").verdict()));
                continue;
            }
            let path = ForwardPath::Mailbox(to.path.clone());
            envelope.recipients.push(Recipient { path, notify: to.notify, original: to.original.clone() });
            places.push(place);
        }
        Ok((envelope, places))
    }

    async fn transact(&mut self, commands: Commands, message: &Outgoing) -> (Option<Outcome>, Option<Failure>) {
        let step = self.session.begin(commands, &mut self.output);
        let error = match self.go_on(step).await {
            Ok(Step::Text) => self.send_text(message).await.err(),
            Ok(_) => None,
            Err(error) => {
                self.confused = error.kind() == io::ErrorKind::TimedOut;
                Some(Failure::Network(error))
            }
        };
        (self.session.outcome(), error)
    }

    /// Sends the text, its end, and waits for what the server makes of it.
    async fn send_text(&mut self, message: &Outgoing) -> Result<(), Failure> {
        let mut encoder = Encoder::default();
        let mut text = Reading::of(Arc::clone(&message.text));
        while let Some(part) = text.next().await.map_err(Failure::Text)? {
            encoder.encode(&part, &mut self.output);
            if self.output.len() >= BLOCK {
                let sent = self.wire.write(&mut self.output, self.timeouts.data_block).await;
                if self.was_interrupted().await || sent.is_err() {
                    return sent.map_err(Failure::Network);
                }
            }
        }
        if self.was_interrupted().await {
            return Ok(());
        }
        let step = self.session.sent(&encoder, &self.input, &mut self.output);
        self.go_on(step).await.map(drop).map_err(Failure::Network)
    }

    /// Whether the server has answered before the text was whole: a refusal, which saves the rest.
    async fn was_interrupted(&mut self) -> bool {
        // An error comes back at the next read or write.
        matches!(self.wire.read_ready(&mut self.input).await, Ok(true))
            && self.session.advance(&mut self.input, &mut self.output) != Step::Text
    }

    /// Puts an outcome into words.
    fn judge(&self, outcome: Option<Outcome>, error: Option<&Failure>, places: &[usize], answers: &mut [Option<Answer>]) {
        let Some(outcome) = outcome else { return };
        let accepted = outcome.fates.iter().any(|fate| matches!(fate, Fate::Taken(_) | Fate::Unanswered)) || outcome.complete;
        let lost = match (error, &outcome.fault) {
            (Some(Failure::Text(error)), _) => self.unreadable(error),
            (Some(Failure::Network(error)), _) => self.lost_after(error, outcome.complete),
            (None, Some(fault)) => ours(Status::new(4, 5, 0), fault.to_string(), &self.remote),
            (None, None) => ours(Status::new(4, 4, 2), "the connection ended without an answer", &self.remote),
        };
        for (fate, place) in outcome.fates.into_iter().zip(places) {
            let Some(answer) = answers.get_mut(*place) else { continue };
            *answer = Some(match fate {
                Fate::Taken(heard) => Answer::Final(Verdict::Delivered(self.taken(&heard))),
                Fate::Refused(heard) if accepted && is_too_many(&heard) => {
                    Answer::TooMany(Trouble { status: Status::new(4, 5, 3), ..self.refused(&heard) })
                }
                // Where it has taken the text for others, it has decided about this recipient by itself.
                Fate::Refused(heard) if !outcome.complete && heard.is_transient() => Answer::NotNow(self.refused(&heard)),
                Fate::Refused(heard) => Answer::Final(self.refused(&heard).verdict()),
                Fate::Unanswered if outcome.complete => Answer::Final(lost.clone().verdict()),
                Fate::Unanswered => Answer::Lost(lost.clone()),
            });
        }
    }

    fn taken(&self, heard: &Heard) -> Taken {
        let report = if self.session.offer().dsn { SuccessReport::Theirs } else { SuccessReport::Ours };
        Taken { reply: heard.to_string(), remote: self.remote.clone(), report }
    }

    fn refused(&self, heard: &Heard) -> Trouble {
        Trouble { status: heard.status(), diagnostic: Diagnostic::Reply(heard.to_string()), remote: Some(self.remote.clone()) }
    }

    fn lost(&self, error: &io::Error) -> Trouble {
        self.lost_after(error, false)
    }

    fn lost_after(&self, error: &io::Error, complete: bool) -> Trouble {
        let what = match error.kind() {
            io::ErrorKind::TimedOut => "the host did not answer in time".to_owned(),
            io::ErrorKind::UnexpectedEof => "the host closed the connection".to_owned(),
            _ => format!("the connection was lost: {error}"),
        };
        let doubt = if complete { "; the message had been sent whole, and may arrive twice" } else { "" };
        ours(Status::new(4, 4, 2), format!("{what}{doubt}"), &self.remote)
    }

    fn unreadable(&self, error: &io::Error) -> Trouble {
        Trouble { remote: Some(self.remote.clone()), ..Trouble::unreadable(error) }
    }
}

/// What ended a transaction apart from replies.
enum Failure {
    Network(io::Error),
    Text(io::Error),
}

impl Manner<'_> {
    fn session(&self, address: IpAddr) -> client::Settings {
        let encrypt = match self.tls {
            _ if self.implicit_tls => Encrypt::Never,
            Tls::Off => Encrypt::Never,
            Tls::Opportunistic => Encrypt::IfOffered,
            Tls::Require | Tls::Verify => Encrypt::Always,
        };
        let is_private = self.implicit_tls || address.is_loopback();
        client::Settings {
            hostname: self.settings.hostname.clone(),
            encrypt,
            login: self.login.clone(),
            is_private,
            pipelining: self.pipelining,
        }
    }
}

/// Notes how the connection is protected, if that is enough.
fn protected(remote: &mut Remote, wanted: Tls, worth: &Worth) -> Result<(), NotOpened> {
    remote.security = worth.security();
    match worth {
        Worth::Nothing(why) if wanted == Tls::Verify => {
            let why = format!("its certificate is not valid for {}, and relay.tls wants that: {why}", remote.name);
            Err(NotOpened::Other(ours(Status::new(4, 7, 5), why, remote)))
        }
        _ => Ok(()),
    }
}

fn ours(status: Status, why: impl Into<String>, remote: &Remote) -> Trouble {
    Trouble { remote: Some(remote.clone()), ..Trouble::ours(status, why) }
}

fn unreachable(error: &io::Error, remote: &Remote) -> Trouble {
    let why = match error.kind() {
        io::ErrorKind::TimedOut => "the host does not answer".to_owned(),
        _ => format!("no connection to the host: {error}"),
    };
    ours(Status::new(4, 4, 1), why, remote)
}

fn hindered(obstacle: Obstacle, remote: &Remote) -> Trouble {
    let said = |status, heard: &Heard| Trouble { status, diagnostic: Diagnostic::Reply(heard.to_string()), remote: Some(remote.clone()) };
    match obstacle {
        Obstacle::Refused(heard) => said(heard.status(), &heard),
        // The operator can mend a login; mail does not come back for it.
        Obstacle::LoginRefused(heard) => said(Status::new(4, 7, 8), &heard),
        Obstacle::Broken(fault) => ours(Status::new(4, 5, 0), fault.to_string(), remote),
        Obstacle::NoTls => ours(Status::new(4, 7, 10), "TLS is wanted (relay.tls), and the host does not offer it", remote),
        Obstacle::NoSecrecy => ours(Status::new(4, 7, 11), "the password is not sent without TLS, and the host does not offer it", remote),
        Obstacle::NoMechanism => {
            ours(Status::new(4, 7, 4), "there is a login, and the host offers neither AUTH PLAIN nor AUTH LOGIN", remote)
        }
    }
}

/// RFC 5321 §4.5.3.1.10: 452, and 552 as it was once written, for recipients beyond what the server takes at a time.
fn is_too_many(heard: &Heard) -> bool {
    matches!(heard.code, 452 | 552) && heard.enhanced.is_none_or(|status| (status.subject, status.detail) == (5, 3))
}
