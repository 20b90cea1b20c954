//! The nodes that calls can be placed on, replaced as a whole when membership changes.

use arc_swap::ArcSwap;
use ganglion_types::{Neighbours, NodeId, Peer};
use std::sync::Arc;

/// A node, with what is asked of it on every call and does not change.
pub(crate) struct Member {
    pub(crate) peer: Arc<dyn Peer>,
    /// Whether it runs in this process: bytes reach it over no network.
    pub(crate) local: bool,
}

/// The members of the cluster as this gateway knows them. Read on every call without a lock.
pub struct Peers(ArcSwap<Vec<Member>>);

impl Peers {
    /// These nodes.
    pub fn new(peers: Vec<Arc<dyn Peer>>) -> Self {
        Self(ArcSwap::from_pointee(members(peers)))
    }

    /// Other nodes from the next call on; calls under way stay with the nodes they had.
    pub fn replace(&self, peers: Vec<Arc<dyn Peer>>) {
        self.0.store(Arc::new(members(peers)));
    }

    pub(crate) fn current(&self) -> Arc<Vec<Member>> {
        self.0.load_full()
    }
}

/// For the workers of the same process.
impl Neighbours for Peers {
    fn find(&self, node: &NodeId) -> Option<Arc<dyn Peer>> {
        let members = self.0.load();
        let member = find(&members, node).filter(|member| !member.local);
        member.map(|member| member.peer.clone())
    }
}

fn members(peers: Vec<Arc<dyn Peer>>) -> Vec<Member> {
    let member = |peer: Arc<dyn Peer>| Member {
        local: peer.address().is_none(),
        peer,
    };
    peers.into_iter().map(member).collect()
}

/// The member of that name.
pub(crate) fn find<'m>(members: &'m [Member], node: &NodeId) -> Option<&'m Member> {
    members.iter().find(|member| member.peer.id() == node)
}
