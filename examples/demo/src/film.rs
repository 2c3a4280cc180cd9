//! Films that phones saved: which pictures are in them, and the access units as the camera sent them.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use mp4_atom::{Atom as _, Header, Moof, Moov, ReadFrom as _};
use privet_fake_camera::pictures::Frames;

use crate::Trouble;

/// The numbers burned into a film's pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Pictures decoded.
    pub pictures: u64,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// Places where a number does not follow the one before it.
    pub breaks: Vec<(u64, u64)>,
    /// Pictures without a readable number.
    pub unreadable: u64,
}

/// Decodes a film and reads the number in every picture.
///
/// # Errors
/// [`Trouble`] when it can't be decoded, or no picture has a number.
pub fn numbers(film: &Path) -> Result<Numbers, Trouble> {
    let mut frames = Frames::open(film).map_err(|e| Trouble::new(e.to_string()))?;
    let read = frames.numbers().map_err(|e| Trouble::new(e.to_string()))?;
    let known: Vec<u64> = read.iter().filter_map(|n| *n).collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else {
        return Err(Trouble::new(format!("{}: no picture of {} has a number", film.display(), read.len())));
    };
    Ok(Numbers {
        pictures: read.len() as u64,
        first: *first,
        last: *last,
        breaks: known.windows(2).filter(|w| w[1] != w[0] + 1).map(|w| (w[0], w[1])).collect(),
        unreadable: (read.len() - known.len()) as u64,
    })
}

/// Saves a film's middle picture as PNG or JPEG, whichever the file's name says.
///
/// # Errors
/// [`Trouble`] when the film can't be decoded or the file not written.
pub fn save_picture(film: &Path, picture: &Path) -> Result<(), Trouble> {
    let open = || Frames::open(film).map_err(|e| Trouble::new(e.to_string()));
    let count = open()?.numbers().map_err(|e| Trouble::new(e.to_string()))?.len();
    let mut frames = open()?;
    let mut shown = None;
    for _ in 0..=count / 2 {
        shown = frames.next_frame().map_err(|e| Trouble::new(e.to_string()))?.or(shown);
    }
    let (width, height, rgb) = shown
        .and_then(|picture| picture.rgb())
        .ok_or_else(|| Trouble::new(format!("{} holds no picture", film.display())))?;
    let image =
        image::RgbImage::from_raw(width, height, rgb).ok_or_else(|| Trouble::new("the picture is incomplete"))?;
    image.save(picture).map_err(|e| Trouble::new(format!("{}: {e}", picture.display())))
}

/// What a film is made of, as the camera sent it.
#[derive(Default)]
pub struct Contents {
    /// Sequence and picture parameter sets.
    pub parameter_sets: Vec<Vec<u8>>,
    /// The samples' bytes, chunk by chunk.
    pub media: Vec<Vec<u8>>,
    /// Fragments.
    pub fragments: u64,
    /// Whether it has sound.
    pub audio: bool,
}

/// Takes a fragmented MP4 apart.
///
/// # Errors
/// [`Trouble`] when it is not one.
pub fn contents(film: &Path) -> Result<Contents, Trouble> {
    let wrong = |why: String| Trouble::new(format!("{}: {why}", film.display()));
    let bytes = fs::read(film).map_err(|e| wrong(e.to_string()))?;
    let mut found = Contents::default();
    let mut cursor = Cursor::new(bytes.as_slice());
    while (cursor.position() as usize) < bytes.len() {
        let header = Header::read_from(&mut cursor).map_err(|e| wrong(e.to_string()))?;
        let start = cursor.position() as usize;
        let end = header.size.map_or(bytes.len(), |size| start + size);
        let body = bytes.get(start..end).ok_or_else(|| wrong("a box reaches over the end".into()))?;
        if header.kind == Moov::KIND {
            let moov = Moov::decode_body(&mut Cursor::new(body)).map_err(|e| wrong(e.to_string()))?;
            found.parameter_sets = parameter_sets(&moov);
            found.audio = moov.trak.iter().any(|trak| trak.mdia.minf.smhd.is_some());
        } else if header.kind == Moof::KIND {
            found.fragments += 1;
        } else if header.kind == mp4_atom::FourCC::new(b"mdat") {
            found.media.push(body.to_vec());
        }
        cursor.set_position(end as u64);
    }
    Ok(found)
}

fn parameter_sets(moov: &Moov) -> Vec<Vec<u8>> {
    let entries = moov.trak.iter().flat_map(|trak| &trak.mdia.minf.stbl.stsd.codecs);
    entries
        .filter_map(|codec| match codec {
            mp4_atom::Codec::Avc1(avc1) => Some(&avc1.avcc),
            _ => None,
        })
        .flat_map(|avcc| avcc.sequence_parameter_sets.iter().chain(&avcc.picture_parameter_sets).cloned())
        .collect()
}
