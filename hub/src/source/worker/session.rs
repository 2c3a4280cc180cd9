//! One RTSP session, from DESCRIBE to its end: retina speaks RTSP and finds the RTP packets, everything after that is ours.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use retina::client::{
    Credentials, InitialTimestampPolicy, PacketItem, PlayOptions, Playing, Session, SessionGroup, SessionIdPolicy,
    SessionOptions, SetupOptions, Transport,
};
use retina::codec::ParametersRef;
use tokio::time::{Instant, timeout};

use super::aac::AacDepacketizer;
use super::anchor::TimelineAnchor;
use super::arrival::Arrivals;
use super::depacketize::{Codec, DepacketizeError, Depacketizer, Packet, Picture, Quirk};
use super::formats;
use super::gaze::{Gaze, Seen};
use super::link::{End, Event, Link};
use super::passing::Passed;
use crate::motion::{Eyes, Sight, Trouble};
use crate::source::frames::{self, HEADER, Kind, ToWorker, UNIT_HEAD};
use crate::source::{AudioFormat, Fault, Format, MAX_ACCESS_UNIT, Phase, Track};

/// Room before each unit for the frame around it.
const HEAD: usize = HEADER + UNIT_HEAD;
/// Packets taken before looking at anything else.
const BATCH: usize = 64;
/// Key frames further apart than this make live video start late and clips start early.
const LONG_GOP_US: i64 = 4_500_000;

/// Runs the session until it ends.
pub(super) async fn run(settings: &ToWorker, link: &mut Link, eyes: Option<Eyes>) -> End {
    let group = Arc::new(SessionGroup::default());
    let Err(end) = Box::pin(drive(settings, link, eyes, group.clone())).await;
    // The session is dropped by now; some cameras count sessions and refuse the next one until they are told.
    let _ = timeout(Duration::from_millis(300), group.await_teardown()).await;
    end
}

async fn drive(
    settings: &ToWorker,
    link: &mut Link,
    eyes: Option<Eyes>,
    group: Arc<SessionGroup>,
) -> Result<Infallible, End> {
    let url = settings
        .url
        .parse()
        .map_err(|_| End::Fault(Fault::Garbage { phase: Phase::Starting, detail: "URL".into() }))?;
    let answer = Duration::from_millis(settings.answer_ms.into());
    let options = SessionOptions::default()
        // Several cameras name a new session with every SETUP (SessionIdPolicy says so without naming them).
        .session_id(SessionIdPolicy::UseFirst)
        // Some answer 401 to clients without one (go2rtc#235).
        .user_agent("Privet".to_owned())
        .session_group(group)
        .creds(
            settings
                .username
                .clone()
                .map(|username| Credentials { username, password: settings.password.clone().unwrap_or_default() }),
        );
    link.enter(Phase::Describe)?;
    let mut session = link.guard(answer, Session::describe(url, options)).await?;

    let tracks = Tracks::choose(&session, settings.audio, link)?;
    link.enter(Phase::Setup)?;
    for stream in [Some(tracks.video), tracks.audio.as_ref().map(|audio| audio.stream)].into_iter().flatten() {
        let tcp = SetupOptions::default().transport(Transport::Tcp(Default::default()));
        link.guard(answer, Box::pin(session.setup(stream, tcp))).await?;
    }
    link.enter(Phase::Play)?;
    // `rtptime` is wrong on UniFi Protect (retina#64) and absent on others; the anchor sets the time right either way.
    let play = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
    let playing = link.guard(answer, Box::pin(session.play(play))).await?;
    link.enter(Phase::FirstFrame)?;
    Receiver::new(settings, tracks, eyes, link).receive(settings, link, Box::pin(playing)).await
}

/// The tracks that are taken of what the camera offers.
pub(super) struct Tracks {
    video: usize,
    codec: Codec,
    sets: super::depacketize::ParameterSets,
    audio: Option<AudioTrack>,
}

struct AudioTrack {
    stream: usize,
    format: AudioFormat,
    samples_per_frame: u32,
}

