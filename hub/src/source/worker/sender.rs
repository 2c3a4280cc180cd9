//! The way from the worker to the hub: written at once when the socket takes it, queued up to a cap when not, and beyond that
//! dropped up to the next key frame, so that a slow hub never makes the worker grow.

use std::collections::VecDeque;
use std::io;

use tokio::net::UnixStream;

/// Bytes that may wait. A unit larger than this goes when nothing else waits.
const MAX_WAITING: usize = 2 << 20;
/// Bytes beyond [`MAX_WAITING`] that only what is not video may use.
const RESERVE: usize = 64 << 10;

/// The queue before the socket. What it decides is in [`Queue`]; this only moves bytes.
#[derive(Debug)]
pub(super) struct Sender {
    queue: Queue,
}

impl Sender {
    pub(super) fn new() -> Self {
        Self { queue: Queue::default() }
    }

    /// A frame that is not a unit. False when even these pile up: the hub does not read.
    pub(super) fn message(&mut self, socket: &UnixStream, frame: Vec<u8>) -> io::Result<bool> {
        let taken = self.queue.message(frame);
        self.flush(socket)?;
        Ok(taken)
    }

    /// A video or audio unit.
    pub(super) fn unit(&mut self, socket: &UnixStream, frame: Vec<u8>, video: bool, key: bool) -> io::Result<()> {
        self.queue.unit(frame, video, key);
        self.flush(socket)
    }

    /// A unit of the substream.
    pub(super) fn sub_unit(&mut self, socket: &UnixStream, frame: Vec<u8>, key: bool) -> io::Result<()> {
        self.queue.sub_unit(frame, key);
        self.flush(socket)
    }

    /// Writes what the socket takes now.
    pub(super) fn flush(&mut self, socket: &UnixStream) -> io::Result<()> {
        while let Some(bytes) = self.queue.front() {
            match socket.try_write(bytes) {
                Ok(written) => self.queue.written(written),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.front().is_none()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.queue.dropped
    }
}

/// Pure: what waits, and what is dropped.
#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    /// Bytes of the first frame that are gone already.
    offset: usize,
    waiting: usize,
    /// Dropping until a key frame fits.
    skipping: bool,
    /// The same for the substream.
    sub_skipping: bool,
    dropped: u64,
}

impl Queue {
    fn message(&mut self, frame: Vec<u8>) -> bool {
        if self.waiting + frame.len() > MAX_WAITING + RESERVE && !self.frames.is_empty() {
            return false;
        }
        self.put(frame);
        true
    }

    fn unit(&mut self, frame: Vec<u8>, video: bool, key: bool) {
        let fits = self.frames.is_empty() || self.waiting + frame.len() <= MAX_WAITING;
        if !video {
            if fits && !self.skipping {
                self.put(frame);
            }
            return;
        }
        if fits && (key || !self.skipping) {
            self.skipping = false;
            self.put(frame);
        } else {
            self.skipping = true;
            self.dropped += 1;
        }
    }

    fn sub_unit(&mut self, frame: Vec<u8>, key: bool) {
        let fits = self.frames.is_empty() || self.waiting + frame.len() <= MAX_WAITING;
        if fits && (key || !self.sub_skipping) {
            self.sub_skipping = false;
            self.put(frame);
        } else {
            self.sub_skipping = true;
            self.dropped += 1;
        }
    }

    fn put(&mut self, frame: Vec<u8>) {
        self.waiting += frame.len();
        self.frames.push_back(frame);
    }

    fn front(&self) -> Option<&[u8]> {
        self.frames.front().map(|frame| &frame[self.offset..])
    }

    fn written(&mut self, bytes: usize) {
        self.offset += bytes;
        self.waiting -= bytes;
        if self.frames.front().is_some_and(|frame| frame.len() == self.offset) {
            self.offset = 0;
            self.frames.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_to_the_next_key_frame_and_counts() {
        let mut queue = Queue::default();
        let half = MAX_WAITING / 2;
        queue.unit(vec![0; half], true, true);
        queue.unit(vec![0; half], true, false);
        queue.unit(vec![0; 10], true, false);
        assert_eq!(queue.dropped, 1);
        queue.written(half);
        queue.unit(vec![0; 10], true, false);
        assert_eq!(queue.dropped, 2, "room again, but the reference is gone");
        queue.unit(vec![0; 10], false, true);
        assert_eq!(queue.frames.len(), 1, "no sound without its picture");
        queue.unit(vec![0; 10], true, true);
        queue.unit(vec![0; 10], true, false);
        assert_eq!((queue.dropped, queue.frames.len()), (2, 3));
    }

    #[test]
    fn a_key_frame_of_one_stream_says_nothing_of_the_other() {
        let mut queue = Queue::default();
        queue.unit(vec![0; MAX_WAITING], true, true);
        queue.unit(vec![0; 10], true, false);
        queue.sub_unit(vec![0; 10], false);
        assert_eq!(queue.dropped, 2);
        queue.written(MAX_WAITING);
        queue.sub_unit(vec![0; 10], true);
        queue.unit(vec![0; 10], true, false);
        assert_eq!((queue.dropped, queue.frames.len()), (3, 1), "the main stream still waits for its own");
        queue.sub_unit(vec![0; 10], false);
        queue.unit(vec![0; 10], true, true);
        assert_eq!((queue.dropped, queue.frames.len()), (3, 3));
    }

    #[test]
    fn what_is_no_video_has_a_reserve_and_an_end() {
        let mut queue = Queue::default();
        queue.unit(vec![0; MAX_WAITING + 5], true, true);
        assert_eq!(queue.dropped, 0, "anything fits an empty queue");
        let taken = (0..1_000).take_while(|_| queue.message(vec![0; 1024])).count();
        assert!((60..=64).contains(&taken), "{taken}");
        assert!(queue.waiting <= MAX_WAITING + RESERVE + 5);
    }

    #[test]
    fn partial_writes_keep_their_place() {
        let mut queue = Queue::default();
        queue.message(vec![1, 2, 3]);
        queue.message(vec![4]);
        queue.written(2);
        assert_eq!(queue.front(), Some(&[3][..]));
        queue.written(1);
        assert_eq!(queue.front(), Some(&[4][..]));
        queue.written(1);
        assert_eq!((queue.front(), queue.waiting), (None, 0));
    }
}
