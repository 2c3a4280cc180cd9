//! Bytes that cross the border as one piece. Of a `Vec<u8>` uniffi writes and reads each byte on its own, which for a picture takes longer than all
//! the rest of the crossing; in the languages both are the same type.

use std::fmt;

use bytes::Bytes;
use uniffi::deps::bytes::{Buf as _, BufMut as _};
use uniffi::metadata::codes;
use uniffi::{FfiConverter, MetadataBuffer, RustBuffer, TypeId};

/// Pictures, pieces of a clip, files: whatever may be large.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(pub(crate) Bytes);

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<T: Into<Bytes>> From<T> for Data {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

// SAFETY: what is written and read is what uniffi writes and reads for a `Vec<u8>`, whose type it says it is: a length of four bytes, then the bytes.
unsafe impl<UT> FfiConverter<UT> for Data {
    type FfiType = RustBuffer;

    const TYPE_ID_META: MetadataBuffer =
        MetadataBuffer::from_code(codes::TYPE_VEC).concat(<u8 as TypeId<UT>>::TYPE_ID_META);

    fn lower(obj: Self) -> RustBuffer {
        let mut buffer = Vec::with_capacity(4 + obj.0.len());
        <Self as FfiConverter<UT>>::write(obj, &mut buffer);
        RustBuffer::from_vec(buffer)
    }

    fn try_lift(buffer: RustBuffer) -> uniffi::Result<Self> {
        let bytes = buffer.destroy_into_vec();
        let mut rest = bytes.as_slice();
        let data = <Self as FfiConverter<UT>>::try_read(&mut rest)?;
        if rest.is_empty() { Ok(data) } else { Err(surplus(rest.len())) }
    }

    fn write(obj: Self, buffer: &mut Vec<u8>) {
        // The languages' lengths have 31 bits. The longest piece that is given out, of a clip, is a five-hundredth of that.
        let bytes = obj.0.slice(..obj.0.len().min(i32::MAX as usize));
        buffer.reserve(4 + bytes.len());
        buffer.put_i32(bytes.len() as i32);
        buffer.put_slice(&bytes);
    }

    fn try_read(buffer: &mut &[u8]) -> uniffi::Result<Self> {
        uniffi::check_remaining(buffer, 4)?;
        let length = usize::try_from(buffer.get_i32())?;
        uniffi::check_remaining(buffer, length)?;
        let (bytes, rest) = buffer.split_at(length);
        *buffer = rest;
        Ok(Self(Bytes::copy_from_slice(bytes)))
    }
}

uniffi::derive_ffi_traits!(blanket Data);

fn surplus(bytes: usize) -> uniffi::deps::anyhow::Error {
    uniffi::deps::anyhow::anyhow!("{bytes} bytes after the last")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use uniffi::{Lift, Lower};

    use super::*;
    use crate::UniFfiTag;

    fn lowered<T: Lower<UniFfiTag, FfiType = RustBuffer>>(value: T) -> Vec<u8> {
        T::lower(value).destroy_into_vec()
    }

    fn lifted(bytes: &[u8]) -> uniffi::Result<Data> {
        <Data as Lift<UniFfiTag>>::try_lift(RustBuffer::from_vec(bytes.to_vec()))
    }

    proptest! {
        #[test]
        fn it_is_to_the_languages_what_a_vector_is(bytes: Vec<u8>, cut: prop::sample::Index) {
            let there = lowered(Data::from(bytes.clone()));
            prop_assert_eq!(&there, &lowered(bytes.clone()));
            prop_assert_eq!(&lifted(&there).unwrap().0[..], &bytes[..]);
            prop_assert!(lifted(&there[..cut.index(there.len())]).is_err());
            prop_assert!(lifted(&[&there[..], &[0]].concat()).is_err());
            let mut several = lowered(vec![bytes.clone(), bytes.clone()]);
            prop_assert_eq!(&several, &lowered(vec![Data::from(bytes.clone()), Data::from(bytes.clone())]));
            several.drain(..4);
            let mut rest = several.as_slice();
            let first = <Data as Lift<UniFfiTag>>::try_read(&mut rest).unwrap();
            prop_assert_eq!((&first.0[..], rest), (&bytes[..], &there[..]));
        }
    }

    #[test]
    fn its_type_is_a_vectors_and_a_negative_length_is_none() {
        let meta = <Data as TypeId<UniFfiTag>>::TYPE_ID_META;
        let vector = <Vec<u8> as TypeId<UniFfiTag>>::TYPE_ID_META;
        assert_eq!(meta.bytes[..meta.size], vector.bytes[..vector.size]);
        assert!(lifted(&[0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(lifted(&[0x7f, 0xff, 0xff, 0xff, 1]).is_err());
        assert!(lifted(&[0, 0, 0]).is_err());
    }
}
