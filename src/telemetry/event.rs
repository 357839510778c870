//! The events, and the one place that renders them.
//!
//! Text that came from a peer is recorded as a string value: the text form quotes and escapes it, JSON does by nature.
//! So a quoted local part or a `HELO` argument can neither end a line nor look like another field.

#![expect(missing_docs, reason = "the fields of a variant are explained by the variant")]

use std::time::Duration;

use tracing::{debug, error, info, warn};

use crate::mail::trace::{Client, With};
use crate::mail::{ForwardPath, QueueId, ReversePath};

mod onward;

pub use onward::{Onward, Stage};

/// What became of one recipient of a message whose data was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// In every mailbox.
    Delivered,
    /// Safe in the spool, and in some mailbox not yet.
    Waiting,
    /// In the queue for addresses elsewhere or lists, and in every mailbox.
    Queued,
    /// An alias said `discard`.
    Discarded,
    /// Not taken; the reply says why.
    Refused,
}

/// The outcome of one message for one recipient: the line that answers "where is my mail".
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The message.
    pub id: QueueId,
    /// Who handed it over.
    pub client: &'a Client,
    /// Over which protocol.
    pub with: With,
    /// The envelope's sender.
    pub sender: &'a ReversePath,
    /// The recipient as the client gave it.
    pub recipient: &'a ForwardPath,
    /// The names of the mailboxes it led to.
    pub mailboxes: &'a str,
    /// The addresses elsewhere, and the lists, that it led to.
    pub onward: &'a str,
    /// Octets of the text.
    pub size: u64,
    /// From the first recipient to the disk.
    pub delay: Duration,
    /// What became of it.
    pub fate: Fate,
    /// The reply, without its CRLF.
    pub status: &'a str,
    /// The cause of a refusal that the client is not told.
    pub cause: &'a str,
}

/// A recipient that was refused at `RCPT`.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// Who asked.
    pub client: &'a Client,
    /// Over which protocol.
    pub with: With,
    /// The envelope's sender.
    pub sender: &'a ReversePath,
    /// The recipient as the client gave it.
    pub recipient: &'a ForwardPath,
    /// The reply, without its CRLF.
    pub status: &'a str,
}

