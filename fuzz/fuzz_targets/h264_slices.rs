//! What a hostile camera may put into H.264 parameter sets and slices before they are decoded for the detector: what comes out is NAL
//! units whose lengths add up, and not much more than went in.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use privet_hub::motion::Unfiltered;

/// Parameter sets of hub/tests/h264/high.h264.
const RECORD: &[u8] = &[
    1, 100, 0, 10, 255, 225, 0, 24, 103, 100, 0, 10, 172, 178, 12, 77, 128, 136, 0, 0, 3, 0, 8, 0, 0, 3, 0, 240, 120,
    145, 50, 64, 1, 0, 6, 104, 235, 192, 164, 178, 44,
];

fuzz_target!(|bytes: &[u8]| {
    let _ = Unfiltered::new(bytes);
    let Some(mut unfiltered) = Unfiltered::new(RECORD) else { return };
    // The input as one slice, and as units with lengths.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let one = Bytes::from([&length.to_be_bytes(), bytes].concat());
    for unit in [one, Bytes::copy_from_slice(bytes)] {
        let out = unfiltered.unit(&unit);
        assert!(out.len() <= unit.len() * 3 / 2 + 64);
        if out == unit {
            continue;
        }
        let mut rest = &out[..];
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            rest = &after[u32::from_be_bytes(*length) as usize..];
        }
        assert!(rest.is_empty());
    }
});
