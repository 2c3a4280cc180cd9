//! Parameter sets and SDP into what a player needs to know: sample entries, codec names, sizes.

use bytes::Bytes;
use data_encoding::BASE64;
use retina::codec::h26x::Framing;
use retina::codec::{AudioParameters, ParametersRef, VideoParameters, VideoParametersCodec};

use super::depacketize::{Codec, ParameterSets};
use crate::source::{AudioFormat, Format};

/// The parameter sets that the SDP holds, if it holds usable ones.
pub(super) fn from_sdp(parameters: Option<ParametersRef<'_>>) -> ParameterSets {
    let Some(ParametersRef::Video(video)) = parameters else { return ParameterSets::default() };
    match video.codec_params() {
        VideoParametersCodec::H264 { sps, pps } => ParameterSets { vps: vec![], sps: sps.to_vec(), pps: pps.to_vec() },
        VideoParametersCodec::H265 { vps, sps, pps } => {
            ParameterSets { vps: vps.to_vec(), sps: sps.to_vec(), pps: pps.to_vec() }
        }
        _ => ParameterSets::default(),
    }
}

/// The format that complete parameter sets describe.
pub(super) fn video(codec: Codec, sets: &ParameterSets, audio: Option<AudioFormat>) -> Result<Format, String> {
    match codec {
        Codec::H264 => {
            let video = retina::codec::h264::parameters_from_sps_and_pps(&sets.sps, &sets.pps, Framing::FourByteLength)
                .map_err(|e| e.to_string())?;
            format(&video, audio)
        }
        Codec::H265 => {
            // retina offers its H.265 parser only behind a depacketizer.
            let sdp = format!(
                "sprop-vps={};sprop-sps={};sprop-pps={}",
                BASE64.encode(&sets.vps),
                BASE64.encode(&sets.sps),
                BASE64.encode(&sets.pps)
            );
            let parser = retina::codec::Depacketizer::new("video", "h265", 90_000, None, Some(&sdp))?;
            match parser.parameters() {
                Some(ParametersRef::Video(video)) => format(video, audio),
                _ => Err("H.265 parameter sets that can't be read".into()),
            }
        }
    }
}

fn format(video: &VideoParameters, audio: Option<AudioFormat>) -> Result<Format, String> {
    let (width, height) = video.pixel_dimensions();
    let nominal_millifps = video
        .frame_rate()
        .filter(|(seconds, _)| *seconds > 0)
        .and_then(|(seconds, frames)| u32::try_from(u64::from(frames) * 1000 / u64::from(seconds)).ok());
    Ok(Format {
        codec: video.rfc6381_codec().to_owned(),
        width,
        height,
        video_sample_entry: Bytes::from(video.mp4_sample_entry().build().map_err(|e| e.to_string())?),
        avcc: Bytes::copy_from_slice(video.extra_data()),
        audio,
        nominal_millifps,
    })
}

/// The sound track, if a player can take it.
pub(super) fn audio(audio: &AudioParameters) -> Option<AudioFormat> {
    Some(AudioFormat {
        codec: audio.rfc6381_codec()?.to_owned(),
        sample_entry: Bytes::from(audio.mp4_sample_entry().build().ok()?),
        sample_rate: audio.clock_rate(),
        channels: audio.channels().get(),
    })
}
