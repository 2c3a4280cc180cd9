//! The app in the background and back, and stores that are not as they should be.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use privet_app_core::{
    Client, CoreError, Event, FileKeys, KeyWrapper, LinkState, LiveFormat, LiveItem, Result, start_over,
};
use privet_home::StreamKind;
use privet_protocol::storage::{Batch, Store};
use privet_store::{DiskStore, SealedStore};

use crate::common::{Home, PATIENCE, keys, until};

/// A keystore that counts how often it is asked for the key.
struct Counting(FileKeys, AtomicU32);

#[async_trait]
impl KeyWrapper for Counting {
    async fn wrap(&self, label: String, secret: Vec<u8>) -> Result<Vec<u8>> {
        self.0.wrap(label, secret).await
    }

    async fn unwrap(&self, label: String, blob: Vec<u8>) -> Result<Vec<u8>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.unwrap(label, blob).await
    }
}

fn within() -> u32 {
    PATIENCE.as_millis() as u32
}

async fn error_of(home: &Home, name: &str) -> CoreError {
    match Client::open(home.config(name), keys(home.dir.path(), name)).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_background_another_process_may_have_the_store_and_back_nothing_is_missing() {
    let home = Home::start().await;
    home.phone("ann").await.shut_down().await.unwrap();
    let wrapper = Arc::new(Counting(FileKeys::new(home.dir.path().join("ann.key")), AtomicU32::new(0)));
    let phone = Client::open(home.config("ann"), wrapper.clone()).await.unwrap();
    let camera = until("the camera", async || phone.cameras().await.unwrap().pop()).await;
    let (live, _stream) =
        tokio::join!(phone.open_live(&camera.id, LiveFormat::Fmp4, 500), home.hub.begin_stream(StreamKind::Live));
    let live = live.unwrap();
    assert!(matches!(error_of(&home, "ann").await, CoreError::Busy));

    phone.background(within()).await.unwrap();
    assert_eq!(phone.cameras().await.unwrap_err(), CoreError::Background);
    assert_eq!(phone.status().await.unwrap_err(), CoreError::Background);
    assert_eq!(phone.snooze(None, None).await.unwrap_err(), CoreError::Background);
    until("the end of the live view", async || {
        matches!(live.next(10).await, Ok(LiveItem::End { .. }) | Err(CoreError::Stopped)).then_some(())
    })
    .await;
    // Said twice is said once.
    phone.background(within()).await.unwrap();
    let other = home.open("ann").await;
    assert_eq!(other.cameras().await.unwrap().len(), 1);
    assert_eq!(phone.foreground().await.unwrap_err(), CoreError::Busy);
    other.shut_down().await.unwrap();

    home.hub.clip(1, |_, _| {}).await;
    phone.foreground().await.unwrap();
    phone.foreground().await.unwrap();
    until("the clip", async || phone.clips(None, 0, i64::MAX, None, 10).await.unwrap().clips.pop()).await;
    until("its event", async || {
        phone.next_event(100).await.unwrap().filter(|event| matches!(event, Event::ClipReady { .. }))
    })
    .await;
    assert_eq!(wrapper.1.load(Ordering::Relaxed), 1, "the keystore is asked once");

    phone.background(within()).await.unwrap();
    phone.shut_down().await.unwrap();
    assert_eq!(phone.foreground().await.unwrap_err(), CoreError::Stopped);
    assert_eq!(phone.cameras().await.unwrap_err(), CoreError::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_goes_on_after_the_background() {
    struct Sends(std::sync::mpsc::Sender<Event>);
    impl privet_app_core::EventListener for Sends {
        fn on_event(&self, event: Event) {
            let _ = self.0.send(event);
        }
    }
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let (sender, events) = std::sync::mpsc::channel();
    phone.set_listener(Some(Arc::new(Sends(sender))));
    phone.background(within()).await.unwrap();
    phone.foreground().await.unwrap();
    home.hub.clip(1, |_, _| {}).await;
    until("the clip's event", async || {
        events.try_iter().any(|event| matches!(event, Event::ClipReady { .. })).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_told_to_everybody() {
    let home = Home::start().await;
    let (ann, ben) = (home.phone("ann").await, home.phone("ben").await);
    assert!(matches!(ann.rename("").await, Err(CoreError::Invalid { .. })));
    assert!(matches!(ann.rename(&"x".repeat(1000)).await, Err(CoreError::Invalid { .. })));
    ann.rename("Ann's new phone").await.unwrap();
    let named = async |name: &str| {
        for phone in [&ann, &ben] {
            let known = async || phone.devices().await.unwrap().into_iter().find(|device| device.name == name);
            assert_eq!(until("the name", known).await.this_device, std::ptr::eq(phone, &raw const ann));
        }
    };
    named("Ann's new phone").await;

    // Anybody may call a device something else.
    let id = ben.devices().await.unwrap().into_iter().find(|device| !device.this_device).unwrap().id;
    assert!(matches!(ben.rename_device(&id, "").await, Err(CoreError::Invalid { .. })));
    assert!(matches!(ben.rename_device("nobody", "x").await, Err(CoreError::NotFound { .. })));
    let stranger = "0".repeat(id.len());
    assert!(matches!(ben.rename_device(&stranger, "x").await, Err(CoreError::NotFound { .. })));
    ben.rename_device(&id, "Ann's tablet").await.unwrap();
    named("Ann's tablet").await;
    ann.rename_device(&id, "Mine").await.unwrap();
    named("Mine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_a_store_can_be_wrong_is_an_error_of_its_own() {
    let home = Home::start().await;
    home.phone("ann").await.shut_down().await.unwrap();
    let dir = home.dir.path().join("ann");
    let copy = |name: &str| {
        let to = home.dir.path().join(name);
        let said = std::process::Command::new("cp").args(["-r"]).arg(&dir).arg(&to).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        fs::copy(home.dir.path().join("ann.key"), home.dir.path().join(format!("{name}.key"))).unwrap();
        to
    };

    // Its wrapped key is gone, or the keystore's.
    let no_key = copy("no-key");
    fs::remove_file(no_key.join("store.key")).unwrap();
    assert!(matches!(error_of(&home, "no-key").await, CoreError::KeyLost { .. }));
    copy("no-keystore");
    fs::remove_file(home.dir.path().join("no-keystore.key")).unwrap();
    assert!(matches!(error_of(&home, "no-keystore").await, CoreError::KeyLost { .. }));
    copy("reset");
    fs::write(home.dir.path().join("reset.key"), [3; 32]).unwrap();
    assert!(matches!(error_of(&home, "reset").await, CoreError::KeyLost { .. }));

    // The store is garbage from its first byte, or in its middle.
    let index = |dir: &std::path::Path| {
        let files = fs::read_dir(dir.join("store")).unwrap().map(|entry| entry.unwrap().path());
        files.max_by_key(|path| path.metadata().unwrap().len()).unwrap()
    };
    let garbage = copy("garbage");
    fs::write(index(&garbage), [7; 70_000]).unwrap();
    let error = error_of(&home, "garbage").await;
    assert!(matches!(error, CoreError::Damaged { .. }), "{error:?}");
    let cut = copy("cut");
    let file = fs::OpenOptions::new().write(true).open(index(&cut)).unwrap();
    file.set_len(8192).unwrap();
    let error = error_of(&home, "cut").await;
    assert!(matches!(error, CoreError::Damaged { .. }), "{error:?}");

    // A newer version wrote it.
    let newer = copy("newer");
    let key = {
        let keys = FileKeys::new(home.dir.path().join("newer.key"));
        let wrapped = fs::read(newer.join("store.key")).unwrap();
        keys.unwrap("privet store key v1".into(), wrapped).await.unwrap()
    };
    let store = SealedStore::new(DiskStore::open(newer.join("store")).unwrap(), &key.try_into().unwrap()).unwrap();
    let mut batch = Batch::new();
    batch.put(b"core/format", [9]);
    store.commit(batch).unwrap();
    drop(store);
    let error = error_of(&home, "newer").await;
    assert!(matches!(&error, CoreError::NewerStore { .. }) && error.to_string().contains("update the app"), "{error}");

    // The cure: begin anew, and pair.
    for name in ["no-key", "no-keystore", "garbage", "cut"] {
        start_over(home.dir.path().join(name)).unwrap();
        let phone = home.phone(name).await;
        assert!(matches!(start_over(home.dir.path().join(name)), Err(CoreError::Busy)), "it is open");
        until("the connection", async || (phone.status().await.unwrap().link == LinkState::Relay).then_some(())).await;
    }
}
