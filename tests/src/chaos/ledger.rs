//! What a phone was told, held against what it says later. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// What a phone says that it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The finished clips, and how many segments each has.
    pub(super) clips: BTreeMap<String, u64>,
    /// Those of them that lie on the phone, verified.
    pub(super) verified: BTreeSet<String>,
    /// The events' ids, the one that was told first in front.
    pub(super) events: Vec<String>,
    /// Those of them that wake a phone which wants to hear of every motion.
    pub(super) motions: BTreeSet<String>,
    /// What it warns of.
    pub(super) alerts: Vec<String>,
}

/// What must not be lost any more.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    told: Told,
    /// Events that the phone showed when it was not asked for a list.
    shown: BTreeSet<String>,
    /// What the hub may keep of what was asked for: what it kept last, until there is a promise, and what was asked for later.
    wishes: BTreeSet<u32>,
    /// The last of them that must come, or one after it.
    promised: Option<u32>,
    /// What the phone that sleeps knew when it fell asleep: nobody has to wake it for that.
    slept_on: BTreeSet<String>,
}

impl Ledger {
    /// The phone begins to ask for something; each time for more than the time before.
    pub(super) fn asks(&mut self, wish: u32) {
        self.wishes.insert(wish);
    }

    /// This wish is on its way for sure.
    pub(super) fn promised(&mut self, wish: u32) {
        self.promised = Some(wish);
        self.wishes.retain(|other| *other >= wish);
    }

    /// Whether the hub may keep this, once nothing is on its way any more.
    pub(super) fn may_keep(&self, kept: u32) -> bool {
        self.wishes.contains(&kept) || (self.promised.is_none() && self.wishes.iter().all(|wish| *wish > kept))
    }

    /// The hub keeps this now.
    pub(super) fn keeps(&mut self, kept: u32) {
        self.wishes = BTreeSet::from([kept]);
        self.promised = Some(kept);
    }

    /// What the hub may keep, in words.
    pub(super) fn wishes(&self) -> String {
        format!("one of {:?} was to be kept", self.wishes)
    }

    /// What was told last.
    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    /// Takes what the phone says now; what is lost, in words.
    pub(super) fn hear(&mut self, now: Told) -> Vec<String> {
        let mut lost = Vec::new();
        for (id, segments) in &self.told.clips {
            match now.clips.get(id) {
                None => lost.push(format!("clip {id}: the phone was told of it and knows it no more")),
                Some(other) if other != segments => {
                    lost.push(format!("clip {id}: it had {segments} segments and has {other} now"));
                }
                Some(_) => {}
            }
        }
        let gone = self.told.verified.difference(&now.verified);
        lost.extend(gone.map(|id| format!("clip {id}: it was on the phone, verified, and is no more")));
        let listed: BTreeSet<&String> = now.events.iter().collect();
        if listed.len() < now.events.len() {
            lost.push(format!("events: {} of {} came twice", now.events.len() - listed.len(), now.events.len()));
        }
        let lines = self.told.events.iter().chain(&self.shown);
        let missing: BTreeSet<&String> = lines.filter(|id| !listed.contains(id)).collect();
        lost.extend(missing.iter().map(|id| format!("event {id}: the phone showed it and knows it no more")));
        if missing.is_empty() && !now.events.starts_with(&self.told.events) {
            lost.push("events: what is new stands before what was told earlier".into());
        }
        lost.extend(now.alerts.iter().map(|alert| format!("the phone warns: {alert}")));
        self.told = now;
        lost
    }

    /// Takes the events that one run of the phone showed; what is wrong with them, in words.
    pub(super) fn saw(&mut self, events: Vec<String>) -> Vec<String> {
        let mut run = BTreeSet::new();
        let twice: Vec<String> = events.iter().filter(|id| !run.insert(*id)).cloned().collect();
        self.shown.extend(events);
        twice.into_iter().map(|id| format!("event {id}: one run of the phone showed it twice")).collect()
    }

    /// Takes the events that one run of the phone was woken for; what is wrong with them, in words.
    pub(super) fn rang(&self, woken_for: &[String]) -> Vec<String> {
        let mut run = BTreeSet::new();
        let twice = woken_for.iter().filter(|id| !run.insert(*id));
        twice.map(|id| format!("event {id}: one run of the phone was woken for it twice")).collect()
    }

    /// A phone that knows these events sleeps from now on, and is to be woken for every motion.
    pub(super) fn sleeps(&mut self, knows: Vec<String>) {
        self.slept_on = knows.into_iter().collect();
    }

