//! Whether this gateway lives, whether it can take calls, and what it has counted.

use crate::app::{App, Shared};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ganglion_types::{Error, ErrorKind, Load, ObjectKey, Site};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

use crate::problem::Problem;

/// How long the store may take to look at one key before it counts as unreachable.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// Whether calls can be taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    /// Why not; empty when ready.
    reasons: Vec<String>,
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether calls can be taken, and if not, why.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub(crate) async fn ready(State(app): State<Shared>) -> Response {
    let reasons = reasons(&app).await;
    let ready = reasons.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness { ready, reasons })).into_response()
}

pub(crate) async fn reasons(app: &App) -> Vec<String> {
    let mut reasons = Vec::new();
    if app.drain.is_draining() {
        reasons.push("draining".to_owned());
    }
    let takes_calls =
        |load: Option<Load>| load.is_some_and(|load| !load.draining && load.permits > 0);
    let members = app.peers.current();
    let compute = |peer: &crate::peers::Member| {
        peer.peer.site() == Site::Compute && takes_calls(peer.peer.load())
    };
    if !members.iter().any(compute) {
        reasons.push("no compute node can be reached and takes calls".to_owned());
    }
    if let Err(error) = store_answers(app).await {
        reasons.push(format!("the object store: {error}"));
    }
    reasons
}

/// One look at one key: a listing would ask every node, and Ceph for every object.
async fn store_answers(app: &App) -> Result<(), Error> {
    let key = ObjectKey::new(".functions", "ready")?;
    match tokio::time::timeout(STORE_WAIT, app.store.stat(&key)).await {
        Ok(Err(error)) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(_) => Ok(()),
        Err(_) => Err(Error::unavailable(format!(
            "no answer within {STORE_WAIT:?}"
        ))),
    }
}

/// Counters and times as OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(State(app): State<Shared>) -> Result<Response, Problem> {
    let text = app.metrics.text(&app.peers.current());
    let text = text.map_err(|error| Error::internal(format!("encoding metrics: {error}")))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
