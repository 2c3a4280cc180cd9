//! The worker shuts itself in, before it reads the camera's first byte. Page: `docs/design/0006-camera-worker.md`.
//!
//! What stays possible: computing, threads, and reading and writing the descriptors it already holds: the socket to the hub, the one
//! connection to the camera that the hub made and handed over, a descriptor to read its own memory use from. No file can be
//! opened, nothing executed, no connection made, no memory made executable. Each layer stands alone: seccomp refuses system
//! calls, Landlock refuses files and ports, limits cap memory and descriptors, and there are no capabilities left.

use std::collections::BTreeMap;

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::CapabilitySet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule, TargetArch,
};

use super::handover;

/// Memory that a worker may take: parsing needs 10 MiB, GStreamer's decoder of a 4K picture 200 MiB more.
pub(super) const MEMORY_PLAIN: u64 = 96 << 20;
pub(super) const MEMORY_DECODING: u64 = 640 << 20;

/// The worker can't be shut in.
#[derive(Debug, thiserror::Error)]
#[error("{layer}: {cause}")]
pub(super) struct SandboxError {
    layer: &'static str,
    cause: String,
}

fn failed(layer: &'static str) -> impl Fn(&dyn std::fmt::Display) -> SandboxError {
    move |cause| SandboxError { layer, cause: cause.to_string() }
}

/// The part that needs nothing from the settings: dies with the hub, leaves no core, gains no rights.
pub(super) fn before_settings() -> Result<(), SandboxError> {
    let no = failed("process attributes");
    rustix::thread::set_no_new_privs(true).map_err(|e| no(&e))?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).map_err(|e| no(&e))?;
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).map_err(|e| no(&e))?;
    limit(Resource::Core, 0)?;
    Ok(())
}

/// Everything else. Returns what the running kernel lacks, in words.
pub(super) fn shut(decoding: bool) -> Result<Vec<String>, SandboxError> {
    let mut lacking = Vec::new();
    limit(Resource::Data, if decoding { MEMORY_DECODING } else { MEMORY_PLAIN })?;
    // Descriptors 0 to 2, the camera, memory, and what tokio and GStreamer made; none beyond.
    limit(Resource::Nofile, 64)?;
    limit(Resource::Fsize, 0)?;
    drop_capabilities(&mut lacking)?;
    landlock(&mut lacking)?;
    seccomp(&mut lacking)?;
    Ok(lacking)
}

fn limit(resource: Resource, value: u64) -> Result<(), SandboxError> {
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) }).map_err(|e| failed("resource limit")(&e))
}

/// Only matters where the hub runs as root, which it should not.
fn drop_capabilities(lacking: &mut Vec<String>) -> Result<(), SandboxError> {
    let none = rustix::thread::CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).map_err(|e| failed("capabilities")(&e))?;
    if rustix::process::getuid().is_root() {
        lacking.push("the hub runs as root; run it as a user of its own".into());
    }
    Ok(())
}

fn landlock(lacking: &mut Vec<String>) -> Result<(), SandboxError> {
    let no = failed("Landlock");
    let newest = ABI::V6;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(newest)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(newest)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|e| no(&e))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => {}
        RulesetStatus::PartiallyEnforced => {
            lacking.push(
                "Landlock is older than version 6 (Linux 6.12): ports or scopes are guarded by seccomp alone".into(),
            );
        }
        RulesetStatus::NotEnforced => {
            lacking.push("no Landlock in this kernel: files and ports are guarded by seccomp alone".into());
        }
    }
    Ok(())
}

