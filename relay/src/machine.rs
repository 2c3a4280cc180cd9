//! What the relay takes from the machine it runs on: the time, the disk, which run of the machine this is and how long it has
//! lasted. Tests replace parts of it, to move the clocks and to cut the power.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privet_protocol::random::{Random as _, SystemRandom};
use privet_protocol::time::{Clock, Timestamp};
use privet_store::{Disk, SystemDisk};
use rustix::time::{ClockId, clock_gettime};

/// A machine to run a relay on.
#[derive(Clone)]
#[non_exhaustive]
pub struct Machine {
    /// The time of day. It may be wrong and it may leap.
    pub clock: Arc<dyn Clock>,
    /// Where index and bodies are. Key files are on the system's own disk in any case.
    pub disk: Arc<dyn Disk>,
    /// Names this run of the machine: another one after its power was gone.
    pub boot: Vec<u8>,
    /// How long this run has lasted, also while the machine slept. It may stand, but nobody sets it.
    pub uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Machine {
    /// The one this process runs on. Where the system does not name its run, every start counts as a new one.
    pub fn this() -> Self {
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_else(|_| {
            let mut id = vec![0; 16];
            SystemRandom.fill(&mut id);
            id
        });
        Self {
            clock: Arc::new(|| Timestamp::from(SystemTime::now())),
            disk: Arc::new(SystemDisk),
            boot,
            uptime: Arc::new(|| Duration::try_from(clock_gettime(UPTIME)).unwrap_or_default()),
        }
    }
}

#[cfg(target_os = "linux")]
const UPTIME: ClockId = ClockId::Boottime;
/// Where no clock is known that runs on while the machine sleeps, that time does not count.
#[cfg(not(target_os = "linux"))]
const UPTIME: ClockId = ClockId::Monotonic;

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("disk", &self.disk).finish_non_exhaustive()
    }
}