impl Tracks {
    /// The track of pictures, and its codec.
    pub(super) fn video(session: &Session<retina::client::Described>) -> Result<(usize, Codec), Fault> {
        let streams = session.streams();
        let find = |name: &str| streams.iter().position(|s| s.media() == "video" && s.encoding_name() == name);
        match (find("h264"), find("h265")) {
            (Some(video), _) => Ok((video, Codec::H264)),
            (None, Some(video)) => Ok((video, Codec::H265)),
            (None, None) => {
                let offered: Vec<_> = streams.iter().map(|s| format!("{} {}", s.media(), s.encoding_name())).collect();
                let offered = if offered.is_empty() { "nothing".to_owned() } else { frames::tame(&offered.join(", ")) };
                Err(Fault::NoVideo { offered })
            }
        }
    }

    fn choose(session: &Session<retina::client::Described>, sound: bool, link: &mut Link) -> Result<Self, End> {
        let streams = session.streams();
        let (video, codec) = Self::video(session)?;
        let mut audio = None;
        if sound {
            for (stream, offered) in streams.iter().enumerate().filter(|(_, s)| s.media() == "audio") {
                audio = match offered.parameters() {
                    Some(ParametersRef::Audio(parameters)) if offered.encoding_name() == "mpeg4-generic" => {
                        let samples_per_frame = parameters.frame_length().map_or(1024, |length| length.get());
                        formats::audio(parameters).map(|format| AudioTrack { stream, format, samples_per_frame })
                    }
                    _ => None,
                };
                if audio.is_some() {
                    break;
                }
                let codec = frames::tame(offered.encoding_name());
                link.note(format!("sound is {codec}, which is not passed on; set the camera's sound to AAC"));
            }
        }
        Ok(Self { video, codec, sets: formats::from_sdp(streams[video].parameters()), audio })
    }
}

/// Packets in, frames to the hub out.
struct Receiver {
    frozen_after: Duration,
    first_key: Duration,
    tracks: Tracks,
    video: Depacketizer,
    sound: AacDepacketizer,
    /// Set by the first key frame: the start of the connection's presentation time.
    anchors: Option<(TimelineAnchor, Option<TimelineAnchor>)>,
    video_arrivals: Arrivals,
    sound_arrivals: Arrivals,
    format: Option<Format>,
    format_is_stale: bool,
    gaze: Option<Gaze>,
    frame: u64,
    began: Instant,
    last_packet: Instant,
    last_key_us: Option<i64>,
    /// With the seconds of the first such group; another number would be another note.
    long_gop_told: bool,
}

impl Receiver {
    fn new(settings: &ToWorker, mut tracks: Tracks, eyes: Option<Eyes>, link: &Link) -> Self {
        let video = Depacketizer::new(tracks.codec, std::mem::take(&mut tracks.sets), HEAD, MAX_ACCESS_UNIT);
        let now = Instant::now();
        Self {
            frozen_after: settings.frozen_after(),
            first_key: Duration::from_millis(settings.first_key_ms.into()),
            tracks,
            video,
            sound: AacDepacketizer::default(),
            anchors: None,
            video_arrivals: Arrivals::default(),
            sound_arrivals: Arrivals::default(),
            format: None,
            format_is_stale: true,
            gaze: eyes.map(|eyes| Gaze::new(eyes, settings, link.sub_units.clone())),
            frame: 0,
            began: now,
            last_packet: now,
            last_key_us: None,
            long_gop_told: false,
        }
    }

