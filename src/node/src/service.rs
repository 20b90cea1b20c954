//! What a process runs, and how it ends.

use crate::backend::Backend;
use crate::frontend::Frontend;
use crate::health::{Health, HealthSocket};
use crate::patience::Patience;
use crate::process::Process;
use ganglion_types::{Error, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Workers, a gateway, or both, running. Dropping it ends it at once; [`Service::shutdown`] lets running calls finish.
pub struct Service {
    pub(crate) process: Arc<Process>,
    pub(crate) frontend: Option<Frontend>,
    pub(crate) backend: Backend,
    pub(crate) announcements: Announcements,
    /// Where the workers listen for other nodes.
    pub(crate) node_addresses: Vec<SocketAddr>,
    pub(crate) patience: Patience,
    pub(crate) health: Health,
    pub(crate) _socket: Option<HealthSocket>,
}

/// The tasks that tell others of this process's nodes.
pub(crate) struct Announcements {
    stop: DropGuard,
    stopping: CancellationToken,
    tasks: TaskTracker,
    failure: watch::Sender<Option<Error>>,
}

impl Announcements {
    pub(crate) fn new() -> Self {
        let stopping = CancellationToken::new();
        Self {
            stop: stopping.clone().drop_guard(),
            stopping,
            tasks: TaskTracker::new(),
            failure: watch::Sender::new(None),
        }
    }

    /// Cancelled when the announcing ends.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Runs until it is stopped or fails.
    pub(crate) fn spawn(&self, announce: impl Future<Output = Result<()>> + Send + 'static) {
        let failure = self.failure.clone();
        self.tasks.spawn(async move {
            if let Err(error) = announce.await {
                failure.send_replace(Some(error));
            }
        });
    }

    async fn end(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Service {
    /// Its gateway.
    ///
    /// # Errors
    /// `Invalid` where it has not that role.
    pub fn frontend(&self) -> Result<&Frontend> {
        let frontend = self.frontend.as_ref();
        frontend.ok_or_else(|| Error::invalid("this process is no gateway (setting node.roles)"))
    }

    /// Uploads the bundled functions under the tenant `ndp`; waits, within `node.wait_for`, until the store takes them.
    ///
    /// # Errors
    /// As [`Frontend::upload_bundled`]; `Invalid` where it is no gateway.
    pub async fn upload_bundled(&self) -> Result<()> {
        let frontend = self.frontend()?;
        let upload = async || frontend.upload_bundled().await;
        self.patience.until("the bundled functions", upload).await?;
        self.health.serves(Some(frontend.gateway().clone()));
        Ok(())
    }

    /// Where its workers listen for other nodes, with the ports that the kernel chose.
    pub fn node_addresses(&self) -> &[SocketAddr] {
        &self.node_addresses
    }

    /// Ready when something has happened after which the process cannot do its work: another process has its name.
    pub async fn failure(&self) -> Error {
        let mut failure = self.announcements.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(failed) => failed
                .clone()
                .unwrap_or_else(|| Error::internal("failed without a reason")),
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends it in order: others are told that its nodes leave; new calls are refused with 503 while running ones finish,
    /// within `drain.grace`; then the listeners close, then the nodes. Returns whether everything had finished.
    pub async fn shutdown(self) -> bool {
        self.health.drains();
        let grace = self.process.settings.drain.grace;
        self.announcements.end().await;
        let answered = match self.frontend {
            Some(frontend) => frontend.shutdown(grace).await,
            None => true,
        };
        let ended = self.backend.shutdown(grace).await;
        answered && ended
    }
}
