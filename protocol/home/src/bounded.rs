//! Texts, lists and bytes that are refused while they are read when they are longer than their place allows.

use serde::de::{Deserialize, Deserializer, Error};
use serde_bytes::ByteBuf;

/// Bytes of the name of a camera, a zone or a home.
pub(crate) const NAME: usize = 64;
/// Bytes of a reason in words.
pub(crate) const REASON: usize = 512;
/// Zones of a camera.
pub(crate) const ZONES: usize = 32;

/// A text of at most `MAX` bytes.
pub(crate) fn text<'de, D: Deserializer<'de>, const MAX: usize>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    within("a text", "bytes", text.len(), MAX)?;
    Ok(text)
}

/// At most [`ZONES`] names of zones.
pub(crate) fn zones<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let zones: Vec<String> = list::<D, String, ZONES>(from)?;
    zones.iter().try_for_each(|zone| within("a zone's name", "bytes", zone.len(), NAME))?;
    Ok(zones)
}

/// A list of at most `MAX` things.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(from)?;
    within("a list", "items", list.len(), MAX)?;
    Ok(list)
}

/// At most `MAX` bytes.
pub(crate) fn bytes<'de, D: Deserializer<'de>, const MAX: usize>(from: D) -> Result<ByteBuf, D::Error> {
    let bytes = ByteBuf::deserialize(from)?;
    within("a byte string", "bytes", bytes.len(), MAX)?;
    Ok(bytes)
}

pub(crate) fn within<E: Error>(what: &str, unit: &str, length: usize, limit: usize) -> Result<(), E> {
    if length <= limit { Ok(()) } else { Err(E::custom(format!("{what} has {length} {unit}, {limit} are allowed"))) }
}