    async fn receive(
        mut self,
        settings: &ToWorker,
        link: &mut Link,
        mut playing: Pin<Box<Session<Playing>>>,
    ) -> Result<Infallible, End> {
        let intake = link.intake.clone();
        loop {
            // In this order: a camera that sends without end must not keep the others from their turn.
            tokio::select! {
                biased;
                event = link.event() => match event {
                    Event::Tick => {
                        if let Some(gaze) = &mut self.gaze {
                            gaze.fetch();
                        }
                        self.watch(link)?;
                        link.health.undecoded = self.gaze.as_ref().map_or(0, Gaze::undecoded);
                        link.trouble = match self.gaze.as_mut().and_then(Gaze::trouble) {
                            // Without a detector no clip would begin: a new worker may find one that works, and where none does
                            // the hub records without.
                            Some(Trouble::Over(detail)) => {
                                return Err(Fault::Decoder { detail: detail.to_owned() }.into());
                            }
                            Some(Trouble::Told(trouble)) => Some(trouble),
                            None => None,
                        };
                        link.on_tick()?;
                    }
                    Event::Writable => link.flush()?,
                    Event::Substream(connection) => {
                        if let Some(gaze) = &mut self.gaze {
                            gaze.connected(connection, settings);
                        }
                    }
                    Event::HubGone => return Err(End::HubGone),
                },
                item = intake.watch(playing.next()) => {
                    self.take(link, item.map_err(|endless| link.endless(endless))?)?;
                    for _ in 0..BATCH {
                        match playing.next().now_or_never() {
                            Some(item) => self.take(link, item)?,
                            None => {
                                intake.drained(link.mono_us());
                                break;
                            }
                        }
                    }
                }
                seen = next(&mut self.gaze) => match seen {
                    // Said once: it must arrive.
                    Seen::Sight(Sight::Tampered(how)) => {
                        link.message(frames::tampered(how)).map_err(|_| End::HubGone)?;
                    }
                    Seen::Sight(sight) => {
                        if let Some(frame) = frame_of(&sight) {
                            link.offer(frame)?;
                        }
                    }
                    Seen::News(news) => {
                        link.message(frames::message(Kind::Substream, &news)).map_err(|_| End::HubGone)?;
                    }
                    Seen::Passed(Passed { format, frame, key }) => {
                        if let Some(format) = format {
                            link.message(frames::message(Kind::SubFormat, &format)).map_err(|_| End::HubGone)?;
                        }
                        link.sub_unit(frame, key)?;
                    }
                    Seen::Nothing => {}
                },
            }
        }
    }

    /// What only time tells.
    fn watch(&mut self, link: &Link) -> Result<(), End> {
        let silent = self.last_packet.elapsed();
        if silent >= self.frozen_after {
            return Err(Fault::Frozen { seconds: whole_seconds(silent), phase: link.phase() }.into());
        }
        if self.anchors.is_none() && self.began.elapsed() >= self.first_key {
            return Err(Fault::NoKeyFrame { seconds: whole_seconds(self.first_key) }.into());
        }
        Ok(())
    }

    fn take(&mut self, link: &mut Link, item: Option<Result<PacketItem, retina::Error>>) -> Result<(), End> {
        let packet = match item {
            None => return Err(Fault::Closed { phase: link.phase() }.into()),
            Some(Err(e)) => return Err(super::link::fault_of(&e, link.phase()).into()),
            Some(Ok(PacketItem::Rtp(packet))) => packet,
            Some(Ok(_)) => return Ok(()),
        };
        link.health.lost_packets += u64::from(packet.loss());
        let timestamp = packet.timestamp().timestamp();
        if packet.stream_id() == self.tracks.video {
            self.last_packet = Instant::now();
            let (mark, loss) = (packet.mark(), packet.loss());
            self.video
                .push(Packet { payload: packet.payload(), timestamp, mark, loss })
                .map_err(|e| fault_of_packets(e, link.phase()))?;
            while let Some(picture) = self.video.pop() {
                self.picture(link, picture)?;
            }
            return Ok(());
        }
        self.sound(link, &packet, timestamp)
    }

    fn picture(&mut self, link: &mut Link, picture: Picture) -> Result<(), End> {
        let now_us = link.mono_us();
        self.format_is_stale |= picture.new_parameters;
        if self.anchors.is_none() {
            if !picture.key {
                return Ok(());
            }
            let sound = self.tracks.audio.as_ref().map(|audio| TimelineAnchor::new(audio.format.sample_rate, now_us));
            self.anchors = Some((TimelineAnchor::new(90_000, now_us), sound));
        }
        if picture.key && self.format_is_stale {
            self.renew_format(link)?;
        }
        let Some((anchor, _)) = &mut self.anchors else { return Ok(()) };
        let pts_us = anchor.place(picture.timestamp, now_us);
        let came_us = self.video_arrivals.place(pts_us, now_us, link.intake.since_us());
        link.health.clock_jumps = anchor.jumps();
        if picture.key
            && let Some(last) = self.last_key_us.replace(pts_us)
            && pts_us - last > LONG_GOP_US
            && !std::mem::replace(&mut self.long_gop_told, true)
        {
            link.note(format!(
                "key frames are {} s apart; set the camera's I-frame interval to 2 s and switch off H.264+/Smart codec",
                (pts_us - last) / 1_000_000
            ));
        }
        for quirk in self.video.quirks() {
            link.quirk(*quirk);
        }
        if let Some(gaze) = &mut self.gaze {
            gaze.main_picture(&picture.data[HEAD..], &picture, pts_us, came_us);
        }
        let mut frame = picture.data;
        frames::fill_unit_head(&mut frame, Track::Video, picture.key, pts_us, came_us, self.frame, picture.loss);
        self.frame += 1;
        link.unit(frame, true, picture.key)
    }

