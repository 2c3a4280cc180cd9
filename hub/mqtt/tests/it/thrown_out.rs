//! A broker that lets the hub in and throws it out again is asked less and less often.

use privet_mqtt::Broker;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::common::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_last_counts_as_a_try_in_vain() {
    let log = logged();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(&[0x20, 2, 0, 0]).await;
        }
    });
    let mqtt = spawn(Broker::new("127.0.0.1", port, None), &std::sync::Arc::default());
    // The log is that of all tests of this process, and each has a broker of its own.
    let broker = format!("127.0.0.1:{port}");
    let third = |line: &str| line.contains(&broker) && line.contains("tries=3");
    within("the third try in vain", async {
        while !String::from_utf8_lossy(&log.lock().unwrap()).lines().any(third) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    mqtt.stop().await;
}
