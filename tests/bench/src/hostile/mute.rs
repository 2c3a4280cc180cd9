//! A socket that sends and hears next to nothing: what it begins is never ended. It hears Retry only, so that it can prove its
//! address, as somebody who attacks from addresses of his own does.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use privet_demo::Trouble;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Endpoint, EndpointConfig, Runtime as _, TokioRuntime, UdpPoller};

use crate::relay::{peer, trouble};

/// An endpoint with such a socket at this address. Must be called within a tokio runtime.
pub fn endpoint(address: Ipv4Addr) -> Result<Endpoint, Trouble> {
    let socket = TokioRuntime.wrap_udp_socket(peer::socket(address)?).map_err(trouble)?;
    let (config, runtime) = (EndpointConfig::default(), Arc::new(TokioRuntime));
    Endpoint::new_with_abstract_socket(config, None, Arc::new(Mute(socket)), runtime).map_err(trouble)
}

#[derive(Debug)]
struct Mute(Arc<dyn AsyncUdpSocket>);

impl AsyncUdpSocket for Mute {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.0).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.0.poll_recv(cx, bufs, meta))?;
        for (buffer, meta) in bufs.iter().zip(meta).take(count) {
            // A long header of the type Retry (RFC 9000 section 17.2.5).
            if buffer.first().is_none_or(|byte| byte & 0xf0 != 0xf0) {
                meta.len = 0;
            }
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.0.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.0.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.0.may_fragment()
    }
}
