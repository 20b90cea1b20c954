//! The listening end: takes connections, and drains them.

use crate::session::Session;
use crate::settings::{Identity, ServerLimits};
use ganglion_store::ObjectStore;
use ganglion_types::{Ambient, Error, Executor, Load, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a [`Server`] offers.
pub struct ServerParts {
    /// Who answers.
    pub identity: Identity,
    /// Runs calls; `None`: they are refused.
    pub executor: Option<Arc<dyn Executor>>,
    /// This node's load at the moment; asked on every answer, so it has to be cheap.
    pub load: Arc<dyn Fn() -> Load + Send + Sync>,
    /// The objects that this node itself holds, and no store that would ask other nodes; `None`: they are refused.
    pub store: Option<Arc<dyn ObjectStore>>,
    /// The clock.
    pub ambient: Arc<dyn Ambient>,
    /// Limits and times.
    pub limits: ServerLimits,
}

/// Serves a node's executor and objects to other nodes.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    parts: Arc<ServerParts>,
}

impl Server {
    /// Listens on `address`; connections are taken once it is served.
    ///
    /// # Errors
    /// `Unavailable` when the address cannot be had.
    pub async fn bind(address: impl ToSocketAddrs, parts: ServerParts) -> Result<Self> {
        let failed = |error: std::io::Error| Error::unavailable(format!("listening: {error}"));
        Self::on(TcpListener::bind(address).await.map_err(failed)?, parts)
    }

    /// A server on a socket that listens already: nodes that know each other's addresses have to listen before any of them
    /// can be made.
    ///
    /// # Errors
    /// `Unavailable` when the socket has no address.
    pub fn on(listener: TcpListener, parts: ServerParts) -> Result<Self> {
        let failed = |error: std::io::Error| Error::unavailable(format!("listening: {error}"));
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            parts: Arc::new(parts),
        })
    }

    /// Where it listens, with the port that the kernel chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, then drains: the port is closed, new requests are refused as `Unavailable`, requests
    /// in flight finish within `drain.grace`. Dropping the future ends everything at once.
    pub async fn serve(self, stop: CancellationToken) {
        let sessions = TaskTracker::new();
        // Ends the sessions when this future is dropped; they stop themselves when `stop` is cancelled.
        let end = CancellationToken::new();
        let _end_on_drop = end.clone().drop_guard();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.accept(&sessions, &stop, &end) => {}
        }
        drop(self.listener);
        sessions.close();
        sessions.wait().await;
    }

    async fn accept(
        &self,
        sessions: &TaskTracker,
        stop: &CancellationToken,
        end: &CancellationToken,
    ) {
        loop {
            let (socket, from) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, mostly: others have to close theirs first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let limit = self.parts.limits.connections_max;
            if sessions.len() >= limit {
                tracing::warn!(%from, limit, "connection refused (setting `server.connections`)");
                continue;
            }
            let session = Session::serve(self.parts.clone(), socket, stop.clone());
            let end = end.clone();
            sessions.spawn(async move {
                tokio::select! {
                    ended = session => match ended {
                        Ok(()) => tracing::debug!(%from, "connection closed"),
                        Err(error) => tracing::warn!(%from, %error, "connection ended"),
                    },
                    () = end.cancelled() => {}
                }
            });
        }
    }
}
