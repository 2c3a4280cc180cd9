//! Pairing by QR code.

use privet_protocol::id::{MailboxId, PairingId};
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

mod offer;

pub use offer::{Offer, OfferError};

/// Where the home's relay is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayAddress {
    /// Host name or address.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// SHA-256 of the relay certificate's public key; absent when the certificate is from a public authority.
    #[serde(with = "serde_bytes")]
    pub pin: Option<[u8; 32]>,
}

/// A pairing that is open at the hub.
#[derive(Clone)]
pub struct Invitation {
    /// What the QR code says.
    pub qr_text: String,
    /// The pairing's id.
    pub pairing: PairingId,
    /// The rendezvous mailbox to open at the relay.
    pub mailbox: MailboxId,
    /// The seed of the mailbox's capability key (Ed25519).
    pub mailbox_key: Zeroizing<[u8; 32]>,
    /// When it ends.
    pub until: Timestamp,
}
