//! The QR text and its parser.

use privet_protocol::id::MailboxId;
use privet_protocol::time::Timestamp;
use zeroize::Zeroizing;

use super::RelayAddress;
use crate::identity::Fingerprint;

/// What a QR code says, checked.
pub struct Offer {
    relay: RelayAddress,
    until: Timestamp,
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
    /// The offer that `text` holds.
    ///
    /// # Errors
    /// [`OfferError`] when it holds none that is still good at `now`.
    pub fn parse(_text: &str, _now: Timestamp) -> Result<Self, OfferError> {
        unimplemented!()
    }

    /// The hash of the hub's identity key.
    pub fn hub_fingerprint(&self) -> Fingerprint {
        unimplemented!()
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
        unimplemented!()
    }

    /// The seed of the mailbox's capability key (Ed25519).
    pub fn mailbox_key(&self) -> Zeroizing<[u8; 32]> {
        unimplemented!()
    }
}