/// Three filters; the strictest answer to a call wins. Most calls are refused with EPERM rather than death, because libraries try
/// things like reading the time zone and go on without.
fn seccomp(lacking: &mut Vec<String>) -> Result<(), SandboxError> {
    let no = failed("seccomp");
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        lacking.push(format!("no seccomp filter for {}", std::env::consts::ARCH));
        return Ok(());
    };
    handover::install().map_err(|e| no(&e))?;
    // `connect` is answered with the connection that the hub made, once.
    let connect = one_answer(libc::SYS_connect, SeccompAction::Trap, arch).map_err(|e| no(&e))?;
    // glibc then uses `clone`, whose flags a filter can see.
    let clone3 = one_answer(libc::SYS_clone3, SeccompAction::Errno(libc::ENOSYS as u32), arch).map_err(|e| no(&e))?;
    let allowed = allowed().map_err(|e| no(&e))?;
    let rest: BpfProgram =
        SeccompFilter::new(allowed, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow, arch)
            .and_then(TryInto::try_into)
            .map_err(|e| no(&e))?;
    for filter in [&connect, &clone3, &rest] {
        seccompiler::apply_filter_all_threads(filter).map_err(|e| no(&e))?;
    }
    Ok(())
}

fn one_answer(call: i64, answer: SeccompAction, arch: TargetArch) -> Result<BpfProgram, seccompiler::BackendError> {
    SeccompFilter::new(BTreeMap::from([(call, vec![])]), SeccompAction::Allow, answer, arch)?.try_into()
}

/// Calls without a condition, then calls whose arguments matter.
fn allowed() -> Result<BTreeMap<i64, Vec<Rule>>, seccompiler::BackendError> {
    let mut calls: BTreeMap<i64, Vec<Rule>> = ALLOWED.iter().map(|&call| (call, vec![])).collect();
    #[cfg(target_arch = "x86_64")]
    calls.extend([libc::SYS_poll, libc::SYS_epoll_wait, libc::SYS_time].map(|call| (call, vec![])));
    let is = |arg, value: i32| Condition::new(arg, Len::Dword, Op::Eq, value as u32 as u64);
    let without = |arg, bits: i32| Condition::new(arg, Len::Dword, Op::MaskedEq(bits as u32 as u64), 0);
    let me = rustix::process::getpid().as_raw_nonzero().get();
    // TCP sockets only; they are of no use without `connect`, `bind` and `listen`.
    let stream = || Condition::new(1, Len::Dword, Op::MaskedEq(0xff), libc::SOCK_STREAM as u64);
    calls.insert(
        libc::SYS_socket,
        vec![Rule::new(vec![is(0, libc::AF_INET)?, stream()?])?, Rule::new(vec![is(0, libc::AF_INET6)?, stream()?])?],
    );
    // Threads, not processes.
    let threads = libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND;
    calls.insert(
        libc::SYS_clone,
        vec![Rule::new(vec![Condition::new(0, Len::Dword, Op::MaskedEq(threads as u64), threads as u64)?])?],
    );
    // No code that was not there at the start.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        calls.insert(call, vec![Rule::new(vec![without(2, libc::PROT_EXEC)?])?]);
    }
    // No address: MSG_FASTOPEN would connect.
    calls.insert(libc::SYS_sendto, vec![Rule::new(vec![Condition::new(4, Len::Qword, Op::Eq, 0)?])?]);
    calls.insert(libc::SYS_sendmsg, vec![Rule::new(vec![without(2, libc::MSG_FASTOPEN)?])?]);
    // `fstat` by the name glibc gives it.
    calls.insert(libc::SYS_newfstatat, vec![Rule::new(vec![is(3, libc::AT_EMPTY_PATH)?])?]);
    // `abort` and `raise`.
    calls.insert(libc::SYS_tgkill, vec![Rule::new(vec![is(0, me)?])?]);
    calls.insert(
        libc::SYS_prctl,
        vec![
            Rule::new(vec![is(0, libc::PR_SET_NAME)?])?,
            Rule::new(vec![is(0, libc::PR_SET_VMA)?])?,
            // seccompiler sets it again before each filter.
            Rule::new(vec![is(0, libc::PR_SET_NO_NEW_PRIVS)?])?,
        ],
    );
    Ok(calls)
}

const ALLOWED: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_connect,
    libc::SYS_clone3,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpeername,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_write,
    libc::SYS_writev,
];
