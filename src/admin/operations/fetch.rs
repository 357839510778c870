//! Calling for a message that has just arrived, the way its owner would: over POP3, at the server's own door.
//!
//! The server logs in with a credential that it issues to itself for one login; nobody is told it, and the owner's password
//! plays no part. The message stays in its mailbox, and its text goes nowhere.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trace;
use crate::admin::context::{Calling, Context};
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::mail::{Name, QueueId};
use crate::maildir::maildrop;

/// How long the server waits for itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of it in one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fetched {
    /// The mailbox.
    pub mailbox: Name,
    /// Octets as they were sent; none if it could not be fetched.
    pub octets: Option<u64>,
    /// Why it could not; empty if it could.
    pub cause: String,
    /// When that was known.
    pub at: Timestamp,
}

/// Fetches each copy of a message that was accepted lately. For admins.
pub fn fetch(context: &Context, caller: &Caller, id: QueueId) -> Result<Vec<Fetched>, Problem> {
    let delivery = trace::delivery(context, caller, id)?;
    let nowhere = || Problem::new(Kind::Internal, "the server does not listen for POP3 in clear; set pop3.listen".into());
    let calling = context.calling.get().ok_or_else(nowhere)?;
    let listener = calling.listener.ok_or_else(nowhere)?;
    let files = delivery.landings.iter().flat_map(|landing| &landing.files);
    Ok(files.filter_map(|file| fetch_one(calling, listener, file)).collect())
}

fn fetch_one(calling: &Calling, listener: SocketAddr, file: &Path) -> Option<Fetched> {
    // `root/<name>/new/<file>`.
    let mailbox = Name::parse(file.parent()?.parent()?.file_name()?.to_str()?).ok()?;
    let uid = maildrop::uid(file.file_name()?.as_encoded_bytes());
    let outcome = Call::begin(listener).and_then(|mut call| call.fetch(calling, &mailbox, &uid));
    let (octets, cause) = match outcome {
        Ok(octets) => (Some(octets), String::new()),
        Err(error) => (None, error.to_string()),
    };
    Some(Fetched { mailbox, octets, cause, at: Timestamp::now() })
}

/// A session seen from the client's side.
struct Call {
    stream: BufReader<TcpStream>,
}

impl Call {
    fn begin(listener: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&reachable(listener), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut call = Self { stream: BufReader::new(stream) };
        call.reply()?;
        Ok(call)
    }

    fn fetch(&mut self, calling: &Calling, mailbox: &Name, uid: &str) -> io::Result<u64> {
        self.ask(&format!("USER {mailbox}"))?;
        self.ask(&format!("PASS {}", calling.logins.issue(mailbox).expose()))?;
        self.ask("UIDL")?;
        let mut number = None;
        self.each_line(|line| {
            if let Some((found, of)) = line.split_once(' ')
                && of.trim_end() == uid
            {
                number = Some(found.to_owned());
            }
        })?;
        let number = number.ok_or_else(|| io::Error::other("the message is not in the mailbox any more"))?;
        self.ask(&format!("RETR {number}"))?;
        let mut octets = 0;
        self.each_line(|line| octets += line.len() as u64 - u64::from(line.starts_with('.')))?;
        self.ask("QUIT")?;
        Ok(octets)
    }

    fn ask(&mut self, command: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if line.ends_with(b"\n") { Ok(String::from_utf8_lossy(&line).into_owned()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn reply(&mut self) -> io::Result<()> {
        let reply = self.line()?;
        if reply.starts_with("+OK") { Ok(()) } else { Err(io::Error::other(reply.trim_end().to_owned())) }
    }

    fn each_line(&mut self, mut visit: impl FnMut(&str)) -> io::Result<()> {
        loop {
            match self.line()?.as_str() {
                ".\r\n" => return Ok(()),
                line => visit(line),
            }
        }
    }
}

/// An address to connect to for one that a listener is bound to: 0.0.0.0 and :: are none.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}
