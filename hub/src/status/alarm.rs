//! What can go wrong with a hub so that somebody must know: how each is called, and what to do about it.

/// What can go wrong so that somebody must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Clips can't be kept.
    NoRoom {
        /// What the disk said.
        cause: String,
    },
    /// The home's state can't be written.
    State {
        /// What the store said.
        cause: String,
    },
    /// The relay's log and the hub's did not fit together; the group was made anew.
    Renewed {
        /// How they differed.
        cause: String,
    },
    /// The relay does not take clips.
    Relay {
        /// What it said.
        cause: String,
    },
    /// The relay does not take notifications.
    Notices {
        /// What it said.
        cause: String,
    },
    /// Motion can't be looked for.
    Motion {
        /// At these cameras.
        cameras: String,
    },
    /// The disk is nearly full.
    DiskNearlyFull {
        /// What is left, in MiB.
        free_mib: u64,
    },
    /// The home's room at the relay is nearly full.
    RelayNearlyFull {
        /// What is left, in MiB.
        free_mib: u64,
    },
    /// The home's log at the relay is nearly full.
    LogNearlyFull {
        /// Entries that are left.
        free: u64,
    },
}

impl Alarm {
    /// Every kind there is.
    pub const KINDS: [&'static str; 9] =
        ["no-room", "state", "renewed", "relay", "notices", "motion", "disk", "relay-room", "relay-log"];

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::NoRoom { .. } => "no-room",
            Self::State { .. } => "state",
            Self::Renewed { .. } => "renewed",
            Self::Relay { .. } => "relay",
            Self::Notices { .. } => "notices",
            Self::Motion { .. } => "motion",
            Self::DiskNearlyFull { .. } => "disk",
            Self::RelayNearlyFull { .. } => "relay-room",
            Self::LogNearlyFull { .. } => "relay-log",
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::NoRoom { cause } => {
                format!(
                    "recording is stopped: {cause}; free space or lower recording.free_space_floor_mib, it goes on by itself"
                )
            }
            Self::State { cause } => format!("the hub's state can't be written: {cause}; check the disk of data_dir"),
            Self::Renewed { cause } => {
                format!(
                    "{cause}; the group was made anew and phones rejoin by themselves; if no backup was restored and the relay lost nothing, distrust the relay"
                )
            }
            Self::Relay { cause } => format!("the relay does not take clips: {cause}; ask its operator"),
            Self::Notices { cause } => {
                format!(
                    "the relay does not take notifications: {cause}; they wait here and are tried again; ask its operator"
                )
            }
            Self::Motion { cameras } => {
                format!(
                    "motion is not looked for at {cameras}: its decoder ends the camera's worker again and again; where clips of events are kept, everything is recorded instead; it is tried again by itself; see the camera's note"
                )
            }
            Self::DiskNearlyFull { free_mib } => {
                format!("{free_mib} MiB are left on the disk: free space before recording stops, or keep less")
            }
            Self::RelayNearlyFull { free_mib } => {
                format!(
                    "{free_mib} MiB are left for this home at the relay: connect phones that fetch what waits, record less, or ask its operator for more"
                )
            }
            Self::LogNearlyFull { free } => {
                format!(
                    "{free} entries are left in this home's log at the relay, and then phones are told nothing more: connect those that have not been there for long, remove those that never come again, or ask its operator for more (limits.log_entries)"
                )
            }
        }
    }
}
