//! The views that are open on this phone. The hub knows one viewer for each phone and camera, however many views there are: it goes on until
//! the last one is closed, and sends the main stream while any of them wants it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use privet_home::Feed;
use privet_protocol::id::CameraId;

/// All views of a phone, and what each wants.
#[derive(Default)]
pub(crate) struct Views {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    wants: BTreeMap<(CameraId, u64), Feed>,
}

impl Open {
    fn of(&self, camera: CameraId) -> impl Iterator<Item = Feed> {
        self.wants.range((camera, 0)..=(camera, u64::MAX)).map(|(_, feed)| *feed)
    }
}

/// One of them, until it is dropped.
pub(super) struct View {
    views: Arc<Views>,
    camera: CameraId,
    number: u64,
}

impl Views {
    /// One more view of `camera`.
    pub(super) fn join(self: &Arc<Self>, camera: CameraId) -> View {
        let mut open = self.lock();
        open.next += 1;
        let number = open.next;
        open.wants.insert((camera, number), Feed::default());
        drop(open);
        View { views: self.clone(), camera, number }
    }

    /// What the hub is to send for all views of `camera`; nothing when there is none.
    pub(super) fn wanted(&self, camera: CameraId) -> Option<Feed> {
        self.lock().of(camera).reduce(|one, other| if one == other { one } else { Feed::Main })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// This one wants `feed`; what the hub is to send for all of the camera's.
    pub(super) fn wants(&self, feed: Feed) -> Feed {
        self.views.lock().wants.insert((self.camera, self.number), feed);
        self.views.wanted(self.camera).unwrap_or(feed)
    }

    /// Whether it was the camera's last one.
    pub(super) fn leave(self) -> bool {
        let mut open = self.views.lock();
        open.wants.remove(&(self.camera, self.number));
        open.of(self.camera).next().is_none()
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.views.lock().wants.remove(&(self.camera, self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_is_asked_for_what_any_view_wants_until_the_last_is_gone() {
        let views = Arc::new(Views::default());
        let (camera, other) = (CameraId::from_bytes([7; 16]), CameraId::from_bytes([8; 16]));
        let first = views.join(camera);
        assert_eq!(first.wants(Feed::Substream), Feed::Substream);
        let second = views.join(camera);
        let elsewhere = views.join(other);
        assert_eq!((first.wants(Feed::Substream), elsewhere.wants(Feed::Main)), (Feed::Main, Feed::Main));
        assert_eq!(second.wants(Feed::Substream), Feed::Substream);
        drop(second);
        assert_eq!(views.wanted(camera), Some(Feed::Substream));
        let third = views.join(camera);
        assert!(!third.leave());
        assert!(first.leave());
        assert_eq!((views.wanted(camera), views.wanted(other)), (None, Some(Feed::Main)));
    }
}
