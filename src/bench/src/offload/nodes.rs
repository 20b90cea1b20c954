//! Two nodes with threads of their own, and a TCP connection between them.

use crate::bed::{Bed, TENANT};
use crate::report::failed;
use async_trait::async_trait;
use bytes::Bytes;
use ganglion_gateway::Peers;
use ganglion_node::HostAmbient;
use ganglion_store::{LocalOptions, LocalStore, ObjectStore, PutOptions};
use ganglion_transport::{
    Identity, Link, LinkParts, LinkSettings, RemotePeer, RemoteStore, Server, ServerLimits,
    ServerParts,
};
use ganglion_types::{
    Ambient, Answer, Call, Error, Executor, LinkEstimate, Load, NodeId, ObjectKey, Offload,
    Offloaded, Peer, Result, Site,
};
use ganglion_worker::{Inline, Worker};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;
use tokio_util::sync::{CancellationToken, DropGuard};

const STORAGE: &str = "storage-0";
const COMPUTE: &str = "compute-0";
/// Guests at once, on either node.
const PERMITS: u32 = 2;
/// Calls that a node with two cores runs on the threads that receive them.
const INLINE: usize = 3;

/// A storage node that keeps files, and a compute node that knows it. Each has a runtime, an engine and slots of its own, as two
/// processes would.
pub(super) struct Nodes {
    pub(super) compute: Bed,
    pub(super) worker: Worker,
    /// The worker of the storage node; calls that come over the connection run on it.
    pub(super) storage: Worker,
    /// The connection that the middle of a call goes over.
    pub(super) link: Arc<Link>,
    /// The storage node's objects over that connection.
    pub(super) objects: RemoteStore,
    pub(super) watched: Arc<Watched>,
    _stop: DropGuard,
    _runtime: Background,
    _folder: tempfile::TempDir,
}

/// A runtime that may be dropped by one of its own kind.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Nodes {
    /// With objects of these keys and contents on the storage node.
    ///
    /// # Errors
    /// `Unavailable` when the temporary folder or a socket cannot be had; the worker's.
    pub(super) async fn start(objects: &[(String, Bytes)]) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(failed("a temporary folder"))?;
        let local = LocalOptions {
            durable: false,
            ..LocalOptions::default()
        };
        let own: Arc<dyn ObjectStore> = Arc::new(LocalStore::open_with(
            folder.path().join("objects"),
            Some(NodeId::new(STORAGE)?),
            Arc::new(HostAmbient::new()),
            local,
        )?);
        for (key, bytes) in objects {
            let key = ObjectKey::new(TENANT, key)?;
            own.put(&key, bytes.clone(), PutOptions::default()).await?;
        }
        let runtime = Background(Some(ganglion_node::build_runtime(
            &ganglion_node::Settings::default(),
        )?));
        let stop = CancellationToken::new();
        let (storage, address) = serve(&runtime, folder.path(), own, &stop).await?;
        let ambient: Arc<dyn Ambient> = Arc::new(HostAmbient::new());
        let (link, bulk) = (connect(address, &ambient)?, connect(address, &ambient)?);
        let node = NodeId::new(STORAGE)?;
        let watched = Arc::new(Watched {
            peer: RemotePeer::new(link.clone(), node.clone(), Site::Storage),
            clock: ambient,
            seen: Mutex::default(),
        });
        let reached: Arc<dyn ObjectStore> = Arc::new(RemoteStore::new(bulk, node.clone()));
        let compute = Bed::new(&folder.path().join("compute"), reached.clone())?;
        let mut parts = compute.parts(compute.modules.clone(), reached)?;
        parts.node = NodeId::new(COMPUTE)?;
        parts.site = Site::Compute;
        parts.neighbours = Arc::new(Peers::new(vec![watched.clone()]));
        parts.inline = Inline::new(INLINE);
        parts.settings.permits = PERMITS;
        // Before the first call: a node that was never heard from is not asked.
        link.round_trip().await?;
        Ok(Self {
            worker: Worker::new(parts)?,
            compute,
            storage,
            objects: RemoteStore::new(link.clone(), node),
            link,
            watched,
            _stop: stop.drop_guard(),
            _runtime: runtime,
            _folder: folder,
        })
    }
}

