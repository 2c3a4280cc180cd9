//! Media in files: a live view's verified segments as one MP4, and the stamps of test cameras inside pictures.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::latency;
use crate::run::Failure;

/// A file that grows by verified segments. When the camera's parameters change, another file goes on.
#[derive(Debug)]
pub struct FileOut {
    path: PathBuf,
    number: u32,
    file: Option<File>,
    header: Vec<u8>,
    /// What the open segment has so far.
    waiting: Vec<Vec<u8>>,
    pictures: u64,
    /// New parameters, from the next verified segment on.
    changed: bool,
}

impl FileOut {
    /// A file at `path`, made when the first parameters are known.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty())
            && !parent.is_dir()
        {
            return Err(Failure::Store(format!("{}: there is no folder {}", path.display(), parent.display())));
        }
        Ok(Self {
            path: path.to_owned(),
            number: 0,
            file: None,
            header: Vec::new(),
            waiting: Vec::new(),
            pictures: 0,
            changed: false,
        })
    }

    /// The parameters of what follows.
    pub fn format(&mut self, header: &[u8]) -> Result<(), Failure> {
        if self.header != header {
            self.header = header.to_vec();
            self.changed = true;
        }
        Ok(())
    }

    /// A piece of the open segment.
    pub fn media(&mut self, picture: bool, data: impl AsRef<[u8]>) {
        self.pictures += u64::from(picture);
        self.waiting.push(data.as_ref().to_vec());
    }

    /// The open segment is good: how many pictures were written.
    pub fn verified(&mut self) -> Result<u64, Failure> {
        if self.waiting.is_empty() {
            return Ok(0);
        }
        if std::mem::take(&mut self.changed) {
            self.open_next()?;
        }
        let failed = |e: std::io::Error| Failure::Store(format!("{}: {e}", self.path.display()));
        if let Some(file) = &mut self.file {
            for piece in self.waiting.drain(..) {
                file.write_all(&piece).map_err(failed)?;
            }
        }
        Ok(std::mem::take(&mut self.pictures))
    }

    /// The open segment is broken or has a hole.
    pub fn forget(&mut self) {
        self.waiting.clear();
        self.pictures = 0;
    }

    /// What is still open was not verified and is left out.
    pub fn finish(self) -> Result<(), Failure> {
        let failed = |e: std::io::Error| Failure::Store(format!("{}: {e}", self.path.display()));
        self.file.map_or(Ok(()), |file| file.sync_all()).map_err(failed)
    }

    fn open_next(&mut self) -> Result<(), Failure> {
        self.number += 1;
        let path = if self.number == 1 {
            self.path.clone()
        } else {
            let stem = self.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            self.path.with_file_name(format!("{stem}-{}.mp4", self.number))
        };
        let failed = |e: std::io::Error| Failure::Store(format!("{}: {e}", path.display()));
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(&self.header).map_err(failed)?;
        self.file = Some(file);
        Ok(())
    }
}

/// The wall clock's stamp: this UUID, then the text `privet frame=N us=T`, T in Unix microseconds.
const WALL_STAMP: &[u8; 16] = b"privet-stamp-01\xA5";
/// The monotonic clock's stamp: this UUID, then `privet frame=N mono_us=T`. Only `examples/raw-camera` makes it.
const MONOTONIC_STAMP: &[u8; 16] = b"privet-stamp-02\xA5";

/// How long ago a test camera stamped the picture in this fragment.
pub fn stamp_age_us(fragment: &[u8]) -> Option<i64> {
    let mut sample = mdat(fragment)?;
    let mut by_wall = None;
    while let Some((length, rest)) = sample.split_first_chunk::<4>() {
        let (nal, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        sample = rest;
        // NAL type 6 (SEI), payload type 5 (user data unregistered).
        if nal.first().is_none_or(|head| head & 31 != 6) || nal.get(1) != Some(&5) {
            continue;
        }
        let payload = unescape(nal.get(3..)?);
        let Some((uuid, data)) = payload.split_first_chunk::<16>() else { continue };
        let time = |unit: &str| -> Option<i64> {
            let text = std::str::from_utf8(data.strip_suffix(&[0x80])?).ok()?;
            text.strip_prefix("privet frame=")?.split_once(' ')?.1.strip_prefix(unit)?.parse().ok()
        };
        if uuid == MONOTONIC_STAMP {
            return Some(latency::monotonic_us() - time("mono_us=")?);
        }
        if uuid == WALL_STAMP {
            by_wall = Some(latency::wall_us() - time("us=")?);
        }
    }
    by_wall
}

/// The contents of the fragment's `mdat`.
fn mdat(fragment: &[u8]) -> Option<&[u8]> {
    let mut rest = fragment;
    loop {
        let head: &[u8; 8] = rest.first_chunk()?;
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (this, next) = rest.split_at_checked(size.max(8))?;
        if &head[4..] == b"mdat" {
            return this.get(8..);
        }
        rest = next;
    }
}

/// Takes the emulation prevention bytes out (H.264 7.4.1).
fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fragment(payload: &[u8]) -> Vec<u8> {
        let mut nal = vec![6, 5, payload.len() as u8];
        nal.extend_from_slice(payload);
        let mut sample = vec![0, 0, 0, 2, 9, 0x10];
        sample.extend_from_slice(&(nal.len() as u32).to_be_bytes());
        sample.extend_from_slice(&nal);
        let mut out = vec![0, 0, 0, 8, b'm', b'o', b'o', b'f'];
        out.extend_from_slice(&(sample.len() as u32 + 8).to_be_bytes());
        out.extend_from_slice(b"mdat");
        out.extend_from_slice(&sample);
        out
    }

    #[test]
    fn both_stamps_are_read() {
        let text = format!("privet frame=7 mono_us={}", latency::monotonic_us() - 5_000);
        let monotonic = [&MONOTONIC_STAMP[..], text.as_bytes(), &[0x80]].concat();
        assert!((5_000..1_000_000).contains(&stamp_age_us(&fragment(&monotonic)).unwrap()));
        let text = format!("privet frame=7 us={}", latency::wall_us() - 9_000);
        let wall = [&WALL_STAMP[..], text.as_bytes(), &[0x80]].concat();
        assert!(stamp_age_us(&fragment(&wall)).unwrap() >= 9_000);
        assert_eq!(stamp_age_us(&fragment(b"something else, 16 bytes")), None);
        assert_eq!(stamp_age_us(b"short"), None);
        assert_eq!(unescape(&[1, 0, 0, 3, 1, 0, 0, 3]), [1, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn only_verified_segments_get_into_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.mp4");
        let mut out = FileOut::create(&path).unwrap();
        out.format(b"INIT").unwrap();
        out.media(true, b"a");
        out.media(true, b"b");
        assert_eq!(out.verified().unwrap(), 2);
        out.media(true, b"broken");
        out.forget();
        assert_eq!(out.verified().unwrap(), 0);
        out.format(b"OTHER").unwrap();
        out.media(true, b"c");
        assert_eq!(out.verified().unwrap(), 1);
        out.media(true, b"never judged");
        out.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"INITab");
        assert_eq!(std::fs::read(dir.path().join("live-2.mp4")).unwrap(), b"OTHERc");
        FileOut::create(&dir.path().join("no/such/folder.mp4")).unwrap_err();
    }
}
