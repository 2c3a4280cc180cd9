//! Getting a segment out of the cells of a carrier. Each cell opens at its place only; what is in them is a sealed segment, which
//! is checked like any other afterwards.

use bytes::Bytes;
use privet_relay_client::{ClientError, Connection};
use privet_segment::{CELL_TAG, CarrierKey};

use super::load::{CONNECTION, MAX_SEGMENT, STANDSTILL, TransferError};
use super::{FetchProgress, Inner};
use crate::carried::{InCarrier, MAX_CELL};
use crate::error::CoreError;

impl Inner {
    /// Fetches segment `index` from its `offset` on, cell by cell.
    pub(super) async fn transfer_carried(
        &self,
        index: u64,
        offset: u64,
        place: &InCarrier,
    ) -> Result<Bytes, TransferError> {
        let broken = |why: &str| {
            self.core.cache.drop_partial(&self.stream, index);
            TransferError::Final(CoreError::Tampered { reason: format!("segment {index} in its carrier: {why}") })
        };
        let end = place.at.checked_add(place.length).filter(|_| place.length <= MAX_SEGMENT);
        let cell_bytes = u64::from(place.cell);
        let (Some(end), Some(key), 1..=MAX_CELL) = (end, place.key(), place.cell) else {
            return Err(broken("the hub told of no place that can be"));
        };
        let connection = self.core.connection(CONNECTION).await.map_err(TransferError::Final)?;
        let mut partial = self.core.cache.partial_file(&self.stream, index).map_err(TransferError::Final)?;
        let mut at = place.at.saturating_add(offset).min(end);
        while at < end {
            let number = at / cell_bytes;
            let sealed = self.cell(&connection, index, place, number).await?;
            let Some(content) = open(&key, number, sealed, place.cell) else {
                return Err(broken(&format!("cell {number} is not what the hub sealed")));
            };
            let first = usize::try_from(at % cell_bytes).unwrap_or(usize::MAX);
            let last = usize::try_from((end - number * cell_bytes).min(cell_bytes)).unwrap_or(usize::MAX);
            let Some(part) = content.get(first..last) else { return Err(broken("a cell is too short")) };
            partial.append(part).map_err(TransferError::Final)?;
            at += part.len() as u64;
            self.progress.send_modify(|progress: &mut FetchProgress| progress.fetched_bytes += part.len() as u64);
        }
        let blob = partial.contents().map_err(TransferError::Final)?;
        self.core.cache.finish(&self.stream, index, partial).map_err(TransferError::Final)?;
        Ok(blob)
    }

    /// A cell as the relay has it.
    async fn cell(
        &self,
        connection: &Connection,
        index: u64,
        place: &InCarrier,
        number: u64,
    ) -> Result<Vec<u8>, TransferError> {
        let failed = |error: ClientError| self.transfer_error(index, &error);
        let got = tokio::time::timeout(STANDSTILL, connection.get(place.carrier, number, 0)).await;
        let mut reader = got.unwrap_or(Err(ClientError::Timeout)).map_err(failed)?;
        let most = place.cell as usize + CELL_TAG;
        let mut sealed = Vec::new();
        while let Some(bytes) = {
            let read = tokio::time::timeout(STANDSTILL, reader.read()).await;
            read.unwrap_or(Err(ClientError::Timeout)).map_err(failed)?
        } {
            if sealed.len() + bytes.len() > most {
                return Err(failed(ClientError::Protocol("the relay sends more than a cell can have".into())));
            }
            sealed.extend_from_slice(&bytes);
        }
        Ok(sealed)
    }
}

/// What a cell holds, all of it.
fn open(key: &CarrierKey, number: u64, sealed: Vec<u8>, cell: u32) -> Option<Vec<u8>> {
    key.open(number, sealed).filter(|content| content.len() == cell as usize)
}
