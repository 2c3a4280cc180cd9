//! The QR text and its parser: `PRIVET1:` and the base32 of a fixed binary layout, so that the QR code can use its compact
//! alphanumeric mode. One text for each offer: anything that would not be written so is refused.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use privet_protocol::id::{MailboxId, PairingId};
use privet_protocol::time::Timestamp;
use zeroize::Zeroizing;

use super::{Keys, RelayAddress};
use crate::crypto::sha256;
use crate::identity::Fingerprint;

/// What a QR code says, checked.
#[derive(Clone)]
pub struct Offer {
    pub(crate) pairing: PairingId,
    pub(crate) psk: Zeroizing<[u8; 32]>,
    hub: Fingerprint,
    until: Timestamp,
    relay: RelayAddress,
}

/// Why a text is not an offer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// Some other QR code.
    #[error("this is not a Privet pairing code")]
    NotPrivet,
    /// A newer (or older) version.
    #[error("this pairing code has version {0}; update this app or the hub")]
    Version(String),
    /// Its checksum is wrong, or it was cut.
    #[error("the pairing code is damaged or incomplete; scan it again")]
    Damaged,
    /// It is too old.
    #[error("the pairing code expired at {until}; ask the hub for a new one")]
    Expired {
        /// When.
        until: Timestamp,
    },
}

impl Offer {
    /// The offer that `text` holds. White space around it is allowed, because people copy it.
    ///
    /// # Errors
    /// [`OfferError`] when it holds none that is still good at `now`.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, OfferError> {
        let offer = Self::read(text)?;
        if now >= offer.until { Err(OfferError::Expired { until: offer.until }) } else { Ok(offer) }
    }

    /// The hash of the hub's identity key.
    pub fn hub_fingerprint(&self) -> Fingerprint {
        self.hub
    }

    /// The pairing's id.
    pub fn pairing(&self) -> PairingId {
        self.pairing
    }

    /// Where the relay is.
    pub fn relay(&self) -> &RelayAddress {
        &self.relay
    }

    /// Until when the code is good.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The rendezvous mailbox.
    pub fn mailbox(&self) -> MailboxId {
        self.keys().mailbox
    }

    /// The seed of the mailbox's capability key (Ed25519).
    pub fn mailbox_key(&self) -> Zeroizing<[u8; 32]> {
        self.keys().mailbox_key
    }

    /// Everything derived from the code's PSK.
    pub fn keys(&self) -> Keys {
        Keys::derive(&self.pairing, &self.psk)
    }

    /// An offer; `None` when the relay's host is not 1 to 255 printable ASCII characters, or `until` is out of range.
    pub(crate) fn new(
        pairing: PairingId,
        psk: Zeroizing<[u8; 32]>,
        hub: Fingerprint,
        until: Timestamp,
        relay: RelayAddress,
    ) -> Option<Self> {
        let seconds = u32::try_from(until.0 / 1000).ok()?;
        // The text carries whole seconds, so the offer does too.
        let until = Timestamp(i64::from(seconds) * 1000);
        is_host(relay.host.as_bytes()).then_some(Self { pairing, psk, hub, until, relay })
    }

    /// The QR code's text.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(FIXED + self.relay.host.len() + CHECKSUM));
        bytes.extend_from_slice(self.pairing.as_bytes());
        bytes.extend_from_slice(self.psk.as_ref());
        bytes.extend_from_slice(self.hub.as_bytes());
        bytes.extend_from_slice(&u32::try_from(self.until.0 / 1000).unwrap_or(u32::MAX).to_be_bytes());
        bytes.push(u8::from(self.relay.pin.is_some()));
        bytes.extend_from_slice(&self.relay.pin.unwrap_or_default());
        bytes.extend_from_slice(&self.relay.port.to_be_bytes());
        bytes.push(u8::try_from(self.relay.host.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(self.relay.host.as_bytes());
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Zeroizing::new(format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes)))
    }

    fn read(text: &str) -> Result<Self, OfferError> {
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return Err(OfferError::NotPrivet);
        }
        let body = match text.strip_prefix(PREFIX) {
            Some(body) => body,
            None => return Err(other_prefix(text)),
        };
        let bytes = Zeroizing::new(BASE32_NOPAD.decode(body.as_bytes()).map_err(|_| OfferError::Damaged)?);
        let (fields, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(OfferError::Damaged)?;
        if checksum(fields) != *sum {
            return Err(OfferError::Damaged);
        }
        Self::fields(fields).ok_or(OfferError::Damaged)
    }

    fn fields(bytes: &[u8]) -> Option<Self> {
        let (pairing, rest) = bytes.split_first_chunk::<16>()?;
        let (psk, rest) = rest.split_first_chunk::<32>()?;
        let (hub, rest) = rest.split_first_chunk::<32>()?;
        let (until, rest) = rest.split_first_chunk::<4>()?;
        let ([pinned], rest) = rest.split_first_chunk::<1>()?;
        let (pin, rest) = rest.split_first_chunk::<32>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let ([length], host) = rest.split_first_chunk::<1>()?;
        let pin = match (*pinned, *pin) {
            (0, pin) if pin == [0; 32] => None,
            (1, pin) => Some(pin),
            _ => return None,
        };
        if usize::from(*length) != host.len() || !is_host(host) {
            return None;
        }
        Some(Self {
            pairing: PairingId::from_bytes(*pairing),
            psk: Zeroizing::new(*psk),
            hub: Fingerprint::from_bytes(*hub),
            until: Timestamp(i64::from(u32::from_be_bytes(*until)) * 1000),
            relay: RelayAddress {
                host: std::str::from_utf8(host).ok()?.to_owned(),
                port: u16::from_be_bytes(*port),
                pin,
            },
        })
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offer({:?}, {:?}, until {}, {:?})", self.pairing, self.hub, self.until, self.relay)
    }
}

