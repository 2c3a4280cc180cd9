//! A home that sends requests of which the end does not come, as many as it may and more.

use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt as _;
use privet_protocol::id::HomeId;
use privet_protocol::relay::{ALPN, Code, HelloAnswer, Principal, frame};
use privet_relay_client::Connection as Client;
use quinn::{Connection, Endpoint, RecvStream, SendStream};

use super::{answer, config, raw_at, say, signed};
use crate::common::in_time;

/// What comes of each, in bytes.
pub const HALF: usize = 120_000;
/// What comes of those that fill what is left.
const LITTLE: usize = HALF / 12;
/// Requests on each connection at first ...
const REQUESTS: usize = 14;
/// ... and at most, of the sixteen that there may be: of those that became free QUIC tells two at a time.
const MOST: usize = 15;

/// Connections of a home's owner, and what is half sent on them.
#[derive(Default)]
pub struct HalfSent(Vec<Held>);

struct Held {
    _endpoint: Endpoint,
    connection: Connection,
    requests: Vec<(SendStream, RecvStream)>,
}

impl HalfSent {
    /// On so many connections to this relay.
    pub async fn begin(server: SocketAddr, home: HomeId, connections: usize) -> Self {
        let mut begun = Self::default();
        for _ in 0..connections {
            let (endpoint, connection) = raw_at(server, config(ALPN)).await.unwrap();
            let hello = signed(&connection, Principal::Founder { home, invite: None }, 1);
            let welcome: HelloAnswer = answer(&say(&connection, &frame(&hello)).await);
            assert!(matches!(welcome, HelloAnswer::Welcome { .. }), "{welcome:?}");
            let mut held = Held { _endpoint: endpoint, connection, requests: Vec::new() };
            for _ in 0..REQUESTS {
                held.begin(HALF).await;
            }
            begun.0.push(held);
        }
        begun
    }

    /// Until as much has come as may, and the home's `hub` is refused also what is little. Many that came to the bound at the same time
    /// have all made way: one after the other fills what they left.
    pub async fn fill(&mut self, hub: &Client) {
        for size in [HALF, LITTLE] {
            // No entry has this number: what is read whole is refused for another reason.
            let full = async || hub.append(0, vec![1; size]).await.is_err_and(|e| e.refusal() == Some(Code::Busy));
            in_time(async {
                while !full().await {
                    self.0.iter_mut().for_each(Held::forget_stopped);
                    match self.0.iter_mut().min_by_key(|held| held.requests.len()) {
                        Some(held) if held.requests.len() < MOST => held.begin(size).await,
                        // What was begun is still on its way.
                        _ => tokio::time::sleep(Duration::from_millis(5)).await,
                    }
                }
            })
            .await;
        }
    }
}

impl Held {
    /// A request of which so much comes.
    async fn begin(&mut self, size: usize) {
        let (mut send, receive) = in_time(self.connection.open_bi()).await.unwrap();
        send.write_all(&130_000_u32.to_be_bytes()).await.unwrap();
        // One that is beyond the bound is stopped.
        let _ = send.write_all(&vec![0; size]).await;
        self.requests.push((send, receive));
    }

    /// Those make room for others on their connection.
    fn forget_stopped(&mut self) {
        self.requests.retain(|(send, _)| send.stopped().now_or_never().is_none());
    }
}
