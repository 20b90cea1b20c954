//! Owned facts, so that a test can write them down, change one, and ask again.

use crate::{Candidate, Decision, Facts, Link, ObjectFacts, Outcome, Profile, decide};
use ganglion_types::{LinkEstimate, Load, Ndp, NodeId, ObjectKey, Result, Site, Start, Usage};

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) site: Site,
    pub(super) load: Option<Load>,
    pub(super) link: Link,
    pub(super) object_link: Link,
    pub(super) refused: bool,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) ndp: Ndp,
    pub(super) input_bytes: u64,
    pub(super) object: Option<ObjectKey>,
    pub(super) size_bytes: Option<u64>,
    pub(super) home: Option<NodeId>,
    pub(super) nodes: Vec<Node>,
    pub(super) profile: Profile,
    pub(super) spread: u64,
}

pub(super) fn idle(permits: u32) -> Load {
    Load {
        permits,
        ..Load::default()
    }
}

pub(super) fn link(bytes_per_s: u64, round_trip_ns: u64) -> Link {
    Link::Measured(LinkEstimate {
        bytes_per_s,
        round_trip_ns,
    })
}

impl Node {
    pub(super) fn new(site: Site, number: usize) -> Self {
        Self {
            id: NodeId::new(format!("{site}-{number}")).unwrap(),
            site,
            load: Some(idle(2)),
            link: link(1_250_000_000, 100_000),
            object_link: link(1_250_000_000, 100_000),
            refused: false,
        }
    }
}

impl World {
    /// `compute-0`, `storage-1` and so on, all idle, joined by 10 Gbit/s; no object is named.
    pub(super) fn new(compute: usize, storage: usize) -> Self {
        let computes = (0..compute).map(|n| Node::new(Site::Compute, n));
        let storages = (1..=storage).map(|n| Node::new(Site::Storage, n));
        Self {
            ndp: Ndp::Allowed,
            input_bytes: 0,
            object: None,
            size_bytes: None,
            home: None,
            nodes: computes.chain(storages).collect(),
            profile: Profile::default(),
            spread: 0,
        }
    }

    /// The call names `ndp/hello`, of that size, on `storage-1`.
    pub(super) fn with_object(mut self, size_bytes: u64) -> Self {
        self.object = Some(ObjectKey::new("ndp", "hello").unwrap());
        self.size_bytes = Some(size_bytes);
        self.home = Some(NodeId::new("storage-1").unwrap());
        self
    }

    pub(super) fn node(&mut self, name: &str) -> &mut Node {
        let mut nodes = self.nodes.iter_mut();
        nodes.find(|node| node.id.as_str() == name).unwrap()
    }

    /// Decides, and gives the decision to `look`.
    pub(super) fn decide<T>(&self, look: impl FnOnce(Result<Decision<'_>>) -> T) -> T {
        let candidates: Vec<Candidate<'_>> = self
            .nodes
            .iter()
            .map(|node| Candidate {
                node: &node.id,
                site: node.site,
                load: node.load,
                link: node.link,
                object_link: node.object_link,
                refused: node.refused,
            })
            .collect();
        look(decide(&Facts {
            ndp: self.ndp,
            input_bytes: self.input_bytes,
            object: self.object.as_ref().map(|key| ObjectFacts {
                key,
                size_bytes: self.size_bytes,
                home: self.home.as_ref(),
            }),
            candidates: &candidates,
            profile: &self.profile,
            spread: self.spread,
        }))
    }

    /// The sentence of the decision.
    pub(super) fn explain(&self) -> String {
        self.decide(|decision| decision.unwrap().to_string())
    }

    /// The name of the node that was chosen, if one was.
    pub(super) fn chosen(&self) -> Option<String> {
        self.decide(|decision| Some(decision.ok()?.chosen.node.to_string()))
    }

    /// Follows the decision as the gateway does.
    pub(super) fn settle(&mut self) {
        let mut profile = self.profile;
        self.decide(|decision| profile.placed(&decision.unwrap()));
        self.profile = profile;
    }

    /// Teaches the profile one call that read the whole object at a site in `run_ns`.
    pub(super) fn teach(&mut self, site: Site, size_bytes: u64, run_ns: u64) {
        self.teach_read(site, size_bytes, size_bytes, run_ns);
    }

    /// Teaches the profile one call that read so much of an object of that size.
    pub(super) fn teach_read(&mut self, site: Site, read: u64, size_bytes: u64, run_ns: u64) {
        self.profile.observe(&Outcome {
            site,
            input_bytes: self.input_bytes,
            named_object: true,
            object_size_bytes: Some(size_bytes),
            output_bytes: Some(0),
            usage: Usage {
                wait_ns: 0,
                run_ns,
                cpu_ns: run_ns,
                object_bytes: read,
                moved_bytes: 0,
                link_ns: 0,
                store_failures: 0,
                start: Start::Restored,
            },
            took: None,
        });
    }
}
