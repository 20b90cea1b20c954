//! A cluster in one process: nodes with sockets between them, as separate processes would have.

use crate::backend::{Backend, listen};
use crate::ceph::Ceph;
use crate::directory::{peer, placed};
use crate::files;
use crate::frontend::Frontend;
use crate::health::{Health, HealthSocket};
use crate::patience::Patience;
use crate::process::Process;
use crate::roles::Entry;
use crate::service::{Announcements, Service};
use ganglion_gateway::Peers;
use ganglion_store::ObjectStore;
use ganglion_transport::Identity;
use ganglion_types::{Error, NodeId, Result, Site};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// How many nodes of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Nodes that keep no objects.
    pub compute: usize,
    /// Nodes beside the objects. Where they keep them as files, placed by rendezvous hashing, the number must stay the same
    /// for the same data; on Ceph the OSDs are dealt out among them.
    pub storage: usize,
}

/// A node before it runs: it listens, so that all know all addresses.
struct Listening {
    entry: Entry,
    listener: TcpListener,
}

impl Service {
    /// A gateway, compute nodes and storage nodes, each with sockets of its own.
    ///
    /// # Errors
    /// `Invalid` for a topology without compute or storage, or another one than the data was placed with; `Unavailable`
    /// when a port is taken, the data folder is in use or Ceph cannot be reached.
    pub async fn cluster(process: Arc<Process>, topology: Topology) -> Result<Self> {
        if topology.compute == 0 || topology.storage == 0 {
            return Err(Error::invalid(
                "a cluster needs at least one compute node and one storage node",
            ));
        }
        let health = Health::new();
        let socket = HealthSocket::open(&process.settings.listen.health, health.clone())?;
        let mut nodes = listen_all(Site::Storage, topology.storage).await?;
        nodes.extend(listen_all(Site::Compute, topology.compute).await?);
        let entries: Vec<Entry> = nodes.iter().map(|node| node.entry.clone()).collect();
        let objects = Objects::open(&process, &entries).await?;
        let me = Identity {
            node: NodeId::new("gateway-0")?,
            site: Site::Compute,
        };
        let peers = entries.iter().map(|entry| peer(&process, &me, entry));
        let peers = Arc::new(Peers::new(peers.collect::<Result<_>>()?));
        let mut backend = Backend::new();
        for Listening { entry, listener } in nodes {
            let (seen, own) = objects.of_node(&process, &entry, &entries).await?;
            let worker = backend.work(&process, &entry.node, entry.site, seen, peers.clone())?;
            backend.serve(&process, &worker, listener, own)?;
        }
        let seen = objects.of_gateway(&process, &me, &entries)?;
        let frontend = Frontend::open(&process, seen, peers, None).await?;
        health.serves(Some(frontend.gateway().clone()));
        Ok(Self {
            frontend: Some(frontend),
            backend,
            announcements: Announcements::new(),
            node_addresses: Vec::new(),
            patience: Patience::new(&process, health.clone()),
            health,
            _socket: socket,
            process,
        })
    }
}

/// Binds a port for each of `count` nodes named `SITE-0`, `SITE-1`, ….
async fn listen_all(site: Site, count: usize) -> Result<Vec<Listening>> {
    let mut listening = Vec::with_capacity(count);
    for index in 0..count {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into();
        let (listener, address) = listen(site, &free, None).await?;
        let entry = Entry {
            node: NodeId::new(format!("{site}-{index}"))?,
            site,
            address: address.to_string(),
            osds: Vec::new(),
        };
        listening.push(Listening { entry, listener });
    }
    Ok(listening)
}

/// Where the cluster's objects are.
enum Objects {
    /// In files, each node's in a folder of its own.
    Files,
    /// In Ceph: its OSDs, each with the storage node that works beside it.
    Ceph {
        shared: Ceph,
        homes: HashMap<u32, NodeId>,
    },
}

impl Objects {
    async fn open(process: &Process, entries: &[Entry]) -> Result<Self> {
        let storage: Vec<_> = entries
            .iter()
            .filter(|entry| entry.site == Site::Storage)
            .collect();
        if !process.settings.ceph.is_set() {
            files::remember_storage_nodes(process, storage.len())?;
            return Ok(Self::Files);
        }
        let shared = Ceph::connect(process, None).await?;
        let osds = shared.osds().await?;
        let beside = osds.iter().zip(storage.iter().cycle());
        let homes: HashMap<_, _> = beside
            .map(|(osd, entry)| (*osd, entry.node.clone()))
            .collect();
        shared.set_homes(homes.clone());
        Ok(Self::Ceph { shared, homes })
    }

    /// As the node reaches them all, and those that it alone keeps.
    async fn of_node(
        &self,
        process: &Arc<Process>,
        entry: &Entry,
        entries: &[Entry],
    ) -> Result<(Arc<dyn ObjectStore>, Option<Arc<dyn ObjectStore>>)> {
        match (self, entry.site) {
            (Self::Files, site) => {
                let own = match site {
                    Site::Storage => Some(files::open(process, &entry.node).await?),
                    Site::Compute => None,
                };
                let me = Identity {
                    node: entry.node.clone(),
                    site,
                };
                Ok((placed(process, &me, entries, own.as_ref())?, own))
            }
            (Self::Ceph { shared, .. }, Site::Compute) => Ok((shared.objects(), None)),
            (Self::Ceph { homes, .. }, Site::Storage) => {
                let mine = homes.iter().filter(|(_, node)| **node == entry.node);
                let mine: Vec<u32> = mine.map(|(osd, _)| *osd).collect();
                let ceph = Ceph::beside(process, &mine).await?;
                ceph.set_homes(homes.clone());
                Ok((ceph.objects(), None))
            }
        }
    }

    fn of_gateway(
        &self,
        process: &Process,
        me: &Identity,
        entries: &[Entry],
    ) -> Result<Arc<dyn ObjectStore>> {
        match self {
            Self::Files => placed(process, me, entries, None),
            Self::Ceph { shared, .. } => Ok(shared.objects()),
        }
    }
}
