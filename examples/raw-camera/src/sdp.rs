//! The session description, as it should be or as some vendor writes it.

use data_encoding::{BASE64, HEXLOWER};

use crate::clip::Clip;
use crate::{Fault, Quirk};

/// The SDP of `clip`.
pub(crate) fn describe(clip: &Clip, sound: bool, has: impl Fn(Quirk) -> bool, fault: Option<Fault>) -> String {
    let mut lines = vec!["v=0".to_owned()];
    if !has(Quirk::NoOrigin) {
        let id = match () {
            () if has(Quirk::FloatSessionId) => "1109162014219182.5",
            () if has(Quirk::NegativeSessionId) => "-1109162014219182",
            () => "1109162014219182",
        };
        lines.push(format!("o=- {id} 0 IN IP4 0.0.0.0"));
    }
    lines.push("s=Media Presentation".into());
    if has(Quirk::TwoSessionNames) {
        lines.push("s=RTSP Session".into());
    }
    lines.push(if has(Quirk::EmptyConnection) { "c=IN".into() } else { "c=IN IP4 0.0.0.0".to_owned() });
    lines.push("t=0 0".into());
    lines.push("a=control:*".into());
    if fault != Some(Fault::NoVideo) {
        lines.push("m=video 0 RTP/AVP 96".into());
        lines.push("a=control:track1".into());
        let codec = match fault {
            Some(Fault::WrongCodec) => "MP4V-ES",
            _ if clip.is_h265() => "H265",
            _ => "H264",
        };
        lines.push(format!("a=rtpmap:96 {codec}/90000"));
        let mut parameters = "a=fmtp:96 packetization-mode=1".to_owned();
        if clip.is_h265() {
            let [vps, sps, pps] = [&clip.vps, &clip.sps, &clip.pps].map(|set| BASE64.encode(set));
            parameters = format!("a=fmtp:96 sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}");
        } else if let Some([_, profile, constraints, level]) = clip.sps.first_chunk::<4>() {
            parameters += &format!(";profile-level-id={profile:02x}{constraints:02x}{level:02x}");
        }
        let hidden = clip.is_h265() || has(Quirk::NoSprop) || fault == Some(Fault::NoParameters);
        if !hidden {
            let (sps, pps) = if has(Quirk::AnnexBSprop) {
                ([&[0, 0, 0, 1][..], &clip.sps].concat(), [&[0, 0, 0, 1][..], &clip.pps].concat())
            } else {
                (clip.sps.clone(), clip.pps.clone())
            };
            parameters += &format!(";sprop-parameter-sets={},{}", BASE64.encode(&sps), BASE64.encode(&pps));
        }
        lines.push(parameters);
    }
    if sound {
        if has(Quirk::PcmuSound) {
            lines.extend(["m=audio 0 RTP/AVP 0".into(), "a=control:track2".into(), "a=rtpmap:0 PCMU/8000".into()]);
        } else if let Some(audio) = &clip.audio {
            lines.push("m=audio 0 RTP/AVP 97".into());
            lines.push("a=control:track2".into());
            lines.push(format!("a=rtpmap:97 mpeg4-generic/{}/{}", audio.rate, audio.channels));
            lines.push(format!(
                "a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config={}",
                HEXLOWER.encode(&audio.config)
            ));
        }
    }
    let space = |line: &str| if has(Quirk::TrailingSpaces) && line.starts_with("a=") { " " } else { "" };
    lines.iter().map(|line| format!("{line}{}\r\n", space(line))).collect()
}
