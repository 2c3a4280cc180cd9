//! What the answers of PostgreSQL, the object store and other nodes mean.

use std::net::SocketAddr;
use std::time::Duration;

use super::Finding;
use crate::config::Config;
use crate::nodes::{Listed, There};
use crate::storage::probe::{Told, Unasked, Why};
use crate::storage::{Act, Cause};

/// The first version that has all that the relay asks for.
const LEAST_VERSION: i32 = 110_000;
/// The first one that its tests run on.
const TESTED_VERSION: i32 = 150_000;
/// By so much clocks may differ, in milliseconds.
const CLOCKS_MS: i64 = 2000;

pub(super) fn unasked(unasked: &Unasked, place: &str) -> Finding {
    let Unasked { why, said } = unasked;
    let next = match why {
        Why::Away => {
            "see that it runs there, and that storage.postgres names the right place; `pg_isready` asks it, too"
        }
        Why::Unproven => {
            "its certificate has to be of its name, and vouched for by the system or storage.postgres_authorities"
        }
        Why::Refused => {
            "see the user and the password in storage.postgres_file, and `pg_hba.conf`, which says who may come from where"
        }
        Why::NoDatabase => "make it with `createdb`, or name another one",
        Why::Full => "raise max_connections, or see in `pg_stat_activity` who has them",
        Why::Other => "its log says more",
    };
    Finding::fail("postgres", format!("{place}: {said}; {next}"))
}

/// What it is, what it has, and by which clock it lives.
pub(super) fn told(told: &Told, place: &str) -> Vec<Finding> {
    let mut findings = postgres(told, place);
    findings.extend(tables(told));
    findings.push(clock(told));
    findings
}

fn postgres(told: &Told, place: &str) -> Vec<Finding> {
    let what = "postgres";
    let version = format!("{}.{}", told.version / 10_000, told.version % 10_000);
    let mut faults = Vec::new();
    if told.version < LEAST_VERSION {
        let least = LEAST_VERSION / 10_000;
        faults.push(Finding::fail(what, format!("it is version {version}, {least} is the least; upgrade it")));
    } else if told.version < TESTED_VERSION {
        let tested = TESTED_VERSION / 10_000;
        let words = format!("it is version {version}; relays are tested with {tested} and later: upgrade it in time");
        faults.push(Finding::warn(what, words));
    }
    if !told.fsync {
        let words = "fsync is off: what it confirms is lost with the power, and no relay starts; set fsync = on in its postgresql.conf";
        faults.push(Finding::fail(what, words));
    }
    if !told.full_page_writes {
        let words =
            "full_page_writes is off: a power cut may damage it; set it on, unless its file system writes whole pages";
        faults.push(Finding::warn(what, words));
    }
    if told.standby {
        let words = "it is a standby and takes no writes; name the one that does, or several hosts and target_session_attrs=read-write";
        faults.push(Finding::fail(what, words));
    }
    if faults.is_empty() {
        faults.push(Finding::ok(what, format!("version {version} at {place}; what it confirms is durable")));
    }
    faults
}

fn tables(told: &Told) -> Vec<Finding> {
    let what = "tables";
    let mut findings = Vec::new();
    let Some(schema) = &told.schema else {
        let words = "search_path leads to no schema that this user may use; `CREATE SCHEMA`, or `GRANT USAGE`";
        return vec![Finding::fail(what, words)];
    };
    if !told.may_make {
        let words = format!(
            "this user may make none in schema {schema}, and no relay starts without; `GRANT CREATE ON SCHEMA {schema} TO` it"
        );
        findings.push(Finding::fail(what, words));
    }
    if !told.barred.is_empty() {
        let words = format!(
            "{} are another user's; have all relays come as the same user, or `ALTER TABLE ... OWNER TO` it",
            told.barred.join(", ")
        );
        findings.push(Finding::fail(what, words));
    }
    let known = told.known;
    findings.extend(match told.tables {
        Some(version) if version > known => {
            let words = format!("they are of version {version}, this relay knows {known}; upgrade the relay");
            Some(Finding::fail(what, words))
        }
        Some(version) if version < known => {
            let words = format!(
                "they are of version {version}, this relay knows {known} and moves none; start the version of the relay that made them"
            );
            Some(Finding::fail(what, words))
        }
        Some(version) => Some(Finding::ok(what, format!("they are of version {version}; nothing is to be moved"))),
        // Of those of others the version is not known.
        None if !told.barred.is_empty() => None,
        None if told.made => Some(Finding::ok(what, "they are empty; a relay goes on with them")),
        None => Some(Finding::ok(what, "they are not there yet; the first relay that starts makes them")),
    });
    findings
}

