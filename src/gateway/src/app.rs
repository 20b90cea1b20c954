//! What every handler shares, and the routes.

use crate::dispatch::{Code, Dispatcher};
use crate::drain::Drain;
use crate::faasm::{self, Background};
use crate::job::Jobs;
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::settings::GatewaySettings;
use crate::{health, openapi, v1};
use axum::Router;
use axum::routing::{get, post, put};
use ganglion_knowledge::Knowledge;
use ganglion_registry::Catalog;
use ganglion_store::ObjectStore;
use ganglion_types::{Ambient, CallIds};
use std::sync::Arc;

/// What a gateway is made of.
pub struct GatewayParts {
    /// Names of functions.
    pub catalog: Arc<Catalog>,
    /// Objects.
    pub store: Arc<dyn ObjectStore>,
    /// Nodes; the caller keeps its own handle to change them.
    pub peers: Arc<Peers>,
    /// Clocks and randomness.
    pub ambient: Arc<dyn Ambient>,
    /// Makes the ids of this process's calls.
    pub call_ids: Arc<CallIds>,
    /// Limits.
    pub settings: GatewaySettings,
    /// Set by the caller when the node is being shut down.
    pub drain: Arc<Drain>,
}

/// What the handlers see.
pub(crate) struct App {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) call_ids: Arc<CallIds>,
    pub(crate) settings: Arc<GatewaySettings>,
    pub(crate) drain: Arc<Drain>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) knowledge: Arc<Knowledge<Code>>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) background: Background,
    pub(crate) jobs: Jobs,
}

/// Shared by every handler of one gateway.
pub(crate) type Shared = Arc<App>;

/// HTTP in and out. Cheap to clone; both ports serve the same routes.
#[derive(Clone)]
pub struct Gateway {
    app: Shared,
}

impl Gateway {
    /// A gateway of these parts. Nothing runs until its router is served.
    pub fn new(parts: GatewayParts) -> Self {
        let settings = Arc::new(parts.settings);
        let metrics = Arc::new(Metrics::new());
        let knowledge = Arc::new(Knowledge::new(
            parts.store.clone(),
            settings.object_size_age,
        ));
        let dispatcher = Dispatcher::new(
            parts.peers.clone(),
            parts.store.clone(),
            parts.ambient.clone(),
            metrics.clone(),
            knowledge.clone(),
            settings.clone(),
        );
        let app = App {
            catalog: parts.catalog,
            store: parts.store,
            peers: parts.peers,
            background: Background::new(&settings, parts.ambient.clone()),
            jobs: Jobs::new(&settings, parts.ambient.clone()),
            ambient: parts.ambient,
            call_ids: parts.call_ids,
            settings,
            drain: parts.drain,
            metrics,
            knowledge,
            dispatcher,
        };
        Self { app: Arc::new(app) }
    }

    /// Why it takes no calls now, as `/readyz` says; empty when it does. Asks the object store.
    pub async fn reasons_not_ready(&self) -> Vec<String> {
        health::reasons(&self.app).await
    }

    /// All routes of both dialects.
    ///
    /// Only the Faasm dialect answers with permissive CORS headers, as Faasm does; `/v1`, which can also delete, is not
    /// open to the scripts of foreign pages.
    pub fn router(&self) -> Router {
        let call = || post(faasm::call::call);
        Router::new()
            .route("/f/", call())
            .route("/f", call())
            .route("/", call())
            .route("/ping", get(faasm::ping))
            .route(
                "/f/{user}/{function}",
                put(faasm::put_function)
                    .get(faasm::get_function)
                    .post(faasm::call::call),
            )
            .route("/p/{user}/{function}", put(faasm::put_python))
            .route(
                "/s/{user}/{key}",
                put(faasm::put_state).get(faasm::get_state),
            )
            .route("/file", put(faasm::put_file).get(faasm::get_file))
            .merge(v1::routes())
            .route("/v1/openapi.json", get(openapi::document))
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(health::metrics))
            .fallback(faasm::any_path)
            .method_not_allowed_fallback(faasm::other_method)
            .with_state(self.app.clone())
    }

    /// Waits for the calls that are under way, asynchronous ones and jobs included; no new ones begin once draining.
    pub async fn calls_done(&self) {
        self.app.background.done().await;
        self.app.jobs.done().await;
        self.app.dispatcher.done().await;
    }
}
