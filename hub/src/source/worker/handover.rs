//! A worker's connections: made by the hub, handed over, and put in place when retina asks for a connection.
//!
//! retina opens its TCP connection itself and takes no ready one. In the sandbox `connect` is trapped; the handler below puts a
//! connection of the hub's in the place of the socket that was to be connected, each once, and answers 0; every other `connect`
//! gets EPERM.
//! So no code in the worker ever has the right to connect to anything. The hub's only unsafe code is here, so the connection's
//! byte count and its low-water mark, which no library knows, are read and set here too.

#![expect(unsafe_code, reason = "a signal handler and its registers")]

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::pin::pin;
use std::sync::atomic::{AtomicI32, Ordering};

/// The descriptor that waits to be put in place; -1 when there is none (any more).
static CONNECTION: AtomicI32 = AtomicI32::new(-1);

/// Lays `connection` ready for the next `connect`.
pub(super) fn offer(connection: OwnedFd) {
    CONNECTION.store(connection.into_raw_fd(), Ordering::SeqCst);
}

/// Waits for `asking`, whose next `connect` gets `connection`; nobody else's does, because it is in the slot only while `asking`
/// runs, and the worker's loop has one thread.
pub(super) async fn lend<T>(connection: OwnedFd, asking: impl Future<Output = T>) -> T {
    let mut asking = pin!(asking);
    let mut waiting = Some(connection);
    poll_fn(move |context| {
        if let Some(connection) = waiting.take() {
            offer(connection);
        }
        let outcome = asking.as_mut().poll(context);
        let left = CONNECTION.swap(-1, Ordering::SeqCst);
        if left >= 0 {
            // SAFETY: `offer` gave up a descriptor of its own, and nobody took it out of the slot.
            waiting = Some(unsafe { OwnedFd::from_raw_fd(left) });
        }
        outcome
    })
    .await
}

/// Installs the handler; before the filter that traps.
pub(super) fn install() -> io::Result<()> {
    // SAFETY: `action` is a valid sigaction with a handler of the signature that SA_SIGINFO asks for.
    let outcome = unsafe {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction = on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSYS, &action, std::ptr::null_mut())
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Bytes that came on a TCP connection so far, as the kernel counts them (`tcpi_bytes_received`, Linux 4.1).
pub(super) fn received_bytes(connection: &OwnedFd) -> Option<u64> {
    let mut info = [0; 256];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info` and says how many it wrote.
    let outcome = unsafe {
        let place = info.as_mut_ptr().cast();
        libc::getsockopt(connection.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, place, &mut length)
    };
    let count = info.get(BYTES_RECEIVED..length as usize)?.first_chunk()?;
    (outcome == 0).then(|| u64::from_ne_bytes(*count))
}

/// From now on the kernel wakes who reads `connection` when so many bytes wait, when its buffer fills, or at the end
/// (`SO_RCVLOWAT`, socket(7)). Where enough waits already, it does so at once, and wakes who waits with `EPOLLET` again.
pub(super) fn wake_from(connection: &OwnedFd, bytes: u32) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let length = size_of_val(&bytes) as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes at the place of `bytes`.
    let outcome = unsafe {
        let place = (&raw const bytes).cast();
        libc::setsockopt(connection.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, place, length)
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Where `struct tcp_info` of linux/tcp.h has it: behind 8 small fields, 24 of 32 bits and three of 64.
const BYTES_RECEIVED: usize = 8 + 24 * 4 + 3 * 8;

/// Runs in place of a trapped system call. Async-signal-safe: one atomic, at most two system calls, no allocation.
extern "C" fn on_trap(_signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo and ucontext to an SA_SIGINFO handler; only this thread's are touched.
    unsafe {
        let call = i64::from(*info.byte_add(SYSCALL_OFFSET).cast::<libc::c_int>());
        let registers = Registers::of(context);
        let answer = if call == libc::SYS_connect {
            replace(registers.first_argument() as i32)
        } else {
            -i64::from(libc::EPERM)
        };
        registers.set_answer(answer);
    }
}

/// `siginfo_t._sifields._sigsys._syscall`: behind signo, errno, code, padding and the call's address; on 64-bit Linux.
const SYSCALL_OFFSET: usize = 24;

fn replace(socket: i32) -> i64 {
    let connection = CONNECTION.swap(-1, Ordering::SeqCst);
    if connection < 0 {
        return -i64::from(libc::EPERM);
    }
    // SAFETY: plain system calls on descriptors; a failure is answered.
    unsafe {
        let answer = libc::dup3(connection, socket, libc::O_CLOEXEC);
        libc::close(connection);
        if answer < 0 { -i64::from(libc::EBADF) } else { 0 }
    }
}

struct Registers(*mut libc::ucontext_t);

#[cfg(target_arch = "x86_64")]
impl Registers {
    unsafe fn of(context: *mut libc::c_void) -> Self {
        Self(context.cast())
    }

    unsafe fn first_argument(&self) -> i64 {
        // SAFETY: see `on_trap`.
        unsafe { (*self.0).uc_mcontext.gregs[libc::REG_RDI as usize] }
    }

    unsafe fn set_answer(&self, value: i64) {
        // SAFETY: see `on_trap`.
        unsafe { (*self.0).uc_mcontext.gregs[libc::REG_RAX as usize] = value }
    }
}

#[cfg(target_arch = "aarch64")]
impl Registers {
    unsafe fn of(context: *mut libc::c_void) -> Self {
        Self(context.cast())
    }

    unsafe fn first_argument(&self) -> i64 {
        // SAFETY: see `on_trap`. On entry x0 holds the first argument; a trapped call has not changed it.
        unsafe { (*self.0).uc_mcontext.regs[0] as i64 }
    }

    unsafe fn set_answer(&self, value: i64) {
        // SAFETY: see `on_trap`.
        unsafe { (*self.0).uc_mcontext.regs[0] = value as u64 }
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the camera worker's sandbox knows x86_64 and aarch64; see docs/design/0006-camera-worker.md");
