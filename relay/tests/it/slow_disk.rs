//! A disk that takes its time to make a body durable: whoever waits for it holds up nobody else of the home.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use privet_protocol::relay::Code;
use privet_relay::Machine;
use privet_relay_client::ClientError;
use privet_store::SystemDisk;

use crate::common::{House, body, code, in_time, keep, put, read_all, stream, until};
use crate::played_disk::{Between, PlayedDisk};

/// Of a segment that becomes a file.
const BYTES: usize = 300_000;
/// Longer than any test waits: a test that fails ends all the same.
const LONGEST: Duration = Duration::from_secs(60);

/// What syncs of bodies wait for.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    waiting: usize,
}

impl Gate {
    fn set_closed(&self, closed: bool) {
        self.state.lock().unwrap().closed = closed;
        self.opened.notify_all();
    }

    fn waiting(&self) -> usize {
        self.state.lock().unwrap().waiting
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        let (mut state, _) = self.opened.wait_timeout_while(state, LONGEST, |state| state.closed).unwrap();
        state.waiting -= 1;
    }
}

impl Between for Gate {
    fn sync_file(&self) -> io::Result<()> {
        self.pass();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_drops_a_stream_waits_for_its_writer_and_nobody_else_of_the_home_does() {
    let gate = Arc::new(Gate::default());
    let mut machine = Machine::this();
    machine.disk = PlayedDisk::on(SystemDisk, &gate);
    let house = House::on(machine, |_| {}).await;
    let hub = house.hub().await;
    let film = stream();
    gate.set_closed(true);
    let writing = tokio::spawn({
        let hub = hub.clone();
        async move {
            let mut writer = hub.put(film, 0, keep(), true).await?;
            writer.write(body(1, BYTES)).await?;
            writer.finish().await
        }
    });
    until(|| async { gate.waiting() > 0 }).await;
    let drop_it = || {
        let hub = hub.clone();
        tokio::spawn(async move { hub.drop_stream(film).await })
    };
    let first = drop_it();
    // It is forgotten from now on, but for the file that is being written.
    until(async || hub.get(film, 0, 0).await.is_err_and(|error| error.refusal() == Some(Code::Gone))).await;
    let second = drop_it();
    assert_eq!(in_time(hub.append(1, b"an entry".to_vec())).await.unwrap(), 1);
    let anew = hub.put(film, 0, keep(), true).await;
    assert_eq!(anew.map(drop).map_err(|error: ClientError| error.refusal()), Err(Some(Code::Gone)));
    assert_eq!(code(hub.finish_stream(film, 1).await), Code::Gone);
    assert!(!first.is_finished() && !second.is_finished(), "its file is there");

    gate.set_closed(false);
    for dropped in [first, second] {
        in_time(dropped).await.unwrap().unwrap();
    }
    assert_eq!(code(in_time(writing).await.unwrap()), Code::Gone);
    assert_eq!(code(hub.stat(film).await), Code::NotFound);
    assert_eq!(put(&hub, film, 0, keep(), body(2, BYTES)).await, BYTES as u64);
    assert!(read_all(&mut hub.get(film, 0, 0).await.unwrap()).await.unwrap() == body(2, BYTES));
}
