//! What has ended is kept for a while, to be asked for: bounded by count, bytes and age; the oldest go first.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptLimits {
    pub(crate) count_max: usize,
    pub(crate) bytes_max: u64,
    pub(crate) age: Duration,
}

struct Ended<K> {
    key: K,
    at_ns: u64,
    bytes: u64,
}

/// Things by key: those that run, however many, and those that have ended, within limits.
pub(crate) struct Kept<K, V> {
    limits: KeptLimits,
    by_key: HashMap<K, V>,
    /// Oldest first.
    ended: VecDeque<Ended<K>>,
    bytes: u64,
}

impl<K: Copy + Eq + Hash, V> Kept<K, V> {
    pub(crate) fn new(limits: KeptLimits) -> Self {
        Self {
            limits,
            by_key: HashMap::new(),
            ended: VecDeque::new(),
            bytes: 0,
        }
    }

    /// How many have not ended.
    pub(crate) fn running(&self) -> usize {
        self.by_key.len() - self.ended.len()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.by_key.get(&key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.by_key.values()
    }

    /// Something begins, under a key that is not there yet.
    pub(crate) fn begin(&mut self, key: K, value: V) {
        self.by_key.insert(key, value);
    }

    /// It has ended, and keeping it costs so many bytes.
    pub(crate) fn end(&mut self, key: K, value: V, bytes: u64, now_ns: u64) {
        self.by_key.insert(key, value);
        self.bytes += bytes;
        self.ended.push_back(Ended {
            key,
            at_ns: now_ns,
            bytes,
        });
        self.drop_expired(now_ns);
    }

    /// It is of no interest any more, ended or not.
    pub(crate) fn forget(&mut self, key: K) {
        self.by_key.remove(&key);
        if let Some(at) = self.ended.iter().position(|ended| ended.key == key) {
            self.bytes -= self.ended.remove(at).map_or(0, |ended| ended.bytes);
        }
    }

    pub(crate) fn drop_expired(&mut self, now_ns: u64) {
        let KeptLimits {
            count_max,
            bytes_max,
            age,
        } = self.limits;
        let age_ns = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        while let Some(oldest) = self.ended.front() {
            let old = now_ns.saturating_sub(oldest.at_ns) > age_ns;
            let many = self.ended.len() > count_max || self.bytes > bytes_max;
            if !old && !many {
                return;
            }
            let key = oldest.key;
            self.forget(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept<u32, &'static str> {
        Kept::new(KeptLimits {
            count_max: 2,
            bytes_max: 100,
            age: Duration::from_nanos(10),
        })
    }

    fn keys(kept: &Kept<u32, &str>) -> Vec<u32> {
        let mut keys: Vec<u32> = (0..10).filter(|key| kept.get(*key).is_some()).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_oldest_goes_first_by_count_by_bytes_and_by_age() {
        let mut kept = kept();
        for key in 0..3 {
            kept.begin(key, "runs");
            kept.end(key, "ended", 10, u64::from(key));
        }
        assert_eq!(keys(&kept), [1, 2]);
        kept.begin(3, "runs");
        kept.end(3, "ended", 95, 3);
        assert_eq!(keys(&kept), [3]);
        kept.drop_expired(13);
        assert_eq!(keys(&kept), [3]);
        kept.drop_expired(14);
        assert_eq!((keys(&kept), kept.bytes), (vec![], 0));
    }

    #[test]
    fn what_runs_is_never_dropped_and_what_is_forgotten_counts_no_more() {
        let mut kept = kept();
        for key in 0..5 {
            kept.begin(key, "runs");
        }
        kept.drop_expired(1_000);
        assert_eq!((kept.running(), kept.values().count()), (5, 5));
        kept.end(1, "ended", 70, 1);
        kept.forget(1);
        kept.forget(2);
        assert_eq!((kept.running(), kept.bytes), (3, 0));
    }
}
