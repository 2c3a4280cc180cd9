//! One client: its requests, then the clip until it goes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clip::{Clip, VIDEO_CLOCK};
use crate::rtp::{self, Track};
use crate::stamp::{self, Stamp};
use crate::{Fault, Quirk, Shared, auth, sdp};

/// The first timestamp: any, and not zero.
const FIRST_TIMESTAMP: u32 = 0x4242_0000;
const FIRST_SEQUENCE: u16 = 100;
const HOUR: i64 = 3600;
/// Text or bytes that are repeated for "endless".
const BLOCK: [u8; 16 << 10] = [b'a'; 16 << 10];

pub(crate) fn serve(stream: &TcpStream, number: u64, shared: &Shared) {
    // How it ended is the client's business.
    let _ = Connection::new(stream, number, shared).and_then(Connection::run);
    let _ = stream.shutdown(Shutdown::Both);
}

struct Connection<'a> {
    stream: &'a TcpStream,
    reader: BufReader<TcpStream>,
    shared: &'a Shared,
    number: u64,
    nonce: String,
    setups: u32,
    fault: Option<Fault>,
}

struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl<'a> Connection<'a> {
    fn new(stream: &'a TcpStream, number: u64, shared: &'a Shared) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let nonce = auth::hash(&format!("{number} {} {:?}", stamp::mono_us(), stream.peer_addr()?));
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader, shared, number, nonce, setups: 0, fault: None })
    }

    fn run(mut self) -> io::Result<()> {
        self.fault = self.shared.take_fault(0, Fault::at_start);
        while let Some(request) = read_request(&mut self.reader)? {
            if self.answer(&request)? {
                return self.play();
            }
        }
        Ok(())
    }

    /// True when the client asked to play.
    fn answer(&mut self, request: &Request) -> io::Result<bool> {
        let sequence = request.header("CSeq").unwrap_or("0").to_owned();
        if self.shared.has(Quirk::NeedsUserAgent) && request.header("User-Agent").is_none() {
            return self.refuse(&sequence).map(|()| false);
        }
        if let Some(account) = &self.shared.options.account
            && request.method != "OPTIONS"
            && !request
                .header("Authorization")
                .is_some_and(|header| auth::proves(header, account, &request.method, &self.nonce))
        {
            return self.refuse(&sequence).map(|()| false);
        }
        let session = if self.shared.has(Quirk::SessionIdPerSetup) { self.setups } else { 0 };
        let session = format!("Session: {:08x}{session};timeout=60\r\n", self.number);
        match request.method.as_str() {
            "DESCRIBE" => self.describe(&sequence, &request.url)?,
            "SETUP" if self.fault == Some(Fault::RefuseSetup) => {
                self.send(&format!("RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: {sequence}\r\n\r\n"))?;
            }
            "SETUP" => {
                self.setups += 1;
                let video = !request.url.ends_with("track2");
                let (channels, ssrc) = if video { ("0-1", "000053C0") } else { ("2-3", "000053C1") };
                self.send(&format!(
                    "RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{session}\
                     Transport: RTP/AVP/TCP;unicast;interleaved={channels};ssrc={ssrc}\r\n\r\n"
                ))?;
            }
            "PLAY" => {
                if self.shared.has(Quirk::DataBeforePlayAnswer) {
                    // A sender report, early.
                    let mut report = vec![b'$', 1, 0, 28, 0x80, 200, 0, 6, 0, 0, 0x53, 0xc0];
                    report.extend_from_slice(&[0; 20]);
                    self.stream.write_all(&report)?;
                }
                let info = self.rtp_info(&request.url);
                self.send(&format!("RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{session}Range: npt=0.000-\r\n{info}\r\n"))?;
                return Ok(true);
            }
            "OPTIONS" => {
                let more = if self.shared.has(Quirk::OnlyOptionsKeepalive) { "" } else { ", GET_PARAMETER" };
                self.send(&format!(
                    "RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN{more}\r\n\r\n"
                ))?;
            }
            "TEARDOWN" => {
                self.shared.torn_down.fetch_add(1, Ordering::Relaxed);
                self.send(&format!("RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n\r\n"))?;
                self.stream.shutdown(Shutdown::Both)?;
            }
            _ => self.send(&format!("RTSP/1.0 501 Not Implemented\r\nCSeq: {sequence}\r\n\r\n"))?,
        }
        Ok(false)
    }

    fn describe(&mut self, sequence: &str, url: &str) -> io::Result<()> {
        match self.fault {
            Some(Fault::Mute) => return self.freeze(),
            Some(Fault::HttpAnswer) => return self.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
            Some(Fault::GarbageAnswer) => {
                let mut noise = Noise(88_172_645_463_325_252);
                let mut bytes = vec![0; 64 << 10];
                noise.fill(&mut bytes);
                return self.stream.write_all(&bytes);
            }
            Some(Fault::EndlessHeader) => {
                self.send("RTSP/1.0 200 OK\r\nX-Endless: ")?;
                return self.endless(&BLOCK);
            }
            Some(Fault::EndlessBody) => {
                self.send(&format!(
                    "RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nContent-Type: application/sdp\r\nContent-Length: 4000000000\r\n\r\n"
                ))?;
                return self.endless(&BLOCK);
            }
            Some(Fault::NotFound) => return self.send(&format!("RTSP/1.0 404 Not Found\r\nCSeq: {sequence}\r\n\r\n")),
            _ => {}
        }
        let options = &self.shared.options;
        let body = sdp::describe(&options.clip, !options.silent, |quirk| self.shared.has(quirk), self.fault);
        self.send(&format!(
            "RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nContent-Type: application/sdp\r\nContent-Base: {}/\r\n\
             Content-Length: {}\r\n\r\n{body}",
            url.trim_end_matches('/'),
            body.len()
        ))
    }

    fn rtp_info(&self, url: &str) -> String {
        if self.shared.has(Quirk::NoRtpInfo) {
            return String::new();
        }
        let base = url.trim_end_matches('/');
        let sequence = match () {
            () if self.shared.has(Quirk::HikvisionSeqZero) => 0,
            () if self.shared.has(Quirk::TapoSeqOne) => 1,
            () => FIRST_SEQUENCE,
        };
        let time = if self.shared.has(Quirk::UnifiRtptimeZero) { 0 } else { FIRST_TIMESTAMP };
        let tracks: Vec<_> = (1..=self.setups.max(1))
            .map(|track| format!("url={base}/track{track};seq={sequence};rtptime={time}"))
            .collect();
        format!("RTP-Info: {}\r\n", tracks.join(","))
    }

    fn refuse(&mut self, sequence: &str) -> io::Result<()> {
        let challenge = auth::challenge(&self.nonce);
        self.send(&format!("RTSP/1.0 401 Unauthorized\r\nCSeq: {sequence}\r\nWWW-Authenticate: {challenge}\r\n\r\n"))
    }

    fn play(self) -> io::Result<()> {
        // Requests are read on a thread of their own, answers go through one lock with the packets.
        let writer = Arc::new(Mutex::new(self.stream.try_clone()?));
        let mut player = Player {
            video: Track {
                channel: 0,
                payload_type: 96,
                sequence: FIRST_SEQUENCE,
                ssrc: 0x53c0,
                single_fragments: self.shared.has(Quirk::SingleFragment),
                no_marker: self.shared.has(Quirk::NoMarker),
                h265: self.shared.options.clip.is_h265(),
            },
            audio: Track {
                channel: 2,
                payload_type: 97,
                sequence: FIRST_SEQUENCE,
                ssrc: 0x53c1,
                single_fragments: false,
                no_marker: false,
                h265: false,
            },
            writer: writer.clone(),
            shared: self.shared,
            start_fault: self.fault,
            sound: self.setups > 1,
            frame: 0,
            noise: Noise(0x9E37_79B9_7F4A_7C15 ^ self.number),
        };
        self.shared.playing.fetch_add(1, Ordering::Relaxed);
        let frozen = std::sync::atomic::AtomicBool::new(false);
        let ended = std::thread::scope(|scope| {
            let mut reader = self.reader;
            let (shared, frozen) = (self.shared, &frozen);
            let answers = std::thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, move || {
                let _ = keep_alive(&mut reader, &writer, shared, frozen);
                if let Ok(writer) = writer.lock() {
                    let _ = writer.shutdown(Shutdown::Both);
                }
            })?;
            let ended = player.run(frozen);
            let _ = self.stream.shutdown(Shutdown::Both);
            let _ = answers.join();
            ended
        });
        self.shared.playing.fetch_sub(1, Ordering::Relaxed);
        ended
    }

    fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())
    }

    fn endless(&mut self, block: &[u8]) -> io::Result<()> {
        while !self.shared.stopping() {
            self.stream.write_all(block)?;
        }
        Ok(())
    }

    /// Until the client goes.
    fn freeze(&mut self) -> io::Result<()> {
        io::copy(&mut self.reader, &mut io::sink()).map(drop)
    }
}

