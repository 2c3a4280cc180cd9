//! What a clip shows, as the hub told it after the clip's end: where it moved, a picture of the moment of most motion, and
//! whether the clip is kept.
//!
//! Thumbnails are the only pictures in the store: at most 20 kB each, and no more than [`MAX_THUMBNAILS`] of them.

use privet_home::ClipNotes;
use privet_protocol::cbor;
use privet_protocol::id::StreamId;
use privet_protocol::storage::Store;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::error::{CoreError, Result};
use crate::types::{Thumbnail, Trust};

const THUMBNAILS: &[u8] = b"core/thumbnail/";
const MAX_RECORD: usize = 32 * 1024;
/// The newest clips so many have their thumbnail here: 40 MB at most.
pub(crate) const MAX_THUMBNAILS: usize = 2_000;

/// What a clip shows, but its picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shows {
    pub(crate) heat: ByteBuf,
    pub(crate) peak: Timestamp,
    pub(crate) zones: Vec<String>,
    pub(crate) pinned: bool,
    /// Whether its thumbnail is in the store.
    pub(crate) thumbnail: bool,
}

impl From<&ClipNotes> for Shows {
    fn from(notes: &ClipNotes) -> Self {
        Self {
            heat: ByteBuf::from(notes.heat.to_vec()),
            peak: notes.peak,
            zones: notes.zones.clone(),
            pinned: notes.pinned,
            thumbnail: notes.thumbnail.is_some(),
        }
    }
}

/// Where the thumbnail of a clip stands.
pub(crate) fn key(id: &StreamId) -> Vec<u8> {
    [THUMBNAILS, id.as_bytes()].concat()
}

/// The thumbnail of a clip, if it has one here.
pub(crate) fn thumbnail(store: &dyn Store, id: &StreamId) -> Result<Option<Thumbnail>> {
    let Some(bytes) = store.get(&key(id))? else { return Ok(None) };
    let told: privet_home::Thumbnail = cbor::decode(&bytes, MAX_RECORD)
        .map_err(|e| CoreError::Damaged { reason: format!("the thumbnail of clip {id}: {e}") })?;
    Ok(Some(Thumbnail {
        mime: told.mime,
        width: told.width,
        height: told.height,
        bytes: told.bytes.into_vec(),
        trust: Trust::Pending,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_home::{HubMessage, SecretBytes, StreamKind, StreamStarted};
    use privet_protocol::id::CameraId;
    use privet_protocol::storage::MemoryStore;

    use super::*;
    use crate::events::Event;
    use crate::library::Library;

    struct Home {
        store: MemoryStore,
        library: Library,
        seq: u64,
    }

    impl Home {
        fn new() -> Self {
            Self { store: MemoryStore::new(), library: Library::default(), seq: 0 }
        }

        fn told(&mut self, message: &HubMessage) -> Vec<Event> {
            self.seq += 1;
            self.store.commit(self.library.batch_for(self.seq, message)).unwrap();
            self.library.apply(self.seq, message)
        }

        fn clip(&mut self, n: u32) -> StreamId {
            self.told(&HubMessage::StreamStarted(StreamStarted {
                stream: id(n),
                camera: CameraId::from_bytes([1; 16]),
                kind: StreamKind::Clip,
                secret: SecretBytes::new(vec![0; 40]),
                started: Timestamp(0),
            }));
            id(n)
        }

        fn shows(&self, n: u32) -> Option<Shows> {
            let kept = Library::load(&self.store).unwrap().stream(&id(n)).and_then(|record| record.shows.clone());
            assert_eq!(self.library.stream(&id(n)).and_then(|record| record.shows.clone()), kept);
            assert_eq!(thumbnail(&self.store, &id(n)).unwrap().is_some(), kept.as_ref().is_some_and(|s| s.thumbnail));
            kept
        }
    }

    fn id(n: u32) -> StreamId {
        let mut bytes = [0; 16];
        bytes[12..].copy_from_slice(&n.to_be_bytes());
        StreamId::from_bytes(bytes)
    }

    fn notes(n: u32, picture: Option<&[u8]>, pinned: bool) -> HubMessage {
        let thumbnail = picture.map(|picture| privet_home::Thumbnail {
            mime: "image/jpeg".into(),
            width: 320,
            height: 180,
            bytes: ByteBuf::from(picture.to_vec()),
        });
        let (heat, zones) = ([7; 256], vec!["path".to_owned()]);
        let notes = ClipNotes { stream: id(n), heat, thumbnail, peak: Timestamp(5), zones, pinned };
        HubMessage::ClipNotes(Box::new(notes))
    }

    #[test]
    fn the_last_word_on_a_clip_counts_and_its_picture_stays() {
        let mut home = Home::new();
        assert_eq!(home.told(&notes(1, Some(b"jpeg"), false)), [], "of a clip that is not known here");
        assert!(home.shows(1).is_none());
        home.clip(1);
        let told = home.told(&notes(1, Some(b"jpeg"), false));
        assert!(matches!(&told[..], [Event::ClipNotes { clip_id, .. }] if *clip_id == id(1).to_string()));
        let shows = home.shows(1).unwrap();
        assert_eq!((shows.heat.len(), shows.pinned, shows.thumbnail), (256, false, true));
        home.told(&notes(1, None, true));
        assert!(home.shows(1).unwrap().pinned && home.shows(1).unwrap().thumbnail);
        assert_eq!(thumbnail(&home.store, &id(1)).unwrap().unwrap().bytes, b"jpeg");
        home.told(&notes(1, Some(b"other"), true));
        assert_eq!(thumbnail(&home.store, &id(1)).unwrap().unwrap().bytes, b"other");
    }

    #[test]
    fn forgotten_clips_go_with_all_that_they_had_and_once() {
        let mut home = Home::new();
        for n in 1..=3 {
            home.clip(n);
            home.told(&notes(n, Some(b"jpeg"), false));
        }
        let forgotten = HubMessage::Forgotten { streams: vec![id(1), id(3), id(9), id(1)] };
        let told = home.told(&forgotten);
        assert_eq!(told, [Event::ClipsForgotten { clip_ids: vec![id(1).to_string(), id(3).to_string()] }]);
        assert!(home.shows(1).is_none() && home.shows(2).is_some() && home.shows(3).is_none());
        assert_eq!(home.library.clips(None, 9, |_| true).len(), 1);
        assert_eq!(home.told(&forgotten), [], "told again, nothing is left to forget");
        assert_eq!(home.told(&notes(1, Some(b"jpeg"), false)), []);
        assert!(home.shows(1).is_none());
    }

    #[test]
    fn only_the_newest_clips_have_their_thumbnail_here() {
        let mut home = Home::new();
        let many = u32::try_from(MAX_THUMBNAILS).unwrap();
        for n in 1..=many + 2 {
            home.clip(n);
            home.told(&notes(n, Some(b"jpeg"), false));
        }
        let pictures = home.store.scan(THUMBNAILS, b"", usize::MAX).unwrap().len();
        assert_eq!(pictures, MAX_THUMBNAILS);
        assert!(!home.shows(1).unwrap().thumbnail && !home.shows(2).unwrap().thumbnail);
        assert!(home.shows(3).unwrap().thumbnail && home.shows(many + 2).unwrap().thumbnail);
    }
}
