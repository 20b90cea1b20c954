//! The workers of a process, and the servers through which other nodes reach them.

use crate::listen::ListenAddress;
use crate::process::Process;
use ganglion_store::ObjectStore;
use ganglion_transport::{Identity, Server, ServerParts};
use ganglion_types::{Error, Neighbours, NodeId, Result, Site};
use ganglion_worker::{Worker, WorkerParts};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How long the servers may take to end once they are told to.
const END_WAIT: Duration = Duration::from_secs(5);

/// Runs calls. Dropping it ends its servers at once.
pub(crate) struct Backend {
    workers: Vec<Worker>,
    servers: TaskTracker,
    stop: DropGuard,
    stopping: CancellationToken,
}

impl Backend {
    pub(crate) fn new() -> Self {
        let stopping = CancellationToken::new();
        Self {
            workers: Vec::new(),
            servers: TaskTracker::new(),
            stop: stopping.clone().drop_guard(),
            stopping,
        }
    }

    /// A worker over `objects`, which only this process reaches.
    ///
    /// # Errors
    /// `Internal` when the engine's host interface cannot be linked; `Unavailable` without a folder for machine code.
    pub(crate) fn work(
        &mut self,
        process: &Process,
        node: &NodeId,
        site: Site,
        objects: Arc<dyn ObjectStore>,
        neighbours: Arc<dyn Neighbours>,
    ) -> Result<Worker> {
        let worker = Worker::new(WorkerParts {
            node: node.clone(),
            site,
            modules: process.modules(objects.clone())?,
            memory: process.memory.clone(),
            interrupter: process.interrupter.clone(),
            store: objects,
            neighbours,
            ambient: process.ambient(),
            inline: process.inline.clone(),
            settings: process.worker_settings(site),
        })?;
        self.workers.push(worker.clone());
        Ok(worker)
    }

    /// Lets other nodes reach a worker, and the objects that its node keeps itself.
    ///
    /// # Errors
    /// `Unavailable` when the socket has no address; `Invalid` for settings that are too large.
    pub(crate) fn serve(
        &self,
        process: &Process,
        worker: &Worker,
        listener: TcpListener,
        own: Option<Arc<dyn ObjectStore>>,
    ) -> Result<()> {
        let (settings, asked) = (&process.settings, worker.clone());
        let limits = settings
            .server
            .server(&settings.link, settings.drain.grace)?;
        let server = Server::on(
            listener,
            ServerParts {
                identity: Identity {
                    node: worker.node().clone(),
                    site: worker.site(),
                },
                executor: Some(Arc::new(worker.clone())),
                load: Arc::new(move || asked.load()),
                store: own,
                ambient: process.ambient(),
                limits,
            },
        )?;
        self.servers.spawn(server.serve(self.stopping.clone()));
        Ok(())
    }

    /// New calls are refused while running ones finish, within `grace`. Returns whether everything had finished.
    pub(crate) async fn shutdown(self, grace: Duration) -> bool {
        self.workers.iter().for_each(Worker::drain);
        drop(self.stop);
        self.servers.close();
        tokio::time::timeout(grace + END_WAIT, self.servers.wait())
            .await
            .is_ok()
    }
}

/// A socket for other nodes. `cluster` is the address from which Redis is reached.
///
/// # Errors
/// `Unavailable`, naming the setting, when the address cannot be had.
pub(crate) async fn listen(
    site: Site,
    address: &ListenAddress,
    cluster: Option<IpAddr>,
) -> Result<(TcpListener, SocketAddr)> {
    let failed = |error: std::io::Error| {
        Error::unavailable(format!(
            "cannot listen on {address} for other nodes (setting {site}.listen, flag --listen): {error}"
        ))
    };
    let listener = address.bind(cluster).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
