//! Who listens where, and the ways to them.

use crate::process::Process;
use ganglion_store::{ObjectStore, PlacedStore};
use ganglion_transport::{Identity, Link, LinkParts, RemotePeer, RemoteStore};
use ganglion_types::{Error, NodeId, Peer, Result, Site};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// A node that listens.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) node: NodeId,
    pub(crate) site: Site,
    pub(crate) address: SocketAddr,
}

/// Every node of a cluster that listens: a static membership.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory(Vec<Entry>);

impl Directory {
    /// Binds a port for each of `count` nodes named `SITE-0`, `SITE-1`, … and enters them.
    ///
    /// # Errors
    /// `Unavailable` when no port is to be had.
    pub(crate) async fn listen(
        &mut self,
        site: Site,
        count: usize,
    ) -> Result<Vec<(Entry, TcpListener)>> {
        let mut listening = Vec::with_capacity(count);
        for index in 0..count {
            let failed = |error: std::io::Error| {
                Error::unavailable(format!("{site}-{index} cannot listen on loopback: {error}"))
            };
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let entry = Entry {
                node: NodeId::new(format!("{site}-{index}"))?,
                site,
                address,
            };
            self.0.push(entry.clone());
            listening.push((entry, listener));
        }
        Ok(listening)
    }

    /// All objects of the cluster, as `me` reaches them: those of `own` without a socket.
    ///
    /// # Errors
    /// `Invalid` when the cluster has no storage node.
    pub(crate) fn objects(
        &self,
        process: &Process,
        me: &Identity,
        own: Option<&Arc<dyn ObjectStore>>,
    ) -> Result<Arc<dyn ObjectStore>> {
        let storage = self.0.iter().filter(|entry| entry.site == Site::Storage);
        let member = |entry: &Entry| -> Result<(NodeId, Arc<dyn ObjectStore>)> {
            let store: Arc<dyn ObjectStore> = match own.filter(|_| entry.node == me.node) {
                Some(own) => own.clone(),
                None => Arc::new(RemoteStore::new(
                    link(process, me, entry)?,
                    entry.node.clone(),
                )),
            };
            Ok((entry.node.clone(), store))
        };
        let members = storage.map(member).collect::<Result<_>>()?;
        Ok(Arc::new(PlacedStore::new(members)?))
    }

    /// All nodes as ones that run calls, each over a link of its own: bulk transfers do not queue before calls.
    pub(crate) fn peers(&self, process: &Process, me: &Identity) -> Result<Vec<Arc<dyn Peer>>> {
        let peer = |entry: &Entry| -> Result<Arc<dyn Peer>> {
            let link = link(process, me, entry)?;
            Ok(Arc::new(RemotePeer::new(
                link,
                entry.node.clone(),
                entry.site,
            )))
        };
        self.0.iter().map(peer).collect()
    }
}

fn link(process: &Process, me: &Identity, to: &Entry) -> Result<Arc<Link>> {
    Ok(Link::connect_lazy(LinkParts {
        address: to.address.to_string(),
        expected: Some(to.node.clone()),
        identity: me.clone(),
        settings: process.settings.link.link()?,
        ambient: process.ambient(),
    }))
}
