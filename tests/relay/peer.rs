//! A server that plays a script, whatever the client makes of it.
//!
//! `C: line` waits for that line. `S: line` sends one. `TEXT` takes a message up to its end. `RAW: text` sends text as it stands, with
//! `\r` and `\n` escaped. `DRIP: text` sends it octet by octet for as long as the client stays. `FLOOD: text` sends it without end. `TLS` does a
//! handshake as the server, `NOTLS` answers one with rubbish. `HANG` waits until the client is gone, `RESET` throws the
//! connection away, and the end of the script closes it. `---` parts one connection from the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time;
use tokio_rustls::TlsAcceptor;

/// A server and its script.
pub struct Peer {
    pub address: SocketAddr,
    /// Its certificate, which it has signed itself.
    pub certificate: CertificateDer<'static>,
    played: JoinHandle<Result<Vec<Vec<u8>>, String>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

enum Carried {
    Clear(TcpStream),
    Tls(Box<dyn Stream>),
}

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(30);

impl Peer {
    /// Starts to play. The certificate is for `peer.example`.
    pub async fn play(script: &str) -> Self {
        Self::play_at("127.0.0.1:0".parse().unwrap(), script).await
    }

    /// The same at this address.
    pub async fn play_at(address: SocketAddr, script: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pair = rcgen::generate_simple_self_signed(vec!["peer.example".to_owned()]).unwrap();
        let certificate = pair.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let script = script.to_owned();
        let played = tokio::spawn(async move {
            let mut texts = Vec::new();
            for part in script.split("---") {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut connection = Connection { carried: Some(Carried::Clear(stream)), input: Vec::new(), texts: Vec::new() };
                connection.play(part, &acceptor).await?;
                texts.extend(connection.texts);
            }
            Ok(texts)
        });
        Self { address, certificate, played }
    }

    /// The texts that it took, once the script has been played to its end.
    pub async fn texts(self) -> Vec<Vec<u8>> {
        time::timeout(PATIENCE, self.played)
            .await
            .expect("the script is not played to its end")
            .unwrap()
            .unwrap_or_else(|wrong| panic!("{wrong}"))
    }
}

struct Connection {
    carried: Option<Carried>,
    input: Vec<u8>,
    texts: Vec<Vec<u8>>,
}

impl Connection {
    async fn play(&mut self, script: &str, acceptor: &TlsAcceptor) -> Result<(), String> {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (what, rest) = line.split_once(": ").unwrap_or((line, ""));
            match what {
                "C" => {
                    let found = self.line().await?;
                    if found != rest {
                        return Err(format!("the client said `{found}` where `{rest}` was due"));
                    }
                }
                "S" => self.send(format!("{rest}\r\n").as_bytes()).await,
                "RAW" => self.send(&unescaped(rest)).await,
                "TEXT" => self.text().await?,
                "DRIP" => self.drip(&unescaped(rest)).await,
                "FLOOD" => while self.write(&unescaped(rest).repeat(100)).await {},
                "HANG" => while self.read().await {},
                "TLS" => {
                    let Some(Carried::Clear(stream)) = self.carried.take() else { return Err("TLS twice".into()) };
                    let stream = acceptor.accept(stream).await.map_err(|error| format!("handshake: {error}"))?;
                    self.carried = Some(Carried::Tls(Box::new(stream)));
                }
                "NOTLS" => {
                    self.read().await;
                    self.input.clear();
                    self.send(b"what do you mean?\r\n").await;
                    while self.read().await {}
                }
                "RESET" => {
                    if let Some(Carried::Clear(stream)) = self.carried.take() {
                        let stream = socket2::Socket::from(stream.into_std().unwrap());
                        stream.set_linger(Some(Duration::ZERO)).unwrap();
                    }
                }
                other => return Err(format!("`{other}` is nothing that a script says")),
            }
        }
        Ok(())
    }

    async fn write(&mut self, octets: &[u8]) -> bool {
        match &mut self.carried {
            Some(Carried::Clear(stream)) => stream.write_all(octets).await.is_ok(),
            Some(Carried::Tls(stream)) => stream.write_all(octets).await.is_ok() && stream.flush().await.is_ok(),
            None => false,
        }
    }

    /// Sends; a client that is gone does not mind.
    async fn send(&mut self, octets: &[u8]) {
        self.write(octets).await;
    }

    async fn drip(&mut self, octets: &[u8]) {
        for octet in octets.iter().cycle() {
            if !self.write(&[*octet]).await || self.gone().await {
                return;
            }
        }
    }

    /// Whether the client has closed; waits a moment for it.
    async fn gone(&mut self) -> bool {
        matches!(time::timeout(Duration::from_millis(5), self.read()).await, Ok(false))
    }

    async fn read(&mut self) -> bool {
        let read = match &mut self.carried {
            Some(Carried::Clear(stream)) => stream.read_buf(&mut self.input).await,
            Some(Carried::Tls(stream)) => stream.read_buf(&mut self.input).await,
            None => Ok(0),
        };
        matches!(read, Ok(octets) if octets > 0)
    }

    async fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.read().await {
                return Err("the client went away".into());
            }
        }
    }

    async fn text(&mut self) -> Result<(), String> {
        loop {
            let end = if self.input.starts_with(b".\r\n") {
                Some(0)
            } else {
                self.input.windows(5).position(|w| w == b"\r\n.\r\n").map(|at| at + 2)
            };
            if let Some(end) = end {
                self.texts.push(self.input.drain(..end + 3).take(end).collect());
                return Ok(());
            }
            if !self.read().await {
                return Err("the client went away in the middle of the text".into());
            }
        }
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").into_bytes()
}
