//! What past transfers say of the links between nodes.

use crate::mean::Mean;
use crate::model::whole;
use crate::{Link, PRIOR_BYTES_PER_S, PRIOR_ROUND_TRIP_NS};
use ganglion_types::{LinkEstimate, NodeId};
use std::collections::BTreeMap;

/// Up to this size a transfer teaches the round trip.
pub const TRANSFER_SMALL_BYTES: u64 = 4 << 10;
/// From this size on a transfer teaches the rate.
pub const TRANSFER_LARGE_BYTES: u64 = 256 << 10;

/// The measured links between pairs of nodes, both directions as one. Grows with the pairs that have exchanged bytes;
/// [`Links::forget`] drops a node that left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links {
    // From the lesser name to the greater: a lookup borrows both and allocates nothing.
    pairs: BTreeMap<NodeId, BTreeMap<NodeId, Measured>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Measured {
    round_trip_ns: Mean,
    ns_per_byte: Mean,
}

impl Links {
    /// Learns from one request and its answer that carried `bytes` in `time_ns`.
    ///
    /// Transfers between [`TRANSFER_SMALL_BYTES`] and [`TRANSFER_LARGE_BYTES`] mix both quantities and teach nothing.
    /// Give single transfers, not the sum of a call's: a thousand small reads would pass for a slow large one.
    pub fn observe(&mut self, one: &NodeId, two: &NodeId, bytes: u64, time_ns: u64) {
        if one == two || (TRANSFER_SMALL_BYTES + 1..TRANSFER_LARGE_BYTES).contains(&bytes) {
            return;
        }
        let (low, high) = if one < two { (one, two) } else { (two, one) };
        let from = self.pairs.entry(low.clone()).or_default();
        let measured = from.entry(high.clone()).or_default();
        let time_ns = time_ns.max(1) as f64;
        if bytes <= TRANSFER_SMALL_BYTES {
            measured.round_trip_ns.observe_cut(time_ns);
        } else {
            // A round trip that was measured too long must not make the rate endless.
            let on_the_wire = (time_ns - measured.round_trip()).max(time_ns / 2.0);
            measured.ns_per_byte.observe_cut(on_the_wire / bytes as f64);
        }
    }

    /// The link between two nodes; [`Link::SameProcess`] from a node to itself.
    pub fn between(&self, one: &NodeId, two: &NodeId) -> Link {
        if one == two {
            return Link::SameProcess;
        }
        let (low, high) = if one < two { (one, two) } else { (two, one) };
        match self.pairs.get(low).and_then(|from| from.get(high)) {
            None => Link::Unmeasured,
            Some(measured) => Link::Measured(LinkEstimate {
                bytes_per_s: measured
                    .ns_per_byte
                    .get()
                    .map_or(PRIOR_BYTES_PER_S, |ns_per_byte| whole(1e9 / ns_per_byte)),
                round_trip_ns: whole(measured.round_trip()),
            }),
        }
    }

    /// Drops what is known of a node that has left.
    pub fn forget(&mut self, node: &NodeId) {
        self.pairs.remove(node);
        self.pairs.retain(|_, from| {
            from.remove(node);
            !from.is_empty()
        });
    }
}

impl Measured {
    fn round_trip(&self) -> f64 {
        self.round_trip_ns
            .get()
            .unwrap_or(PRIOR_ROUND_TRIP_NS as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> (NodeId, NodeId) {
        (
            NodeId::new("compute-0").unwrap(),
            NodeId::new("storage-1").unwrap(),
        )
    }

    fn estimate(links: &Links, one: &NodeId, two: &NodeId) -> LinkEstimate {
        match links.between(one, two) {
            Link::Measured(estimate) => estimate,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn small_transfers_teach_the_round_trip_and_large_ones_the_rate() {
        let (compute, storage) = nodes();
        let mut links = Links::default();
        assert_eq!(links.between(&compute, &storage), Link::Unmeasured);
        assert_eq!(links.between(&compute, &compute), Link::SameProcess);
        for _ in 0..50 {
            links.observe(&compute, &storage, 100, 50_000);
            links.observe(&storage, &compute, 1 << 20, 50_000 + (1 << 20) * 8);
        }
        let learned = estimate(&links, &storage, &compute);
        assert_eq!(learned.round_trip_ns, 50_000);
        assert!(
            (124_000_000..126_000_000).contains(&learned.bytes_per_s),
            "{learned:?}"
        );
    }

    #[test]
    fn one_stall_on_a_link_changes_little() {
        let (compute, storage) = nodes();
        let mut links = Links::default();
        for _ in 0..50 {
            links.observe(&compute, &storage, 100, 50_000);
        }
        links.observe(&compute, &storage, 100, 10_000_000_000);
        assert!(estimate(&links, &compute, &storage).round_trip_ns < 65_000);
    }

    #[test]
    fn a_middling_transfer_teaches_nothing_and_a_node_that_left_is_forgotten() {
        let (compute, storage) = nodes();
        let mut links = Links::default();
        links.observe(&compute, &storage, 64 << 10, 1_000_000);
        assert_eq!(links, Links::default());
        links.observe(&compute, &storage, 64, 1_000_000);
        links.forget(&storage);
        assert_eq!(links, Links::default());
    }
}
