//! The centre and its links.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tun_rs::{DeviceBuilder, SyncDevice};

use crate::namespace::{LinkError, Namespace};
use crate::pump::{Counts, Direction, Pump};
use crate::shaper::Conditions;

/// Where the centre is, seen from everywhere.
pub const CENTRE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Packets that a device holds for the pump: the queue that counts is the shaper's.
const DEVICE_QUEUE: u32 = 5000;

/// The namespace where relay and hub run.
#[derive(Debug)]
pub struct Centre {
    namespace: Namespace,
    links: u8,
}

impl Centre {
    /// A centre without links.
    ///
    /// # Errors
    /// [`LinkError`] when this program may not make one.
    pub fn new() -> Result<Self, LinkError> {
        let namespace = Namespace::new()?;
        namespace.ip(&format!("addr add {CENTRE}/32 dev lo"))?;
        Ok(Self { namespace, links: 0 })
    }

    /// The same for a test, which is skipped where it is not possible: that is said loudly, as nothing is tested then.
    ///
    /// # Panics
    /// When it is allowed and fails all the same: that is no reason to skip anything.
    pub fn or_skip(test: &str) -> Option<Self> {
        // A link may be refused where a namespace is not.
        let good = Conditions::delay(Duration::ZERO);
        match Self::new().and_then(|mut centre| centre.link(good, good, 0)).and_then(|_| Self::new()) {
            Ok(centre) => Some(centre),
            Err(error @ LinkError::NotAllowed { .. }) => {
                eprintln!("SKIPPED, NOT TESTED: {test}: {error}");
                None
            }
            Err(error @ LinkError::Command { .. }) => panic!("{test}: {error}"),
        }
    }

    /// Where it is.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// A link to a new namespace: `down` is from the centre to there, `up` the way back. The same seed loses the same packets.
    ///
    /// # Errors
    /// [`LinkError`] when the devices can't be made; there are at most 250 links in the life of a centre.
    pub fn link(&mut self, down: Conditions, up: Conditions, seed: u64) -> Result<Link, LinkError> {
        let number = self
            .links
            .checked_add(1)
            .filter(|number| *number <= 250)
            .ok_or(LinkError::NotAllowed { what: "one more link", cause: "250 is the most".into() })?;
        self.links = number;
        let address = Ipv4Addr::new(10, 77, number, 2);
        let (near, far) = (format!("link{number}"), "link0");
        let there = Namespace::new()?;
        let ends = (device(&self.namespace, &near)?, device(&there, far)?);
        for (namespace, name) in [(&self.namespace, near.as_str()), (&there, far)] {
            namespace.ip(&format!("link set {name} mtu 1500 txqueuelen {DEVICE_QUEUE} up"))?;
        }
        self.namespace.ip(&format!("route add {address}/32 dev {near} src {CENTRE}"))?;
        there.ip(&format!("addr add {address}/32 dev {far}"))?;
        there.ip(&format!("route add default dev {far} src {address}"))?;
        let down = Direction::new(down, seed);
        let up = Direction::new(up, seed.wrapping_add(0x9E37_79B9_7F4A_7C15));
        let pump = Pump::start(ends, Arc::clone(&down), Arc::clone(&up))?;
        Ok(Link { namespace: there, address, down, up, _pump: pump })
    }
}

/// A way from the centre to a namespace of its own. It is cut when this is dropped.
#[derive(Debug)]
pub struct Link {
    namespace: Namespace,
    address: Ipv4Addr,
    down: Arc<Direction>,
    up: Arc<Direction>,
    _pump: Pump,
}

impl Link {
    /// What is at its end.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Where its end is.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// From now on it is like this.
    pub fn change(&self, down: Conditions, up: Conditions) {
        self.down.change(down);
        self.up.change(up);
    }

    /// What became of the packets from the centre.
    pub fn down(&self) -> Counts {
        self.down.counts()
    }

    /// What became of the packets to the centre.
    pub fn up(&self) -> Counts {
        self.up.counts()
    }
}

fn device(namespace: &Namespace, name: &str) -> Result<SyncDevice, LinkError> {
    namespace
        .enter(|| DeviceBuilder::new().name(name).build_sync())?
        .map_err(|e| LinkError::NotAllowed { what: "a TUN device", cause: e.to_string() })
}
