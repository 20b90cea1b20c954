//! The `/v1` dialect: functions, calls, jobs, objects and nodes as resources; errors as JSON by kind.

pub(crate) mod functions;
pub(crate) mod invoke;
pub(crate) mod jobs;
pub(crate) mod nodes;
pub(crate) mod objects;
mod range;

use crate::app::Shared;
use axum::Router;
use axum::routing::{get, post};

pub(crate) use objects::stream_object;

/// The routes of this dialect.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/functions", get(functions::list_functions))
        .route(
            "/v1/functions/{tenant}/{name}",
            get(functions::get_function)
                .put(functions::put_function)
                .delete(functions::delete_function),
        )
        .route(
            "/v1/functions/{tenant}/{name}/module",
            get(functions::get_module),
        )
        .route("/v1/functions/{tenant}/{name}/invoke", post(invoke::invoke))
        .route("/v1/buckets", get(objects::list_buckets))
        .route("/v1/objects/{bucket}", get(objects::list_objects))
        .route(
            "/v1/objects/{bucket}/{*key}",
            get(objects::get_object)
                .head(objects::head_object)
                .put(objects::put_object)
                .post(objects::append_object)
                .delete(objects::delete_object),
        )
        .route("/v1/jobs", get(jobs::list_jobs).post(jobs::create_job))
        .route("/v1/jobs/{id}", get(jobs::get_job).delete(jobs::delete_job))
        .route("/v1/jobs/{id}/result", get(jobs::get_result))
        .route("/v1/nodes", get(nodes::list_nodes))
}
