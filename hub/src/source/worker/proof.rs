//! Tries what the sandbox must not allow, from inside it. Run by a test, in the real worker process with the real
//! filters.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::source::frames::Proof;

/// Every attempt, and how it went.
pub(super) fn try_all() -> Vec<Proof> {
    let nowhere = "127.0.0.1:9";
    vec![
        // The first connect gets the hub's connection whatever address it asks for.
        Proof {
            tried: "reach an address of its own choice by the first connect".into(),
            refused: TcpStream::connect(nowhere).and_then(|s| s.peer_addr()).is_ok_and(|peer| peer.port() != 9),
            detail: "gets the connection that the hub made".into(),
        },
        attempt("connect a second time", || TcpStream::connect(nowhere)),
        attempt("open a file for reading", || File::open("/etc/passwd")),
        attempt("open a file for writing", || File::create("/tmp/privet-worker-broke-out")),
        attempt("see whether a file exists", || std::fs::metadata("/etc/passwd")),
        attempt("list a directory", || std::fs::read_dir("/")),
        attempt("remove a file", || std::fs::remove_file("/tmp/privet-worker-broke-out")),
        attempt("run a program", || Command::new("/bin/true").status()),
        attempt("become another program", || -> io::Result<()> {
            use std::os::unix::process::CommandExt;
            Err(Command::new("/bin/true").exec())
        }),
        attempt("listen on a port", || TcpListener::bind("127.0.0.1:0")),
        attempt("send UDP", || UdpSocket::bind("127.0.0.1:0")),
        attempt("open a Unix socket", || UnixStream::connect("/run/systemd/notify")),
        attempt("trace its parent", || {
            let parent = rustix::process::getppid().ok_or(io::ErrorKind::NotFound)?;
            rustix::process::pidfd_open(parent, rustix::process::PidfdFlags::empty()).map_err(io::Error::from)
        }),
        attempt("signal its parent", || {
            let parent = rustix::process::getppid().ok_or(io::ErrorKind::NotFound)?;
            rustix::process::test_kill_process(parent).map_err(io::Error::from)
        }),
        attempt("make a pipe (a descriptor of a kind it has no use for)", || {
            rustix::pipe::pipe().map_err(io::Error::from)
        }),
    ]
}

fn attempt<T>(tried: &str, action: impl FnOnce() -> io::Result<T>) -> Proof {
    let outcome = action();
    Proof {
        tried: tried.to_owned(),
        refused: outcome.is_err(),
        detail: outcome.map_or_else(|e| e.to_string(), |_| "it worked".to_owned()),
    }
}
