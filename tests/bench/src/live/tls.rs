//! The records over TCP and TLS 1.3, in one stream, the congestion control said for this connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use privet_demo::Trouble;
use privet_link::CENTRE;
use rustix::net::sockopt;
use rustls::RootCertStore;
use rustls_pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::privet::wait;
use super::source::{Parser, Record};
use super::tally::Tally;

const NAME: &str = "centre.test";
/// A handshake over the worst of the links.
const PATIENCE: Duration = Duration::from_secs(30);
const PIECE: usize = 64 * 1024;

/// Gets everything ready; what it returns sends until the source ends and all has arrived.
pub fn begin(
    here: &Runtime,
    there: &Runtime,
    congestion: &'static str,
    live: mpsc::UnboundedReceiver<Record>,
    tally: Tally,
) -> Result<impl Future<Output = Result<(), Trouble>> + Send + 'static, Trouble> {
    let (acceptor, connector) = tls()?;
    let (listener, address) = wait(here, async move {
        let listener = TcpListener::bind((CENTRE, 0)).await.map_err(trouble)?;
        sockopt::set_tcp_congestion(&listener, congestion).map_err(|e| trouble(e.into()))?;
        let address = listener.local_addr().map_err(trouble)?;
        Ok((listener, address))
    })?;
    let accepting =
        here.spawn(async move { tokio::time::timeout(PATIENCE, accept(listener, acceptor, congestion)).await });
    let phone = wait(there, async move {
        let connecting = async {
            let stream = TcpStream::connect(address).await?;
            connector.connect(ServerName::try_from(NAME).map_err(io::Error::other)?, stream).await
        };
        tokio::time::timeout(PATIENCE, connecting).await.map_err(|e| trouble(e.into()))?.map_err(trouble)
    })?;
    let hub = wait(here, async move {
        accepting.await.map_err(|e| Trouble::new(e.to_string()))?.map_err(|e| trouble(e.into()))?.map_err(trouble)
    })?;
    let receiving = there.spawn(receive(phone, tally));
    Ok(async move {
        send(hub, live).await.map_err(trouble)?;
        receiving.await.map_err(|e| Trouble::new(e.to_string()))?;
        Ok(())
    })
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    congestion: &str,
) -> io::Result<server::TlsStream<TcpStream>> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    sockopt::set_tcp_congestion(&stream, congestion)?;
    let set = sockopt::tcp_congestion(&stream)?;
    if set != congestion {
        return Err(io::Error::other(format!("the congestion control is {set}, not {congestion}")));
    }
    acceptor.accept(stream).await
}

async fn send(mut stream: server::TlsStream<TcpStream>, mut live: mpsc::UnboundedReceiver<Record>) -> io::Result<()> {
    while let Some(record) = live.recv().await {
        stream.write_all(&record.bytes).await?;
        stream.flush().await?;
    }
    stream.shutdown().await
}

async fn receive(mut stream: client::TlsStream<TcpStream>, tally: Tally) {
    let mut parser = Parser::default();
    let mut bytes = vec![0; PIECE];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        tally.arrived(&parser.push(&bytes[..length]));
    }
}

fn tls() -> Result<(TlsAcceptor, TlsConnector), Trouble> {
    let failed = |what: String| Trouble::new(format!("TLS: {what}"));
    let made = rcgen::generate_simple_self_signed(vec![NAME.into()]).map_err(|e| failed(e.to_string()))?;
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|b| b.with_no_client_auth().with_single_cert(vec![certificate.clone()], key.into()))
        .map_err(|e| failed(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(|e| failed(e.to_string()))?;
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| failed(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((Arc::new(server).into(), Arc::new(client).into()))
}

fn trouble(error: io::Error) -> Trouble {
    Trouble::new(error.to_string())
}
