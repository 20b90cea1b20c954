//! A process with the roles that its settings say, alone or as one of a cluster.
//!
//! ```text
//!   settings ──> objects     files here, files over all storage nodes, or Ceph
//!            ──> workers     one for each of the roles compute and storage
//!            ──> others      cluster.nodes, and whoever is in the roster of redis.url
//!            ──> gateway     places calls on its own workers and on the others
//! ```

use crate::backend::{Backend, listen};
use crate::ceph::Ceph;
use crate::directory::placed;
use crate::files;
use crate::follow::Follower;
use crate::frontend::Frontend;
use crate::health::{Health, HealthSocket};
use crate::local_peer::LocalPeer;
use crate::patience::Patience;
use crate::process::Process;
use crate::roles::{Entry, Role, advertised, host_name};
use crate::service::{Announcements, Service};
use ganglion_gateway::Peers;
use ganglion_membership::{Announcement, Membership};
use ganglion_store::ObjectStore;
use ganglion_transport::Identity;
use ganglion_types::{Error, NodeId, Peer, Result, Site};
use ganglion_worker::Worker;
use std::net::IpAddr;
use std::sync::Arc;

/// What the others of a cluster are known by.
struct Others {
    entries: Vec<Entry>,
    membership: Option<Membership>,
}

/// The objects of the process, and what it says of them to others.
struct Objects {
    all: Arc<dyn ObjectStore>,
    /// Those that the storage node keeps itself, as files.
    own: Option<Arc<dyn ObjectStore>>,
    ceph: Option<Ceph>,
    /// The OSDs that the storage node works beside.
    osds: Vec<u32>,
}

impl Service {
    /// Starts the roles of `node.roles`. A process with all of them that knows of no others opens no socket between them.
    ///
    /// # Errors
    /// `Invalid` for settings that do not go together, naming them; `Unavailable` when an address cannot be had, the data folder
    /// is in use, or Ceph cannot be reached.
    pub async fn start(process: Arc<Process>) -> Result<Self> {
        let health = Health::new();
        let socket = HealthSocket::open(&process.settings.listen.health, health.clone())?;
        let patience = Patience::new(&process, health.clone());
        let others = Others::open(&process)?;
        let ids = Ids::of(&process, &others)?;
        let cluster = others.address_towards(&process, &patience).await?;
        let open = async || Objects::open(&process, &others, &ids).await;
        let objects = patience.until("the objects", open).await?;
        let mut service = Self {
            frontend: None,
            backend: Backend::new(),
            announcements: Announcements::new(),
            node_addresses: Vec::new(),
            patience,
            health,
            _socket: socket,
            process,
        };
        // The workers are made before the others are known, and hand the middle of calls to whoever is in it then.
        let peers = Arc::new(Peers::new(Vec::new()));
        let mut own: Vec<Arc<dyn Peer>> = Vec::new();
        for (site, role) in [
            (Site::Storage, Role::Storage),
            (Site::Compute, Role::Compute),
        ] {
            if service.process.settings.node.is(role) {
                let worker = service
                    .work(site, &ids, &objects, &others, cluster, peers.clone())
                    .await?;
                own.push(Arc::new(LocalPeer(worker)));
            }
        }
        let follower = Follower {
            process: service.process.clone(),
            me: ids.identity(&service.process),
            own,
            own_osds: (ids.storage.clone(), objects.osds.clone()),
            peers: peers.clone(),
            ceph: objects.ceph.clone(),
        };
        follower
            .follow(others.entries, others.membership, &service.announcements)
            .await?;
        if service.process.settings.node.is(Role::Gateway) {
            let frontend = Frontend::open(&service.process, objects.all.clone(), peers, cluster);
            service.frontend = Some(frontend.await?);
        }
        let gateway = service
            .frontend
            .as_ref()
            .map(|frontend| frontend.gateway().clone());
        service.health.serves(gateway);
        Ok(service)
    }

    /// A worker, and where others are about, the server that they reach it by.
    async fn work(
        &mut self,
        site: Site,
        ids: &Ids,
        objects: &Objects,
        others: &Others,
        cluster: Option<IpAddr>,
        peers: Arc<Peers>,
    ) -> Result<Worker> {
        let process = self.process.clone();
        let node = ids.of_site(site);
        let worker = self
            .backend
            .work(&process, node, site, objects.all.clone(), peers)?;
        if others.are_none() && process.settings.node.is(Role::Gateway) {
            return Ok(worker);
        }
        let set = process.settings.site(site);
        let (listener, bound) = listen(site, &set.listen, cluster).await?;
        self.node_addresses.push(bound);
        let own = objects.own.clone().filter(|_| site == Site::Storage);
        self.backend.serve(&process, &worker, listener, own)?;
        if let Some(membership) = &others.membership {
            let osds = match site {
                Site::Storage => objects.osds.clone(),
                Site::Compute => Vec::new(),
            };
            let cluster = cluster.unwrap_or(bound.ip());
            let address = advertised(site, &set.advertise, bound, cluster)?;
            self.announce(membership, &worker, address, osds);
        }
        Ok(worker)
    }

    fn announce(&self, membership: &Membership, worker: &Worker, address: String, osds: Vec<u32>) {
        let mut incarnation = [0; 8];
        self.process.ambient.fill_random(&mut incarnation);
        let (worker, host) = (worker.clone(), host_name());
        let source = move || Announcement {
            node: worker.node().clone(),
            site: worker.site(),
            address: address.clone(),
            osds: osds.clone(),
            load: worker.load(),
            incarnation: u64::from_le_bytes(incarnation),
            host: host.clone(),
            pid: std::process::id(),
        };
        let announcements = &self.announcements;
        announcements.spawn(membership.announce(Arc::new(source), announcements.stopping()));
    }
}

