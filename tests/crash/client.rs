//! A client that believes what it hears and nothing else.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Sets its flag when it goes, however that comes about: threads that work until they are told to stop would go on for ever
/// after a failed assertion.
pub struct StopAtEnd<'a>(pub &'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long an answer may take. Longer is a failure of its own.
const ANSWER: Duration = Duration::from_secs(30);

/// What the session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// One answer after data.
    Smtp,
    /// One answer after data for each recipient.
    Lmtp,
}

/// One reply, its lines joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub text: String,
}

/// A session after its greeting.
pub struct Session {
    stream: BufReader<TcpStream>,
    protocol: Protocol,
}

impl Reply {
    /// Whether it says that the message is taken.
    pub fn taken(&self) -> bool {
        self.code == 250
    }

    /// Whether it asks for another try later.
    pub fn later(&self) -> bool {
        (400..500).contains(&self.code)
    }
}

impl Session {
    /// Connects and greets.
    pub fn open(server: SocketAddr, protocol: Protocol) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        stream.set_nodelay(true)?;
        let mut session = Self { stream: BufReader::new(stream), protocol };
        let hello = match protocol {
            Protocol::Smtp => "EHLO client.test",
            Protocol::Lmtp => "LHLO client.test",
        };
        let greeting = session.reply()?;
        let answer = if greeting.code == 220 { session.command(hello)? } else { greeting };
        if answer.taken() { Ok(session) } else { Err(io::Error::other(format!("{} {}", answer.code, answer.text))) }
    }

    /// Sends a message (LF line ends) to all of `recipients`. The answers after data; or, alone, the first refusal before.
    pub fn send(&mut self, recipients: &[&str], text: &[u8]) -> io::Result<Vec<Reply>> {
        match self.announce(recipients)? {
            Some(refusal) => Ok(vec![refusal]),
            None => self.hand_over(recipients.len(), text),
        }
    }

    /// All that comes before the message: up to `DATA`, or to the first refusal.
    pub fn announce(&mut self, recipients: &[&str]) -> io::Result<Option<Reply>> {
        let mut commands = vec!["MAIL FROM:<sender@client.test>".to_owned()];
        commands.extend(recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>")));
        for command in commands {
            let reply = self.command(&command)?;
            if !reply.taken() {
                self.command("RSET")?;
                return Ok(Some(reply));
            }
        }
        let reply = self.command("DATA")?;
        if reply.code != 354 {
            self.command("RSET")?;
            return Ok(Some(reply));
        }
        Ok(None)
    }

    /// The message that was announced for so many recipients; the answers after it.
    pub fn hand_over(&mut self, recipients: usize, text: &[u8]) -> io::Result<Vec<Reply>> {
        self.stream.get_mut().write_all(&on_the_wire(text))?;
        let answers = match self.protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => recipients,
        };
        (0..answers).map(|_| self.reply()).collect()
    }

    fn command(&mut self, line: &str) -> io::Result<Reply> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let code =
                line.get(..3).and_then(|digits| digits.parse().ok()).ok_or_else(|| io::Error::other(format!("no reply: {line:?}")))?;
            text.push_str(line.get(4..).unwrap_or_default().trim_end());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, text });
            }
            text.push('\n');
        }
    }
}

/// CRLF line ends, dots doubled, and the line that ends it all.
fn on_the_wire(text: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + text.len() / 32 + 8);
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

/// A message that can be told from all others, and checked against its name: `octets` of text that depend on it.
pub fn message(id: &str, octets: usize) -> Vec<u8> {
    let mut text = format!("From: sender@client.test\nSubject: {id}\nX-Octets: {octets}\n\n").into_bytes();
    while text.len() < octets {
        text.extend_from_slice(format!("{id} {}\n", text.len()).as_bytes());
    }
    text
}
