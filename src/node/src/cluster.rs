//! A cluster in one process: nodes with sockets between them, or one node with every role.

use crate::bundled::BUNDLED;
use crate::directory::{Directory, Entry};
use crate::local_peer::LocalPeer;
use crate::process::Process;
use ganglion_gateway::{Drain, Gateway, GatewayParts, Peers, serve};
use ganglion_registry::{Catalog, Modules};
use ganglion_store::{LocalOptions, LocalStore, ObjectStore};
use ganglion_transport::{Identity, Server, ServerParts};
use ganglion_types::{CallIds, Error, FunctionRef, NodeId, Peer, Result, Site};
use ganglion_worker::{Worker, WorkerParts};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many nodes of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Nodes that keep no objects.
    pub compute: usize,
    /// Nodes that keep objects, placed by rendezvous hashing: the number must stay the same for the same data.
    pub storage: usize,
}

/// The tenant of the bundled functions.
const BUNDLED_TENANT: &str = "ndp";

/// A running cluster. Dropping it ends it at once; [`Cluster::shutdown`] lets running calls finish.
pub struct Cluster {
    process: Arc<Process>,
    gateway: Gateway,
    catalog: Arc<Catalog>,
    objects: Arc<dyn ObjectStore>,
    drain: Arc<Drain>,
    workers: Vec<Worker>,
    addresses: Vec<SocketAddr>,
    /// Ends the HTTP listeners, then the nodes behind them.
    http_stop: CancellationToken,
    http: TaskTracker,
    nodes_stop: CancellationToken,
    nodes: TaskTracker,
    _abort: AbortOnDrop,
}

/// What a node runs that has a worker: the parts that differ between the two arrangements.
struct Assembly {
    objects: Arc<dyn ObjectStore>,
    peers: Vec<Arc<dyn Peer>>,
    workers: Vec<Worker>,
    nodes_stop: CancellationToken,
    nodes: TaskTracker,
}

impl Cluster {
    /// A gateway, compute nodes and storage nodes, each with sockets of its own: what separate processes would be.
    ///
    /// # Errors
    /// `Invalid` for a topology without compute or storage, or another one than the data was placed with; `Unavailable`
    /// when a port is taken or the data folder is in use.
    pub async fn start(process: Arc<Process>, topology: Topology) -> Result<Self> {
        if topology.compute == 0 || topology.storage == 0 {
            return Err(Error::invalid(
                "a cluster needs at least one compute node and one storage node",
            ));
        }
        remember_storage_nodes(&process, topology.storage)?;
        let mut directory = Directory::default();
        let storage = directory.listen(Site::Storage, topology.storage).await?;
        let compute = directory.listen(Site::Compute, topology.compute).await?;
        let (nodes, nodes_stop) = (TaskTracker::new(), CancellationToken::new());
        let mut workers = Vec::new();
        for (entry, listener) in storage.into_iter().chain(compute) {
            let own = match entry.site {
                Site::Storage => Some(open_own(&process, &entry.node).await?),
                Site::Compute => None,
            };
            let identity = Identity {
                node: entry.node.clone(),
                site: entry.site,
            };
            let objects = directory.objects(&process, &identity, own.as_ref())?;
            let worker = worker(&process, &entry.node, entry.site, objects)?;
            let server = server(&process, entry, listener, &worker, own)?;
            nodes.spawn(server.serve(nodes_stop.clone()));
            workers.push(worker);
        }
        let me = Identity {
            node: NodeId::new("gateway-0")?,
            site: Site::Compute,
        };
        let objects = directory.objects(&process, &me, None)?;
        let peers = directory.peers(&process, &me)?;
        Self::open(
            process,
            Assembly {
                objects,
                peers,
                workers,
                nodes_stop,
                nodes,
            },
        )
        .await
    }

