//! A server of the S3 protocol in this process, which asks for signatures.

use std::net::SocketAddr;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use privet_relay::config::Storage;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;

const KEY: &str = "AKIAPRIVETTEST";
const SECRET: &str = "a secret of the test";
const BUCKET: &str = "bodies";

pub struct S3 {
    dir: TempDir,
    address: SocketAddr,
}

impl S3 {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("store").join(BUCKET)).unwrap();
        std::fs::write(dir.path().join("keys"), format!("{KEY}\n{SECRET}\n")).unwrap();
        let files = s3s_fs::FileSystem::new(dir.path().join("store")).unwrap();
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { dir, address }
    }

    /// Keeps bodies there.
    pub fn keep_bodies(&self, storage: &mut Storage) {
        storage.objects = Some(format!("s3://{BUCKET}/of/relays"));
        storage.s3_endpoint = Some(format!("http://{}", self.address));
        storage.s3_region = Some("us-east-1".into());
        storage.s3_keys = Some(self.dir.path().join("keys"));
    }

    /// What it has, by path.
    pub fn objects(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
            entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
        }
        count(&self.dir.path().join("store").join(BUCKET).join("of"))
    }
}