fn keep_alive(
    reader: &mut BufReader<TcpStream>,
    writer: &Mutex<TcpStream>,
    shared: &Shared,
    frozen: &std::sync::atomic::AtomicBool,
) -> io::Result<()> {
    while let Some(request) = read_request(reader)? {
        if frozen.load(Ordering::Relaxed) {
            continue;
        }
        let sequence = request.header("CSeq").unwrap_or("0");
        let broken = shared.has(Quirk::OnlyOptionsKeepalive) && request.method.ends_with("_PARAMETER");
        if broken {
            return Ok(());
        }
        let more = if shared.has(Quirk::OnlyOptionsKeepalive) { "" } else { ", GET_PARAMETER" };
        let answer = format!("RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nPublic: OPTIONS, TEARDOWN{more}\r\n\r\n");
        writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(answer.as_bytes())?;
        if request.method == "TEARDOWN" {
            shared.torn_down.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
    }
    Ok(())
}

/// Sends the clip.
struct Player<'a> {
    video: Track,
    audio: Track,
    writer: Arc<Mutex<TcpStream>>,
    shared: &'a Shared,
    start_fault: Option<Fault>,
    sound: bool,
    frame: u64,
    noise: Noise,
}

impl Player<'_> {
    fn run(&mut self, frozen: &std::sync::atomic::AtomicBool) -> io::Result<()> {
        let shared = self.shared;
        let mut clip = shared.options.clip.clone();
        let begun = Instant::now();
        // Ticks at the beginning of this round of the clip.
        let mut round = 0i64;
        let mut offset = 0i64;
        let mut changed = false;
        let mut out = Vec::with_capacity(256 << 10);
        let mut first = usize::from(shared.has(Quirk::StartsMidGop)) * 3;
        loop {
            let mut next_sound = 0;
            for index in first.min(clip.pictures.len())..clip.pictures.len() {
                let picture = &clip.pictures[index];
                let at = round + picture.decode;
                if self.sound {
                    next_sound = self.sounds(&clip, next_sound, round, picture.decode, &mut out)?;
                }
                self.wait(begun, at);
                if shared.stopping() {
                    return Ok(());
                }
                let fault = shared.take_fault(self.frame, |fault| !fault.at_start());
                match fault {
                    Some(Fault::JumpAhead) if offset == 0 => offset = HOUR * i64::from(VIDEO_CLOCK),
                    Some(Fault::JumpBack) if offset == 0 => offset = -HOUR * i64::from(VIDEO_CLOCK),
                    Some(Fault::ParameterChange) if !changed => {
                        if let Some(second) = &shared.options.second {
                            changed = true;
                            round = at;
                            clip = second.clone();
                            break;
                        }
                    }
                    Some(Fault::Freeze | Fault::StopWithin) => {
                        if fault == Some(Fault::StopWithin) {
                            out.clear();
                            let timestamp = FIRST_TIMESTAMP.wrapping_add((round + picture.show + offset) as u32);
                            self.picture(&clip, index, timestamp, &mut out);
                            self.write(&out[..out.len() / 2])?;
                        }
                        frozen.store(true, Ordering::Relaxed);
                        // Until the client or the camera goes; the reader thread notices.
                        while !shared.stopping() && !self.gone() {
                            std::thread::sleep(Duration::from_millis(20));
                        }
                        return Ok(());
                    }
                    _ => {}
                }
                let timestamp = FIRST_TIMESTAMP.wrapping_add((round + picture.show + offset) as u32);
                out.clear();
                if self.start_fault == Some(Fault::NoKeyFrame) && picture.key {
                    continue;
                }
                self.picture(&clip, index, timestamp, &mut out);
                if !self.spoil(fault, timestamp, &mut out)? {
                    return Ok(());
                }
                self.write(&out)?;
                self.frame += 1;
                shared.sent.fetch_add(1, Ordering::Relaxed);
            }
            first = 0;
            // After a change of clips the new one starts at the picture that was due.
            if !changed || round_is_over(&clip, begun, round, shared.options.speed) {
                round += clip.length;
            }
        }
    }

    fn picture(&mut self, clip: &Clip, index: usize, timestamp: u32, out: &mut Vec<u8>) {
        let picture = &clip.pictures[index];
        let shared = self.shared;
        let stamps = Stamp::now(self.frame).nals();
        // They are SEI of H.264.
        let stamps = if clip.is_h265() { &[][..] } else { &stamps[..] };
        let parameters = picture.key && self.start_fault != Some(Fault::NoParameters);
        if shared.has(Quirk::V380AnnexB) && picture.key && picture.nals.iter().map(Vec::len).sum::<usize>() < 60_000 {
            let mut stream = Vec::new();
            let nals = [&clip.sps, &clip.pps].into_iter().chain(stamps).chain(&picture.nals);
            for (i, nal) in nals.enumerate() {
                if i > 0 {
                    stream.extend_from_slice(&[0, 0, 0, 1]);
                }
                stream.extend_from_slice(nal);
            }
            self.video.nal(out, timestamp, true, &stream);
            return;
        }
        if parameters {
            let mark = shared.has(Quirk::TapoMarkerOnParameters);
            for set in [&clip.vps, &clip.sps].into_iter().filter(|set| !set.is_empty()) {
                self.video.nal(out, timestamp, mark, set);
            }
            self.video.nal(out, timestamp, mark, &clip.pps);
        }
        for nal in stamps {
            self.video.nal(out, timestamp, shared.has(Quirk::MarkerOnSei), nal);
        }
        for (i, nal) in picture.nals.iter().enumerate() {
            self.video.nal(out, timestamp, i + 1 == picture.nals.len(), nal);
        }
    }

    /// Does to the picture's packets what the fault asks for. False when the connection is to end.
    fn spoil(&mut self, fault: Option<Fault>, timestamp: u32, out: &mut Vec<u8>) -> io::Result<bool> {
        match fault {
            Some(Fault::Drop) => return Ok(false),
            Some(Fault::Reset) => {
                let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
                rustix::net::sockopt::set_socket_linger(&*writer, Some(Duration::ZERO))?;
                return reset(&writer).map(|()| false);
            }
            Some(Fault::GarbageBytes) => self.noise.fill(out),
            Some(Fault::GarbageText) => *out = b"this is not RTSP at all\r\n\r\n".repeat(100),
            Some(Fault::GarbageRtp) => {
                for place in rtp::packets(out) {
                    self.noise.fill(&mut out[place]);
                }
            }
            Some(Fault::GarbageNal) => {
                for place in rtp::packets(out) {
                    self.noise.fill(&mut out[place.start + 12..place.end]);
                }
            }
            Some(Fault::UnassignedChannel) => {
                for place in rtp::packets(out) {
                    out[place.start - 3] = 9;
                }
            }
            Some(Fault::Loss) => {
                let places = rtp::packets(out);
                if self.frame.is_multiple_of(5)
                    && let Some(place) = places.get(places.len() / 2)
                {
                    out.drain(place.start - 4..place.end);
                }
            }
            Some(Fault::EndlessFragment) => {
                let body = [0xaa; 1398];
                let mut start = 0x80;
                while !self.shared.stopping() {
                    out.clear();
                    for _ in 0..100 {
                        self.video.packet(out, timestamp, false, &[&[0x60 | 28, 1 | start], &body]);
                        start = 0;
                    }
                    self.write(out)?;
                }
                return Ok(false);
            }
            Some(Fault::EndlessNals) => {
                while !self.shared.stopping() {
                    out.clear();
                    for _ in 0..100 {
                        self.video.packet(out, timestamp, false, &[&[0x61; 64]]);
                    }
                    self.write(out)?;
                }
                return Ok(false);
            }
            Some(Fault::EndlessMessage) => {
                self.write(b"RTSP/1.0 200 OK\r\nCSeq: 99\r\nContent-Length: 4000000000\r\n\r\n")?;
                while !self.shared.stopping() {
                    self.write(&BLOCK)?;
                }
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Sends the sound up to the time of a picture; returns the next frame's index.
    fn sounds(&mut self, clip: &Clip, from: usize, round: i64, until: i64, out: &mut Vec<u8>) -> io::Result<usize> {
        if self.shared.has(Quirk::PcmuSound) {
            out.clear();
            self.audio.payload_type = 0;
            let timestamp = FIRST_TIMESTAMP.wrapping_add(((round + until) * 8000 / i64::from(VIDEO_CLOCK)) as u32);
            self.audio.packet(out, timestamp, false, &[&[0xff; 160]]);
            self.write(out)?;
            return Ok(from);
        }
        let Some(audio) = &clip.audio else { return Ok(from) };
        let rate = i64::from(audio.rate);
        let mut index = from;
        while let Some((time, frame)) = audio.frames.get(index)
            && time * i64::from(VIDEO_CLOCK) / rate <= until
        {
            let timestamp = FIRST_TIMESTAMP.wrapping_add((round * rate / i64::from(VIDEO_CLOCK) + time) as u32);
            out.clear();
            self.audio.aac(out, timestamp, frame);
            self.write(out)?;
            index += 1;
        }
        Ok(index)
    }

    fn wait(&self, begun: Instant, ticks: i64) {
        let due = begun + real_time(ticks, self.shared.options.speed);
        while !self.shared.stopping() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(200)));
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)
    }

    fn gone(&self) -> bool {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).peer_addr().is_err()
    }
}

fn round_is_over(clip: &Clip, begun: Instant, round: i64, speed: f64) -> bool {
    clip.pictures.last().is_some_and(|last| begun.elapsed() >= real_time(round + last.decode, speed))
}

fn real_time(ticks: i64, speed: f64) -> Duration {
    Duration::from_secs_f64(ticks.max(0) as f64 / f64::from(VIDEO_CLOCK) / speed.max(0.001))
}

/// A reset needs the socket to be disconnected at once, with all its copies: connecting to nothing does that.
fn reset(stream: &TcpStream) -> io::Result<()> {
    rustix::net::connect_unspec(stream)?;
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.take(8192).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, url) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.take(8192).read_line(&mut line)? == 0 || line.trim().is_empty() || headers.len() > 64 {
            break;
        }
        if let Some((key, value)) = line.split_once(':') {
            headers.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Ok(Some(Request { method, url, headers }))
}

/// Xorshift: reproducible nonsense.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = self.0 as u8;
        }
    }
}
