//! Deterministic CBOR (RFC 8949 section 4.2.1), as much as signed statements need: integers in their shortest form, definite
//! lengths, maps with rising integer keys. The reader takes no other form, so one statement has exactly one encoding, and it
//! allocates nothing, so hostile bytes cost no memory.

#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn map(&mut self, fields: u64) -> &mut Self {
        self.head(5, fields)
    }

    pub(crate) fn array(&mut self, items: u64) -> &mut Self {
        self.head(4, items)
    }

    pub(crate) fn key(&mut self, key: u64) -> &mut Self {
        self.head(0, key)
    }

    pub(crate) fn uint(&mut self, value: u64) -> &mut Self {
        self.head(0, value)
    }

    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            Err(_) => self.head(1, !value as u64),
        }
    }

    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        self.0.push(0xf4 + u8::from(value));
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.0.push(0xf6);
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(2, value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.head(3, value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    /// An item that is encoded already.
    pub(crate) fn encoded(&mut self, item: &[u8]) -> &mut Self {
        self.0.extend_from_slice(item);
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let major = major << 5;
        let bytes = value.to_be_bytes();
        match value {
            0..=23 => self.0.push(major | value as u8),
            24..=0xff => self.0.extend_from_slice(&[major | 24, value as u8]),
            0x100..=0xffff => {
                self.0.push(major | 25);
                self.0.extend_from_slice(&bytes[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                self.0.push(major | 26);
                self.0.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend_from_slice(&bytes);
            }
        }
        self
    }
}

/// Reads what [`Writer`] writes; `None` for anything else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn map(&mut self) -> Option<u64> {
        self.head(5)
    }

    pub(crate) fn array(&mut self) -> Option<u64> {
        self.head(4)
    }

    pub(crate) fn uint(&mut self) -> Option<u64> {
        self.head(0)
    }

    /// The next item is this key.
    pub(crate) fn key(&mut self, key: u64) -> Option<&mut Self> {
        (self.head(0)? == key).then_some(self)
    }

    pub(crate) fn int(&mut self) -> Option<i64> {
        if self.0.first()? >> 5 == 1 {
            return i64::try_from(self.head(1)?).ok().map(|value| !value);
        }
        i64::try_from(self.head(0)?).ok()
    }

    pub(crate) fn bool(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0xf4] => Some(false),
            [0xf5] => Some(true),
            _ => None,
        }
    }

    pub(crate) fn null(&mut self) -> Option<()> {
        (self.take(1)? == [0xf6]).then_some(())
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.head(2)?;
        self.take(usize::try_from(length).ok()?)
    }

    pub(crate) fn array_of<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes()?.try_into().ok()
    }

    pub(crate) fn text(&mut self, limit: usize) -> Option<&'a str> {
        let length = usize::try_from(self.head(3)?).ok()?;
        if length > limit {
            return None;
        }
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn head(&mut self, major: u8) -> Option<u64> {
        let &first = self.take(1)?.first()?;
        if first >> 5 != major {
            return None;
        }
        let (value, least) = match first & 0x1f {
            small @ 0..=23 => return Some(small.into()),
            24 => (self.wide(1)?, 24),
            25 => (self.wide(2)?, 0x100),
            26 => (self.wide(4)?, 0x1_0000),
            27 => (self.wide(8)?, 0x1_0000_0000),
            _ => return None,
        };
        (value >= least).then_some(value)
    }

    fn wide(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn integers_keep_their_value_and_their_shortest_form() {
        for value in [0, 1, 23, 24, 255, 256, 65535, 65536, u32::MAX.into(), 1 << 32, i64::MAX] {
            for value in [value, !value] {
                let mut writer = Writer::default();
                writer.int(value);
                let bytes = writer.finish();
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.int(), Some(value));
                assert!(reader.is_empty());
                let mut theirs = Vec::new();
                coset::cbor::ser::into_writer(&value, &mut theirs).unwrap();
                assert_eq!(bytes, theirs);
            }
        }
    }

    #[test]
    fn long_forms_of_small_integers_are_refused() {
        for bytes in
            [&[0x18, 23][..], &[0x19, 0, 255], &[0x1a, 0, 0, 255, 255], &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255]]
        {
            assert_eq!(Reader::new(bytes).uint(), None);
        }
        assert_eq!(Reader::new(&[0x5f]).bytes(), None, "no indefinite lengths");
        assert_eq!(Reader::new(&[0x1b, 255, 255, 255, 255, 255, 255, 255, 255]).int(), None, "beyond 64 bit signed");
    }
}