    /// What it has to be woken for, by what was told last.
    pub(super) fn owed(&self) -> BTreeSet<String> {
        self.owed_by(&self.told)
    }

    /// The same by what a phone says.
    pub(super) fn owed_by(&self, told: &Told) -> BTreeSet<String> {
        told.motions.difference(&self.slept_on).cloned().collect()
    }

    /// Takes the events that it was woken for, when it woke at last; what is wrong with them, in words.
    pub(super) fn woke(&self, woken_for: &[String]) -> Vec<String> {
        let mut lost = self.rang(woken_for);
        let missing = self.owed().into_iter().filter(|id| !woken_for.contains(id));
        lost.extend(missing.map(|id| format!("event {id}: nobody woke the phone that slept for it")));
        lost
    }

    /// A clip was fetched and verified on the phone.
    pub(super) fn verified(&mut self, id: &str) {
        self.told.verified.insert(id.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(clips: &[(&str, u64)], events: &[&str]) -> Told {
        Told {
            clips: clips.iter().map(|(id, segments)| ((*id).to_owned(), *segments)).collect(),
            events: words(events),
            ..Told::default()
        }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn more_is_no_loss() {
        let mut ledger = Ledger::default();
        assert!(ledger.hear(told(&[("a", 3)], &["1"])).is_empty());
        assert!(ledger.saw(words(&["1", "2"])).is_empty());
        assert!(ledger.hear(told(&[("a", 3), ("b", 1)], &["1", "2", "3"])).is_empty());
    }

    #[test]
    fn every_loss_is_named() {
        let lost = |now: Told| {
            let mut ledger = Ledger::default();
            assert!(ledger.hear(told(&[("a", 3)], &["1", "2"])).is_empty());
            ledger.verified("a");
            ledger.hear(now)
        };
        let whole = || Told { verified: BTreeSet::from(["a".to_owned()]), ..told(&[("a", 3)], &["1", "2"]) };
        assert!(lost(whole()).is_empty());
        let gone = lost(Told::default());
        assert_eq!(gone.len(), 4, "{gone:?}");
        assert!(lost(Told { clips: BTreeMap::from([("a".to_owned(), 2)]), ..whole() })[0].contains("3 segments"));
        assert!(lost(Told { verified: BTreeSet::new(), ..whole() })[0].contains("verified"));
        assert!(lost(Told { events: words(&["1", "2", "1"]), ..whole() })[0].contains("twice"));
        assert!(lost(Told { events: words(&["3", "1", "2"]), ..whole() })[0].contains("before"));
        assert!(lost(Told { alerts: words(&["a fork"]), ..whole() })[0].contains("a fork"));
    }

    #[test]
    fn a_promised_wish_must_come_or_a_later_one() {
        let mut ledger = Ledger::default();
        assert!(ledger.may_keep(60), "what it was before");
        ledger.asks(100);
        assert!(ledger.may_keep(60) && ledger.may_keep(100));
        ledger.promised(100);
        ledger.asks(101);
        assert!(!ledger.may_keep(60) && ledger.may_keep(100) && ledger.may_keep(101) && !ledger.may_keep(102));
        ledger.keeps(101);
        assert!(!ledger.may_keep(100) && ledger.may_keep(101));
    }

    #[test]
    fn a_phone_that_slept_is_woken_once_for_every_motion_since() {
        let mut ledger = Ledger::default();
        ledger.sleeps(words(&["1"]));
        let motions = words(&["1", "2", "4"]).into_iter().collect();
        assert!(ledger.hear(Told { motions, ..told(&[], &["1", "2", "3", "4"]) }).is_empty());
        assert_eq!(ledger.owed().into_iter().collect::<Vec<_>>(), ["2", "4"], "3 is no motion");
        assert!(ledger.woke(&words(&["4", "3", "2", "1"])).is_empty());
        assert_eq!(ledger.woke(&words(&["2"])), ["event 4: nobody woke the phone that slept for it"]);
        assert_eq!(ledger.woke(&words(&["2", "4", "2"])), ["event 2: one run of the phone was woken for it twice"]);
    }

    #[test]
    fn what_a_run_showed_must_stay_and_come_once() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.saw(words(&["1", "2", "1"])).len(), 1);
        assert_eq!(ledger.hear(told(&[], &["1"])), ["event 2: the phone showed it and knows it no more"]);
    }
}
