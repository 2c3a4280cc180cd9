//! From inside the real worker process, with the real filters: what it can't do.

use privet_hub::source::prove_sandbox;

use crate::source_support::options;

async fn proves(decoding: bool) {
    let (proofs, lacking) = prove_sandbox(&options(), decoding).await.expect("a worker that reports");
    for lack in &lacking {
        eprintln!("*** this machine lacks protection: {lack} ***");
    }
    assert!(proofs.len() >= 14, "{proofs:?}");
    for proof in &proofs {
        eprintln!("{}: {}", proof.tried, proof.detail);
        assert!(proof.refused, "the worker can {}: {}", proof.tried, proof.detail);
    }
    assert!(!std::path::Path::new("/tmp/privet-worker-broke-out").exists());
}

#[tokio::test]
async fn a_worker_can_not_open_run_or_connect_to_anything() {
    proves(false).await;
}

#[tokio::test]
async fn nor_can_one_with_a_decoder() {
    proves(true).await;
}