/// Starts the storage node.
async fn serve(
    runtime: &Background,
    folder: &Path,
    own: Arc<dyn ObjectStore>,
    stop: &CancellationToken,
) -> Result<(Worker, SocketAddr)> {
    let bed = Bed::new(&folder.join("storage"), own.clone())?;
    let mut parts = bed.parts(bed.modules.clone(), own.clone())?;
    parts.node = NodeId::new(STORAGE)?;
    parts.inline = Inline::new(INLINE);
    parts.settings.permits = PERMITS;
    let worker = Worker::new(parts)?;
    let asked = worker.clone();
    let parts = ServerParts {
        identity: Identity {
            node: NodeId::new(STORAGE)?,
            site: Site::Storage,
        },
        executor: Some(Arc::new(worker.clone())),
        load: Arc::new(move || asked.load()),
        store: Some(own),
        ambient: bed.clock.clone(),
        limits: ServerLimits::default(),
    };
    let stop = stop.clone();
    let handle = runtime.0.as_ref().expect("it was not dropped").handle();
    // On the node's own threads from the beginning: a socket stays with the runtime that it was made on.
    let bound = handle.spawn(async move {
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), parts).await?;
        let address = server.address();
        tokio::spawn(server.serve(stop));
        Ok::<_, Error>(address)
    });
    let bound = bound.await;
    let address =
        bound.map_err(|error| Error::internal(format!("the storage node: {error}")))??;
    Ok((worker, address))
}

fn connect(address: SocketAddr, ambient: &Arc<dyn Ambient>) -> Result<Arc<Link>> {
    Ok(Link::connect_lazy(LinkParts {
        address: address.to_string(),
        expected: Some(NodeId::new(STORAGE)?),
        identity: Identity {
            node: NodeId::new(COMPUTE)?,
            site: Site::Compute,
        },
        settings: LinkSettings::default(),
        ambient: ambient.clone(),
    }))
}

/// What one offload took, as its sender sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// From the delta that was taken to the one that came back.
    pub(super) elapsed_ns: u64,
    /// Of that, the storage node's: a thread, a slot, the delta put in, what changed taken out.
    pub(super) around_ns: u64,
    /// Of that, the function itself.
    pub(super) run_ns: u64,
}

/// The way to the storage node, with a clock beside it.
pub(super) struct Watched {
    peer: RemotePeer,
    clock: Arc<dyn Ambient>,
    seen: Mutex<Option<Seen>>,
}

impl Watched {
    /// What the last offload took; `None` when there was none since the last question.
    pub(super) fn take(&self) -> Option<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

#[async_trait]
impl Executor for Watched {
    async fn execute(&self, call: Call) -> Result<Answer> {
        self.peer.execute(call).await
    }

    async fn offload(&self, offload: Offload) -> Result<Offloaded> {
        let began_ns = self.clock.monotonic_ns();
        let offloaded = self.peer.offload(offload).await?;
        let seen = Seen {
            elapsed_ns: self.clock.monotonic_ns() - began_ns,
            around_ns: offloaded.usage.wait_ns,
            run_ns: offloaded.usage.run_ns,
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(offloaded)
    }
}

impl Peer for Watched {
    fn id(&self) -> &NodeId {
        self.peer.id()
    }
    fn site(&self) -> Site {
        self.peer.site()
    }
    fn load(&self) -> Option<Load> {
        self.peer.load()
    }
    fn link(&self) -> Option<LinkEstimate> {
        self.peer.link()
    }
    fn address(&self) -> Option<String> {
        self.peer.address()
    }
}
