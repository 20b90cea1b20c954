//! The OpenAPI document, made from the handlers' own annotations.

use crate::problem::{ProblemBody, ProblemDetail};
use crate::{faasm, health, v1};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use std::sync::LazyLock;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ganglion",
        description = "Near-data processing: functions run where their objects are."
    ),
    paths(
        v1::functions::list_functions,
        v1::functions::put_function,
        v1::functions::get_function,
        v1::functions::delete_function,
        v1::functions::get_module,
        v1::invoke::invoke,
        v1::objects::put_object,
        v1::objects::append_object,
        v1::objects::get_object,
        v1::objects::head_object,
        v1::objects::delete_object,
        v1::objects::list_objects,
        v1::objects::list_buckets,
        v1::jobs::create_job,
        v1::jobs::list_jobs,
        v1::jobs::get_job,
        v1::jobs::get_result,
        v1::jobs::delete_job,
        v1::nodes::list_nodes,
        faasm::call::call,
        health::alive,
        health::ready,
        health::metrics,
    ),
    components(schemas(
        ProblemBody,
        ProblemDetail,
        v1::functions::FunctionJson,
        v1::functions::FunctionList,
        v1::objects::ObjectJson,
        v1::objects::ObjectList,
        v1::objects::BucketList,
        v1::jobs::JobRequest,
        v1::jobs::JobJson,
        v1::jobs::JobList,
        v1::nodes::NodeList,
        health::Readiness,
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
