//! The way to the broker: TCP, with or without TLS by the rustls and aws-lc that everything else here uses.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::error::{BrokerError, LinkError};

/// Which broker, and how it is spoken to.
#[derive(Clone)]
pub struct Broker {
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) login: Option<Login>,
}

/// Who the hub is for the broker.
#[derive(Clone)]
pub struct Login {
    /// The user's name.
    pub username: String,
    /// The password; empty for none.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the login.
        write!(f, "Broker({}:{})", self.host, self.port)
    }
}

/// A connection, of whatever kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Broker {
    /// The broker at this host and port.
    pub fn new(host: &str, port: u16, login: Option<Login>) -> Self {
        Self { host: host.to_owned(), port, tls: None, login }
    }

    /// Only over TLS, with a certificate from an authority in the PEM file `ca`, or one that the system trusts.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn over_tls(mut self, ca: Option<&Path>) -> Result<Self, BrokerError> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|_| BrokerError::Host { host: self.host.clone() })?;
        let system = |e: rustls::Error| BrokerError::System { cause: e.to_string() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(system)?;
        let config = match ca {
            Some(file) => builder.with_root_certificates(authorities(file)?).with_no_client_auth(),
            None => builder.with_platform_verifier().map_err(system)?.with_no_client_auth(),
        };
        self.tls = Some((Arc::new(config), name));
        Ok(self)
    }

    /// Host and port, as the owner wrote them.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, LinkError> {
        let unreachable = |e: std::io::Error| LinkError::Unreachable { cause: e.to_string() };
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((host, self.port)).await.map_err(unreachable)?;
        // States are a few bytes and wanted at once.
        tcp.set_nodelay(true).map_err(unreachable)?;
        let Some((config, name)) = &self.tls else { return Ok(Box::new(tcp)) };
        let tls = TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp).await;
        Ok(Box::new(tls.map_err(|e| LinkError::Tls { cause: e.to_string() })?))
    }
}

fn authorities(file: &Path) -> Result<RootCertStore, BrokerError> {
    let bad = |cause: String| BrokerError::Authority { file: file.to_owned(), cause };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| bad(e.to_string()))? {
        let certificate = certificate.map_err(|e| bad(e.to_string()))?;
        roots.add(certificate).map_err(|e| bad(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("no certificate in it".into()));
    }
    Ok(roots)
}
