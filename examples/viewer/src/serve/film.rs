//! A clip as a file of known length, before all of it is here.
//!
//! A browser seeks only in what has a length, and app-core knows the clip's own only when it has verified the last segment. But
//! the MP4 stands inside the sealed segments as it is, and their length was told: so a film is that long, and what is left after
//! the clip's last byte is a `free` box, which every player skips. Of the clip itself nothing is handed out but what app-core read,
//! and that is verified.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use privet_app_core::{Client, Clip, CoreError, Result};
use tokio::sync::OnceCell;

/// How many clips are kept open.
const OPEN: usize = 4;
/// The longest piece.
const PIECE: u64 = 256 * 1024;
/// The head of a box, where its length needs 64 bits.
const HEAD: u64 = 16;

/// A clip that is open.
pub struct Film {
    clip: Clip,
    length: u64,
}

impl Film {
    async fn open(client: &Client, id: &str) -> Result<Arc<Self>> {
        let clip = client.open_clip(id).await?;
        let length = clip.info().bytes.saturating_add(HEAD);
        Ok(Arc::new(Self { clip, length }))
    }

    /// The clip.
    pub fn clip(&self) -> &Clip {
        &self.clip
    }

    /// How many bytes it has. The same whenever the clip is opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Some of its bytes from `at` on, `most` at most; nothing only at its end. Waits for what is not here yet.
    ///
    /// # Errors
    /// Those of [`Clip::read`].
    pub async fn piece(&self, at: u64, most: u64) -> Result<Bytes> {
        let most = most.min(self.length.saturating_sub(at)).min(PIECE);
        let Ok(most) = u32::try_from(most) else { return Ok(Bytes::new()) };
        if most == 0 {
            return Ok(Bytes::new());
        }
        let read = self.clip.read(at, most).await?;
        let room = self.length - HEAD;
        if !read.is_empty() && at + read.len() as u64 <= room {
            return Ok(read.into());
        }
        // It ends before `at`, so its own length is known; or it is longer than it may be.
        let end = self.clip.len().await?;
        filler(end, self.length, at, most as usize).map(Bytes::from).ok_or_else(|| CoreError::Tampered {
            reason: format!("the clip has {end} bytes, more than the hub told of it"),
        })
    }
}

/// What fills a film of `length` bytes after its clip's `end`: `most` bytes from `at` on, or fewer. Nothing when there is no room.
fn filler(end: u64, length: u64, at: u64, most: usize) -> Option<Vec<u8>> {
    let size = length.checked_sub(end).filter(|size| *size >= HEAD)?;
    // ISO/IEC 14496-12, 4.2: a size of 1 says that the real one follows, in 64 bits. 8.1.2: a free box means nothing.
    let mut head = [0; HEAD as usize];
    head[..4].copy_from_slice(&1u32.to_be_bytes());
    head[4..8].copy_from_slice(b"free");
    head[8..].copy_from_slice(&size.to_be_bytes());
    let into = at.checked_sub(end)?;
    let count = most.min(usize::try_from(size.checked_sub(into)?).unwrap_or(usize::MAX));
    let mut out = vec![0; count];
    let rest = usize::try_from(into).ok().and_then(|into| head.get(into..)).unwrap_or_default();
    for (byte, of_head) in out.iter_mut().zip(rest) {
        *byte = *of_head;
    }
    Some(out)
}

/// The clips that were asked for last: a seek does not open one anew.
#[derive(Default)]
pub struct Films {
    open: Mutex<Vec<(String, Place)>>,
}

/// Where a clip is, once somebody opened it.
type Place = Arc<OnceCell<Arc<Film>>>;

impl Films {
    /// The clip with this id, as long as it is one of the home's.
    ///
    /// # Errors
    /// Those of [`Client::open_clip`].
    pub async fn open(&self, client: &Client, id: &str) -> Result<Arc<Film>> {
        let place = self.place(id);
        if place.initialized() {
            // It may be gone since, or this device may.
            if let Err(error) = client.thumbnail(id).await {
                self.forget(id);
                return Err(error);
            }
        }
        place.get_or_try_init(|| Film::open(client, id)).await.cloned()
    }

    /// Where the clip is, or is to be; the one that nobody asked for the longest makes room.
    fn place(&self, id: &str) -> Place {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match open.iter().position(|(known, _)| known == id) {
            Some(at) => open.remove(at),
            None => {
                if open.len() == OPEN {
                    open.remove(0);
                }
                (id.to_owned(), Arc::default())
            }
        };
        let place = entry.1.clone();
        open.push(entry);
        place
    }

    fn forget(&self, id: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| known != id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fills_a_film_is_one_box_that_means_nothing() {
        let whole = filler(100, 130, 100, 1000).unwrap();
        assert_eq!(whole.len(), 30);
        assert_eq!(whole[..16], [0, 0, 0, 1, b'f', b'r', b'e', b'e', 0, 0, 0, 0, 0, 0, 0, 30]);
        assert!(whole[16..].iter().all(|byte| *byte == 0));
        assert_eq!(filler(100, 115, 100, 1), None, "the clip is longer than was told");
        assert_eq!(filler(100, 99, 99, 1), None);
    }

    proptest! {
        #[test]
        fn it_is_the_same_however_it_is_cut(size in 16u64..200, cuts in proptest::collection::vec(1usize..50, 1..40)) {
            let (end, length) = (1000, 1000 + size);
            let (mut at, mut cuts, mut out) = (end, cuts.into_iter().cycle(), Vec::new());
            while at < length {
                let piece = filler(end, length, at, cuts.next().unwrap()).unwrap();
                prop_assert!(!piece.is_empty());
                at += piece.len() as u64;
                out.extend(piece);
            }
            prop_assert_eq!(out, filler(end, length, end, usize::MAX).unwrap());
        }
    }

    #[test]
    fn only_so_many_clips_are_kept_open_and_the_last_ones_are() {
        let films = Films::default();
        let first = films.place("0");
        for id in 1..OPEN {
            films.place(&id.to_string());
        }
        assert!(Arc::ptr_eq(&first, &films.place("0")));
        films.place("one more");
        assert!(Arc::ptr_eq(&first, &films.place("0")));
        let names: Vec<_> = films.open.lock().unwrap().iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(names, ["2", "3", "one more", "0"]);
        films.forget("0");
        assert!(!Arc::ptr_eq(&first, &films.place("0")));
    }
}