impl Others {
    fn open(process: &Process) -> Result<Self> {
        let settings = &process.settings;
        let entries = settings.cluster.entries()?;
        let membership = match settings.redis.is_set() {
            true => Some(Membership::open(
                settings.redis.options()?,
                process.ambient(),
            )?),
            false => None,
        };
        let others = Self {
            entries,
            membership,
        };
        let node = &settings.node;
        if node.roles.is_empty() {
            return Err(Error::invalid(
                "node.roles is empty: gateway, compute or storage",
            ));
        }
        if others.are_none() && node.is(Role::Gateway) && !node.is(Role::Compute) {
            return Err(Error::invalid(
                "a gateway that runs no calls itself (node.roles) has to know of nodes that do: set redis.url or cluster.nodes",
            ));
        }
        Ok(others)
    }

    /// The address of this host from which Redis is reached, where it has to be known: something listens there, or on every address.
    async fn address_towards(
        &self,
        process: &Process,
        patience: &Patience,
    ) -> Result<Option<IpAddr>> {
        let Some(membership) = &self.membership else {
            return Ok(None);
        };
        if !process.settings.needs_cluster_address() {
            return Ok(None);
        }
        let towards = async || membership.address_towards().await;
        patience.until("the way to Redis", towards).await.map(Some)
    }

    fn are_none(&self) -> bool {
        self.entries.is_empty() && self.membership.is_none()
    }
}

/// What this process's nodes are called.
struct Ids {
    gateway: NodeId,
    storage: NodeId,
    compute: NodeId,
}

impl Ids {
    /// A process without others keeps its names whatever its host is called: its files are found by them.
    fn of(process: &Process, others: &Others) -> Result<Self> {
        let node = &process.settings.node;
        let name = match others.are_none() && node.is(Role::Gateway) {
            true => "0".to_owned(),
            false => node.name(),
        };
        let id = |kind: &str| {
            NodeId::new(format!("{kind}-{name}")).map_err(|error| error.within("setting node.name"))
        };
        Ok(Self {
            gateway: id("gateway")?,
            storage: id("storage")?,
            compute: id("compute")?,
        })
    }

    /// Who the process is to nodes that it asks.
    fn identity(&self, process: &Process) -> Identity {
        let node = &process.settings.node;
        let (node, site) = match (node.is(Role::Gateway), node.is(Role::Compute)) {
            (true, _) => (&self.gateway, Site::Compute),
            (false, true) => (&self.compute, Site::Compute),
            (false, false) => (&self.storage, Site::Storage),
        };
        Identity {
            node: node.clone(),
            site,
        }
    }

    fn of_site(&self, site: Site) -> &NodeId {
        match site {
            Site::Storage => &self.storage,
            Site::Compute => &self.compute,
        }
    }
}

impl Objects {
    async fn open(process: &Arc<Process>, others: &Others, ids: &Ids) -> Result<Self> {
        let settings = &process.settings;
        let storage = settings.node.is(Role::Storage);
        if settings.ceph.is_set() {
            return Self::in_ceph(process, storage.then_some(&ids.storage)).await;
        }
        let own = match storage {
            true => Some(files::open(process, &ids.storage).await?),
            false => None,
        };
        let all = match &own {
            Some(own) if others.entries.is_empty() => {
                files::remember_storage_nodes(process, 1)?;
                own.clone()
            }
            _ => Self::placed(process, others, ids, own.as_ref())?,
        };
        Ok(Self {
            all,
            own,
            ceph: None,
            osds: Vec::new(),
        })
    }

    async fn in_ceph(process: &Process, storage: Option<&NodeId>) -> Result<Self> {
        let (ceph, osds) = match storage {
            Some(_) => Ceph::beside_neighbours(process).await?,
            None => (Ceph::connect(process, None).await?, Vec::new()),
        };
        // A worker has to know its own; a gateway goes on to say which node is beside which of the others.
        let own = storage
            .into_iter()
            .flat_map(|node| osds.iter().map(|osd| (*osd, node.clone())));
        ceph.set_homes(own.collect());
        Ok(Self {
            all: ceph.objects(),
            own: None,
            ceph: Some(ceph),
            osds,
        })
    }

    /// Files over the storage nodes of the list, of which this one has to be.
    fn placed(
        process: &Process,
        others: &Others,
        ids: &Ids,
        own: Option<&Arc<dyn ObjectStore>>,
    ) -> Result<Arc<dyn ObjectStore>> {
        let listed = |entry: &Entry| entry.node == ids.storage;
        if own.is_some() && !others.entries.iter().any(listed) {
            return Err(Error::invalid(format!(
                "{} is not in cluster.nodes: objects in files are placed by that list, which has to be the same in every process",
                ids.storage
            )));
        }
        if !others
            .entries
            .iter()
            .any(|entry| entry.site == Site::Storage)
        {
            return Err(Error::invalid(
                "no storage node is known to keep the objects: set ceph.conf, or name the storage nodes in cluster.nodes",
            ));
        }
        let me = Identity {
            node: match own {
                Some(_) => ids.storage.clone(),
                None => ids.compute.clone(),
            },
            site: Site::Compute,
        };
        placed(process, &me, &others.entries, own)
    }
}
