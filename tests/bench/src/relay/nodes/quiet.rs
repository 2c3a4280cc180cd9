//! Homes whose hub is connected and says nothing: what each takes of the memory and of the processor of all nodes together, and what it
//! costs to look through it for what has expired.

use std::path::Path;
use std::time::Duration;

use privet_demo::Trouble;
use quinn::Connection;
use tokio::time::sleep;

use super::cluster::{Cluster, NODES};
use crate::figure::Figure;
use crate::relay::idle::{Newcomer, QUIET, SETTLE};
use crate::relay::{BENCH, Meter, Used, memory_kib, runtime};

/// At each node.
const HOMES: usize = 400;
/// Seconds from one looking to the next: often, to measure it, and seldom, to measure the rest.
const OFTEN_S: u64 = 2;
const SELDOM_S: u64 = 86_400;

/// All figures of it.
pub fn run(folder: &Path) -> Result<Vec<Figure>, Trouble> {
    let all = HOMES * NODES;
    eprintln!("{BENCH}: {NODES} nodes, {all} homes in which nothing happens: about 70 s ...");
    let cluster = Cluster::start(&folder.join("quiet"), OFTEN_S)?;
    let (bytes, often, seldom) = runtime()?.block_on(measure(&cluster))?;
    let case = format!("{NODES} nodes, {all} homes in which nothing happens");
    let known = |metric, value, unit| Figure::known(BENCH, case.clone(), metric, value, unit);
    let us_per_s = |used: Used| used.cpu.as_secs_f64() * 1e6 / used.lasted.as_secs_f64() / all as f64;
    // What looking through all of them so often takes in addition, for one look at one home.
    let look_us = |often: Used, seldom: Used| (us_per_s(often) - us_per_s(seldom)) * OFTEN_S as f64;
    Ok(vec![
        known("memory of the nodes for each", bytes / all as f64 / 1000.0, "kB"),
        known("processor of the nodes for each", us_per_s(seldom.nodes), "us per s"),
        known("processor of PostgreSQL for each", us_per_s(seldom.postgres), "us per s"),
        known("sweeping it once: processor of the nodes", look_us(often.nodes, seldom.nodes), "us"),
        known("sweeping it once: processor of PostgreSQL", look_us(often.postgres, seldom.postgres), "us"),
    ])
}

/// What both sides took of the processor in the same time.
#[derive(Clone, Copy)]
struct Both {
    nodes: Used,
    postgres: Used,
}

/// Bytes of memory that all homes together take, and the processor with looking often and with looking seldom.
async fn measure(cluster: &Cluster) -> Result<(f64, Both, Both), Trouble> {
    cluster.settle().await?;
    // The first homes bring code and tables into memory that all share.
    let _first = come(cluster, 1).await?;
    sleep(SETTLE).await;
    let before_kib = memory_of_all(cluster)?;
    let connections = come(cluster, HOMES).await?;
    sleep(SETTLE).await;
    let after_kib = memory_of_all(cluster)?;
    let often = watch(cluster).await?;
    cluster.sweep_every(SELDOM_S)?;
    // Each node is asleep until it looks once more, and sleeps for long after that.
    sleep(Duration::from_secs(2 * OFTEN_S) + SETTLE).await;
    let seldom = watch(cluster).await?;
    if let Some(reason) = connections.iter().find_map(Connection::close_reason) {
        return Err(Trouble::new(format!("a connection did not stay: {reason}")));
    }
    Ok((after_kib.saturating_sub(before_kib) as f64 * 1024.0, often, seldom))
}

/// So many hubs at each node, each of a home of its own.
async fn come(cluster: &Cluster, homes: usize) -> Result<Vec<Connection>, Trouble> {
    let mut all = Vec::new();
    for node in &cluster.nodes {
        all.extend(Newcomer::of(node.target.port, homes)?.come(homes).await?);
    }
    Ok(all)
}

async fn watch(cluster: &Cluster) -> Result<Both, Trouble> {
    let (nodes, postgres) = (Meter::all(&cluster.ids()), Meter::start(cluster.postgres.id));
    sleep(QUIET).await;
    Ok(Both { nodes: nodes.stop()?, postgres: postgres.stop()? })
}

fn memory_of_all(cluster: &Cluster) -> Result<u64, Trouble> {
    cluster.ids().into_iter().map(memory_kib).sum()
}