fn clock(told: &Told) -> Finding {
    let apart = told.ahead_ms.abs();
    if apart - told.doubt_ms <= CLOCKS_MS {
        return Finding::ok("clock", "PostgreSQL's is the same");
    }
    let side = if told.ahead_ms > 0 { "ahead of" } else { "behind" };
    let words = format!(
        "PostgreSQL's is {} s {side} this machine's: what one relay dates another one lets go by so much too early or too late; \
         `timedatectl` on both says which is synchronized",
        apart / 1000
    );
    Finding::warn("clock", words)
}

/// Whether all relays find a connection.
pub(super) fn room(told: &Told, config: &Config, listed: &[Listed]) -> Finding {
    let (relays, each) = match &config.nodes {
        Some(nodes) => {
            let there = there(listed, Duration::from_millis(nodes.lifetime_ms));
            let and_this = usize::from(!there.contains(&nodes.address));
            // One more listens for changes of the list.
            (there.len() + and_this, config.storage.postgres_connections + 1)
        }
        None => (1, config.storage.postgres_connections),
    };
    let wanted = i64::try_from(relays).unwrap_or(i64::MAX).saturating_mul(i64::from(each));
    let (what, room) = ("connections", told.room);
    if wanted <= room {
        return Finding::ok(what, format!("{wanted} at most for {relays} of the relays, and there is room for {room}"));
    }
    let words = format!(
        "{wanted} for {relays} of the relays, and there is room for {room}: who finds none waits, and is refused then; \
         raise max_connections (or the limit of this user or database), or lower storage.postgres_connections"
    );
    Finding::warn(what, words)
}

/// A bucket, as it is shown: without a password that may stand in the address.
pub(super) fn bucket(bucket: &str, endpoint: Option<&str>) -> String {
    let Some(endpoint) = endpoint else { return format!("bucket {bucket}") };
    let address = endpoint.split_once("://").map_or(endpoint, |(_, address)| address);
    let host = address.split(['/', '?']).next().unwrap_or_default();
    format!("bucket {bucket} at {}", host.rsplit('@').next().unwrap_or_default())
}

/// What became of the object of this name.
pub(super) fn objects(place: &str, name: &str, failed: &[(Act, Cause)]) -> Vec<Finding> {
    let what = "objects";
    if failed.is_empty() {
        return vec![Finding::ok(what, format!("{place}: one was written, read and removed"))];
    }
    let finding = |(act, cause): &(Act, Cause)| {
        let tried = match act {
            Act::Write => "none can be written",
            Act::Read => "one was written and can't be read",
            Act::Remove => "one was written and can't be removed",
        };
        let (said, next) = match cause {
            Cause::Absent => ("there is no such place", "make it, or name another one in storage.objects"),
            Cause::Denied => (
                "not allowed",
                "see the keys in storage.s3_keys and that they may put, get and delete there; of a directory, its user",
            ),
            Cause::Region => ("it is in another region", "name it in storage.s3_region"),
            Cause::Differs => ("other bytes came back", "see what stands between, a proxy or a cache"),
            Cause::Other(said) => {
                (said.as_str(), "see that it runs there, and storage.objects and storage.s3_endpoint")
            }
        };
        match act {
            // Bodies come and go all the same; what is forgotten stays and costs.
            Act::Remove => Finding::warn(what, format!("{place}: {tried} ({said}): {name} is left there; {next}")),
            Act::Write | Act::Read => Finding::fail(what, format!("{place}: {tried} ({said}); {next}")),
        }
    };
    failed.iter().map(finding).collect()
}

/// Of a node that does not run: whether what is sent to its address comes to where it will listen.
pub(super) fn arrives(listen: SocketAddr, address: SocketAddr, arrives: bool) -> Finding {
    if arrives {
        return Finding::ok("nodes", format!("what is sent to {address} comes to UDP {listen}, which is free"));
    }
    let words = format!(
        "what this machine sends to {address} does not come to UDP {listen}: other nodes may not reach this one; \
         see nodes.address, and the firewall"
    );
    Finding::warn("nodes", words)
}

