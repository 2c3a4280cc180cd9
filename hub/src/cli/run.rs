//! `privet-hub run`.

use std::io::IsTerminal;

use privet_hub::config::{Config, ConstantRate};
use privet_hub::hub::Hub;
use privet_hub::source::WorkerOptions;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::{Failure, print_json};

pub(super) fn run(config: Config, json: bool) -> Result<(), Failure> {
    log_to_stderr(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::Other(format!("the runtime can't start: {e}")))?;
    let outcome = runtime.block_on(Box::pin(hub(config, json)));
    // A worker that does not want to end must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}

async fn hub(config: Config, json: bool) -> Result<(), Failure> {
    let signals = || -> std::io::Result<_> { Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)) };
    let (mut terminate, mut interrupt) =
        signals().map_err(|e| Failure::Other(format!("signals can't be watched: {e}")))?;
    let relay = format!("{}:{}", config.relay.host, config.relay.port);
    let data_dir = config.data_dir.clone();
    let price = config.constant_rate.as_ref().map(ConstantRate::price);
    let hub = Box::pin(Hub::start(config, WorkerOptions::default())).await?;
    let view = hub.view();
    let known =
        view.home().call(|home, _| (home.home_id(), home.identity_fingerprint().to_string(), home.members().len()));
    let (home, fingerprint, phones) = known.await.map_err(|e| Failure::State(e.to_string()))?;
    let status = view.status().await.map_err(|e| Failure::State(e.to_string()))?;
    if json {
        let cameras: Vec<_> = status
            .cameras
            .iter()
            .map(|c| serde_json::json!({ "id": c.id, "name": c.name, "evidence": c.evidence }))
            .collect();
        print_json(&serde_json::json!({
            "ready": true, "pid": std::process::id(), "home": home.to_string(), "fingerprint": fingerprint,
            "phones": phones, "cameras": cameras, "relay": relay, "data_dir": data_dir,
            "constant_rate": price,
        }));
    } else {
        println!("ready: '{}', {} cameras, {phones} phones, relay {relay}", status.name, status.cameras.len());
        if let Some(price) = price {
            println!("constant rate: {price}");
        }
        if phones == 0 {
            eprintln!("no phone yet: run `privet-hub pair` and scan the code");
        }
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: clips are finished first");
    hub.stop().await;
    Ok(())
}

fn log_to_stderr(directives: &str) {
    let mut filter: Targets = directives.parse().unwrap_or_default();
    if !directives.contains("openmls") {
        // It reports every message that it refuses; what follows from one is reported here, by name.
        filter = filter.with_target("openmls", LevelFilter::OFF);
    }
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(terminal);
    // Only a second logger in one process can make this fail.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
