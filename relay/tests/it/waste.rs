//! Objects that nobody needs: what came to nothing, and what was removed. They go in time, and nothing else does.

use crate::common::postgres::Postgres;
use crate::common::{ask, body, files, until};
use crate::storage::{append, name, open, shared, whole};

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_came_to_nothing_go_after_a_day_and_not_before() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let config = shared(dir.path(), &postgres);
    let (kept, gone) = (name("kept"), name("gone"));
    {
        let store = open(&config).await;
        for film in [&kept, &gone] {
            let mut writer = store.write_body(film.clone()).await.unwrap();
            append(&mut *writer, &body(1, 100)).await;
            writer.finish().await.unwrap();
        }
    }
    // What relays leave that end between making an object and making it a part of a body, so many hours ago; and one that was never made.
    let objects = dir.path().join("objects");
    let object = |name: &str| objects.join(name);
    std::fs::create_dir_all(object("zz")).unwrap();
    for (name, hours, is_made) in [("zz/early", 23, true), ("zz/late", 25, true), ("zz/never", 25, false)] {
        if is_made {
            std::fs::write(object(name), b"bytes").unwrap();
        }
        let sql = "INSERT INTO waste (object, doomed, since) VALUES";
        ask(&config, &format!("{sql} ('{name}', false, now() - interval '{hours} hours')"));
    }
    let waste = || ask(&config, "SELECT object FROM waste ORDER BY object");
    assert_eq!(waste(), ["zz/early", "zz/late", "zz/never"]);

    // Whoever opens the store next looks for them.
    let store = open(&config).await;
    until(|| async { waste() == ["zz/early"] }).await;
    assert!(object("zz/early").exists() && !object("zz/late").exists());
    for film in [&kept, &gone] {
        assert_eq!(whole(&*store.body(film.clone()).await.unwrap().unwrap()).await, body(1, 100));
    }
    // The objects of what is removed go at once, and with them what has had its day meanwhile.
    ask(&config, "UPDATE waste SET since = since - interval '2 hours'");
    store.remove_body(gone).await.unwrap();
    until(|| async { waste().is_empty() }).await;
    assert_eq!(files(&objects).len(), 1, "of the body that is there");
    assert_eq!(whole(&*store.body(kept).await.unwrap().unwrap()).await, body(1, 100));
}

/// As many objects as are asked for at once can't be removed: folders of the same names are in their place.
#[tokio::test(flavor = "multi_thread")]
async fn objects_that_cannot_be_removed_stand_in_no_others_way() {
    const AT_ONCE: usize = 1000;
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let config = shared(dir.path(), &postgres);
    drop(open(&config).await);
    let objects = dir.path().join("objects");
    for number in 0..AT_ONCE {
        std::fs::create_dir_all(objects.join(format!("00/0{number:04}/in it"))).unwrap();
    }
    let sql = format!(
        "INSERT INTO waste (object, doomed) SELECT '00/0' || lpad(n::text, 4, '0'), true FROM generate_series(0, {}) AS n",
        AT_ONCE - 1
    );
    ask(&config, &sql);

    // Whatever is forgotten makes it look again: some objects are behind those that stay.
    let store = open(&config).await;
    for number in 0..4 {
        let film = name(&format!("film-{number}"));
        let mut writer = store.write_body(film.clone()).await.unwrap();
        writer.append(body(number, 5000)).await.unwrap();
        writer.finish().await.unwrap();
        store.remove_body(film).await.unwrap();
    }
    until(|| async {
        store.remove_body(name("nothing")).await.unwrap();
        files(&objects).is_empty()
    })
    .await;
}
