//! The other nodes of a process, as the list of them and the roster say: a gateway places calls on them, a worker the middle of one.

use crate::ceph::Ceph;
use crate::directory::peer;
use crate::process::Process;
use crate::roles::Entry;
use crate::service::Announcements;
use ganglion_gateway::Peers;
use ganglion_membership::{Membership, Roster};
use ganglion_transport::Identity;
use ganglion_types::{NodeId, Peer, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Keeps a process's peers, and the homes of objects in Ceph, true.
pub(crate) struct Follower {
    pub(crate) process: Arc<Process>,
    pub(crate) me: Identity,
    /// The workers of this process.
    pub(crate) own: Vec<Arc<dyn Peer>>,
    /// Its storage node's name, and the OSDs that one works beside.
    pub(crate) own_osds: (NodeId, Vec<u32>),
    pub(crate) peers: Arc<Peers>,
    pub(crate) ceph: Option<Ceph>,
}

impl Follower {
    /// Enters the listed nodes now, and those of the roster whenever it changes.
    ///
    /// # Errors
    /// `Invalid` when the OSDs of a listed storage node cannot be told, or for settings of links that are too large.
    pub(crate) async fn follow(
        mut self,
        mut listed: Vec<Entry>,
        membership: Option<Membership>,
        tasks: &Announcements,
    ) -> Result<()> {
        if let Some(ceph) = &self.ceph {
            ceph.find_osds(&mut listed).await?;
        }
        let mut known = HashMap::new();
        self.enter(&listed, &mut known)?;
        let Some(membership) = membership else {
            return Ok(());
        };
        let stopping = tasks.stopping();
        tasks.spawn(async move {
            let mut roster = membership.roster();
            loop {
                let seen = roster.borrow_and_update().clone();
                let entries = with_roster(&listed, &seen);
                self.enter(&entries, &mut known)?;
                tokio::select! {
                    () = stopping.cancelled() => return Ok(()),
                    changed = roster.changed() => if changed.is_err() { return Ok(()) },
                }
            }
        });
        Ok(())
    }

    /// Nodes that stay where they were keep their links.
    fn enter(
        &mut self,
        entries: &[Entry],
        known: &mut HashMap<(NodeId, String), Arc<dyn Peer>>,
    ) -> Result<()> {
        let mut now = HashMap::with_capacity(entries.len());
        let mut peers = self.own.clone();
        let (own, own_osds) = &self.own_osds;
        let mut homes: HashMap<u32, NodeId> =
            own_osds.iter().map(|osd| (*osd, own.clone())).collect();
        for entry in entries {
            homes.extend(entry.osds.iter().map(|osd| (*osd, entry.node.clone())));
            if self.own.iter().any(|peer| *peer.id() == entry.node) {
                continue;
            }
            let place = (entry.node.clone(), entry.address.clone());
            let other = match known.get(&place) {
                Some(peer) => peer.clone(),
                None => {
                    tracing::info!(node = %entry.node, address = %entry.address, "joined");
                    peer(&self.process, &self.me, entry)?
                }
            };
            peers.push(other.clone());
            now.insert(place, other);
        }
        for (node, address) in known.keys().filter(|place| !now.contains_key(*place)) {
            tracing::info!(%node, %address, "left");
        }
        if let Some(ceph) = &self.ceph {
            ceph.set_homes(homes);
        }
        if !same_members(known, &now) || known.is_empty() {
            self.peers.replace(peers);
        }
        *known = now;
        Ok(())
    }
}

fn same_members(
    one: &HashMap<(NodeId, String), Arc<dyn Peer>>,
    other: &HashMap<(NodeId, String), Arc<dyn Peer>>,
) -> bool {
    one.len() == other.len() && one.keys().all(|place| other.contains_key(place))
}

/// The list, and those of the roster that are not in it.
fn with_roster(listed: &[Entry], roster: &Roster) -> Vec<Entry> {
    let mut entries = listed.to_vec();
    for announced in roster.iter() {
        match entries
            .iter_mut()
            .find(|entry| entry.node == announced.node)
        {
            Some(entry) => {
                entry.address.clone_from(&announced.address);
                entry.osds.clone_from(&announced.osds);
            }
            None => entries.push(Entry {
                node: announced.node.clone(),
                site: announced.site,
                address: announced.address.clone(),
                osds: announced.osds.clone(),
            }),
        }
    }
    entries
}
