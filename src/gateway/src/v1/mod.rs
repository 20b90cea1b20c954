//! The `/v1` dialect: functions, calls, objects and nodes as resources; errors as JSON by kind.

mod functions;
mod invoke;
mod nodes;
mod objects;
mod range;

use crate::app::Shared;
use axum::Router;
use axum::routing::{get, post};

pub(crate) use functions::{__path_delete_function, __path_get_function, __path_get_module, __path_list_functions, __path_put_function};
pub(crate) use functions::{FunctionJson, FunctionList};
pub(crate) use invoke::__path_invoke;
pub(crate) use nodes::{__path_list_nodes, NodeList};
pub(crate) use objects::{__path_delete_object, __path_get_object, __path_head_object, __path_list_buckets, __path_list_objects, __path_put_object};
pub(crate) use objects::{BucketList, ObjectJson, ObjectList, stream_object};

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
        .route(
            "/v1/functions/{tenant}/{name}/invoke",
            post(invoke::invoke),
        )
        .route("/v1/buckets", get(objects::list_buckets))
        .route("/v1/objects/{bucket}", get(objects::list_objects))
        .route(
            "/v1/objects/{bucket}/{*key}",
            get(objects::get_object)
                .head(objects::head_object)
                .put(objects::put_object)
                .delete(objects::delete_object),
        )
        .route("/v1/nodes", get(nodes::list_nodes))
}
