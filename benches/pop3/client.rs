//! A POP3 client that costs little: it believes the sizes it is told, and looks at no text.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Octets that are read at a time.
const BLOCK: usize = 256 * 1024;

/// Commands that are sent before the first of them is answered.
const PIPELINE: usize = 256;

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Client {
    /// Connected and greeted.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let mut client = Self { stream, buffer: vec![0; BLOCK], from: 0, to: 0 };
        client.line()?;
        Ok(client)
    }

    /// Logged in.
    pub fn log_in(address: SocketAddr, name: &str, password: &str) -> io::Result<Self> {
        let mut client = Self::connect(address)?;
        client.ask(&format!("USER {name}"))?;
        client.ask(&format!("PASS {password}"))?;
        Ok(client)
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        } else if self.to == self.buffer.len() {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        match self.stream.read(&mut self.buffer[self.to..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.to += read;
                Ok(())
            }
        }
    }

    /// The next line; a refusal is an error.
    pub fn line(&mut self) -> io::Result<String> {
        loop {
            let held = &self.buffer[self.from..self.to];
            if let Some(end) = held.iter().position(|octet| *octet == b'\n') {
                let line = String::from_utf8_lossy(&held[..end]).trim_end().to_owned();
                self.from += end + 1;
                return if line.starts_with('-') { Err(io::Error::other(line)) } else { Ok(line) };
            }
            self.fill()?;
        }
    }

    /// Says something, and hears one line.
    pub fn ask(&mut self, command: &str) -> io::Result<String> {
        self.stream.write_all(format!("{command}\r\n").as_bytes())?;
        self.line()
    }

    fn skip(&mut self, mut octets: usize) -> io::Result<()> {
        while octets > 0 {
            let held = (self.to - self.from).min(octets);
            self.from += held;
            octets -= held;
            if octets > 0 {
                self.fill()?;
            }
        }
        Ok(())
    }

    /// A message, none of whose lines begins with a dot; its octets.
    fn message(&mut self) -> io::Result<usize> {
        let reply = self.line()?;
        let octets = reply.split(' ').nth(1).and_then(|octets| octets.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        self.skip(octets)?;
        match self.line()?.as_str() {
            "." => Ok(octets),
            line => Err(io::Error::other(format!("`{line}` instead of the end"))),
        }
    }

    fn listing(&mut self, command: &str) -> io::Result<usize> {
        self.ask(command)?;
        let mut lines = 0;
        while self.line()? != "." {
            lines += 1;
        }
        Ok(lines)
    }
}

/// Login, `STAT`, `LIST` and `UIDL`: how long they take, and how many messages there are.
pub fn open(address: SocketAddr, name: &str, password: &str) -> io::Result<(Duration, usize)> {
    let mut client = Client::connect(address)?;
    let begin = Instant::now();
    client.ask(&format!("USER {name}"))?;
    client.ask(&format!("PASS {password}"))?;
    client.ask("STAT")?;
    client.listing("LIST")?;
    let messages = client.listing("UIDL")?;
    let time = begin.elapsed();
    client.ask("QUIT")?;
    Ok((time, messages))
}

/// Fetches each message when the one before it has come: how long that takes, and the octets.
pub fn fetch_each(address: SocketAddr, name: &str, password: &str, messages: usize) -> io::Result<(Duration, usize)> {
    let mut client = Client::log_in(address, name, password)?;
    let (begin, mut octets) = (Instant::now(), 0);
    for number in 1..=messages {
        client.stream.write_all(format!("RETR {number}\r\n").as_bytes())?;
        octets += client.message()?;
    }
    let time = begin.elapsed();
    client.ask("QUIT")?;
    Ok((time, octets))
}

/// Fetches all, many commands at a time.
pub fn fetch_pipelined(address: SocketAddr, name: &str, password: &str, messages: usize) -> io::Result<(Duration, usize)> {
    let mut client = Client::log_in(address, name, password)?;
    let (begin, mut octets, mut asked) = (Instant::now(), 0, 0);
    for number in 1..=messages {
        if asked < messages && asked - (number - 1) <= PIPELINE / 2 {
            let more = (asked + PIPELINE / 2).min(messages);
            let commands: String = (asked + 1..=more).map(|number| format!("RETR {number}\r\n")).collect();
            client.stream.write_all(commands.as_bytes())?;
            asked = more;
        }
        octets += client.message()?;
    }
    let time = begin.elapsed();
    client.ask("QUIT")?;
    Ok((time, octets))
}

/// A client that looks whether there is mail, and goes.
pub fn poll(address: SocketAddr, name: &str, password: &str) -> io::Result<()> {
    let mut client = Client::log_in(address, name, password)?;
    client.ask("STAT")?;
    client.ask("QUIT")?;
    Ok(())
}
