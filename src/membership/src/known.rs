//! What one node knows of all nodes. Times come in, nothing is asked: looks and messages to a roster.

use crate::entry::Entry;
use ganglion_types::{Announcement, Deadline, Error, NodeId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// All nodes of the cluster, sorted by name.
pub type Roster = Arc<[Announcement]>;

/// Everybody who was seen or heard of and is not known to be gone.
pub(crate) struct Known {
    nodes: BTreeMap<NodeId, Announcement>,
    expiry: Duration,
    /// Before this moment nobody is dropped for not being seen.
    kept_until: Deadline,
    /// Entries that could not be read at the last look: their names, and why.
    unreadable: BTreeMap<String, Error>,
}

impl Known {
    pub(crate) fn nobody(expiry: Duration) -> Self {
        Self {
            nodes: BTreeMap::new(),
            expiry,
            kept_until: Deadline::after(0, Duration::ZERO),
            unreadable: BTreeMap::new(),
        }
    }

    /// Redis answers again. It may have forgotten all, or have let entries expire that nobody could claim: everybody gets one
    /// expiry to be seen again. The first time there is nobody yet to wait for.
    pub(crate) fn reached(&mut self, now_ns: u64) {
        if !self.nodes.is_empty() {
            self.kept_until = Deadline::after(now_ns, self.expiry);
        }
    }

    /// A look has read all entries. Gives the names of those that have become unreadable, and why.
    pub(crate) fn seen(&mut self, entries: &[Entry], now_ns: u64) -> Vec<(String, Error)> {
        if self.kept_until.remaining(now_ns).is_zero() {
            self.nodes.clear();
        }
        let told = std::mem::take(&mut self.unreadable);
        for entry in entries {
            match entry.open() {
                Ok(announcement) => {
                    self.nodes.insert(announcement.node.clone(), announcement);
                }
                Err(why) => {
                    self.unreadable.insert(entry.name(), why);
                }
            }
        }
        let news = self.unreadable.iter();
        let news = news.filter(|(name, why)| told.get(*name) != Some(*why));
        news.map(|(name, why)| (name.clone(), why.clone()))
            .collect()
    }

    /// A node has published that it joined. One that is known in this incarnation is so by a later word.
    pub(crate) fn joined(&mut self, announcement: Announcement) {
        let known = self.nodes.get(&announcement.node);
        if known.is_none_or(|known| known.incarnation != announcement.incarnation) {
            self.nodes.insert(announcement.node.clone(), announcement);
        }
    }

    /// A node has published that it left; it may be back already, in another incarnation.
    pub(crate) fn left(&mut self, announcement: &Announcement) {
        let known = self.nodes.get(&announcement.node);
        if known.is_some_and(|known| known.incarnation == announcement.incarnation) {
            self.nodes.remove(&announcement.node);
        }
    }

    pub(crate) fn roster(&self) -> Roster {
        self.nodes.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::{Load, Site};
    use ganglion_wire::seal_announcement;

    const EXPIRY_NS: u64 = 3_000_000_000;

    fn announcement(name: &str, incarnation: u64) -> Announcement {
        Announcement {
            node: NodeId::new(name).unwrap(),
            site: Site::Compute,
            address: "host:1".to_owned(),
            osds: vec![],
            load: Load::default(),
            incarnation,
            host: "host".to_owned(),
            pid: 1,
        }
    }

    fn entry(name: &str, announcement: &Announcement) -> Entry {
        Entry {
            name: name.into(),
            record: seal_announcement(announcement).unwrap(),
        }
    }

    fn entries(names: &[&str]) -> Vec<Entry> {
        let entries = names.iter().map(|name| entry(name, &announcement(name, 1)));
        entries.collect()
    }

    fn names(known: &Known) -> Vec<String> {
        let roster = known.roster();
        roster.iter().map(|one| one.node.to_string()).collect()
    }

    fn known() -> Known {
        Known::nobody(Duration::from_nanos(EXPIRY_NS))
    }

    #[test]
    fn who_is_not_seen_is_dropped_but_not_within_an_expiry_of_reaching_redis() {
        let mut known = known();
        known.seen(&entries(&["b", "a"]), 1);
        assert_eq!(names(&known), ["a", "b"], "sorted by name");
        known.reached(10);
        known.seen(&[], 11);
        known.seen(&entries(&["b"]), 10 + EXPIRY_NS - 1);
        assert_eq!(names(&known), ["a", "b"]);
        known.seen(&entries(&["b"]), 10 + EXPIRY_NS);
        assert_eq!(names(&known), ["b"]);
        known.seen(&[], 10 + EXPIRY_NS);
        assert!(names(&known).is_empty());
    }

    #[test]
    fn the_first_time_that_redis_is_reached_nobody_has_to_be_kept() {
        let mut known = known();
        known.reached(10);
        known.seen(&entries(&["dying"]), 10);
        known.seen(&[], 11);
        assert!(names(&known).is_empty());
    }

    #[test]
    fn who_says_so_is_gone_at_once_even_while_nobody_is_dropped() {
        let mut known = known();
        known.seen(&entries(&["a", "b"]), 1);
        known.reached(10);
        known.left(&announcement("a", 1));
        assert_eq!(names(&known), ["b"]);
    }

    #[test]
    fn a_late_word_of_an_earlier_incarnation_changes_nothing() {
        let mut known = known();
        known.joined(announcement("a", 2));
        known.left(&announcement("a", 1));
        assert_eq!(known.roster()[..], [announcement("a", 2)]);
        let mut busier = announcement("a", 2);
        busier.load.running = 7;
        known.seen(&[entry("a", &busier)], 1);
        known.joined(announcement("a", 2));
        assert_eq!(known.roster()[..], [busier]);
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_told_once_and_the_others_stay() {
        let mut known = known();
        let mut read = entries(&["a", "b"]);
        read.push(Entry {
            name: b"c".into(),
            record: b"rubbish".into(),
        });
        read.push(entry("d", &announcement("a", 9)));
        let told = known.seen(&read, 1);
        let told: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(told, ["c", "d"]);
        assert_eq!(names(&known), ["a", "b"]);
        assert_eq!(known.roster()[0].incarnation, 1, "d does not speak for a");
        assert!(known.seen(&read, 2).is_empty());
        known.seen(&read[..2], 3);
        assert_eq!(known.seen(&read, 4).len(), 2, "told again when it is back");
    }
}
