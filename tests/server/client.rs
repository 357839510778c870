//! A client that says what it is told to, octet by octet.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::house::PATIENCE;

enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

pub struct Client {
    wire: Option<Wire>,
    read: Vec<u8>,
    patience: Duration,
}

impl Client {
    pub fn tcp(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(Wire::Tcp(stream))
    }

    pub fn unix(path: &Path) -> Self {
        Self::over(Wire::Unix(UnixStream::connect(path).unwrap()))
    }

    fn over(wire: Wire) -> Self {
        let mut client = Self { wire: Some(wire), read: Vec::new(), patience: PATIENCE };
        client.set_patience(PATIENCE);
        client
    }

    /// How long a line is waited for.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
        match self.wire.as_ref().unwrap() {
            Wire::Tcp(stream) => stream.set_read_timeout(Some(patience)).unwrap(),
            Wire::Unix(stream) => stream.set_read_timeout(Some(patience)).unwrap(),
            Wire::Tls(stream) => stream.sock.set_read_timeout(Some(patience)).unwrap(),
        }
    }

    /// Does the TLS handshake, trusting this certificate alone.
    pub fn secured(mut self, certificate: &Path) -> Self {
        self.secure(certificate);
        self
    }

    pub fn secure(&mut self, certificate: &Path) {
        assert!(self.read.is_empty(), "unread: {:?}", String::from_utf8_lossy(&self.read));
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let Some(Wire::Tcp(stream)) = self.wire.take() else { panic!("TLS goes over TCP") };
        let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("mx.example.org").unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        stream.conn.complete_io(&mut stream.sock).unwrap();
        self.wire = Some(Wire::Tls(Box::new(stream)));
    }

    fn stream(&mut self) -> &mut dyn ReadWrite {
        match self.wire.as_mut().unwrap() {
            Wire::Tcp(stream) => stream,
            Wire::Unix(stream) => stream,
            Wire::Tls(stream) => stream,
        }
    }

    /// Sends; whether the server still takes it is another question.
    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        let octets = octets.as_ref();
        let _ = self.stream().write_all(octets).and_then(|()| self.stream().flush());
    }

    /// The next line without its CRLF; none if the connection is closed, or nothing comes in time.
    pub fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = self.read.drain(..end + 2).take(end).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            let mut block = [0; 4096];
            match self.stream().read(&mut block) {
                Ok(0) | Err(_) => return None,
                Ok(octets) => self.read.extend_from_slice(&block[..octets]),
            }
        }
    }

    /// A whole reply; its last line.
    pub fn reply(&mut self) -> String {
        loop {
            let line = self.line().expect("a reply");
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    /// Says something, and hears a reply that begins with `expected`.
    #[track_caller]
    pub fn expect(&mut self, says: &str, expected: &str) -> String {
        self.send(format!("{says}\r\n"));
        let reply = self.reply();
        assert!(reply.starts_with(expected), "{says}: {reply}");
        reply
    }

    #[track_caller]
    pub fn greeted(mut self) -> Self {
        let reply = self.reply();
        assert!(reply.starts_with("220 "), "{reply}");
        self
    }

    /// Whether the server has closed, nothing unread being left.
    pub fn is_closed(&mut self) -> bool {
        assert!(self.read.is_empty(), "unread: {:?}", String::from_utf8_lossy(&self.read));
        match self.stream().read(&mut [0]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    /// Sends a whole message; the replies to its data.
    #[track_caller]
    pub fn deliver(&mut self, hello: &str, recipients: &[&str], text: &str) -> Vec<String> {
        self.expect(hello, "250");
        self.expect("MAIL FROM:<sender@example.com>", "250");
        for recipient in recipients {
            self.expect(&format!("RCPT TO:<{recipient}>"), "250");
        }
        self.expect("DATA", "354");
        self.send(format!("{text}\r\n.\r\n"));
        let replies = if hello.starts_with("LHLO") { recipients.len() } else { 1 };
        (0..replies).map(|_| self.reply()).collect()
    }

    /// Nothing more will be sent.
    pub fn half_close(&self) {
        if let Some(Wire::Tcp(stream)) = &self.wire {
            stream.shutdown(Shutdown::Write).unwrap();
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}
