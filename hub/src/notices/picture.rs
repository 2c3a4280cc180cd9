//! A notification's picture. Its bytes come from a camera's worker, so nothing is believed of them but their size, as their header
//! gives it; whoever shows them decodes them with care.

use bytes::Bytes;
use privet_home::Thumbnail;
use serde_bytes::ByteBuf;

use crate::source::MAX_SMALL_JPEG;

/// The picture as phones get it; nothing for bytes that are too long or do not begin like a JPEG.
pub(super) fn thumbnail(jpeg: &Bytes) -> Option<Thumbnail> {
    if jpeg.len() > MAX_SMALL_JPEG {
        return None;
    }
    let (width, height) = size(jpeg)?;
    Some(Thumbnail { mime: "image/jpeg".into(), width, height, bytes: ByteBuf::from(jpeg.to_vec()) })
}

/// Width and height of a JPEG (ITU T.81, B.2.2: the frame header).
fn size(jpeg: &[u8]) -> Option<(u16, u16)> {
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let (&[0xff, marker, high, low], body) = rest.split_first_chunk()? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(2)?;
        match marker {
            // Start of frame, in any of its kinds; the others of this range are tables.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let &[_, h1, h0, w1, w0] = body.first_chunk()?;
                let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
                return (width > 0 && height > 0).then_some((width, height));
            }
            // The scan: no frame header comes any more.
            0xda => return None,
            _ => rest = body.get(length..)?,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use image::ExtendedColorType;
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    #[test]
    fn a_jpeg_says_its_size_and_other_bytes_are_none() {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 20)
            .encode(&[9; 48 * 27 * 3], 48, 27, ExtendedColorType::Rgb8)
            .unwrap();
        let picture = thumbnail(&jpeg.clone().into()).unwrap();
        assert_eq!((picture.width, picture.height, picture.bytes.as_slice()), (48, 27, jpeg.as_slice()));
        for cut in 0..20 {
            assert_eq!(thumbnail(&Bytes::copy_from_slice(&jpeg[..cut])), None, "{cut}");
        }
        assert_eq!(thumbnail(&Bytes::from(vec![0xff; 100])), None);
        assert_eq!(thumbnail(&Bytes::from(vec![0; MAX_SMALL_JPEG + 1])), None);
    }
}
