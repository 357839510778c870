//! A POP3 client that costs little: it believes the sizes it is told, and looks at no text.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Octets that are read at a time.
const BLOCK: usize = 256 * 1024;

/// Commands that are sent before the first of them is answered.
const PIPELINE: usize = 256;

/// Where a server listens, and how it is spoken to.
#[derive(Clone)]
pub struct Door {
    pub address: SocketAddr,
    pub tls: Option<Arc<ClientConfig>>,
}

impl Door {
    /// In clear.
    pub fn clear(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    /// Inside TLS, with a server that shows this certificate.
    pub fn tls(address: SocketAddr, certificate: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { address, tls: Some(Arc::new(config)) })
    }

    fn open(&self) -> io::Result<Box<dyn Wire>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from("mx.test").map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }
}

pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

pub struct Client {
    stream: Box<dyn Wire>,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Client {
    /// Connected and greeted.
    pub fn connect(door: &Door) -> io::Result<Self> {
        let mut client = Self { stream: door.open()?, buffer: vec![0; BLOCK], from: 0, to: 0 };
        client.line()?;
        Ok(client)
    }

    /// Logged in.
    pub fn log_in(door: &Door, name: &str, password: &str) -> io::Result<Self> {
        let mut client = Self::connect(door)?;
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
pub fn open(door: &Door, name: &str, password: &str) -> io::Result<(Duration, usize)> {
    let mut client = Client::connect(door)?;
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
pub fn fetch_each(door: &Door, name: &str, password: &str, messages: usize) -> io::Result<(Duration, usize)> {
    let mut client = Client::log_in(door, name, password)?;
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
pub fn fetch_pipelined(door: &Door, name: &str, password: &str, messages: usize) -> io::Result<(Duration, usize)> {
    let mut client = Client::log_in(door, name, password)?;
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
pub fn poll(door: &Door, name: &str, password: &str) -> io::Result<()> {
    let mut client = Client::log_in(door, name, password)?;
    client.ask("STAT")?;
    client.ask("QUIT")?;
    Ok(())
}
