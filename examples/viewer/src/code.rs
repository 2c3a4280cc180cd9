//! The pairing code: text as it is, or found in a picture.

use std::path::Path;

use crate::run::Failure;

/// The text of `code`, which is it or names a picture of it.
pub fn text(code: &str) -> Result<String, Failure> {
    let path = Path::new(code);
    let looks_like_a_file =
        path.extension().is_some_and(|e| ["png", "jpg", "jpeg"].iter().any(|x| e.eq_ignore_ascii_case(x)));
    if !looks_like_a_file {
        return Ok(code.to_owned());
    }
    let picture = image::open(path).map_err(|e| Failure::Pairing(format!("{code}: {e}")))?.to_luma8();
    from_picture(picture).map_err(|why| Failure::Pairing(format!("{code}: {why}")))
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
    }
}
