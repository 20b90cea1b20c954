//! The OpenAPI document, made from the handlers' own annotations.

use crate::problem::{ProblemBody, ProblemDetail};
use crate::{faasm, health, v1};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use std::sync::LazyLock;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(title = "Ganglion", description = "Near-data processing: functions run where their objects are."),
    paths(
        v1::list_functions, v1::put_function, v1::get_function, v1::delete_function, v1::get_module, v1::invoke,
        v1::put_object, v1::get_object, v1::head_object, v1::delete_object, v1::list_objects, v1::list_buckets,
        v1::list_nodes, faasm::call, health::alive, health::ready, health::metrics,
    ),
    components(schemas(
        ProblemBody, ProblemDetail, v1::FunctionJson, v1::FunctionList, v1::ObjectJson, v1::ObjectList, v1::BucketList,
        v1::NodeList, health::Readiness,
    ))
)]
struct Document;

static JSON: LazyLock<String> = LazyLock::new(|| {
    let mut json = Document::openapi()
        .to_pretty_json()
        .expect("the document has only strings and numbers");
    json.push('\n');
    json
});

/// The OpenAPI document of every gateway of this version, as JSON.
pub fn openapi_json() -> &'static str {
    &JSON
}

/// `GET /v1/openapi.json`.
pub(crate) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], openapi_json()).into_response()
}
