//! Functions by name.

use crate::app::Shared;
use crate::body::collect;
use crate::call::owned;
use crate::extract::{PathOf, QueryOf};
use crate::problem::{Problem, ProblemBody};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ganglion_registry::{FunctionLimits, FunctionRecord, ObjectFrom};
use ganglion_types::{Error, FunctionRef, Tenant};
use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// A function as it is known under its name.
#[derive(Serialize, ToSchema)]
pub(crate) struct FunctionJson {
    tenant: String,
    name: String,
    /// BLAKE3 hash of the uploaded file: what the name stands for.
    module: String,
    size_bytes: u64,
    /// Milliseconds since 1970-01-01 UTC.
    uploaded_ms: u64,
    /// Where in the input its object is named: `none`, `first-word` or `input`.
    object: &'static str,
    /// Whether it can write objects.
    writes_objects: bool,
    /// Whether it has a combiner of its own, for jobs.
    combines: bool,
    /// What it sets itself below the operator's limits.
    limits: LimitsJson,
}

/// Limits that a function sets itself.
#[derive(Serialize, ToSchema)]
struct LimitsJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    call_time_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_bytes: Option<u64>,
}

impl From<FunctionLimits> for LimitsJson {
    fn from(limits: FunctionLimits) -> Self {
        let FunctionLimits {
            call_time_ms,
            memory_bytes,
            output_bytes,
            log_bytes,
        } = limits;
        Self {
            call_time_ms,
            memory_bytes,
            output_bytes,
            log_bytes,
        }
    }
}

/// Functions in order of their names.
#[derive(Serialize, ToSchema)]
pub(crate) struct FunctionList {
    functions: Vec<FunctionJson>,
}

impl From<&FunctionRecord> for FunctionJson {
    fn from(record: &FunctionRecord) -> Self {
        Self {
            tenant: record.function.tenant.to_string(),
            name: record.function.name.to_string(),
            module: record.module.to_string(),
            size_bytes: record.size_bytes,
            uploaded_ms: record.uploaded_ms,
            object: match record.manifest.object {
                ObjectFrom::None => "none",
                ObjectFrom::FirstWord => "first-word",
                ObjectFrom::Input => "input",
            },
            writes_objects: record.writes_objects,
            limits: record.manifest.limits.into(),
            combines: record.combines,
        }
    }
}

/// Which functions to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only this tenant's.
    tenant: Option<String>,
}

/// What an upload says in place of the module's own manifest.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadQuery {
    /// Where in the input the object is named: `none`, `first-word` or `input`.
    #[param(value_type = Option<String>)]
    object: Option<ObjectFrom>,
}

type FunctionPath = PathOf<(String, String)>;

fn named(PathOf((tenant, name)): FunctionPath) -> Result<FunctionRef, Error> {
    FunctionRef::new(tenant, name)
}

/// All functions, or one tenant's.
#[utoipa::path(get, path = "/v1/functions", tag = "functions", params(ListQuery),
    responses((status = 200, body = FunctionList), (status = 400, body = ProblemBody)))]
pub(crate) async fn list_functions(
    State(app): State<Shared>,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<Json<FunctionList>, Problem> {
    let tenant = query.tenant.map(Tenant::new).transpose()?;
    let records = app.catalog.list(tenant.as_ref()).await?;
    let functions = records.iter().map(|record| (&**record).into()).collect();
    Ok(Json(FunctionList { functions }))
}

/// Uploads a module under a name. It takes effect for the next call.
#[utoipa::path(put, path = "/v1/functions/{tenant}/{name}", tag = "functions",
    params(("tenant" = String, Path), ("name" = String, Path), UploadQuery),
    request_body(content = String, content_type = "application/wasm"),
    responses((status = 200, body = FunctionJson), (status = 400, description = "The module is refused; the message says why", body = ProblemBody),
        (status = 413, description = "Beyond limits.module", body = ProblemBody)))]
pub(crate) async fn put_function(
    State(app): State<Shared>,
    PathOf((tenant, name)): FunctionPath,
    QueryOf(query): QueryOf<UploadQuery>,
    body: Body,
) -> Result<Json<FunctionJson>, Problem> {
    let uploaded = async {
        let function = owned(&tenant, &name)?;
        let wasm = collect(body, app.module_limit()).await?;
        let uploaded = app.catalog.upload(function, wasm, query.object).await?;
        Ok::<Arc<FunctionRecord>, Problem>(uploaded)
    };
    let uploaded = uploaded.await;
    app.metrics.uploaded(uploaded.is_ok());
    Ok(Json((&*uploaded?).into()))
}

/// What a name stands for.
#[utoipa::path(get, path = "/v1/functions/{tenant}/{name}", tag = "functions",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = FunctionJson), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_function(
    State(app): State<Shared>,
    path: FunctionPath,
) -> Result<Json<FunctionJson>, Problem> {
    let record = app.catalog.resolve(&named(path)?).await?;
    Ok(Json((&*record).into()))
}

/// Forgets a name. Running calls go on.
#[utoipa::path(delete, path = "/v1/functions/{tenant}/{name}", tag = "functions",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn delete_function(
    State(app): State<Shared>,
    path: FunctionPath,
) -> Result<StatusCode, Problem> {
    app.catalog.delete(&named(path)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The module as it was uploaded.
#[utoipa::path(get, path = "/v1/functions/{tenant}/{name}/module", tag = "functions",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = String, content_type = "application/wasm"), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_module(
    State(app): State<Shared>,
    path: FunctionPath,
) -> Result<Response, Problem> {
    let function = named(path)?;
    let module = app.catalog.resolve(&function).await?.module;
    let wasm = app.catalog.original(&function).await?;
    let headers = [
        (CONTENT_TYPE, "application/wasm".to_owned()),
        (ETAG, format!("\"{module}\"")),
    ];
    Ok((headers, wasm).into_response())
}