/// Of one whose port is taken, by itself if all is well: who answers at its address.
pub(super) fn is_there(listen: SocketAddr, address: SocketAddr, there: There) -> Finding {
    match there {
        There::Node => Finding::ok("nodes", format!("a node with this secret answers at {address}")),
        There::Stranger => Finding::fail(
            "nodes",
            format!(
                "what answers at {address} has another secret, or is no node; see nodes.address, and start the relay anew \
                 if nodes.secret_file has changed"
            ),
        ),
        There::Nobody => Finding::warn(
            "nodes",
            format!(
                "UDP {listen} is in use, and nobody answers at {address}: `ss -tulpn` says who has it; if it is this relay, \
                 see nodes.address, and the firewall"
            ),
        ),
    }
}

/// The addresses of nodes that were heard of within their lifetime.
pub(super) fn there(listed: &[Listed], lifetime: Duration) -> Vec<SocketAddr> {
    let mut there: Vec<SocketAddr> =
        listed.iter().filter(|node| node.silent < lifetime).filter_map(|node| node.address.parse().ok()).collect();
    // One that was killed and started again counts as there twice for a moment.
    there.sort_unstable();
    there.dedup();
    there
}

/// Nodes that were there, did not leave, and did not come back.
pub(super) fn silent(listed: &[Listed], lifetime: Duration) -> Vec<Finding> {
    let mut known: Vec<&str> =
        listed.iter().filter(|node| node.silent < lifetime).map(|node| node.address.as_str()).collect();
    let mut findings = Vec::new();
    for Listed { address, silent } in listed {
        if known.contains(&address.as_str()) {
            continue;
        }
        known.push(address);
        let words = format!(
            "{address} was heard of {} ago and never left: it died, or does not reach PostgreSQL; its log says more. One that does not \
             come back is forgotten by itself, and should be out of the name's records",
            ago(*silent)
        );
        findings.push(Finding::warn("nodes", words));
    }
    findings
}

