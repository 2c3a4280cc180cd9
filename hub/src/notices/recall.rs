//! After a crash: clips that it cut off are events that perhaps nobody was told of.

use privet_home::{Happening, HomeEvent};
use privet_notify::Book;
use privet_protocol::id::{CameraId, EventId, StreamId};
use privet_protocol::time::Timestamp;

use crate::outbox::OpenStream;

/// The event of a clip that a crash cut off: it has the clip's id, so that one that was told is known. `None` when the clip only
/// goes on with an earlier one of the same event.
///
/// When it began is not known to the second: the pre-roll is taken off the clip, as far as that has one.
pub fn event_of(book: &Book, stream: StreamId, clip: &OpenStream, pre_roll_ms: i64) -> Option<HomeEvent> {
    if book.was_moving(&clip.camera, clip.started) {
        return None;
    }
    let at = Timestamp(clip.started.0.saturating_add(pre_roll_ms).min(clip.ended.0).max(clip.started.0));
    Some(motion(stream, clip.camera, at))
}

fn motion(stream: StreamId, camera: CameraId, at: Timestamp) -> HomeEvent {
    let id = EventId::from_bytes(*stream.as_bytes());
    HomeEvent { id, at, camera: Some(camera), what: Happening::Motion, clip: Some(stream), zones: Vec::new() }
}
