//! When as many clients are there as `limits.connections` allows: newcomers are turned away and counted, who is there stays.

use privet_relay::Config;
use privet_relay_client::ClientError;

use crate::common::{House, until};
use crate::openmetrics::{parse, value};
use crate::pages::page;

#[tokio::test]
async fn a_full_relay_turns_newcomers_away_and_serves_those_it_has() {
    let house = House::with(|config| {
        config.limits.connections = 2;
        config.metrics = Config::parse("relay.toml", "[metrics]\nlisten = '127.0.0.1:0'\n").unwrap().metrics;
    })
    .await;
    until(|| async { house.server.metrics().is_some() }).await;
    let pages = house.server.metrics().unwrap();
    let turned_away = async || {
        let samples = parse(&page(pages, "/metrics").await.1);
        value(&samples, "privet_relay_newcomers_total", &[("outcome", "full")])
    };
    let (first, second) = (house.hub().await, house.hub().await);
    assert_eq!(turned_away().await, 0.0);
    let error = house.try_phone(2).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }) && error.is_retryable(), "{error}");
    assert!(turned_away().await >= 1.0);
    for connection in [&first, &second] {
        connection.usage().await.unwrap();
    }
    // A place that is free again is given again.
    first.leave().await;
    drop(first);
    until(|| async { house.try_phone(2).await.is_err_and(|error| error.refusal().is_some()) }).await;
    second.usage().await.unwrap();
}
