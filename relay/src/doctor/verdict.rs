//! What the machine's answers mean.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use privet_protocol::time::Timestamp;

use super::{Finding, Verdict};
use crate::config::Limits;
use crate::identity::Validity;

const DAY_MS: i64 = 24 * 3600 * 1000;
/// A certificate that ends within these days is to be renewed: those who renew by themselves do it a month before.
const RENEW_DAYS: i64 = 14;
/// When this was written. A clock before it is wrong.
const WRITTEN: Timestamp = Timestamp(1_767_225_600_000);
/// Open files: one for each segment that is written or read from the disk, and some for the rest.
const LEAST_FILES: u64 = 256;
const GOOD_FILES: u64 = 8192;
const MIB: u64 = 1 << 20;

pub(super) fn taken(what: &'static str, kind: &str, listen: SocketAddr, error: ErrorKind, said: &str) -> Finding {
    match error {
        ErrorKind::AddrInUse => Finding::warn(
            what,
            format!("{kind} {listen} is in use: good if it is this relay that runs; else `ss -tulpn` says by whom"),
        ),
        ErrorKind::AddrNotAvailable => {
            Finding::fail(what, format!("this machine has no address {}; name another one", listen.ip()))
        }
        ErrorKind::PermissionDenied => {
            Finding::fail(what, format!("{kind} {listen} is not allowed to this user; take a port above 1023"))
        }
        _ => Finding::fail(what, format!("{kind} {listen}: {said}; name another address")),
    }
}

pub(super) fn certificate(validity: Validity, now: Timestamp) -> Finding {
    let what = "certificate";
    let days = (validity.until.0 - now.0) / DAY_MS;
    if now > validity.until {
        return Finding::fail(
            what,
            "it has expired: no client comes any more; renew it, then `systemctl reload privet-relay`",
        );
    }
    if now < validity.from {
        return Finding::fail(what, "it is not valid yet: wait, or set the clock");
    }
    if days < RENEW_DAYS {
        return Finding::warn(what, format!("{days} days are left; renew it, then `systemctl reload privet-relay`"));
    }
    Finding::ok(what, format!("{days} days are left"))
}

pub(super) fn owner(directory: &Path, owner: u32, user: u32) -> Finding {
    let shown = directory.display();
    if owner == user {
        return Finding::ok("data", format!("{shown} can be written"));
    }
    Finding::warn(
        "data",
        format!("{shown} is user {owner}'s and this is user {user}: run this, and the relay, as its user"),
    )
}

pub(super) fn private(what: &'static str, path: &Path, mode: u32, otherwise: Verdict) -> Finding {
    let shown = path.display();
    if mode & 0o077 == 0 {
        return Finding::ok(what, format!("{shown} is its user's alone"));
    }
    Finding::new(what, otherwise, format!("{shown} is open to others ({:o}); `chmod go= {shown}`", mode & 0o777))
}

pub(super) fn room(free: u64, limits: &Limits) -> Finding {
    let (mib, floor) = (free / MIB, limits.free_bytes);
    if free < floor {
        let words = format!(
            "{mib} MiB are free, less than limits.free_bytes ({} MiB): no segment is taken; make room",
            floor / MIB
        );
        return Finding::fail("room", words);
    }
    if free - floor < limits.stored_bytes {
        let words = format!(
            "{mib} MiB are free, not enough for one home that uses all its limits.stored_bytes ({} MiB); make room, or lower it",
            limits.stored_bytes / MIB
        );
        return Finding::warn("room", words);
    }
    Finding::ok("room", format!("{mib} MiB are free"))
}

pub(super) fn clock(now: Timestamp, newest: Option<Timestamp>) -> Finding {
    let next = "`timedatectl` says whether it is synchronized";
    if now < WRITTEN {
        return Finding::fail("clock", format!("it is set to a time before this program was written; {next}"));
    }
    // Files may be written a moment from now on a disk that another machine serves.
    if newest.is_some_and(|newest| newest.0 > now.0 + 60_000) {
        return Finding::fail("clock", format!("it is behind what is in the data directory: it was set back; {next}"));
    }
    Finding::ok("clock", format!("it is later than all that is here; {next}"))
}

