//! What many relays that are one take: three of them, each a process, on one PostgreSQL and with bodies in a folder. Clients come to one
//! node after the other, so that two of three are carried to the node that serves their home. These are the figures that the
//! capacity plan (`docs/design/0017-capacity-plan.md`) reckons with; next to nothing is asked of them.
//!
//! - [`quiet`]: homes in which nothing happens, and the looking for what has expired;
//! - [`commits`]: log entries, wakes and clips, which PostgreSQL makes durable;
//! - [`live`]: streams that go from one node to another.
//!
//! Three nodes, PostgreSQL and all clients share this machine. Rates are those of a machine that does all of it; what something takes
//! of the processor is counted for the nodes and for PostgreSQL alone.

mod cluster;
mod commits;
mod live;
mod quiet;

use std::path::Path;

use privet_demo::Trouble;

use super::store::must_be_a_disk;
use crate::figure::Figure;

/// All figures of this part.
pub fn run(folder: &Path) -> Result<Vec<Figure>, Trouble> {
    must_be_a_disk(folder)?;
    let folder = folder.join("nodes");
    let mut figures = quiet::run(&folder).map_err(|e| e.during("homes in which nothing happens"))?;
    figures.extend(commits::run(&folder)?);
    figures.extend(live::run(&folder).map_err(|e| e.during("live streams between nodes"))?);
    Ok(figures)
}
