//! The pairing code: text as it is, or found in a picture.

use std::io::Cursor;
use std::path::Path;

use crate::run::Failure;

/// No picture of a code has a longer side.
const MAX_SIDE: u32 = 16_384;
/// Enough for a photograph of 50 million pixels; a small file that claims to be more is no photograph.
const MAX_DECODED: u64 = 160 << 20;

/// The text of `code`, which is it or names a picture of it.
pub fn text(code: &str) -> Result<String, Failure> {
    let path = Path::new(code);
    let looks_like_a_file =
        path.extension().is_some_and(|e| ["png", "jpg", "jpeg"].iter().any(|x| e.eq_ignore_ascii_case(x)));
    if !looks_like_a_file {
        return Ok(code.to_owned());
    }
    let failed = |why: String| Failure::Pairing(format!("{code}: {why}"));
    let picture = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
    in_picture(&picture).map_err(failed)
}

/// The text of the QR code in a PNG or JPEG; or why there is none, in words. What decoding takes is bounded.
pub fn in_picture(bytes: &[u8]) -> Result<String, String> {
    let mut reader = image::ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| e.to_string())?;
    from_picture(picture.to_luma8())
}

fn from_picture(picture: image::GrayImage) -> Result<String, String> {
    let (width, height) = picture.dimensions();
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width as usize, height as usize, |x, y| {
        u32::try_from(x).ok().zip(u32::try_from(y).ok()).map_or(255, |(x, y)| picture.get_pixel(x, y).0[0])
    });
    let grids = prepared.detect_grids();
    let mut unreadable = None;
    for grid in &grids {
        match grid.decode() {
            Ok((_, text)) => return Ok(text),
            Err(error) => unreadable = Some(error.to_string()),
        }
    }
    Err(unreadable.map_or_else(
        || "no QR code is in this picture; take it closer and straight".into(),
        |why| format!("the QR code can't be read ({why}); take a sharper picture"),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_picture_of_a_code_is_read() {
        let text_in = format!("PRIVET1:{}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".repeat(7));
        let code = qrcode::QrCode::with_error_correction_level(&text_in, qrcode::EcLevel::M).unwrap();
        let (modules, quiet, scale) = (code.width() as u32, 4, 4);
        let size = (modules + 2 * quiet) * scale;
        let colors = code.to_colors();
        let picture = image::GrayImage::from_fn(size, size, |x, y| {
            let (x, y) = ((x / scale).wrapping_sub(quiet), (y / scale).wrapping_sub(quiet));
            let dark = x < modules && y < modules && colors[(y * modules + x) as usize] == qrcode::Color::Dark;
            image::Luma([if dark { 0 } else { 255 }])
        });
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("code.png");
        picture.save(&path).unwrap();
        assert_eq!(text(path.to_str().unwrap()).unwrap(), text_in);
        assert_eq!(text(&text_in).unwrap(), text_in);
        from_picture(image::GrayImage::new(64, 64)).unwrap_err();
        text("nowhere.png").unwrap_err();
        in_picture(b"no picture").unwrap_err();
    }

    #[test]
    fn a_small_file_that_unpacks_to_a_huge_picture_is_refused() {
        for (width, height) in [(MAX_SIDE + 1, 1), (MAX_SIDE, MAX_SIDE)] {
            assert!(in_picture(&claims(width, height)).is_err());
        }
        let mut small = Cursor::new(Vec::new());
        image::GrayImage::new(8, 8).write_to(&mut small, image::ImageFormat::Png).unwrap();
        assert!(in_picture(small.get_ref()).unwrap_err().contains("no QR code"));
    }

    /// A PNG whose head claims this size, and that ends there.
    fn claims(width: u32, height: u32) -> Vec<u8> {
        let mut small = Cursor::new(Vec::new());
        image::RgbImage::new(1, 1).write_to(&mut small, image::ImageFormat::Png).unwrap();
        let mut bytes = small.into_inner();
        // Signature 8, chunk length 4, "IHDR" 4, then both sides; the chunk's CRC-32 is over its name and its 13 bytes.
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
        })
    }
}
