//! Which node holds a key: rendezvous (highest random weight) hashing.
//!
//! Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (IEEE/ACM Transactions on Networking, 1998).
//!
//! ```text
//! seed(node)      = first 8 bytes, little endian, of BLAKE3("ganglion node "   + name)
//! point(key)      = first 8 bytes, little endian, of BLAKE3(bucket + "/" + key)
//! weight(node, key) = mix(seed(node) xor point(key))          mix: the finaliser of SplitMix64
//! home(key)       = the node of the greatest weight; among equals the one whose name comes first
//! ```
//!
//! This is a format: objects are found again by it, by every process and every later build.

use ganglion_types::{Error, NodeId, ObjectKey, Result};

/// Nodes, in the order of their names, with their seeds.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    nodes: Vec<(NodeId, u64)>,
}

impl Placement {
    /// # Errors
    /// `Invalid` when there is no node or one is named twice.
    pub(crate) fn new(mut names: Vec<NodeId>) -> Result<Self> {
        names.sort_unstable();
        if names.is_empty() {
            return Err(Error::invalid("objects cannot be placed on no nodes"));
        }
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::invalid(format!(
                "node {} is named twice as a place of objects",
                pair[0]
            )));
        }
        let with_seed = |name: NodeId| {
            let seed = digest(&[b"ganglion node ", name.as_str().as_bytes()]);
            (name, seed)
        };
        Ok(Self {
            nodes: names.into_iter().map(with_seed).collect(),
        })
    }

    /// The position, in the order of names, of the node that holds `key`.
    pub(crate) fn home(&self, key: &ObjectKey) -> usize {
        let point = digest(&[
            key.bucket.as_str().as_bytes(),
            b"/",
            key.key.as_str().as_bytes(),
        ]);
        let mut home = (0, 0);
        for (place, (_, seed)) in self.nodes.iter().enumerate() {
            let weight = mix(seed ^ point);
            if place == 0 || weight > home.1 {
                home = (place, weight);
            }
        }
        home.0
    }

    /// The node at that position.
    pub(crate) fn node(&self, place: usize) -> &NodeId {
        &self.nodes[place].0
    }
}

fn digest(parts: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

/// Spreads every bit of `x` over all 64 (the finaliser of SplitMix64, a bijection).
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(names: &[&str]) -> Placement {
        let names = names.iter().map(|name| NodeId::new(name).unwrap());
        Placement::new(names.collect()).unwrap()
    }

    fn key(number: usize) -> ObjectKey {
        ObjectKey::new("books", format!("shelf-{}/book-{number}", number % 7)).unwrap()
    }

    #[test]
    fn every_node_gets_its_share_of_the_keys() {
        const KEYS: usize = 70_000;
        let names = ["s1", "s2", "s3", "storage-4", "storage-5", "a", "b"];
        let placement = nodes(&names);
        let mut counts = vec![0_f64; names.len()];
        for number in 0..KEYS {
            counts[placement.home(&key(number))] += 1.0;
        }
        let expected = 10_000.0;
        let chi_square: f64 = counts
            .iter()
            .map(|n| (n - expected) * (n - expected) / expected)
            .sum();
        // Six degrees of freedom: a fair placement exceeds 22.5 once in a thousand.
        assert!(chi_square < 22.5, "{chi_square} {counts:?}");
    }

    #[test]
    fn removing_a_node_moves_only_its_own_keys() {
        let (all, fewer) = (nodes(&["s1", "s2", "s3", "s4"]), nodes(&["s1", "s2", "s4"]));
        for number in 0..20_000 {
            let key = key(number);
            let before = all.node(all.home(&key));
            let after = fewer.node(fewer.home(&key));
            assert!(before == after || before.as_str() == "s3", "{key}");
        }
    }

    #[test]
    fn homes_are_a_format_and_stay_what_they_are() {
        let placement = nodes(&["s3", "s1", "s2"]);
        let homes: Vec<&str> = (0..12)
            .map(|number| placement.node(placement.home(&key(number))).as_str())
            .collect();
        assert_eq!(homes.join(" "), "s3 s1 s1 s3 s2 s3 s3 s1 s1 s3 s1 s1");
    }

    #[test]
    fn a_node_is_a_place_once() {
        let twice = vec![NodeId::new("s1").unwrap(), NodeId::new("s1").unwrap()];
        assert!(Placement::new(twice).is_err());
        assert!(Placement::new(Vec::new()).is_err());
    }
}
