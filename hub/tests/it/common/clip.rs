//! Access units of a real clip, in decode order, as a camera would send them.

use std::path::{Path, PathBuf};

use mp4_atom::{Atom, Buf, Codec, Decode, Encode, Header, Moov, StszSamples, Trak};

/// The clips' folder, or `None` (said loudly) where it is not there.
pub fn clips() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/video");
    if folder.is_dir() {
        Some(folder)
    } else {
        eprintln!("\n!!! NOT TESTED: the test clips are missing: {}\n", folder.display());
        None
    }
}

/// One sample of a track.
#[derive(Clone, Debug)]
pub struct Sample {
    pub data: Vec<u8>,
    pub pts_us: i64,
    pub key: bool,
}

/// A track of a clip.
#[derive(Clone, Debug)]
pub struct Track {
    pub sample_entry: Vec<u8>,
    pub codec: Codec,
    pub samples: Vec<Sample>,
}

/// The tracks of a plain MP4 file: video first.
pub fn read(path: &Path) -> (Track, Option<Track>) {
    let file = std::fs::read(path).unwrap();
    let moov = moov(&file);
    let mut tracks = moov.trak.iter().map(|trak| track(trak, &file));
    (tracks.next().unwrap(), tracks.next())
}

fn moov(file: &[u8]) -> Moov {
    let mut rest = file;
    loop {
        let header = Header::decode(&mut rest).unwrap();
        if header.kind == Moov::KIND {
            return Moov::decode_body(&mut &rest[..header.size.unwrap()]).unwrap();
        }
        rest.advance(header.size.unwrap());
    }
}

fn track(trak: &Trak, file: &[u8]) -> Track {
    let stbl = &trak.mdia.minf.stbl;
    let codec = stbl.stsd.codecs[0].clone();
    let mut sample_entry = Vec::new();
    codec.encode(&mut sample_entry).unwrap();
    let sizes: Vec<usize> = match &stbl.stsz.samples {
        StszSamples::Identical { count, size } => vec![*size as usize; *count as usize],
        StszSamples::Different { sizes } => sizes.iter().map(|s| *s as usize).collect(),
    };
    let chunks: Vec<usize> = match (&stbl.stco, &stbl.co64) {
        (Some(stco), _) => stco.entries.iter().map(|o| *o as usize).collect(),
        (None, Some(co64)) => co64.entries.iter().map(|o| usize::try_from(*o).unwrap()).collect(),
        (None, None) => panic!("no chunk offsets"),
    };
    let mut offsets = Vec::with_capacity(sizes.len());
    let runs = &stbl.stsc.entries;
    for (i, chunk) in chunks.iter().enumerate() {
        let run = runs.iter().rev().find(|run| run.first_chunk as usize <= i + 1).unwrap();
        let mut at = *chunk;
        for _ in 0..run.samples_per_chunk {
            if offsets.len() < sizes.len() {
                offsets.push(at);
                at += sizes[offsets.len() - 1];
            }
        }
    }
    let mut dts = 0i64;
    let mut times = Vec::with_capacity(sizes.len());
    for entry in &stbl.stts.entries {
        for _ in 0..entry.sample_count {
            times.push(dts);
            dts += i64::from(entry.sample_delta);
        }
    }
    if let Some(ctts) = &stbl.ctts {
        let mut i = 0;
        for entry in &ctts.entries {
            for _ in 0..entry.sample_count {
                times[i] += entry.sample_offset;
                i += 1;
            }
        }
    }
    let scale = i64::from(trak.mdia.mdhd.timescale);
    let samples = (0..sizes.len())
        .map(|i| Sample {
            data: file[offsets[i]..offsets[i] + sizes[i]].to_vec(),
            pts_us: times[i] * 1_000_000 / scale,
            key: stbl.stss.as_ref().is_none_or(|stss| stss.entries.contains(&(u32::try_from(i).unwrap() + 1))),
        })
        .collect();
    Track { sample_entry, codec, samples }
}