/// `None` is as many as wanted.
pub(super) fn open_files(limit: Option<u64>) -> Finding {
    let next = "`LimitNOFILE=65536` in the unit, or `ulimit -n 65536`";
    match limit {
        Some(few) if few < LEAST_FILES => Finding::fail("files", format!("only {few} may be open at once; {next}")),
        Some(some) if some < GOOD_FILES => {
            Finding::warn("files", format!("{some} may be open at once: enough for a few homes; {next}"))
        }
        Some(many) => Finding::ok("files", format!("{many} may be open at once")),
        None => Finding::ok("files", "any number may be open at once"),
    }
}

pub(super) fn buffers(granted: Option<usize>, wanted: usize) -> Finding {
    match granted {
        Some(granted) if granted >= wanted => Finding::ok("buffers", format!("{granted} bytes for UDP")),
        Some(granted) => Finding::warn(
            "buffers",
            format!(
                "{granted} bytes for UDP: bursts of many viewers are lost and sent again; \
                 `sysctl -w net.core.rmem_max={wanted} net.core.wmem_max={wanted}`"
            ),
        ),
        None => Finding::warn("buffers", "the system does not say how large they are; see `sysctl net.core.rmem_max`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_judged_by_its_days() {
        let validity = Validity { from: Timestamp(DAY_MS), until: Timestamp(100 * DAY_MS) };
        let on = |day| certificate(validity, Timestamp(day * DAY_MS)).verdict;
        assert_eq!(on(0), Verdict::Fail);
        assert_eq!([on(1), on(86)], [Verdict::Ok; 2]);
        assert_eq!([on(87), on(100)], [Verdict::Warn; 2]);
        assert_eq!(on(101), Verdict::Fail);
    }

    #[test]
    fn room_is_judged_by_what_has_to_stay_free_and_what_a_home_may_keep() {
        let limits = Limits { free_bytes: 100, stored_bytes: 50, ..Limits::default() };
        assert_eq!(room(99, &limits).verdict, Verdict::Fail);
        assert_eq!([room(100, &limits).verdict, room(149, &limits).verdict], [Verdict::Warn; 2]);
        assert_eq!(room(150, &limits).verdict, Verdict::Ok);
    }

    #[test]
    fn a_clock_that_was_set_back_shows_in_the_files() {
        let now = Timestamp(WRITTEN.0 + DAY_MS);
        assert_eq!(clock(now, None).verdict, Verdict::Ok);
        assert_eq!(clock(now, Some(Timestamp(now.0 + 1000))).verdict, Verdict::Ok);
        assert_eq!(clock(now, Some(Timestamp(now.0 + DAY_MS))).verdict, Verdict::Fail);
        assert_eq!(clock(Timestamp(0), None).verdict, Verdict::Fail);
    }

    #[test]
    fn an_address_that_cant_be_had_fails_unless_the_relay_itself_may_have_it() {
        let listen = ([127, 0, 0, 1], 4433).into();
        let of = |error| taken("address", "UDP", listen, error, "said").verdict;
        assert_eq!(of(ErrorKind::AddrInUse), Verdict::Warn);
        assert_eq!(
            [of(ErrorKind::AddrNotAvailable), of(ErrorKind::PermissionDenied), of(ErrorKind::Other)],
            [Verdict::Fail; 3]
        );
    }

    #[test]
    fn files_rights_and_buffers_are_judged_by_their_numbers() {
        let files = [Some(100), Some(1024), Some(65_536), None].map(|limit| open_files(limit).verdict);
        assert_eq!(files, [Verdict::Fail, Verdict::Warn, Verdict::Ok, Verdict::Ok]);
        let rights = [0o100_600, 0o100_640, 0o100_604]
            .map(|mode| private("rights", Path::new("key"), mode, Verdict::Fail).verdict);
        assert_eq!(rights, [Verdict::Ok, Verdict::Fail, Verdict::Fail]);
        let sizes = [Some(100), Some(99), None].map(|granted| buffers(granted, 100).verdict);
        assert_eq!(sizes, [Verdict::Ok, Verdict::Warn, Verdict::Warn]);
    }
}
