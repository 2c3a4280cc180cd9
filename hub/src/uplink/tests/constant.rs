//! A clip's way through a carrier, and that the relay never hears of the clip.

use std::collections::BTreeSet;

use privet_home::{Carried, HubMessage, Received};
use privet_protocol::id::StreamId;
use privet_segment::CarrierKey;

use super::clips::{STREAM, make, put_short, settled};
use super::*;
use crate::config::ConstantRate;
use crate::uplink::constant;

/// What a phone reads of the log until it is told where segments are, and the sizes of the entries that were made since it came.
async fn told(phone: &mut PhoneHome, connection: &Connection) -> (Carried, BTreeSet<usize>) {
    let mut reader = connection.read_log(phone.position().seq + 1, true).await.unwrap();
    let mut sizes = BTreeSet::new();
    loop {
        let Some(LogItem::Entry { seq, bytes }) = reader.next().await.unwrap() else { continue };
        sizes.insert(bytes.len());
        let env = Env::new(wall(), &SystemRandom);
        let received = phone.receive(seq, &bytes, |_| Batch::new(), env).unwrap();
        if let Received::Message { message: HubMessage::Carried(carried), .. } = received {
            return (*carried, sizes);
        }
    }
}

/// A cell as the relay has it.
async fn cell(connection: &Connection, carrier: StreamId, index: u64) -> Vec<u8> {
    let mut reader = connection.get(carrier, index, 0).await.unwrap();
    let mut cell = Vec::new();
    while let Some(bytes) = reader.read().await.unwrap() {
        cell.extend_from_slice(&bytes);
    }
    cell
}

#[tokio::test]
async fn a_clip_is_in_cells_of_one_size_and_the_log_says_where() {
    let world = World::new(100).await;
    let uplink = &world.uplink;
    uplink.home.call(|home, _| home.pad_messages(4096)).await.unwrap();
    let mut phone = world.member().await;
    let connection = world.connect().await;
    uplink.put_right(&connection).await.unwrap();
    make(&uplink.outbox, &*uplink.store);

    let rate = ConstantRate { kbit_s: 1_024, every_ms: 100, entry_s: 1, ..ConstantRate::default() };
    let size = usize::try_from(rate.cell_bytes()).unwrap();
    let constant = Constant::new(rate);
    let mut tasks = JoinSet::new();
    tasks.spawn(constant::load(uplink.clone(), constant.clone()));
    tasks.spawn(constant::cells(uplink.clone(), constant.clone(), connection.clone()));
    tasks.spawn(constant::entries(uplink.clone(), constant.clone(), connection.clone()));
    tasks.spawn(constant::settle(uplink.clone(), connection.clone()));
    let key = client(&phone);
    let member = Principal::Member { home: phone.home_id() };
    let member = connect(&uplink.target, member, &key, PATIENCE).await.unwrap();
    let (carried, sizes) = within("where the clip is", told(&mut phone, &member)).await;
    assert_eq!(sizes.len(), 1, "{sizes:?}");
    within("the clip at the relay", settled(&uplink.outbox)).await;
    assert_eq!(connection.stat(STREAM).await.unwrap_err().refusal(), Some(Code::NotFound), "the relay knows no clip");

    let key = CarrierKey::from_bytes(carried.key.expose()).unwrap();
    let placed: Vec<_> = carried.placed.iter().map(|placed| (placed.stream, placed.index, placed.length)).collect();
    assert_eq!(placed, [(STREAM, 0, 100), (STREAM, 1, 100), (STREAM, 2, 100)]);
    for placed in &carried.placed {
        let (number, at) = (placed.at / u64::from(carried.cell), placed.at % u64::from(carried.cell));
        let sealed = cell(&member, carried.carrier, number).await;
        assert_eq!(sealed.len(), size);
        let at = usize::try_from(at).unwrap();
        let content = key.open(number, sealed).unwrap();
        assert_eq!(content[at..at + 100], [u8::try_from(placed.index).unwrap(); 100]);
    }
    // What holds nothing looks like the rest.
    let last = connection.stat(carried.carrier).await.unwrap().next - 1;
    let cover = cell(&member, carried.carrier, last).await;
    assert_eq!(cover.len(), size);
    assert!(key.open(last, cover).unwrap().iter().all(|byte| *byte == 0));
    world.end().await;
}

#[tokio::test]
async fn a_cell_that_the_relay_has_otherwise_costs_its_carrier_and_neither_the_clip_nor_the_connection() {
    let world = World::new(100).await;
    let uplink = &world.uplink;
    uplink.home.call(|home, _| home.pad_messages(4096)).await.unwrap();
    let mut phone = world.member().await;
    let connection = world.connect().await;
    uplink.put_right(&connection).await.unwrap();
    make(&uplink.outbox, &*uplink.store);
    let constant = Constant::new(ConstantRate { kbit_s: 1_024, every_ms: 100, entry_s: 1, ..ConstantRate::default() });
    let first = constant.pacer().cell(&SystemRandom).unwrap();
    put_short(&connection, first.carrier, first.index, 10).await;

    let mut tasks = JoinSet::new();
    tasks.spawn(constant::load(uplink.clone(), constant.clone()));
    tasks.spawn(constant::cells(uplink.clone(), constant.clone(), connection.clone()));
    tasks.spawn(constant::entries(uplink.clone(), constant.clone(), connection.clone()));
    tasks.spawn(constant::settle(uplink.clone(), connection.clone()));
    let member = Principal::Member { home: phone.home_id() };
    let member = connect(&uplink.target, member, &client(&phone), PATIENCE).await.unwrap();
    let (carried, _) = within("where the clip is", told(&mut phone, &member)).await;
    assert_ne!(carried.carrier, first.carrier);
    within("the clip at the relay", settled(&uplink.outbox)).await;
    assert_eq!(uplink.outbox.waiting().given_up, 0);
    assert!(tasks.try_join_next().is_none(), "the connection goes on");
    world.end().await;
}
