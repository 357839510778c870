//! Owners calling for their mail.
//!
//! Owns the loop that drives a POP3 session, the answers to its [questions](crate::protocol::pop3::Question), and the rule
//! that a mailbox has one session at a time. Promises that what a client does not take stays in bounded buffers and ends
//! after a while, that no session waits for the disk on a thread that serves others, and that a mailbox is free again when
//! its connection has ended, however that was.
//!
//! Reading order: [`drive`] (the loop), `answers`, [`mailboxes`] (who has which).

mod answers;
pub mod drive;
pub mod mailboxes;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use self::drive::{Driver, Ending};
use super::connection::Door;
use super::drive::Carrier;
use super::{Rules, Service};
use crate::protocol::pop3::{Clear, Session};
use crate::protocol::smtp::Encryption;
use crate::telemetry::Event;

/// Where passwords may come without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// From this machine.
    Loopback,
    /// From anywhere.
    Always,
    /// Nowhere.
    Never,
}

impl Plaintext {
    /// What holds for a client; none is one on a local socket.
    fn from(self, client: Option<IpAddr>) -> Clear {
        match self {
            Self::Always => Clear::Allowed,
            Self::Loopback if client.is_none_or(|client| client.is_loopback()) => Clear::Allowed,
            Self::Loopback | Self::Never => Clear::Refused,
        }
    }
}

/// Serves a client that has a place. `input` is what came before TLS, with a PROXY header.
pub async fn serve<S: Carrier>(mut stream: S, input: BytesMut, client: Option<IpAddr>, door: Door, service: Arc<Service>) {
    let session = session(&service.rules.load(), client, door, stream.can_encrypt());
    let mut driver = Driver::new(Arc::clone(&service), session, input, client);
    if door == Door::Pop3Tls {
        return Box::pin(encrypted(stream, driver, service)).await;
    }
    let ending = match driver.greet(&mut stream).await {
        Ending::StartTls => Box::pin(upgrade(stream, &mut driver, &service)).await,
        ending => ending,
    };
    driver.conclude(&ending);
}

fn session(rules: &Rules, client: Option<IpAddr>, door: Door, can_encrypt: bool) -> Session {
    let encryption = match door {
        Door::Pop3Tls => Encryption::Active,
        _ if can_encrypt => Encryption::Offered,
        _ => Encryption::Unavailable,
    };
    let clear = rules.server.plaintext.from(client.map(|client| client.to_canonical()));
    Session::new(Arc::clone(&rules.pop3), encryption, clear, Instant::now())
}

/// TLS from the first octet.
async fn encrypted<S: Carrier>(stream: S, mut driver: Driver, service: Arc<Service>) {
    let first = driver.take_input();
    match service.tls.accept(super::connection::Preceded { first, stream }).await {
        Ok(mut stream) => {
            let ending = driver.greet(&mut stream).await;
            driver.conclude(&ending);
        }
        Err(error) => Event::TlsFailed { client: driver.client(), cause: &error.to_string() }.say(),
    }
}

/// STLS: the handshake, then the same session over it, with nothing left of what was said in clear.
async fn upgrade<S: Carrier>(stream: S, driver: &mut Driver, service: &Service) -> Ending {
    match service.tls.accept(stream).await {
        Ok(mut stream) => driver.resume(&mut stream).await,
        Err(error) => Ending::Handshake(error),
    }
}
