//! A map that forgets what is not used.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem::take;

/// Holds at most `2 * generation` entries: when the young generation is full it becomes the old one, and what nobody
/// used since the last such change is dropped. Everything is O(1), and nothing is ordered.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    generation: usize,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    /// At least `generation` entries are kept.
    pub fn new(generation: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            generation: generation.max(1),
        }
    }

    /// What is kept under the key; it counts as used.
    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// What is kept under the key, made when there is nothing.
    ///
    /// # Panics
    /// Never: what was inserted is there.
    pub fn get_or_default(&mut self, key: &K) -> &mut V
    where
        V: Default,
    {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key).unwrap_or_default();
            self.insert(key.clone(), value);
        }
        self.young.get_mut(key).expect("inserted above")
    }

    /// Keeps it.
    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation && !self.young.contains_key(&key) {
            self.old = take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// Forgets it.
    pub fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let mut recent = Recent::new(2);
        recent.insert("used", 1);
        for other in ["a", "b", "c", "d", "e"] {
            recent.insert(other, 0);
            assert_eq!(recent.get(&"used"), Some(&mut 1), "after {other}");
        }
        assert_eq!(recent.get(&"a"), None);
        assert!(recent.young.len() + recent.old.len() <= 4);
    }

    #[test]
    fn a_key_has_one_value() {
        let mut recent = Recent::new(1);
        recent.insert("k", 1);
        recent.insert("other", 9);
        recent.insert("k", 2);
        assert_eq!(recent.get(&"k"), Some(&mut 2));
        recent.remove(&"k");
        assert_eq!(recent.get(&"k"), None);
        *recent.get_or_default(&"new") += 5;
        assert_eq!(recent.get(&"new"), Some(&mut 5));
    }
}