    /// One node with every role: a gateway with a compute worker and a storage worker beside it, and no socket between.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_single(process: Arc<Process>) -> Result<Self> {
        remember_storage_nodes(&process, 1)?;
        let (storage, compute) = (NodeId::new("storage-0")?, NodeId::new("compute-0")?);
        let objects = open_own(&process, &storage).await?;
        let workers = vec![
            worker(&process, &storage, Site::Storage, objects.clone())?,
            worker(&process, &compute, Site::Compute, objects.clone())?,
        ];
        let peer = |worker: &Worker| -> Arc<dyn Peer> { Arc::new(LocalPeer(worker.clone())) };
        let peers = workers.iter().map(peer).collect();
        let (nodes, nodes_stop) = (TaskTracker::new(), CancellationToken::new());
        Self::open(
            process,
            Assembly {
                objects,
                peers,
                workers,
                nodes_stop,
                nodes,
            },
        )
        .await
    }

    /// The gateway before the nodes, and its listeners.
    async fn open(process: Arc<Process>, assembly: Assembly) -> Result<Self> {
        let Assembly {
            objects,
            peers,
            workers,
            nodes_stop,
            nodes,
        } = assembly;
        let modules = modules(&process, objects.clone())?;
        let catalog = Catalog::new(
            objects.clone(),
            modules,
            process.ambient(),
            process.settings.gateway.function_age,
        );
        let (catalog, drain) = (Arc::new(catalog), Arc::new(Drain::default()));
        let mut prefix = [0; 8];
        process.ambient.fill_random(&mut prefix);
        let gateway = Gateway::new(GatewayParts {
            catalog: catalog.clone(),
            store: objects.clone(),
            peers: Arc::new(Peers::new(peers)),
            ambient: process.ambient(),
            call_ids: Arc::new(CallIds::new(u64::from_le_bytes(prefix))),
            settings: process.settings.gateway_settings(),
            drain: drain.clone(),
        });
        let (http, http_stop) = (TaskTracker::new(), CancellationToken::new());
        let mut addresses = Vec::new();
        for address in &process.settings.listen.http {
            let listener = listen(*address).await?;
            addresses.push(listener.local_addr().unwrap_or(*address));
            let settings = process.settings.http.serve(process.settings.drain.grace);
            let (router, stop) = (gateway.router(), http_stop.clone());
            http.spawn(async move { serve(listener, router, settings, stop.cancelled()).await });
        }
        let abort = AbortOnDrop([http_stop.clone(), nodes_stop.clone()]);
        Ok(Self {
            process,
            gateway,
            catalog,
            objects,
            drain,
            workers,
            addresses,
            http_stop,
            http,
            nodes_stop,
            nodes,
            _abort: abort,
        })
    }

    /// Uploads the bundled functions under the tenant `ndp`; those that are there already cost nothing.
    ///
    /// # Errors
    /// As [`Catalog::upload`].
    pub async fn upload_bundled(&self) -> Result<()> {
        for bundled in BUNDLED {
            let function = FunctionRef::new(BUNDLED_TENANT, bundled.name)?;
            let hash = Modules::hash(bundled.wasm);
            if self
                .catalog
                .resolve(&function)
                .await
                .is_ok_and(|record| record.module == hash)
            {
                continue;
            }
            self.catalog.upload(function, bundled.bytes(), None).await?;
        }
        Ok(())
    }

    /// Where it listens for HTTP, with the ports that the kernel chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The names of its functions.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Its objects, as its gateway reaches them.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Its gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Ends it in order: new calls are refused with 503 while running ones finish, within `drain.grace`; then the
    /// listeners close, then the nodes. Returns whether everything had finished.
    pub async fn shutdown(self) -> bool {
        self.drain.begin();
        let grace = self.process.settings.drain.grace;
        let finished = tokio::time::timeout(grace, self.gateway.calls_done())
            .await
            .is_ok();
        self.http_stop.cancel();
        self.http.close();
        let closed = tokio::time::timeout(Duration::from_secs(5), self.http.wait())
            .await
            .is_ok();
        self.workers.iter().for_each(Worker::drain);
        self.nodes_stop.cancel();
        self.nodes.close();
        let ended = tokio::time::timeout(Duration::from_secs(5), self.nodes.wait())
            .await
            .is_ok();
        finished && closed && ended
    }
}

/// Stops the tasks of a cluster that is dropped without a shutdown.
struct AbortOnDrop([CancellationToken; 2]);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.iter().for_each(CancellationToken::cancel);
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::unavailable(format!(
            "cannot listen on {address} (setting listen.http, flag --http): {error}"
        ))
    })
}

/// A node's own objects, as files.
async fn open_own(process: &Arc<Process>, node: &NodeId) -> Result<Arc<dyn ObjectStore>> {
    let (process, node) = (process.clone(), node.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let folder = process.settings.data.join("objects").join(node.as_str());
        let options = LocalOptions {
            object_bytes_max: process.settings.limits.object.as_u64(),
            ..LocalOptions::default()
        };
        LocalStore::open_with(folder, Some(node), process.ambient(), options)
    });
    let store = opened
        .await
        .map_err(|error| Error::internal(format!("opening a store: {error}")))??;
    Ok(Arc::new(store))
}

fn modules(process: &Process, objects: Arc<dyn ObjectStore>) -> Result<Arc<Modules>> {
    let folder = process.settings.data.join("artefacts");
    let limits = process.settings.module_limits();
    Ok(Arc::new(Modules::open(
        process.engine.clone(),
        &folder,
        objects,
        limits,
    )?))
}

fn worker(
    process: &Process,
    node: &NodeId,
    site: Site,
    objects: Arc<dyn ObjectStore>,
) -> Result<Worker> {
    Worker::new(WorkerParts {
        node: node.clone(),
        site,
        modules: modules(process, objects.clone())?,
        memory: process.memory.clone(),
        epochs: process.epochs.clone(),
        store: objects,
        ambient: process.ambient(),
        inline: process.inline.clone(),
        settings: process.worker_settings(site),
    })
}

fn server(
    process: &Process,
    entry: Entry,
    listener: TcpListener,
    worker: &Worker,
    own: Option<Arc<dyn ObjectStore>>,
) -> Result<Server> {
    let asked = worker.clone();
    let settings = &process.settings;
    let limits = settings
        .server
        .server(&settings.link, settings.drain.grace)?;
    Server::on(
        listener,
        ServerParts {
            identity: Identity {
                node: entry.node,
                site: entry.site,
            },
            executor: Some(Arc::new(worker.clone())),
            load: Arc::new(move || asked.load()),
            store: own,
            ambient: process.ambient(),
            limits,
        },
    )
}

/// Objects are placed by the names of the storage nodes: a folder keeps their number, and another one is refused.
fn remember_storage_nodes(process: &Process, storage: usize) -> Result<()> {
    let data: &PathBuf = &process.settings.data;
    let path = data.join("storage-nodes");
    let failed = |error: std::io::Error| Error::unavailable(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(data).map_err(failed)?;
    match std::fs::read_to_string(&path) {
        Ok(kept) if kept.trim() == storage.to_string() => Ok(()),
        Ok(kept) => Err(Error::invalid(format!(
            "{} was made with {} storage nodes, not {storage}: use --storage {}, or another --data folder",
            data.display(),
            kept.trim(),
            kept.trim()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::write(&path, format!("{storage}\n")).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}
