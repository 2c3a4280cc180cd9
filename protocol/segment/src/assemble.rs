//! From records back to init segment and units: the order of records is checked here, once for all readers.

use bytes::{Bytes, BytesMut};

use crate::error::SegmentError;
use crate::media::{InitInfo, UnitHead};
use crate::open::Item;
use crate::record::{Kind, MAX_RECORDS};
use crate::tally::Tally;

/// Takes media records in order and gives whole items. Holds at most one item.
pub(crate) struct Assembler {
    pub(crate) tally: Tally,
    pub(crate) records: u32,
    partial: Option<Partial>,
}

struct Partial {
    start: Start,
    length: usize,
    data: BytesMut,
}

enum Start {
    Init(InitInfo),
    Unit(UnitHead),
}

impl Assembler {
    pub(crate) fn new() -> Self {
        Self { tally: Tally::new(), records: 0, partial: None }
    }

    /// The last item is whole.
    pub(crate) const fn between_items(&self) -> bool {
        self.partial.is_none() && self.tally.parameters.is_some()
    }

    pub(crate) fn take(&mut self, kind: Kind, content: Bytes) -> Result<Option<Item>, SegmentError> {
        let record = self.records;
        let malformed = |what| SegmentError::Malformed { record, what };
        if record >= MAX_RECORDS {
            return Err(malformed("more records than a segment may have"));
        }
        self.records += 1;
        let (start, length, data) = match (kind, self.partial.take()) {
            (Kind::Init, None) if self.tally.parameters.is_none() => {
                let (info, head, length) = InitInfo::parse(&content).ok_or(malformed("no init segment's head"))?;
                (Start::Init(info), length, content.slice(head..))
            }
            (Kind::Unit, None) if self.tally.parameters.is_some() => {
                let head = UnitHead::parse(&content).ok_or(malformed("no unit's head"))?;
                (Start::Unit(head), head.length as usize, content.slice(UnitHead::LENGTH..))
            }
            (Kind::More, Some(mut partial)) if !content.is_empty() => {
                partial.data.extend_from_slice(&content);
                if partial.data.len() < partial.length {
                    self.partial = Some(partial);
                    return Ok(None);
                }
                (partial.start, partial.length, partial.data.freeze())
            }
            _ => return Err(malformed("not the record that can follow here")),
        };
        if data.len() > length {
            return Err(malformed("longer than its head says"));
        }
        if data.len() < length {
            self.partial = Some(Partial { start, length, data: BytesMut::from(&*data) });
            return Ok(None);
        }
        match start {
            Start::Init(info) => {
                self.tally.init(&data);
                Ok(Some(Item::Init { info, segment: data }))
            }
            Start::Unit(head) => {
                self.tally.unit(&head, &data).map_err(malformed)?;
                Ok(Some(Item::Unit { head, chunk: data }))
            }
        }
    }
}