/// What was found at the addresses of the others.
pub(super) fn others(others: &[(SocketAddr, There)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (address, there) in others {
        let words = match there {
            There::Node => continue,
            There::Stranger => format!(
                "what answers at {address} has another secret, or is no node; copy nodes.secret_file from one to the other, and \
                 start both anew"
            ),
            There::Nobody => format!(
                "{address} says to PostgreSQL that it is there, and does not answer here: clients whose home is behind it are told \
                 to come again; see the network between the two, and its firewall"
            ),
        };
        findings.push(Finding::warn("nodes", words));
    }
    if findings.is_empty() {
        let words = match others.len() {
            0 => "no other one is there now".to_owned(),
            count => format!("{count} more of them, and each answers"),
        };
        findings.push(Finding::ok("nodes", words));
    }
    findings
}

fn ago(silent: Duration) -> String {
    match silent.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn good() -> Told {
        Told {
            version: 150_004,
            fsync: true,
            full_page_writes: true,
            standby: false,
            ahead_ms: 3,
            doubt_ms: 1,
            room: 97,
            schema: Some("public".into()),
            may_make: true,
            made: true,
            tables: Some(1),
            known: 1,
            barred: Vec::new(),
        }
    }

    fn faults(findings: &[Finding]) -> Vec<(Verdict, &str)> {
        let faults = findings.iter().filter(|finding| finding.verdict != Verdict::Ok);
        faults.map(|finding| (finding.verdict, finding.words.as_str())).collect()
    }

    #[test]
    fn each_fault_of_a_database_is_named_and_of_a_good_one_none() {
        let found = told(&good(), "here");
        assert!(faults(&found).is_empty() && found[0].words.contains("15.4 at here"), "{found:?}");
        let absent = Told { made: false, tables: None, ..good() };
        assert!(faults(&told(&absent, "")).is_empty());
        for (bad, verdict, words) in [
            (Told { version: 100_023, ..good() }, Verdict::Fail, "10.23"),
            (Told { version: 140_001, ..good() }, Verdict::Warn, "14.1"),
            (Told { fsync: false, ..good() }, Verdict::Fail, "fsync = on"),
            (Told { full_page_writes: false, ..good() }, Verdict::Warn, "full_page_writes"),
            (Told { standby: true, ..good() }, Verdict::Fail, "standby"),
            (Told { schema: None, ..good() }, Verdict::Fail, "search_path"),
            (Told { may_make: false, ..good() }, Verdict::Fail, "GRANT CREATE ON SCHEMA public"),
            (Told { tables: None, barred: vec!["body".into(), "node".into()], ..good() }, Verdict::Fail, "body, node"),
            (Told { tables: Some(2), ..good() }, Verdict::Fail, "upgrade the relay"),
            (Told { tables: Some(1), known: 2, ..good() }, Verdict::Fail, "that made them"),
            (Told { ahead_ms: 60_000, ..good() }, Verdict::Warn, "60 s ahead of"),
            (Told { ahead_ms: -3001, ..good() }, Verdict::Warn, "3 s behind"),
        ] {
            let found = told(&bad, "");
            let [(found, said)] = faults(&found)[..] else { panic!("{words}: {found:?}") };
            assert!(found == verdict && said.contains(words), "{words}: {said}");
        }
        // An answer that took long says little of the clock.
        assert!(faults(&told(&Told { ahead_ms: 5000, doubt_ms: 3000, ..good() }, "")).is_empty());
    }

    #[test]
    fn connections_are_counted_for_all_relays_that_are_there() {
        let alone = Config::default();
        let room_for = |connections| room(&Told { room: connections, ..good() }, &alone, &[]).verdict;
        assert_eq!([room_for(16), room_for(15)], [Verdict::Ok, Verdict::Warn]);
    }

    #[test]
    fn a_bucket_is_shown_without_a_password() {
        assert_eq!(bucket("b", Some("https://id:s3cret@s3.example:9000/x")), "bucket b at s3.example:9000");
        assert_eq!(bucket("b", Some("http://s3.example")), "bucket b at s3.example");
        assert_eq!(bucket("b", None), "bucket b");
    }

    #[test]
    fn what_was_left_of_an_object_is_named() {
        let verdicts = |failed: &[(Act, Cause)]| objects("there", "probe-1", failed);
        assert_eq!(verdicts(&[])[0].verdict, Verdict::Ok);
        let denied = verdicts(&[(Act::Write, Cause::Denied)]);
        assert!(denied[0].verdict == Verdict::Fail && denied[0].words.contains("s3_keys"), "{denied:?}");
        let left = verdicts(&[(Act::Read, Cause::Differs), (Act::Remove, Cause::Denied)]);
        assert_eq!([left[0].verdict, left[1].verdict], [Verdict::Fail, Verdict::Warn]);
        assert!(left[1].words.contains("probe-1 is left there"), "{left:?}");
    }

    #[test]
    fn a_node_that_was_started_again_is_not_missed() {
        let lifetime = Duration::from_secs(5);
        let node = |address: &str, seconds| Listed { address: address.into(), silent: Duration::from_secs(seconds) };
        let listed = [node("10.0.0.1:1", 0), node("10.0.0.2:1", 1), node("10.0.0.1:1", 60), node("10.0.0.3:1", 7300)];
        assert_eq!(there(&listed, lifetime).len(), 2);
        let found = silent(&listed, lifetime);
        assert!(found.len() == 1 && found[0].words.starts_with("10.0.0.3:1 was heard of 2 h ago"), "{found:?}");
    }

    #[test]
    fn others_that_do_not_answer_are_named_and_those_that_do_are_counted() {
        let at = |port| SocketAddr::from(([10, 0, 0, 1], port));
        assert!(others(&[])[0].words.starts_with("no other"));
        assert!(others(&[(at(1), There::Node), (at(2), There::Node)])[0].words.starts_with("2 more of them"));
        let found = others(&[(at(1), There::Node), (at(2), There::Nobody), (at(3), There::Stranger)]);
        assert_eq!(found.iter().map(|finding| finding.verdict).collect::<Vec<_>>(), [Verdict::Warn; 2]);
        assert!(found[0].words.contains("10.0.0.1:2") && found[1].words.contains("secret"), "{found:?}");
    }
}