/// Everything that the server says.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The process begins.
    Starting { version: &'a str, hostname: &'a str },
    /// A listener accepts.
    Listening { service: &'a str, address: &'a str },
    /// Every listener accepts.
    Ready { spool: &'a str },
    /// The first master was made; its password went to standard output alone.
    FirstMaster { name: &'a str },
    /// More connections are allowed than the process may have files.
    FewFiles { allowed: u64, connections: usize },
    /// A self-signed certificate was made.
    CertificateMade { path: &'a str },

    /// A connection was refused by a limit.
    ConnectionRefused { service: &'a str, client: &'a str, status: &'a str },
    /// `accept` failed; the listener goes on after a pause.
    AcceptFailed { service: &'a str, cause: &'a str },
    /// A proxy said nothing that makes sense.
    ProxyRefused { client: &'a str, cause: &'a str },
    /// A TLS handshake failed.
    TlsFailed { client: &'a str, cause: &'a str },
    /// A connection ended by an error of the network.
    ConnectionLost { client: &'a str, cause: &'a str },

    /// A master logged in at the panel.
    LoggedIn { service: &'a str, name: &'a str, client: &'a str },

    /// A recipient was refused at `RCPT`.
    RecipientRefused(Refusal<'a>),
    /// More recipients of the same session were refused than are logged one by one.
    RefusalsOmitted { client: &'a str, count: u64 },
    /// Routing met a bound, or the directory could not be read: the operator's fault, and the mail waits with the client.
    RoutingFailed { recipient: &'a ForwardPath, status: &'a str, trail: &'a str },
    /// A mailbox could not be looked at.
    MailboxUnreadable { mailbox: &'a str, cause: &'a str },
    /// Messages in memory have met their bound.
    MemoryFull { client: &'a str, bound: u64 },
    /// What became of a message.
    Message(Outcome<'a>),
    /// A message could not be kept for a reason that the client is not told: the operator's to mend, and the mail waits with the client.
    NotStored { id: QueueId, cause: &'a str },

    /// A copy was accepted, and its mailbox failed at the last step: it waits in the queue.
    CopyHeld { id: QueueId, mailbox: &'a str, cause: &'a str },
    /// It was tried again, in vain.
    CopyStillHeld { id: QueueId, mailbox: &'a str, cause: &'a str },
    /// It was delivered; what lies in the queue is not needed any more, and stays.
    CopyNotRemoved { id: QueueId, cause: &'a str },
    /// Its account was forgotten for good: the copy has nowhere to go, and was removed.
    CopyForgotten { id: QueueId, mailbox: &'a str },
    /// A copy of a message that was refused after all is visible: the sender's next try makes another.
    CopyNotTakenBack { id: QueueId, cause: &'a str },
    /// An earlier process has left messages in the spool's log: their mailboxes are looked at.
    Recovering { messages: usize },
    /// How far that is.
    RecoveryProgress { messages: usize, of: usize },
    /// It has been done.
    Recovered { messages: usize, copies: usize, failed: usize, took: Duration },
    /// One of these messages could not be brought on; it is tried again.
    RecoveryFailed { id: QueueId, cause: &'a str },
    /// The mailboxes could not be made durable; the log keeps what it has, and it is tried again.
    CheckpointFailed { cause: &'a str },
    /// Copies in the spool that wait for a mailbox that failed.
    CopiesWaiting { count: usize },
    /// Mail that is made here has nowhere to go.
    LetterUnroutable { recipient: &'a ForwardPath, status: &'a str },
    /// Mail that is made here was handed in.
    LetterSubmitted { id: QueueId, sender: &'a ReversePath, recipients: usize, taken: usize },
    /// An attempt for a recipient elsewhere.
    Onward(Onward<'a>),
    /// Nobody can be spoken to at a hop: it is left alone for a while.
    HopDown { hop: &'a str, failures: u32, seconds: u64, cause: &'a str },
    /// The text of a message that waits cannot be read.
    TextUnreadable { id: QueueId, recipient: &'a str, cause: &'a str },
    /// A report could be brought to nobody.
    ReportLost { id: QueueId, cause: &'a str },
    /// A periodic task failed; it will be tried again.
    TaskFailed { task: &'a str, cause: &'a str },

    /// A posting is on its way to all members of its list.
    PostingDistributed { id: QueueId, list: &'a str, members: usize },
    /// A posting waits for the owner of its list.
    PostingHeld { id: QueueId, list: &'a str },
    /// A posting goes to nobody.
    PostingDropped { id: QueueId, list: &'a str, why: &'a str },
    /// A posting cannot go on for now.
    PostingDelayed { id: QueueId, list: &'a str, cause: &'a str },
    /// A member gets no copy of a posting.
    MemberSkipped { list: &'a str, member: &'a str, why: &'a str },
    /// Mail to a member came back for too long.
    MemberSuspended { list: &'a str, member: &'a str },
    /// A sender was told that an owner is away.
    VacationReply { mailbox: &'a str, to: &'a ReversePath },
    /// A member has left by itself.
    MemberLeft { list: &'a str, member: &'a str },

    /// Name and password did not fit, or nobody has that name.
    LoginFailed { service: &'a str, client: &'a str, name: &'a str },
    /// A name or an address has failed so often that its logins are refused for a while.
    LoginsLimited { service: &'a str, what: &'a str, whose: &'a str },
    /// Somebody who may come in finds the mailbox taken.
    MailboxInUse { mailbox: &'a str, client: &'a str, holder: &'a str, seconds: u64 },
    /// A message that its owner deleted is still there.
    NotExpunged { mailbox: &'a str, cause: &'a str },
    /// A POP3 session has ended.
    MailboxVisited(Visit<'a>),
    /// A password hash was made anew at the cost that is configured now.
    PasswordRenewed { name: &'a str },
    /// A deleted account's mail was removed for good.
    Purged { name: &'a str },
    /// Some of it is left.
    PurgeUnfinished { cause: &'a str },

    /// Configuration and certificates were read again. `restart` names the keys that only a restart changes.
    Reloaded { restart: &'a str },
    /// They could not be: the old ones stay in force.
    ReloadRefused { cause: &'a str },
    /// The server was told to stop.
    Stopping { connections: usize },
    /// It has stopped; `cut` connections did not end in time.
    Stopped { cut: usize },
}

/// What an owner did in a mailbox.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// The mailbox.
    pub mailbox: &'a str,
    /// The client.
    pub client: &'a str,
    /// Whether TLS protected the session.
    pub tls: bool,
    /// Messages fetched, or looked into.
    pub retrieved: u64,
    /// Octets read for that.
    pub octets: u64,
    /// Messages removed.
    pub deleted: u64,
}

impl Event<'_> {
    /// Counts the event, and writes it to the log. One match over all of them: an event without words does not compile.
    pub fn say(&self) {
        super::meter().count(self);
        match *self {
            Self::Starting { version, hostname } => info!(version, hostname, "starting"),
            Self::Listening { service, address } => info!(service, address, "listening"),
            Self::Ready { spool } => info!(spool, "ready"),
            Self::FirstMaster { name } => info!(name, "first master made; its password was printed to standard output"),
            Self::FewFiles { allowed, connections } => {
                warn!(allowed, connections, "fewer open files are allowed than connections; raise LimitNOFILE, or lower max_connections")
            }
            Self::CertificateMade { path } => info!(path, "self-signed certificate made; set tls.certificate and tls.key to use another"),

            Self::ConnectionRefused { service, client, status } => warn!(service, client, status, "connection refused"),
            Self::AcceptFailed { service, cause } => error!(service, cause, "cannot accept connections for the moment; trying again"),
            Self::ProxyRefused { client, cause } => warn!(client, cause, "no valid PROXY header; connection closed"),
            Self::TlsFailed { client, cause } => info!(client, cause, "TLS handshake failed"),
            Self::ConnectionLost { client, cause } => debug!(client, cause, "connection lost"),

            Self::LoggedIn { service, name, client } => info!(service, name, client, "logged in"),

            Self::RecipientRefused(refusal) => refusal.say(),
            Self::RefusalsOmitted { client, count } => info!(client, count, "more recipients refused in the same session"),
            Self::RoutingFailed { recipient, status, trail } => {
                error!(to = recipient.to_string(), status, trail, "routing failed; the client keeps the mail and tries again")
            }
            Self::MailboxUnreadable { mailbox, cause } => error!(mailbox, cause, "mailbox cannot be read"),
            Self::MemoryFull { client, bound } => warn!(client, bound, "messages in memory have met their bound; refused for now"),
            Self::Message(outcome) => outcome.say(),

            Self::NotStored { id, cause } => {
                error!(id = id.to_string(), cause, "a message could not be stored; its client was told to try again")
            }

            Self::CopyHeld { id, mailbox, cause } => {
                warn!(id = id.to_string(), mailbox, cause, "a copy waits in the queue: its mailbox failed")
            }
            Self::CopyStillHeld { id, mailbox, cause } => warn!(id = id.to_string(), mailbox, cause, "a copy still waits in the queue"),
            Self::CopyNotRemoved { id, cause } => {
                warn!(id = id.to_string(), cause, "a copy was delivered, and cannot be removed from the queue")
            }
            Self::CopyForgotten { id, mailbox } => {
                warn!(id = id.to_string(), mailbox, "a copy was removed from the queue: its account was deleted, and purged from the trash")
            }
            Self::CopyNotTakenBack { id, cause } => {
                warn!(id = id.to_string(), cause, "a copy of a refused message could not be taken back; the next try makes another")
            }
            Self::Recovering { messages } => info!(messages, "recovering messages from the spool's log"),
            Self::RecoveryProgress { messages, of } => info!(messages, of, "recovering"),
            Self::Recovered { messages, copies, failed, took } => {
                info!(messages, copies, failed, seconds = took.as_secs_f64(), "recovered; `copies` had to be written")
            }
            Self::RecoveryFailed { id, cause } => {
                error!(id = id.to_string(), cause, "a message cannot be recovered yet; it is tried again")
            }
            Self::CheckpointFailed { cause } => {
                error!(cause, "the mail's file system could not be synced; the spool's log keeps its mail, and grows; see to the disk")
            }
            Self::CopiesWaiting { count } => warn!(count, "copies wait in the spool for a mailbox that cannot be written"),
            Self::Onward(onward) => onward.say(),
            Self::HopDown { hop, failures, seconds, cause } => {
                warn!(hop, failures, next_in_s = seconds, cause, "nobody can be reached; mail for it waits")
            }
            Self::TextUnreadable { id, recipient, cause } => {
                error!(id = id.to_string(), to = recipient, cause, "the text of a message in the queue is damaged or gone; it waits")
            }
            Self::ReportLost { id, cause } => {
                warn!(id = id.to_string(), cause, "mail could not be delivered, and nobody can be told")
            }
            Self::LetterUnroutable { recipient, status } => {
                warn!(to = recipient.to_string(), status, "mail of our own has nowhere to go")
            }
            Self::LetterSubmitted { id, sender, recipients, taken } => {
                info!(id = id.to_string(), from = sender.to_string(), recipients, taken, "mail of our own handed in")
            }
            Self::PostingDistributed { id, list, members } => info!(id = id.to_string(), list, members, "posting distributed"),
            Self::PostingHeld { id, list } => info!(id = id.to_string(), list, "posting waits for the list's owner"),
            Self::PostingDropped { id, list, why } => info!(id = id.to_string(), list, why, "posting not distributed"),
            Self::PostingDelayed { id, list, cause } => {
                error!(id = id.to_string(), list, cause, "posting cannot go on; it will be tried again")
            }
            Self::MemberSkipped { list, member, why } => warn!(list, member, why, "a member of a list gets no copy"),
            Self::MemberSuspended { list, member } => info!(list, member, "member suspended: its mail came back for too long"),
            Self::VacationReply { mailbox, to } => info!(mailbox, to = to.to_string(), "vacation reply sent"),
            Self::MemberLeft { list, member } => info!(list, member, "member has left the list"),
            Self::LoginFailed { service, client, name } => warn!(service, client, name, "login failed: wrong name or password"),
            Self::LoginsLimited { service, what, whose } => {
                warn!(service, what, whose, "too many failed logins; further ones are refused for a while")
            }
            Self::MailboxInUse { mailbox, client, holder, seconds } => {
                info!(mailbox, client, holder, seconds, "login refused: another session has the mailbox")
            }
            Self::NotExpunged { mailbox, cause } => error!(mailbox, cause, "a deleted message cannot be removed; its owner was told"),
            Self::MailboxVisited(visit) => visit.say(),
            Self::PasswordRenewed { name } => info!(name, "password hash made anew at the configured cost"),

            Self::TaskFailed { task, cause } => error!(task, cause, "task failed; it will be tried again"),
            Self::PurgeUnfinished { cause } => {
                warn!(cause, "mail of an account that was removed for good is still there; it is tried again at the next start")
            }
            Self::Purged { name } => info!(name, "deleted account purged from the trash"),

            Self::Reloaded { restart: "" } => info!("configuration and certificates read again"),
            Self::Reloaded { restart } => warn!(restart, "configuration and certificates read again; these keys need a restart"),
            Self::ReloadRefused { cause } => error!(cause, "reload refused; the old configuration stays in force"),
            Self::Stopping { connections } => info!(connections, "stopping"),
            Self::Stopped { cut } => info!(cut, "stopped"),
        }
    }
}

impl Visit<'_> {
    /// A visit that changed nothing is for those who look closely: clients call every few minutes.
    fn say(&self) {
        let Self { mailbox, client, tls, retrieved, octets, deleted } = *self;
        if retrieved + deleted > 0 {
            info!(mailbox, client, tls, retrieved, octets, deleted, "mail fetched");
        } else {
            debug!(mailbox, client, tls, "mailbox looked at");
        }
    }
}

impl Onward<'_> {
    fn say(&self) {
        let what = match self.stage {
            Stage::Sent => "sent on",
            Stage::Deferred => "not sent yet",
            Stage::Failed => "cannot be sent",
        };
        info!(
            id = self.id.to_string(),
            from = self.sender.to_string(),
            to = self.recipient,
            hop = self.hop,
            remote = self.remote,
            delay_ms = u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX),
            tries = self.tries,
            status = self.status,
            "{what}"
        );
    }
}

impl Refusal<'_> {
    fn say(&self) {
        info!(
            client = name_of(self.client).as_str(),
            helo = self.client.helo.as_str(),
            from = self.sender.to_string(),
            to = self.recipient.to_string(),
            status = self.status,
            tls = self.with.encrypted,
            "recipient refused"
        );
    }
}

impl Outcome<'_> {
    fn say(&self) {
        let what = match self.fate {
            Fate::Delivered => "delivered",
            Fate::Waiting => "accepted; a copy waits for its mailbox",
            Fate::Queued => "accepted; in the queue",
            Fate::Discarded => "discarded",
            Fate::Refused => "refused",
        };
        info!(
            id = self.id.to_string(),
            client = name_of(self.client).as_str(),
            helo = self.client.helo.as_str(),
            from = self.sender.to_string(),
            to = self.recipient.to_string(),
            mailbox = self.mailboxes,
            onward = (!self.onward.is_empty()).then_some(self.onward),
            size = self.size,
            delay_ms = u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX),
            status = self.status,
            tls = self.with.encrypted,
            cause = (!self.cause.is_empty()).then_some(self.cause),
            "{what}"
        );
    }
}

/// A client as log lines name it.
pub fn name_of(client: &Client) -> String {
    client.address.map_or_else(|| "local socket".to_owned(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;
    use crate::mail::Mailbox;
    use crate::mail::envelope::Charset;
    use crate::mail::trace::Spoken;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn peers_cannot_forge_lines_or_fields() {
        let recipient = ForwardPath::Mailbox(Mailbox::parse("\"x status=250 y\"@example.org").unwrap());
        let client = Client { helo: "evil\nid=0 delivered\u{1b}[31m".into(), name: None, address: None };
        let outcome = Outcome {
            id: QueueId::new(7),
            client: &client,
            with: With { spoken: Spoken::Esmtp, encrypted: false, charset: Charset::Ascii },
            sender: &ReversePath::Null,
            recipient: &recipient,
            mailboxes: "alice",
            onward: "",
            size: 10,
            delay: Duration::from_millis(12),
            fate: Fate::Refused,
            status: "554 5.4.6 Message is going in circles",
            cause: "",
        };
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || Event::Message(outcome).say());
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains(r#"to="\"x status=250 y\"@example.org""#), "{text}");
        assert!(text.contains(r#"status="554 5.4.6 Message is going in circles""#), "{text}");
    }
}
