//! What a hostile camera may put into RTP packets: any payloads become access units of NAL units whose lengths add up, within
//! the cap, or a typed error; and the depacketizer takes the next packet after one.
#![no_main]
use libfuzzer_sys::fuzz_target;
use privet_hub::source::worker::aac::AacDepacketizer;
use privet_hub::source::worker::depacketize::{Codec, Depacketizer, Packet, ParameterSets};

const HEAD: usize = 40;
const LIMIT: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    for codec in [Codec::H264, Codec::H265] {
        let mut video = Depacketizer::new(codec, ParameterSets::default(), HEAD, LIMIT);
        let mut audio = AacDepacketizer::default();
        let mut timestamp = 0;
        let mut rest = bytes;
        // Packets as: flags, length, payload.
        while let Some(([flags, length], after)) = rest.split_first_chunk::<2>() {
            let (payload, after) = after.split_at(usize::from(*length).min(after.len()));
            rest = after;
            timestamp += i64::from(flags >> 4 & 3);
            let loss = u16::from(flags >> 6);
            let _ = video.push(Packet { payload, timestamp, mark: flags & 1 != 0, loss });
            while let Some(picture) = video.pop() {
                let mut nals = &picture.data[HEAD..];
                assert!(!nals.is_empty() && nals.len() <= LIMIT);
                while let Some((length, after)) = nals.split_first_chunk::<4>() {
                    let length = u32::from_be_bytes(*length) as usize;
                    assert!(length > 0 && length <= after.len());
                    nals = &after[length..];
                }
                assert!(nals.is_empty());
            }
            let _ = audio.push(payload, loss > 0, |_, frame| assert!(!frame.is_empty()));
        }
    }
});