    fn renew_format(&mut self, link: &mut Link) -> Result<(), End> {
        if !self.video.parameters().complete(self.tracks.codec) {
            return Err(Fault::NoParameters.into());
        }
        let audio = self.tracks.audio.as_ref().map(|audio| audio.format.clone());
        let format = formats::video(self.tracks.codec, self.video.parameters(), audio)
            .map_err(|e| Fault::Garbage { phase: link.phase(), detail: frames::tame(&e) })?;
        self.format_is_stale = false;
        if self.format.as_ref() != Some(&format) {
            if self.format.is_none() {
                link.enter(Phase::Streaming)?;
            }
            link.message(frames::message(Kind::Format, &format)).map_err(|_| End::HubGone)?;
            if let Some(gaze) = &mut self.gaze {
                gaze.main_format(&format);
            }
            self.format = Some(format);
        }
        Ok(())
    }

    fn sound(&mut self, link: &mut Link, packet: &retina::rtp::ReceivedPacket, timestamp: i64) -> Result<(), End> {
        let (Some(audio), Some((_, Some(anchor)))) = (&self.tracks.audio, &mut self.anchors) else { return Ok(()) };
        let (now_us, number) = (link.mono_us(), self.frame.saturating_sub(1));
        let samples = i64::from(audio.samples_per_frame);
        let (arrivals, since_us) = (&mut self.sound_arrivals, link.intake.since_us());
        let mut units = Vec::new();
        let outcome = self.sound.push(packet.payload(), packet.loss() > 0, |place, frame| {
            let pts_us = anchor.place(timestamp + place as i64 * samples, now_us);
            let came_us = arrivals.place(pts_us, now_us, since_us);
            let mut unit = vec![0; HEAD];
            unit.extend_from_slice(frame);
            frames::fill_unit_head(&mut unit, Track::Audio, true, pts_us, came_us, number, packet.loss());
            units.push(unit);
        });
        for unit in units {
            link.unit(unit, false, true)?;
        }
        if let Err(e) = outcome {
            // Bad sound is no reason to lose the picture.
            link.note(format!("some sound is unusable: {e}"));
        }
        Ok(())
    }
}

fn frame_of(sight: &Sight) -> Option<Vec<u8>> {
    match sight {
        Sight::Sample(sample, _) => Some(frames::motion(sample)),
        Sight::Picture(picture) => frames::picture(picture),
        Sight::Tampered(_) | Sight::Suspicion { .. } => None,
    }
}

async fn next(gaze: &mut Option<Gaze>) -> Seen {
    match gaze {
        Some(gaze) => gaze.next().await,
        None => std::future::pending().await,
    }
}

pub(super) fn fault_of_packets(error: DepacketizeError, phase: Phase) -> Fault {
    match error {
        DepacketizeError::TooBig { limit } => {
            Fault::TooBig { what: "an access unit".into(), limit: limit as u64, phase }
        }
        e => Fault::Garbage { phase, detail: e.to_string() },
    }
}

pub(super) fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from((duration.as_millis() + 500) / 1000).unwrap_or(u32::MAX)
}

/// What an owner is told about a quirk; most are harmless.
pub(super) fn quirk_note(quirk: Quirk) -> &'static str {
    match quirk {
        Quirk::AnnexB => "quirk: several NAL units with start codes in one packet (as V380)",
        Quirk::EarlyMarker => "quirk: the RTP marker comes before the picture (as Tapo TC70, Reolink Duo 2)",
        Quirk::EarlyTimestamp => "quirk: the timestamp changes before the picture",
        Quirk::SingleFragment => "quirk: fragmented units of one fragment",
        Quirk::FragmentHeaders => "quirk: fragments with different NAL headers",
    }
}
