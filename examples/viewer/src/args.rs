//! What can be asked.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The phone's part of Privet on a laptop: pair, watch, keep, verify.
///
/// Exit codes: 0 done, 1 other, 2 wrong arguments, 3 pairing failed, 4 not paired or removed, 5 relay or hub out of reach,
/// 6 not verified, 7 not found, 8 store or key.
#[derive(Debug, Parser)]
#[command(name = "privet-viewer", version)]
pub struct Args {
    /// Where keys, state and clips are kept [default: ~/.local/share/privet-viewer].
    #[arg(long, global = true, env = "PRIVET_VIEWER_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// One JSON line for each item on stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// Seconds to wait for the relay before working with what is known.
    #[arg(long, global = true, default_value_t = 10, value_name = "S")]
    pub wait: u32,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Join a home with the code that `privet-hub pair` shows.
    Pair {
        /// The code's text, or a picture of it (PNG or JPEG).
        code: String,
        /// What the other members see this device as.
        #[arg(long, default_value_t = default_name())]
        name: String,
    },
    /// List the cameras.
    Cameras,
    /// Watch a camera.
    Live {
        /// Its name or id.
        camera: String,
        /// Write what was verified to this MP4 file.
        #[arg(long, value_name = "FILE", conflicts_with = "play")]
        out: Option<PathBuf>,
        /// Show it, with ffplay or gst-launch-1.0.
        #[arg(long)]
        play: bool,
        /// Stop after so many seconds, at the end of a segment.
        #[arg(long, value_name = "N")]
        seconds: Option<u64>,
        /// How many milliseconds a slow viewer may be behind before pictures are dropped.
        #[arg(long, default_value_t = 2000, value_name = "MS")]
        buffer: u32,
        /// Also measure from the stamp that test cameras put into their pictures.
        #[arg(long)]
        sei_latency: bool,
    },
    /// List the clips, newest first.
    Clips {
        /// Only those of this camera.
        #[arg(long)]
        camera: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Fetch and verify a clip and write it as MP4, with the proof that anyone can check.
    Clip {
        /// Its id, or as much of its beginning as is unique.
        id: String,
        /// Where to write it.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Leave the proof out.
        #[arg(long)]
        plain: bool,
    },
    /// List what happened (motion, tampering, cameras lost), newest first; or follow it, with the notifications for this device.
    Events {
        /// Only those of this camera.
        #[arg(long, value_name = "NAME")]
        camera: Option<String>,
        /// At most so many of those that were.
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        /// Go on with what comes, until ctrl-c.
        #[arg(long)]
        follow: bool,
        /// With --follow: stop after so many seconds.
        #[arg(long, value_name = "N", requires = "follow")]
        seconds: Option<u64>,
        /// Write pictures (.jpg) into this folder, and say where.
        #[arg(long, value_name = "DIR")]
        save: Option<PathBuf>,
    },
    /// Tell nothing of a camera on this device for a while.
    Snooze {
        /// Its name or id, or `all`.
        camera: String,
        /// For how long (30s, 10m, 2h, 1d, 1h30m), or `off` to end it.
        #[arg(allow_hyphen_values = true)]
        duration: String,
    },
    /// Show what this device is notified of, or change it with `settings set`.
    Settings {
        /// What to do with them.
        #[command(subcommand)]
        change: Option<SettingsVerb>,
    },
    /// Keep a clip, whatever its age.
    Pin {
        /// Its id, or as much of its beginning as is unique.
        clip: String,
    },
    /// Let a pinned clip go when its time comes.
    Unpin {
        /// Its id, or as much of its beginning as is unique.
        clip: String,
    },
    /// Check an exported clip. Needs no pairing when a root is given.
    Verify {
        /// The file.
        file: PathBuf,
        /// The camera's evidence key, hexadecimal; without it, the keys of this home's cameras.
        #[arg(long, value_name = "HEX")]
        root: Vec<String>,
    },
    /// Show the connection, and everything that could not be trusted.
    Status,
    /// Show all of it in a browser on this machine, until ctrl-c: prints the address to open.
    Serve {
        /// The port on 127.0.0.1 [default: one of the system's choosing].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1024..))]
        port: Option<u16>,
        /// What the other members see this device as, when it is paired from the page.
        #[arg(long, default_value_t = default_name())]
        name: String,
        /// Open the browser, with xdg-open.
        #[arg(long)]
        open: bool,
    },
    /// List the members of the home.
    Devices,
    /// Throw away all that this device has of its home (keys, state, clips), where the store is damaged or its key is lost; then pair anew.
    StartOver {
        /// Do it; without this, only say what would go.
        #[arg(long)]
        yes: bool,
    },
    /// Remove a phone from the home.
    Remove {
        /// Its name or id.
        device: String,
    },
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum SettingsVerb {
    /// Change some; the others stay. `privet-viewer settings set quiet=22:00-06:00 time-zone=Europe/Berlin`
    #[command(after_help = "Keys:
  profile=home|away          whether somebody is at home: one word for all devices
  away-only=on|off           tell motion only while the profile is away
  quiet='mon-fri 22:00-06:00'  hours without motion; without days every day; several with commas; none
  time-zone=Europe/Berlin    of the quiet hours; utc if not said

Keys of a camera, with --camera NAME or --camera all:
  notify=on|off              tell motion
  health=on|off              tell that it is offline, back or tampered with
  cooldown=60s               no other motion for so long after one that was told; 0 for none
  zones=path,drive           tell motion only from these zones; all

For a while: `privet-viewer snooze`.")]
    Set {
        /// The camera that notify, health, cooldown and zones are for: its name or id, or `all`.
        #[arg(long, value_name = "NAME")]
        camera: Option<String>,
        /// What to change.
        #[arg(required = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
    },
}

fn default_name() -> String {
    std::fs::read_to_string("/etc/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "laptop".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_duration_before_now_is_read_and_judged_by_who_knows_durations() {
        let args = Args::try_parse_from(["privet-viewer", "snooze", "all", "-1h"]).unwrap();
        assert!(matches!(args.verb, Verb::Snooze { duration, .. } if duration == "-1h"));
    }

    #[test]
    fn the_page_is_served_at_a_port_that_needs_no_privilege() {
        let port = |port| match Args::try_parse_from(["privet-viewer", "serve", "--port", port]).ok()?.verb {
            Verb::Serve { port, .. } => port,
            _ => None,
        };
        assert_eq!(port("8443"), Some(8443));
        assert_eq!((port("80"), port("70000"), port("any")), (None, None, None));
    }
}