fn other_prefix(text: &str) -> OfferError {
    match text.strip_prefix(NAME).and_then(|rest| rest.split_once(':')) {
        Some((version, _))
            if !version.is_empty() && version.len() <= 5 && version.bytes().all(|b| b.is_ascii_digit()) =>
        {
            OfferError::Version(version.to_owned())
        }
        _ => OfferError::NotPrivet,
    }
}

fn is_host(host: &[u8]) -> bool {
    (1..=255).contains(&host.len()) && host.iter().all(u8::is_ascii_graphic)
}

fn checksum(fields: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&sha256(&[CHECKSUM_LABEL, fields])[..CHECKSUM]);
    sum
}

const NAME: &str = "PRIVET";
const PREFIX: &str = "PRIVET1:";
const CHECKSUM_LABEL: &[u8] = b"privet pairing v1 checksum\0";
const CHECKSUM: usize = 4;
const FIXED: usize = 16 + 32 + 32 + 4 + 1 + 32 + 2 + 1;
/// The prefix and the longest body.
const MAX_TEXT: usize = 8 + (FIXED + 255 + CHECKSUM).div_ceil(5) * 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use super::*;

    fn offer(relay: RelayAddress) -> Offer {
        let bytes = |from: u8| std::array::from_fn(|i| from.wrapping_add(u8::try_from(i).unwrap()));
        let pairing = PairingId::from_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        let hub = Fingerprint::from_bytes(bytes(0x80));
        Offer::new(pairing, Zeroizing::new(bytes(0x20)), hub, Timestamp(1_795_000_600_000), relay).unwrap()
    }

    /// The stored texts are what this code writes; `tests/it/vectors.rs` holds what they mean.
    #[test]
    fn texts_are_written_as_the_vectors_say() {
        let pinned = RelayAddress { host: "relay.example.org".into(), port: 4433, pin: Some([0x11; 32]) };
        let webpki = RelayAddress { host: "2001:db8::1".into(), port: 443, pin: None };
        for (name, relay) in [("qr-pinned.txt", pinned), ("qr-webpki.txt", webpki)] {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
            let text = format!("text = {}", offer(relay).to_text().as_str());
            if std::env::var_os("PRIVET_BLESS").is_some() && !path.exists() {
                std::fs::write(&path, &text).unwrap();
            }
            let stored = std::fs::read_to_string(&path).unwrap();
            assert_eq!(stored.lines().next().unwrap(), text, "{name}");
        }
    }
}
