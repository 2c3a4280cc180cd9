//! All that both sides derive from a QR code's PSK. Every label is here and nowhere else.

use privet_protocol::id::{MailboxId, PairingId};
use zeroize::Zeroizing;

use crate::crypto::Expander;

/// What a pairing's PSK stands for: HKDF-SHA256, salt = pairing id, one label each.
pub struct Keys {
    /// The rendezvous mailbox.
    pub mailbox: MailboxId,
    /// The seed of the mailbox's capability key (Ed25519).
    pub mailbox_key: Zeroizing<[u8; 32]>,
    /// Seals what the phone tells the hub.
    pub to_hub: Zeroizing<[u8; 32]>,
    /// Seals what the hub answers.
    pub to_phone: Zeroizing<[u8; 32]>,
    /// The key MLS mixes into the commit that adds the phone.
    pub mls: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// The keys of this pairing.
    pub fn derive(pairing: &PairingId, psk: &[u8; 32]) -> Self {
        let expander = Expander::extract(pairing.as_bytes(), psk);
        Self {
            mailbox: MailboxId::from_bytes(*expander.expand(MAILBOX)),
            mailbox_key: expander.expand(MAILBOX_KEY),
            to_hub: expander.expand(TO_HUB),
            to_phone: expander.expand(TO_PHONE),
            mls: expander.expand(MLS),
        }
    }
}

const MAILBOX: &str = "privet pairing v1 mailbox";
const MAILBOX_KEY: &str = "privet pairing v1 mailbox key";
const TO_HUB: &str = "privet pairing v1 phone to hub";
const TO_PHONE: &str = "privet pairing v1 hub to phone";
const MLS: &str = "privet pairing v1 mls psk";
