//! The gateway of a process, and its listeners.

use crate::bundled::BUNDLED;
use crate::listen::ListenAddress;
use crate::process::Process;
use ganglion_gateway::{Drain, Gateway, GatewayParts, Peers, serve};
use ganglion_registry::{Catalog, Modules};
use ganglion_store::ObjectStore;
use ganglion_types::{CallIds, Error, FunctionRef, Result};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The tenant of the bundled functions.
const BUNDLED_TENANT: &str = "ndp";
/// How long the listeners may take to close once nothing runs any more.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// Takes calls over HTTP. Dropping it closes its listeners at once; [`Frontend::shutdown`] lets running calls finish.
pub struct Frontend {
    gateway: Gateway,
    catalog: Arc<Catalog>,
    objects: Arc<dyn ObjectStore>,
    drain: Arc<Drain>,
    addresses: Vec<SocketAddr>,
    listeners: TaskTracker,
    stop: DropGuard,
}

impl Frontend {
    /// Listens on `listen.http` and places calls on `peers`, which the caller may replace. `cluster` is the address from which Redis
    /// is reached.
    ///
    /// # Errors
    /// `Unavailable` when an address cannot be had.
    pub(crate) async fn open(
        process: &Arc<Process>,
        objects: Arc<dyn ObjectStore>,
        peers: Arc<Peers>,
        cluster: Option<IpAddr>,
    ) -> Result<Self> {
        let settings = &process.settings;
        let catalog = Arc::new(Catalog::new(
            objects.clone(),
            process.modules(objects.clone())?,
            process.ambient(),
            settings.gateway.function_age,
        ));
        let drain = Arc::new(Drain::default());
        let mut prefix = [0; 8];
        process.ambient.fill_random(&mut prefix);
        let gateway = Gateway::new(GatewayParts {
            catalog: catalog.clone(),
            store: objects.clone(),
            peers,
            ambient: process.ambient(),
            call_ids: Arc::new(CallIds::new(u64::from_le_bytes(prefix))),
            settings: settings.gateway_settings(),
            drain: drain.clone(),
        });
        let (listeners, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut addresses = Vec::new();
        for address in &settings.listen.http {
            let (listener, bound) = listen(address, cluster).await?;
            addresses.push(bound);
            let served = settings.http.serve(settings.drain.grace);
            let (router, stop) = (gateway.router(), stop.clone());
            listeners.spawn(async move { serve(listener, router, served, stop.cancelled()).await });
        }
        Ok(Self {
            gateway,
            catalog,
            objects,
            drain,
            addresses,
            listeners,
            stop: stop.drop_guard(),
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
            let there = self.catalog.resolve(&function).await;
            if !there.is_ok_and(|record| record.module == hash) {
                self.catalog.upload(function, bundled.bytes(), None).await?;
            }
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

    /// Its objects.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// The gateway behind the listeners.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// New calls are refused with 503 while running ones finish, within `grace`; then the listeners close. Returns whether
    /// everything had finished.
    pub(crate) async fn shutdown(self, grace: Duration) -> bool {
        self.drain.begin();
        let finished = tokio::time::timeout(grace, self.gateway.calls_done()).await;
        drop(self.stop);
        self.listeners.close();
        let closed = tokio::time::timeout(CLOSE_WAIT, self.listeners.wait()).await;
        finished.is_ok() && closed.is_ok()
    }
}

async fn listen(
    address: &ListenAddress,
    cluster: Option<IpAddr>,
) -> Result<(TcpListener, SocketAddr)> {
    let failed = |error: std::io::Error| {
        Error::unavailable(format!(
            "cannot listen on {address} (setting listen.http, flag --http): {error}"
        ))
    };
    let listener = address.bind(cluster).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
