//! What the hub says after the settings: "here is a connection to the substream", with its descriptor. Nothing else is understood.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::source::frames::{Connection, HEADER, Header, Kind};

/// A connection to the substream that the hub made.
#[derive(Debug)]
pub(super) struct SubConnection {
    pub(super) socket: OwnedFd,
    pub(super) url: String,
}

/// Reads the hub's end of the socket; what is read so far is kept here, so that waiting can be interrupted.
#[derive(Debug, Default)]
pub(super) struct Orders {
    bytes: Vec<u8>,
    socket: Option<OwnedFd>,
}

impl Orders {
    /// The next connection; `None` when the hub closed its end or says what it never does.
    pub(super) async fn next(&mut self, hub: &UnixStream) -> Option<SubConnection> {
        loop {
            let wanted = match self.bytes.first_chunk::<HEADER>() {
                None => HEADER,
                Some(header) => {
                    let header = Header::parse(*header).ok().filter(|header| header.kind == Kind::Connection)?;
                    HEADER + header.length
                }
            };
            if self.bytes.len() == wanted && wanted > HEADER {
                let connection = Connection::parse(&self.bytes[HEADER..]).ok()?;
                self.bytes.clear();
                return Some(SubConnection { socket: self.socket.take()?, url: connection.url });
            }
            let missing = wanted - self.bytes.len();
            let read = hub.async_io(Interest::READABLE, || self.receive(hub, missing)).await;
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }

    fn receive(&mut self, hub: &UnixStream, most: usize) -> io::Result<usize> {
        let mut bytes = vec![0; most];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            hub,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut beside,
            RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
        )?;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.socket = descriptors.last().or(self.socket.take());
            }
        }
        self.bytes.extend_from_slice(&bytes[..received.bytes]);
        Ok(received.bytes)
    }
}
