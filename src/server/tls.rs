//! TLS 1.2 and 1.3 (RFC 8446), with a certificate that can be changed while the server runs.
//!
//! Owns the self-signed pair of a first run: enough for opportunistic TLS between mail servers, which does not
//! look at names (RFC 7435). Refuses sessions' business: who asks for a handshake, and what comes after it.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, fs::File};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Certificate;
use crate::telemetry::Event;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);

const CERTIFICATE_FILE: &str = "certificate.pem";
const KEY_FILE: &str = "key.pem";

/// Why there is no TLS: all of it is for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read ({why}); tls.certificate and tls.key name PEM files that the server's user may read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        why: String,
    },
    /// The pair does not fit, or is of a kind that we cannot use.
    #[error("{path} and its key cannot be used: {why}")]
    Unusable {
        /// The certificate.
        path: PathBuf,
        /// The cause.
        why: String,
    },
    /// The self-signed pair cannot be made.
    #[error("no self-signed certificate could be made in {folder}: {why}")]
    NotMade {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        why: String,
    },
}

/// The certificate in use. Handshakes under way keep the one that they began with.
pub struct Tls {
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the pair, making it first where it is ours to make.
    pub fn load(certificate: &Certificate, hostname: &str) -> Result<Self, TlsError> {
        Ok(Self { current: ArcSwap::new(server_config(certificate, hostname)?) })
    }

    /// Reads the pair again. If it cannot be used, the old one stays.
    pub fn reload(&self, certificate: &Certificate, hostname: &str) -> Result<(), TlsError> {
        self.current.store(server_config(certificate, hostname)?);
        Ok(())
    }

    /// Does the handshake as the server.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let acceptor = TlsAcceptor::from(self.current.load_full());
        time::timeout(HANDSHAKE, acceptor.accept(stream)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

fn server_config(certificate: &Certificate, hostname: &str) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = match certificate {
        Certificate::Files { certificate, key } => (certificate.clone(), key.clone()),
        Certificate::SelfSigned { folder } => self_signed(folder, hostname)?,
    };
    let unusable = |why: String| TlsError::Unusable { path: chain.clone(), why };
    let certificates = read_chain(&chain)?;
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|e| TlsError::Unreadable { path: key, why: e.to_string() })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(|e| unusable(e.to_string()))?;
    config.ticketer = ring::Ticketer::new().map_err(|e| unusable(e.to_string()))?;
    Ok(Arc::new(config))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |why: String| TlsError::Unreadable { path: path.to_owned(), why };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<_, _>>).map_err(|e| unreadable(e.to_string()))?;
    if chain.is_empty() { Err(unreadable("it holds no certificate".into())) } else { Ok(chain) }
}

/// The pair in `folder`. The certificate is written last and removed first, so that it is there only beside its key.
fn self_signed(folder: &Path, hostname: &str) -> Result<(PathBuf, PathBuf), TlsError> {
    let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
    if !(certificate.exists() && key.exists()) {
        make(folder, &certificate, &key, hostname).map_err(|e| TlsError::NotMade { folder: folder.to_owned(), why: e.to_string() })?;
        Event::CertificateMade { path: &certificate.to_string_lossy() }.say();
    }
    Ok((certificate, key))
}

fn make(folder: &Path, certificate: &Path, key: &Path, hostname: &str) -> io::Result<()> {
    let pair = rcgen::generate_simple_self_signed([hostname.to_owned()]).map_err(io::Error::other)?;
    fs::create_dir_all(folder)?;
    match fs::remove_file(certificate) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    write_whole(folder, key, pair.signing_key.serialize_pem().as_bytes(), 0o600)?;
    write_whole(folder, certificate, pair.cert.pem().as_bytes(), 0o644)
}

/// A file that is there whole, with its mode, or not at all.
fn write_whole(folder: &Path, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(mode)).tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair_in(folder: &Path) -> Certificate {
        Certificate::SelfSigned { folder: folder.join("tls") }
    }

    #[test]
    fn the_pair_is_made_once_and_its_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls::load(&pair_in(folder.path()), "mx.example.org").unwrap();
        let key = folder.path().join("tls/key.pem");
        let made = fs::read(&key).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        tls.reload(&pair_in(folder.path()), "mx.example.org").unwrap();
        assert_eq!(fs::read(&key).unwrap(), made);
    }

    #[test]
    fn half_a_pair_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let pair = pair_in(folder.path());
        for lost in ["tls/key.pem", "tls/certificate.pem"] {
            Tls::load(&pair, "mx.example.org").unwrap();
            fs::remove_file(folder.path().join(lost)).unwrap();
            assert!(Tls::load(&pair, "mx.example.org").is_ok(), "without {lost}");
        }
    }

    #[test]
    fn a_bad_pair_says_which_file() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        for name in [&one, &two] {
            Tls::load(&Certificate::SelfSigned { folder: name.clone() }, "localhost").unwrap();
        }
        let load = |certificate: PathBuf, key: PathBuf| Tls::load(&Certificate::Files { certificate, key }, "").err().unwrap().to_string();
        assert!(load(one.join("certificate.pem"), two.join("key.pem")).contains("one/certificate.pem"), "keys differ");
        assert!(load(one.join("certificate.pem"), one.join("none.pem")).contains("none.pem"));
        fs::write(one.join("empty.pem"), "").unwrap();
        assert!(load(one.join("empty.pem"), one.join("key.pem")).contains("no certificate"));
    }
}
