//! The ways to the nodes of a cluster.

use crate::process::Process;
use crate::roles::Entry;
use ganglion_store::{ObjectStore, PlacedStore};
use ganglion_transport::{Identity, Link, LinkParts, RemotePeer, RemoteStore};
use ganglion_types::{NodeId, Peer, Result, Site};
use std::sync::Arc;

/// All objects of a cluster that keeps them as files, as `me` reaches them: those of `own` without a socket.
///
/// # Errors
/// `Invalid` when the cluster has no storage node.
pub(crate) fn placed(
    process: &Process,
    me: &Identity,
    entries: &[Entry],
    own: Option<&Arc<dyn ObjectStore>>,
) -> Result<Arc<dyn ObjectStore>> {
    let storage = entries.iter().filter(|entry| entry.site == Site::Storage);
    let member = |entry: &Entry| -> Result<(NodeId, Arc<dyn ObjectStore>)> {
        let store: Arc<dyn ObjectStore> = match own.filter(|_| entry.node == me.node) {
            Some(own) => own.clone(),
            None => {
                let link = link(process, me, entry)?;
                Arc::new(RemoteStore::new(link, entry.node.clone()))
            }
        };
        Ok((entry.node.clone(), store))
    };
    let members = storage.map(member).collect::<Result<_>>()?;
    Ok(Arc::new(PlacedStore::new(members)?))
}

/// A node as one that runs calls, over a link of its own: bulk transfers do not queue before calls.
///
/// # Errors
/// `Invalid` for settings that are too large.
pub(crate) fn peer(process: &Process, me: &Identity, entry: &Entry) -> Result<Arc<dyn Peer>> {
    let link = link(process, me, entry)?;
    Ok(Arc::new(RemotePeer::new(
        link,
        entry.node.clone(),
        entry.site,
    )))
}

fn link(process: &Process, me: &Identity, to: &Entry) -> Result<Arc<Link>> {
    Ok(Link::connect_lazy(LinkParts {
        address: to.address.clone(),
        expected: Some(to.node.clone()),
        identity: me.clone(),
        settings: process.settings.link.link()?,
        ambient: process.ambient(),
    }))
}
