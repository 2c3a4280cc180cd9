//! A tiny H.264 encoder without compression, for where no clip is at hand: I_PCM macroblocks in key frames, skipped or I_PCM
//! macroblocks between (Baseline, CAVLC). Every picture shows its number as 16 black or white squares, top left first.

use crate::clip::{Clip, Picture};

/// A clip of `frames` pictures of `columns` x `rows` macroblocks (16 pixels each), a key frame every `gop`.
pub fn clip(columns: u32, rows: u32, fps: u32, gop: u32, frames: u32) -> Clip {
    let sps = sps(columns, rows, fps);
    let pps = pps();
    let tick = i64::from(90_000 / fps.max(1));
    let mut shown: Vec<u8> = Vec::new();
    let mut in_gop = 0;
    let pictures = (0..frames)
        .map(|number| {
            let key = number % gop.max(1) == 0;
            in_gop = if key { 0 } else { in_gop + 1 };
            let wanted = squares(columns * rows, number);
            let slice = slice(key, in_gop, number / gop.max(1), &shown, &wanted);
            shown = wanted;
            let time = i64::from(number) * tick;
            Picture { nals: vec![slice], key, decode: time, show: time }
        })
        .collect();
    Clip { vps: Vec::new(), sps, pps, pictures, length: i64::from(frames) * tick, audio: None }
}

/// The brightness of each macroblock.
fn squares(macroblocks: u32, number: u32) -> Vec<u8> {
    (0..macroblocks).map(|i| if i < 16 && number >> i & 1 == 1 { 235 } else { 16 + (i % 8) as u8 * 8 }).collect()
}

fn sps(columns: u32, rows: u32, fps: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(8, 66); // Baseline
    bits.put(8, 0b1100_0000); // constrained
    bits.put(8, 40); // level 4
    bits.ue(0); // id
    bits.ue(0); // frame_num of 4 bits
    bits.ue(2); // picture order = decode order
    bits.ue(1); // reference frames
    bits.put(1, 0);
    bits.ue(columns - 1);
    bits.ue(rows - 1);
    bits.put(1, 1); // frames only
    bits.put(1, 1); // direct 8x8
    bits.put(1, 0); // no cropping
    bits.put(1, 1); // VUI
    bits.put(4, 0); // no aspect, overscan, signal type, chroma location
    bits.put(1, 1); // timing
    bits.put(32, 1);
    bits.put(32, u64::from(fps) * 2);
    bits.put(1, 1); // fixed
    bits.put(3, 0); // no HRD, no picture structure
    bits.put(1, 1); // bitstream restriction: nothing is reordered
    bits.put(1, 1);
    bits.ue(0);
    bits.ue(0);
    bits.ue(16);
    bits.ue(16);
    bits.ue(0);
    bits.ue(1);
    bits.nal(0x67)
}

fn pps() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.ue(0);
    bits.ue(0);
    bits.put(2, 0); // CAVLC
    bits.ue(0);
    bits.ue(0);
    bits.ue(0);
    bits.put(3, 0);
    bits.ue(0); // se(0): quantizer
    bits.ue(0);
    bits.ue(0);
    bits.put(1, 1); // deblocking can be switched off
    bits.put(2, 0);
    bits.nal(0x68)
}

fn slice(key: bool, in_gop: u32, idr: u32, shown: &[u8], wanted: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.ue(0); // first macroblock
    bits.ue(if key { 7 } else { 5 });
    bits.ue(0);
    bits.put(4, u64::from(in_gop % 16));
    if key {
        bits.ue(idr % 2); // idr_pic_id
        bits.put(2, 0); // dec_ref_pic_marking
    } else {
        bits.put(1, 0); // number of references as in PPS
        bits.put(1, 0); // list not reordered
        bits.put(1, 0); // sliding window
    }
    bits.ue(0); // se(0): quantizer
    bits.ue(1); // no deblocking
    let mut skipped = 0;
    for (i, &level) in wanted.iter().enumerate() {
        if !key && shown.get(i) == Some(&level) {
            skipped += 1;
            continue;
        }
        if !key {
            bits.ue(skipped);
            skipped = 0;
        }
        bits.ue(if key { 25 } else { 30 }); // I_PCM
        bits.align();
        bits.bytes.extend_from_slice(&[level; 256]);
        bits.bytes.extend_from_slice(&[128; 128]);
    }
    if skipped > 0 {
        bits.ue(skipped);
    }
    bits.nal(if key { 0x65 } else { 0x41 })
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    free: u32,
}

impl Bits {
    fn put(&mut self, count: u32, value: u64) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << self.free;
            }
        }
    }

    /// Exp-Golomb.
    fn ue(&mut self, value: u32) {
        let value = u64::from(value) + 1;
        let length = 64 - value.leading_zeros();
        self.put(length - 1, 0);
        self.put(length, value);
    }

    fn align(&mut self) {
        self.free = 0;
    }

    /// With header, stop bit and emulation prevention.
    fn nal(mut self, header: u8) -> Vec<u8> {
        self.put(1, 1);
        let mut nal = vec![header];
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros >= 2 && byte <= 3 {
                nal.push(3);
                zeros = 0;
            }
            nal.push(byte);
            zeros = if byte == 0 { zeros + 1 } else { 0 };
        }
        nal
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_decoder_takes_it_and_shows_the_numbers() {
        let clip = clip(4, 4, 10, 10, 40);
        let mut stream = Vec::new();
        for picture in &clip.pictures {
            let parameters: &[&[u8]] = if picture.key { &[&clip.sps, &clip.pps] } else { &[] };
            for nal in parameters.iter().copied().chain(picture.nals.iter().map(Vec::as_slice)) {
                stream.extend_from_slice(&[0, 0, 0, 1]);
                stream.extend_from_slice(nal);
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let (input, output) = (folder.path().join("in.h264"), folder.path().join("out.yuv"));
        std::fs::write(&input, stream).unwrap();
        let run = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-xerror", "-f", "h264", "-i"])
            .arg(&input)
            .args(["-f", "rawvideo", "-pix_fmt", "yuv420p"])
            .arg(&output)
            .status();
        let Ok(status) = run else {
            eprintln!("SKIPPED: ffmpeg is not installed, so nothing decodes the synthetic clip here");
            return;
        };
        assert!(status.success());
        let pictures = std::fs::read(&output).unwrap();
        let size = 64 * 64 * 3 / 2;
        assert_eq!(pictures.len(), 40 * size);
        for (number, picture) in pictures.chunks(size).enumerate() {
            let bit = |i: usize| usize::from(picture[(i / 4 * 16 + 8) * 64 + i % 4 * 16 + 8] > 200) << i;
            assert_eq!((0..16).map(bit).sum::<usize>(), number);
        }
    }
}
