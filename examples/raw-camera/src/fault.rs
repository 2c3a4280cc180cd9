//! What the camera does wrong: faults come and go, quirks are how a vendor's camera is.

use clap::ValueEnum;

/// Something that goes wrong, at any time, until it is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Fault {
    /// Closes the connection.
    Drop,
    /// Resets the connection.
    Reset,
    /// Sends nothing more, answers nothing more, keeps the connection.
    Freeze,
    /// Sends half of a picture's bytes, then nothing more, and keeps the connection.
    StopWithin,
    /// Timestamps jump an hour ahead.
    JumpAhead,
    /// Timestamps jump an hour back.
    JumpBack,
    /// Random bytes in place of frames.
    GarbageBytes,
    /// Text in place of frames.
    GarbageText,
    /// Random bytes inside the interleaved frames.
    GarbageRtp,
    /// Random bytes inside the RTP packets.
    GarbageNal,
    /// Frames go to an interleaved channel that was never set up.
    UnassignedChannel,
    /// One fragmented NAL unit without end.
    EndlessFragment,
    /// One access unit of NAL units without end.
    EndlessNals,
    /// An RTSP message in mid-stream whose body has four gigabytes.
    EndlessMessage,
    /// Packets are missing now and then.
    Loss,
    /// The second clip's parameter sets and pictures.
    ParameterChange,
    /// No answer to DESCRIBE.
    Mute,
    /// An HTTP answer to DESCRIBE.
    HttpAnswer,
    /// Random bytes in answer to DESCRIBE.
    GarbageAnswer,
    /// A header line without end in answer to DESCRIBE.
    EndlessHeader,
    /// A body without end in answer to DESCRIBE.
    EndlessBody,
    /// An SDP without video.
    NoVideo,
    /// An SDP with video in a codec that nobody here takes.
    WrongCodec,
    /// 404 to DESCRIBE.
    NotFound,
    /// 453 Not Enough Bandwidth to SETUP.
    RefuseSetup,
    /// Never a key frame.
    NoKeyFrame,
    /// No parameter sets, neither in the SDP nor in the stream.
    NoParameters,
}

impl Fault {
    /// Every fault.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Shows in the answer to DESCRIBE or SETUP, so only on a new connection.
    pub fn at_start(self) -> bool {
        matches!(
            self,
            Self::Mute
                | Self::HttpAnswer
                | Self::GarbageAnswer
                | Self::EndlessHeader
                | Self::EndlessBody
                | Self::NoVideo
                | Self::WrongCodec
                | Self::NotFound
                | Self::RefuseSetup
                | Self::NoKeyFrame
                | Self::NoParameters
        )
    }
}

/// How a vendor's camera differs from the RFCs; a hub must cope with every one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Quirk {
    /// `rtptime=0` while the timestamps start elsewhere: UniFi Protect (retina#64).
    UnifiRtptimeZero,
    /// `seq=0` while the packets start elsewhere: Hikvision DS-2CD2032-I.
    HikvisionSeqZero,
    /// `seq=1` in all streams: Tapo C320WS.
    TapoSeqOne,
    /// No RTP-Info header at all.
    NoRtpInfo,
    /// SPS, PPS and IDR in one packet with start codes: V380 (retina 0.4.11).
    V380AnnexB,
    /// Annex B start codes inside the SDP's parameter sets.
    AnnexBSprop,
    /// The marker on SPS and PPS: Tapo TC70, Reolink Duo 2 (go2rtc).
    TapoMarkerOnParameters,
    /// The marker on SEI (moonfire#352).
    MarkerOnSei,
    /// NAL units in a fragment of one.
    SingleFragment,
    /// An SDP without `o=`: Uniview (mediamtx#227).
    NoOrigin,
    /// `c=IN` and nothing more: Sony (mediamtx#68).
    EmptyConnection,
    /// Two `s=` lines: Hikvision rebrands (mediamtx#85).
    TwoSessionNames,
    /// A floating-point session id (mediamtx#2555).
    FloatSessionId,
    /// A negative session id (mediamtx#2708).
    NegativeSessionId,
    /// Spaces at the ends of the SDP's attribute lines.
    TrailingSpaces,
    /// 401 to clients without User-Agent (go2rtc#235).
    NeedsUserAgent,
    /// Another session id with every SETUP.
    SessionIdPerSetup,
    /// GET_PARAMETER closes the connection: GW4089IP (retina 0.4.1).
    OnlyOptionsKeepalive,
    /// Data before the answer to PLAY: newer Reolink.
    DataBeforePlayAnswer,
    /// Streams from wherever it is, not from a key frame: nearly all.
    StartsMidGop,
    /// No parameter sets in the SDP: GStreamer's server without h264parse.
    NoSprop,
    /// Sound in G.711: most cheap cameras.
    PcmuSound,
    /// No marker bits at all.
    NoMarker,
}

impl Quirk {
    /// Every quirk.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }
}
