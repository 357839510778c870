//! TLS towards a server whose name may prove nothing: mail between servers is encrypted where it can be (RFC 7435), and what the
//! certificate is worth is looked at afterwards, for those who ask for more.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::verdict::Security;

/// Whom we believe.
pub struct Trust {
    connector: TlsConnector,
    /// None where this machine trusts nobody: then nothing is verified.
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

impl Trust {
    /// The authorities that this machine trusts. Reads files.
    pub fn of_this_machine() -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        // What cannot be read is not trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::of(roots)
    }

    /// These authorities.
    pub fn of(roots: RootCertStore) -> io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(Arc::clone(&provider))))
            .with_no_client_auth();
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), authorities })
    }

    /// Does the handshake as the client, and says what the server's certificate is worth.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        name: &str,
        address: IpAddr,
        within: Duration,
    ) -> io::Result<(TlsStream<TcpStream>, Worth)> {
        let name = ServerName::try_from(name.to_owned()).unwrap_or(ServerName::IpAddress(address.into()));
        let handshake = self.connector.connect(name.clone(), stream);
        let stream = time::timeout(within, handshake).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        let worth = self.worth(stream.get_ref().1.peer_certificates().unwrap_or_default(), &name);
        Ok((stream, worth))
    }

    fn worth(&self, chain: &[CertificateDer<'static>], name: &ServerName<'_>) -> Worth {
        let Some((own, others)) = chain.split_first() else { return Worth::Nothing("it shows no certificate".into()) };
        let Some(authorities) = &self.authorities else { return Worth::Nothing("this machine trusts no authority".into()) };
        match authorities.verify_server_cert(own, others, name, &[], UnixTime::now()) {
            Ok(_) => Worth::Valid,
            Err(error) => Worth::Nothing(error.to_string()),
        }
    }
}

/// What a certificate proves.
#[derive(Debug)]
pub(super) enum Worth {
    /// That the host is who it says.
    Valid,
    /// Nothing; why not.
    Nothing(String),
}

impl Worth {
    pub fn security(&self) -> Security {
        match self {
            Self::Valid => Security::Verified,
            Self::Nothing(_) => Security::Encrypted,
        }
    }
}

/// Takes any certificate, as long as the server has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(m, c, d, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(m, c, d, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
