//! Showing pictures in a window: a pipe into a player that is installed.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::run::Failure;

/// A running player.
pub struct Player {
    child: Child,
    input: Option<ChildStdin>,
}

/// Players by preference: low latency, no controls.
const PLAYERS: &[(&str, &[&str])] = &[
    (
        "ffplay",
        &[
            "-hide_banner",
            "-loglevel",
            "error",
            "-fflags",
            "nobuffer",
            "-flags",
            "low_delay",
            "-probesize",
            "32768",
            "-analyzeduration",
            "0",
            "-sync",
            "ext",
            "-framedrop",
            "-window_title",
            "Privet",
            "-autoexit",
            "-i",
            "-",
        ],
    ),
    (
        "gst-launch-1.0",
        &[
            "-q",
            "fdsrc",
            "fd=0",
            "!",
            "qtdemux",
            "!",
            "decodebin",
            "!",
            "videoconvert",
            "!",
            "autovideosink",
            "sync=false",
        ],
    ),
];

impl Player {
    /// Starts the first player that is there.
    pub fn start() -> Result<Self, Failure> {
        for (program, arguments) in PLAYERS {
            match Command::new(program).args(*arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn() {
                Ok(mut child) => {
                    let input = child.stdin.take();
                    return Ok(Self { child, input });
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::Other(format!("{program}: {error}"))),
            }
        }
        Err(Failure::Other("no player is installed: `apt install ffmpeg` brings ffplay; or use --out FILE.mp4".into()))
    }

    /// Shows more; false when its window was closed.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.input.as_mut().is_some_and(|input| input.write_all(bytes).and_then(|()| input.flush()).is_ok())
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
