//! Who runs where. In earnest attackers have machines of their own; here the machine's last core stands for them, and the relay and its
//! good clients have all others, alone as under attack. So what differs between the two is what the attack does to the relay, not what
//! the attackers take of the processor.

use std::fs;
use std::time::Duration;

use privet_demo::Trouble;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::BENCH;
use crate::figure::Figure;
use crate::relay::trouble;

/// The cores that there are, divided.
#[derive(Clone, Debug)]
pub struct Cores {
    /// For the relay and its good clients.
    pub good: Vec<usize>,
    /// For the attackers; none where there is one core, which all share.
    pub attackers: Option<usize>,
}

impl Cores {
    /// Divides those that this process may use.
    pub fn divide() -> Result<Self, Trouble> {
        let may = allowed()?;
        let mut good: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| may.is_set(*core)).collect();
        let attackers = if good.len() > 1 { good.pop() } else { None };
        Ok(Self { good, attackers })
    }

    /// In words.
    pub fn told(&self) -> String {
        match self.attackers {
            Some(core) => format!("relay and good clients on core {}, attackers on core {core}", list(&self.good)),
            None => {
                "one core for all: NOT PINNED. Attackers have the lowest priority, and what they take of the core is \
                     measured with the rest"
                    .into()
            }
        }
    }

    /// For the table.
    pub fn figures(&self) -> [Figure; 2] {
        let known = |metric, count: usize| Figure::known(BENCH, "the machine", metric, count as f64, "");
        [
            known("cores of the relay and its good clients", self.good.len()),
            known("cores of the attackers alone (0: not pinned)", self.attackers.iter().count()),
        ]
    }
}

fn list(cores: &[usize]) -> String {
    cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn allowed() -> Result<CpuSet, Trouble> {
    sched_getaffinity(None).map_err(|e| trouble(format!("which cores there are: {e}")))
}

/// Keeps this thread on some cores, and all threads and processes that it starts meanwhile, until dropped.
pub struct Stay {
    before: CpuSet,
}

impl Stay {
    /// From now on.
    pub fn on(cores: &[usize]) -> Result<Self, Trouble> {
        let before = allowed()?;
        let mut set = CpuSet::new();
        cores.iter().for_each(|core| set.set(*core));
        let staying = sched_setaffinity(None, &set);
        staying.map_err(|e| trouble(format!("can't stay on core {}: {e}", list(cores))))?;
        Ok(Self { before })
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        // What was allowed before is allowed again.
        let _ = sched_setaffinity(None, &self.before);
    }
}

/// What interrupts have taken of these cores since the machine started, among them the kernel's own part of every packet. It is
/// counted by the tick: good for seconds, not for less.
pub fn interrupts(cores: &[usize]) -> Result<Duration, Trouble> {
    const STAT: &str = "/proc/stat";
    let stat = fs::read_to_string(STAT).map_err(|e| trouble(format!("{STAT}: {e}")))?;
    let mut ticks = 0;
    for core in cores {
        let name = format!("cpu{core} ");
        let line = stat.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_default();
        // Its fields 6 and 7, in hundredths of a second: irq and softirq, see proc(5).
        let fields: Vec<u64> = line.split_whitespace().skip(5).take(2).flat_map(str::parse::<u64>).collect();
        if fields.len() != 2 {
            return Err(Trouble::new(format!("{STAT} does not say what interrupts take of core {core}")));
        }
        ticks += fields.iter().sum::<u64>();
    }
    Ok(Duration::from_millis(ticks * 10))
}
