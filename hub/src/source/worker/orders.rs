//! What the hub says after the settings: "here is a connection to the substream", with its descriptor, whether units are
//! wanted at once, and whether the substream's are wanted too. Nothing else is understood.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::source::frames::{self, Connection, HEADER, Header, Kind};

/// A connection to the substream that the hub made.
#[derive(Debug)]
pub(super) struct SubConnection {
    pub(super) socket: OwnedFd,
    pub(super) url: String,
}

/// What the hub says.
#[derive(Debug)]
pub(super) enum Order {
    /// Look for motion here.
    Substream(SubConnection),
    /// Whether units are wanted at once.
    Prompt(bool),
    /// Whether the substream's units are wanted too.
    SubUnits(bool),
}

/// Reads the hub's end of the socket; what is read so far is kept here, so that waiting can be interrupted.
#[derive(Debug, Default)]
pub(super) struct Orders {
    bytes: Vec<u8>,
    socket: Option<OwnedFd>,
}

impl Orders {
    /// The next order; `None` when the hub closed its end or says what it never does.
    pub(super) async fn next(&mut self, hub: &UnixStream) -> Option<Order> {
        loop {
            let header = match self.bytes.first_chunk::<HEADER>() {
                None => None,
                Some(header) => Some(Header::parse(*header).ok()?),
            };
            let wanted = HEADER + header.map_or(0, |header| header.length);
            if let Some(header) = header
                && self.bytes.len() == wanted
            {
                let order = self.understood(header.kind);
                self.bytes.clear();
                return order;
            }
            let missing = wanted - self.bytes.len();
            let read = hub.async_io(Interest::READABLE, || self.receive(hub, missing)).await;
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }

    fn understood(&mut self, kind: Kind) -> Option<Order> {
        let body = &self.bytes[HEADER..];
        match kind {
            Kind::Connection => {
                let url = Connection::parse(body).ok()?.url;
                Some(Order::Substream(SubConnection { socket: self.socket.take()?, url }))
            }
            Kind::Prompt => frames::parse_prompt(body).ok().map(Order::Prompt),
            Kind::SubUnits => frames::parse_sub_units(body).ok().map(Order::SubUnits),
            _ => None,
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
