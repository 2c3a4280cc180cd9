//! Pairing by QR code. Page: `docs/reference/pairing.md`.
//!
//! 1. The hub makes a random pairing id and PSK and shows both in a QR code, with the hash of its identity key, its relay and
//!    an expiry ([`Offer`]). Whoever reads the code was in front of the hub.
//! 2. From the PSK both sides derive the same five values ([`Keys`]): a rendezvous mailbox at the relay, the seed of that
//!    mailbox's capability key, an AEAD key for each direction, and the PSK that MLS mixes in.
//! 3. The phone seals its MLS KeyPackage, identity key and relay key under the first AEAD key and leaves them in the mailbox.
//! 4. The hub opens it, tells the members the MLS PSK inside the group, commits Add with that PSK, and leaves the Welcome in
//!    the mailbox, sealed under the second AEAD key.
//! 5. The phone opens it, checks the hub's identity against the QR code, and joins. Both forget the PSK.
//!
//! The code is good once, for ten minutes and five attempts. The relay sees a random mailbox and two sealed messages.

use privet_protocol::id::{MailboxId, PairingId};
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

mod exchange;
mod keys;
mod offer;

pub(crate) use exchange::{
    Answer, AnswerError, Request, RequestError, open_answer, open_request, seal_answer, seal_request,
};
pub use keys::Keys;
pub use offer::{Offer, OfferError};

/// How long a code is good, unless the user asks for less.
pub const DEFAULT_TTL: std::time::Duration = std::time::Duration::from_secs(600);
/// How often a code may be tried.
pub const MAX_ATTEMPTS: u8 = 5;

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

/// Where the hub meets the phone of one pairing: what is needed to serve the mailbox, and no more.
#[derive(Clone)]
pub struct Rendezvous {
    /// The pairing's id.
    pub pairing: PairingId,
    /// The mailbox at the relay.
    pub mailbox: MailboxId,
    /// The seed of the mailbox's capability key (Ed25519).
    pub mailbox_key: Zeroizing<[u8; 32]>,
    /// When it ends.
    pub until: Timestamp,
}

impl From<&Invitation> for Rendezvous {
    fn from(invitation: &Invitation) -> Self {
        let &Invitation { pairing, mailbox, ref mailbox_key, until, .. } = invitation;
        Self { pairing, mailbox, mailbox_key: mailbox_key.clone(), until }
    }
}

impl std::fmt::Debug for Rendezvous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rendezvous({:?}, until {})", self.pairing, self.until)
    }
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invitation({:?}, until {})", self.pairing, self.until)
    }
}
