//! Kinds of load, and a run of one.

use std::fmt;
use std::time::{Duration, Instant};

use bytesize::ByteSize;

use super::server::{Door, Server};
use super::{ALIASES, RECIPIENT, interrupt};
use crate::world::program::done;

/// What `smtp-source` is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// Text of one message.
    pub octets: u64,
    /// Sessions at a time.
    pub sessions: usize,
    /// Recipients of one message, each an alias of another mailbox.
    pub recipients: usize,
    /// What follows a message in its session.
    pub connection: Connection,
}

/// What follows a message in its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// The next message.
    Kept,
    /// `QUIT`: each message has a connection of its own.
    Closed,
}

/// The load that the others differ from in one respect.
pub const USUAL: Scenario = Scenario { octets: 4096, sessions: 10, recipients: 1, connection: Connection::Kept };

/// What a run came to.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Copies, one for each recipient.
    pub delivered: usize,
    /// From the start of the client to the last of them.
    pub seconds: f64,
    /// Processor time of the server, until it has nothing left to do.
    pub cpu_seconds: f64,
    /// Flushes of the disk until then, if it counts them.
    pub flushes: Option<u64>,
}

impl Run {
    /// Copies a second.
    pub fn rate(&self) -> f64 {
        self.delivered as f64 / self.seconds
    }

    /// Processor time a copy, in milliseconds.
    pub fn cpu_millis(&self) -> f64 {
        self.cpu_seconds * 1000.0 / self.delivered as f64
    }

    /// Flushes of the disk a copy.
    pub fn flushes_each(&self) -> Option<f64> {
        self.flushes.map(|flushes| flushes as f64 / self.delivered as f64)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(f, "{:.0}, {} session{}", ByteSize(self.octets).display().iec(), self.sessions, plural(self.sessions))?;
        if self.recipients > 1 {
            write!(f, ", {} recipients", self.recipients)?;
        }
        if self.connection == Connection::Closed {
            write!(f, ", a connection each")?;
        }
        Ok(())
    }
}

impl Scenario {
    /// The most messages that there are recipients for.
    pub fn most(&self) -> usize {
        ALIASES / self.recipients
    }

    /// Sends that many messages, waits until all copies lie in the mailboxes, and takes them away again.
    pub fn run(&self, server: &Server, door: &Door, messages: usize) -> Run {
        interrupt::check();
        let delivered = messages * self.recipients;
        let (begin, cpu, flushes) = (Instant::now(), server.group.cpu_seconds(), server.flushes());
        self.send(door, messages);
        server.holds(delivered, begin);
        let seconds = begin.elapsed().as_secs_f64();
        // What a server puts off until after the answer is part of its cost.
        server.rest();
        let run = Run {
            delivered,
            seconds,
            cpu_seconds: server.group.cpu_seconds() - cpu,
            flushes: server.flushes().zip(flushes).map(|(after, before)| after - before),
        };
        server.clear(self.octets);
        run
    }

    /// As many messages as keep the server busy for about that long, found by trying.
    pub fn messages(&self, server: &Server, door: &Door, time: Duration) -> usize {
        let seconds = time.as_secs_f64();
        let mut messages = self.most().min((2 * self.sessions).max(50));
        loop {
            let took = self.run(server, door, messages).seconds;
            let wanted = (messages as f64 * (seconds / took).min(10.0)) as usize;
            let enough = took > seconds / 3.0 || messages == self.most();
            messages = wanted.clamp(self.sessions, self.most());
            if enough {
                return messages;
            }
        }
    }

    /// Sends that many messages.
    pub fn send(&self, door: &Door, messages: usize) {
        let numbers = [self.sessions, messages, self.recipients].map(|number| number.to_string());
        let (octets, server) = (self.octets.to_string(), door.address.to_string());
        let mut words = vec!["-s", &numbers[0], "-m", &numbers[1], "-r", &numbers[2], "-l", &octets];
        words.extend(["-N", "-f", "sender@client.test", "-t", RECIPIENT, "-M", "client.test"]);
        words.extend(door.options());
        if self.connection == Connection::Kept {
            words.push("-d");
        }
        words.push(&server);
        done("smtp-source", &words, b"");
    }
}
