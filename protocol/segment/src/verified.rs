//! A value that was checked against the evidence. Only this crate can make one, so a function that takes `Verified<T>`
//! can't be handed anything else.

use std::ops::Deref;

/// A `T` whose signature, hashes and place were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, without the mark that it was verified.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Verified<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}
