//! The home group (MLS), its numbered log, and pairing.
