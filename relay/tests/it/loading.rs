//! A home that takes long to read is read once, however short the patience of those who come for it; and its log, which may be large, is
//! not read for it at all.

use privet_protocol::id::HomeId;
use privet_protocol::relay::{Principal, Rights};
use privet_protocol::storage::Batch;
use privet_relay_client::{ClientError, Connection, connect};

use crate::common::{PATIENCE, body, in_time, key, target, until, with_field};
use crate::shared::Nodes;
use crate::shared::troubles::Deed;

/// The hub, once.
async fn come(nodes: &Nodes, to: usize, home: HomeId) -> Result<Connection, ClientError> {
    let founder = Principal::Founder { home, invite: None };
    connect(&target(&nodes.servers[to]), founder, &key(1), PATIENCE).await
}

/// The hub, as often as it takes.
async fn served(nodes: &Nodes, to: usize, home: HomeId) -> Connection {
    in_time(async {
        loop {
            if let Ok(hub) = come(nodes, to, home).await {
                return hub;
            }
        }
    })
    .await
}

/// The relay finds out that somebody else has taken the home over, and has to read it anew.
async fn found_out(hub: &Connection) {
    hub.grant(key(77).public(), Rights::PHONE).await.unwrap_err();
    in_time(hub.closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_takes_long_to_read_is_read_once_however_often_somebody_comes() {
    let nodes = Nodes::with(2, |config| {
        config.limits.home_ms = 300;
        config.limits.sweep_s = 3600;
    })
    .await;
    let (home, at) = nodes.home_of(0);
    let troubles = &nodes.store.troubles;
    let hub = served(&nodes, at, home).await;
    hub.append(1, b"one".to_vec()).await.unwrap();
    drop(nodes.store.take_over_by_another(home).await);
    found_out(&hub).await;

    troubles.forget_scans();
    troubles.hold(Deed::Scan, home);
    // At the node that serves it and at the other one.
    for to in [at, 1 - at, at, 1 - at] {
        until(|| async {
            let refused = come(&nodes, to, home).await.unwrap_err();
            assert!(refused.is_retryable(), "{refused}");
            refused.to_string().contains("the home is being read: come again in a moment")
        })
        .await;
    }
    assert_eq!(troubles.scans(b"b/", home), 1, "it is read on, and not anew");
    troubles.release();
    served(&nodes, at, home).await;
    let hub = served(&nodes, 1 - at, home).await;
    assert_eq!(troubles.scans(b"g/", home), 1);
    assert_eq!(hub.append(2, b"two".to_vec()).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_not_read_to_know_how_large_it_is() {
    let nodes = Nodes::with(1, |config| config.limits.sweep_s = 3600).await;
    let (home, at) = nodes.home_of(0);
    let troubles = &nodes.store.troubles;
    let hub = nodes.hub(at, home).await;
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    for seq in 1..=20 {
        hub.append(seq, body(seq, 5000).to_vec()).await.unwrap();
    }
    nodes.phone(at, home, 2).await.ack_log(7).await.unwrap();
    let usage = hub.usage().await.unwrap();
    let (first, stored) = (usage.log_first, usage.stored_bytes);
    assert!(first == 8 && (13 * 5000..14 * 5000).contains(&stored), "{usage:?}");

    drop(nodes.store.take_over_by_another(home).await);
    found_out(&hub).await;
    troubles.forget_scans();
    let hub = nodes.hub(at, home).await;
    assert_eq!(hub.usage().await.unwrap().stored_bytes, stored);
    assert_eq!(troubles.scans(b"l/", home), 0);

    // A record of an earlier version does not say it: then it is read, once.
    let other = nodes.store.take_over_by_another(home).await;
    let name = [&b"h/"[..], home.as_bytes()].concat();
    let record = other.get(name.clone()).await.unwrap().unwrap();
    let mut batch = Batch::new();
    batch.put(name, with_field(&record, "log_bytes", None));
    other.commit(batch).await.unwrap();
    found_out(&hub).await;
    let hub = nodes.hub(at, home).await;
    assert_eq!(hub.usage().await.unwrap().stored_bytes, stored);
    assert_eq!(troubles.scans(b"l/", home), 1);
    drop(nodes.store.take_over_by_another(home).await);
    found_out(&hub).await;
    let hub = nodes.hub(at, home).await;
    assert_eq!(hub.usage().await.unwrap().stored_bytes, stored);
    assert_eq!(troubles.scans(b"l/", home), 1);
}
