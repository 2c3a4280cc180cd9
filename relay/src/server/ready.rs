//! Whether clients should come: what stands against it, in words. Decided here, asked for by the page `/ready`.

use privet_protocol::storage::StoreError;
use privet_protocol::time::Timestamp;

use crate::identity::Validity;

/// What is known at one moment.
pub(crate) struct Signs {
    pub(crate) leaving: bool,
    /// Whether the list of nodes can be read, where there is one.
    pub(crate) nodes: bool,
    /// What the last write that was only there to see whether writing works said.
    pub(crate) storage: Result<(), StoreError>,
    /// Bytes free on the disk, and those that have to stay free.
    pub(crate) free_bytes: Option<u64>,
    pub(crate) least_free_bytes: u64,
    /// Of the certificate of a public authority; the relay's own is good for ever.
    pub(crate) validity: Option<Validity>,
    pub(crate) now: Timestamp,
}

impl Signs {
    /// A line for each thing that stands against it; none when clients may come.
    pub(crate) fn faults(&self) -> Vec<&'static str> {
        let mut faults = Vec::new();
        if self.leaving {
            faults.push("leaving: the relay is about to end");
        }
        if !self.nodes {
            faults.push("nodes: the list of them can't be read; the log says why");
        }
        match &self.storage {
            Ok(()) => {}
            Err(StoreError::Full(_)) => faults.push("storage: the disk is full"),
            Err(_) => faults.push("storage: it can't be written; the log says why"),
        }
        if self.free_bytes.is_some_and(|free| free < self.least_free_bytes) {
            faults.push("storage: less than limits.free_bytes is free");
        }
        if let Some(validity) = self.validity {
            if self.now < validity.from {
                faults.push("certificate: it is not valid yet, or the clock is wrong");
            }
            if self.now > validity.until {
                faults.push("certificate: it has expired");
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Signs {
        let validity = Some(Validity { from: Timestamp(10), until: Timestamp(20) });
        Signs {
            leaving: false,
            nodes: true,
            storage: Ok(()),
            free_bytes: Some(5),
            least_free_bytes: 5,
            validity,
            now: Timestamp(15),
        }
    }

    #[test]
    fn each_thing_that_stands_against_it_is_said() {
        assert!(good().faults().is_empty());
        assert!(Signs { validity: None, free_bytes: None, ..good() }.faults().is_empty());
        for (signs, said) in [
            (Signs { leaving: true, ..good() }, "leaving"),
            (Signs { nodes: false, ..good() }, "nodes"),
            (Signs { storage: Err(StoreError::Full("".into())), ..good() }, "disk is full"),
            (Signs { storage: Err(StoreError::Io("/secret/path".into())), ..good() }, "can't be written"),
            (Signs { free_bytes: Some(4), ..good() }, "limits.free_bytes"),
            (Signs { now: Timestamp(9), ..good() }, "not valid yet"),
            (Signs { now: Timestamp(21), ..good() }, "expired"),
        ] {
            let faults = signs.faults();
            assert!(faults.len() == 1 && faults[0].contains(said), "{faults:?}");
        }
        let all = Signs { leaving: true, storage: Err(StoreError::Io("".into())), now: Timestamp(21), ..good() };
        assert_eq!(all.faults().len(), 3);
    }
}
