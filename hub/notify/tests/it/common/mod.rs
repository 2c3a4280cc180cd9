//! Phones, cameras and times.

use std::collections::BTreeSet;

use privet_home::{Happening, HomeEvent, PhoneWishes, PushSetup, Wishes};
use privet_notice::NotificationSecret;
use privet_notify::{Book, BookError, Taken, Wished};
use privet_protocol::id::{CameraId, DeviceId, EventId};
use privet_protocol::time::Timestamp;
use serde_bytes::ByteBuf;

pub const GATE: CameraId = CameraId::from_bytes([1; 16]);
pub const YARD: CameraId = CameraId::from_bytes([2; 16]);
pub const ANN: DeviceId = DeviceId::from_bytes([11; 16]);
pub const BEN: DeviceId = DeviceId::from_bytes([12; 16]);

pub fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

pub fn event(number: u32, camera: Option<CameraId>, what: Happening, at: Timestamp) -> HomeEvent {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    HomeEvent { id: EventId::from_bytes(id), at, camera, what, clip: None, zones: Vec::new() }
}

pub fn motion(number: u32, camera: CameraId, at: Timestamp) -> HomeEvent {
    event(number, Some(camera), Happening::Motion, at)
}

pub fn setup(counter: u64) -> PushSetup {
    let key = NotificationSecret::from_bytes([7; 32]).public().unwrap();
    PushSetup { notification_key: ByteBuf::from(key.as_bytes().to_vec()), counter }
}

/// Each step in a commit of its own.
pub fn set_wishes(book: &mut Book, device: DeviceId, wishes: Wishes, now: Timestamp) -> Result<PhoneWishes, BookError> {
    match book.wish(device, wishes, &BTreeSet::from([GATE, YARD]), now)? {
        Wished::Kept(step, told) => book.commit(step).map(|()| told),
        Wished::Later(step) => book.commit(step).map(|()| book.wishes(&device)),
    }
}

pub fn set_push(book: &mut Book, device: DeviceId, setup: PushSetup) -> Result<(), BookError> {
    book.set_push(device, setup)?.map_or(Ok(()), |step| book.commit(step))
}

/// How many are told.
pub fn happened(book: &mut Book, event: &HomeEvent, now: Timestamp) -> Result<usize, BookError> {
    let (Taken::New(step) | Taken::Further(step)) = book.happened(event, None, now)? else { return Ok(0) };
    let told = step.told();
    book.commit(step).map(|()| told)
}

/// What waits for a phone, in the order of the events' numbers.
pub fn waits(book: &Book, device: DeviceId) -> Vec<u32> {
    let waiting = book.waiting().unwrap().into_iter().filter(|(_, waiting)| waiting.device == device);
    waiting.map(|(_, w)| u32::from_be_bytes(w.event.id.as_bytes()[..4].try_into().unwrap())).collect()
}
