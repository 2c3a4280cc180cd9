//! What a hostile camera may put into H.264 parameter sets and key frames before the loop filter is taken out of these: what comes
//! out is NAL units whose lengths add up, and not much more than went in.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use privet_hub::motion::Unfiltered;

/// The parameter sets of streams in hub/tests/h264: baseline, interlaced and bare-high.
const RECORDS: [&[u8]; 3] = [
    &[
        1, 66, 192, 10, 255, 225, 0, 22, 103, 66, 192, 10, 218, 24, 155, 1, 16, 0, 0, 3, 0, 16, 0, 0, 3, 1, 224, 241,
        34, 106, 1, 0, 5, 104, 206, 2, 146, 200,
    ],
    &[
        1, 77, 64, 21, 255, 225, 0, 21, 103, 77, 64, 21, 244, 50, 108, 4, 64, 0, 0, 3, 0, 64, 0, 0, 7, 135, 197, 10,
        168, 1, 0, 5, 104, 254, 2, 146, 200,
    ],
    &[
        1, 100, 0, 10, 255, 225, 0, 23, 103, 100, 0, 10, 172, 180, 49, 54, 2, 32, 0, 0, 3, 0, 32, 0, 0, 3, 3, 193, 226,
        68, 212, 1, 0, 6, 104, 238, 2, 146, 136, 176,
    ],
];

fuzz_target!(|bytes: &[u8]| {
    if let Some(unfiltered) = Unfiltered::new(bytes) {
        look(unfiltered, &Bytes::copy_from_slice(bytes));
    }
    // The input as one NAL unit, and as units with lengths.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let one = Bytes::from([&length.to_be_bytes(), bytes].concat());
    for record in RECORDS {
        for unit in [&one, &Bytes::copy_from_slice(bytes)] {
            look(Unfiltered::new(record).expect("a record"), unit);
        }
    }
});

fn look(mut unfiltered: Unfiltered, unit: &Bytes) {
    // Twice: parameter sets in it hold for what follows.
    for _ in 0..2 {
        let out = unfiltered.unit(unit);
        assert!(out.len() <= unit.len() * 2 + 8192);
        if out == *unit {
            continue;
        }
        let mut rest = &out[..];
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            rest = &after[u32::from_be_bytes(*length) as usize..];
        }
        assert!(rest.is_empty());
    }
}
