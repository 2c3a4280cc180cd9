//! Why a camera is offline, as types: what happened, and what its owner could do.

use serde::{Deserialize, Serialize};

/// How far a connection had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The worker starts and shuts itself in.
    Starting,
    /// RTSP DESCRIBE: what does the camera offer?
    Describe,
    /// RTSP SETUP of the tracks.
    Setup,
    /// RTSP PLAY.
    Play,
    /// Waiting for the first key frame.
    FirstFrame,
    /// Video flows.
    Streaming,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "at start",
            Self::Describe => "in answer to DESCRIBE",
            Self::Setup => "in answer to SETUP",
            Self::Play => "in answer to PLAY",
            Self::FirstFrame => "before the first key frame",
            Self::Streaming => "while streaming",
        })
    }
}

/// What a worker reports before it ends: the camera's fault, not the worker's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// 401, or 403.
    #[error(
        "the camera refuses user name and password ({detail}); set `username` and `password` of this camera, and check that its RTSP login is switched on"
    )]
    Unauthorized {
        /// The camera's words.
        detail: String,
    },
    /// 404 and the like.
    #[error("the camera answers {status} {phase}; check the path in the URL")]
    Refused {
        /// RTSP status code.
        status: u16,
        /// Where.
        phase: Phase,
    },
    /// The presentation has no video track that can be used.
    #[error("no usable H.264 or H.265 video at this URL (it offers: {offered}); set the camera's codec to H.264")]
    NoVideo {
        /// What there is.
        offered: String,
    },
    /// Video without parameter sets: neither in the SDP nor in the stream.
    #[error(
        "the camera sends video without parameter sets (SPS/PPS), which nobody can decode; restart it or update its firmware"
    )]
    NoParameters,
    /// Nothing usable for some seconds.
    #[error("the camera fell silent {phase}: nothing for {seconds} s")]
    Frozen {
        /// For how long.
        seconds: u32,
        /// Where.
        phase: Phase,
    },
    /// Video flows but there is no key frame.
    #[error("no key frame within {seconds} s; lower the camera's I-frame interval and switch off H.264+/Smart codec")]
    NoKeyFrame {
        /// For how long.
        seconds: u32,
    },
    /// What came is not RTSP, RTP or H.264.
    #[error("the camera sends garbage {phase}: {detail}")]
    Garbage {
        /// Where.
        phase: Phase,
        /// The parser's words.
        detail: String,
    },
    /// Something without end.
    #[error("the camera sends {what} of more than {limit} bytes {phase}")]
    TooBig {
        /// What.
        what: String,
        /// The cap.
        limit: u64,
        /// Where.
        phase: Phase,
    },
    /// The connection ended.
    #[error("the camera closed the connection {phase}")]
    Closed {
        /// Where.
        phase: Phase,
    },
    /// The connection broke.
    #[error("the connection to the camera broke {phase}: {detail}")]
    Broken {
        /// Where.
        phase: Phase,
        /// The cause.
        detail: String,
    },
    /// The motion decoder hangs or can't go on. Nothing but a new worker helps.
    #[error("the motion decoder {detail}; the camera's worker is restarted alone")]
    Decoder {
        /// What became of it.
        detail: String,
    },
    /// The worker could not shut itself in, so it touched nothing.
    #[error("the worker can't shut itself in: {detail}")]
    Sandbox {
        /// The cause.
        detail: String,
    },
}

/// Why a camera is offline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineReason {
    /// The URL is not one of an RTSP camera.
    #[error("'{url}' is not an RTSP URL: {detail}; write rtsp://host[:port]/path")]
    BadUrl {
        /// The URL without credentials.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The name can't be resolved.
    #[error("no address for '{host}': {detail}; check the name or use the camera's IP address")]
    UnknownHost {
        /// The host's name.
        host: String,
        /// The resolver's words.
        detail: String,
    },
    /// No answer from the address.
    #[error("no answer from {address}: {detail}; check that the camera has power and network")]
    Unreachable {
        /// Address and port.
        address: String,
        /// The cause.
        detail: String,
    },
    /// The address answers but not at this port.
    #[error("{address} refuses the connection; check the port and that RTSP is switched on at the camera")]
    ConnectionRefused {
        /// Address and port.
        address: String,
    },
    /// The camera misbehaved; the worker said how.
    #[error(transparent)]
    Camera(#[from] Fault),
    /// The worker died without a word.
    #[error("the camera's worker process died {phase} ({how}); it is restarted alone")]
    Crashed {
        /// How far it had come.
        phase: Phase,
        /// Exit status or signal.
        how: String,
    },
    /// The worker outgrew its memory.
    #[error("the camera's worker process outgrew its memory {phase}; it is restarted alone")]
    OutOfMemory {
        /// How far it had come.
        phase: Phase,
    },
    /// The worker did nothing for seconds.
    #[error("the camera's worker process hung {phase}; it was ended and is restarted alone")]
    Hung {
        /// How far it had come.
        phase: Phase,
    },
    /// The worker broke the protocol between it and the hub.
    #[error("the camera's worker process sent something it must not ({detail}); it was ended and is restarted alone")]
    Misbehaved {
        /// What.
        detail: String,
    },
    /// A worker that decodes takes the place of one that did not.
    #[error("the camera's worker is restarted to look for motion again")]
    MotionAgain,
    /// No worker could be started.
    #[error("can't start a worker process: {detail}")]
    NoWorker {
        /// The cause.
        detail: String,
    },
}

impl OfflineReason {
    /// Retrying sooner than once a minute would not help and may lock the account.
    pub fn is_credentials(&self) -> bool {
        matches!(self, Self::Camera(Fault::Unauthorized { .. }))
    }

    /// Of a worker that decoded: the decoder may be why it ended. Its libraries are loaded at the start, and work while streaming.
    pub(crate) fn may_be_decoder(&self) -> bool {
        match self {
            Self::Crashed { phase, .. } | Self::OutOfMemory { phase } | Self::Hung { phase } => {
                matches!(phase, Phase::Starting | Phase::Streaming)
            }
            Self::Misbehaved { .. } | Self::Camera(Fault::Decoder { .. }) => true,
            _ => false,
        }
    }
}
