//! Objects by key. Bodies stream both ways in pieces; an object that is replaced while it is read breaks the answer off
//! and never mixes two versions.

use super::range::{ReadAnswer, ReadAsked, etag, write_condition};
use crate::app::{App, Shared};
use crate::body::{self, PIECE_BYTES};
use crate::dispatch::check_public;
use crate::extract::{PathOf, QueryOf};
use crate::metrics::ObjectOperation;
use crate::problem::{Problem, ProblemBody};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use ganglion_store::{ByteRange, Condition, ObjectMeta, ObjectStore, PutOptions};
use ganglion_types::{Bucket, Error, ErrorKind, Key, ObjectKey};
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Keys of a listing when no `limit` is given.
const LIST_LIMIT: usize = 1_000;

/// What is known of an object.
#[derive(Serialize, ToSchema)]
pub(crate) struct ObjectJson {
    key: String,
    size_bytes: u64,
    /// Which content this is, in decimal; the `ETag` without its quotes.
    version: String,
    /// When it was written, in milliseconds since 1970-01-01 UTC.
    modified_ms: u64,
}

/// One page of a bucket, in byte order of the keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct ObjectList {
    objects: Vec<ObjectJson>,
    /// Whether there are more: list again with `after` set to the last key.
    more: bool,
}

/// The buckets that hold an object.
#[derive(Serialize, ToSchema)]
pub(crate) struct BucketList {
    buckets: Vec<String>,
}

impl ObjectJson {
    fn new(key: &Key, meta: &ObjectMeta) -> Self {
        Self {
            key: key.to_string(),
            size_bytes: meta.size_bytes,
            version: meta.version.to_string(),
            modified_ms: meta.modified_ms,
        }
    }
}

/// Which part of a bucket to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only keys that begin so.
    #[serde(default)]
    prefix: String,
    /// Only keys behind this one.
    after: Option<String>,
    /// At most so many; 1000 if not given, never more than 10000.
    limit: Option<usize>,
}

fn named(path: PathOf<(String, String)>) -> Result<ObjectKey, Error> {
    let PathOf((bucket, key)) = path;
    let object = ObjectKey::new(bucket, key)?;
    check_public(&object)?;
    Ok(object)
}

impl App {
    /// Counts an object request by its outcome.
    fn counted<T>(
        &self,
        operation: ObjectOperation,
        outcome: Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.metrics.object(operation, outcome.is_ok());
        outcome
    }

    /// The answer to a write.
    fn written(
        &self,
        key: &ObjectKey,
        outcome: Result<ObjectMeta, Problem>,
    ) -> Result<Response, Problem> {
        // Its size may have changed even when the answer was lost.
        self.knowledge.forget_size(key);
        let meta = outcome?;
        self.note_size(key, &meta);
        let json = Json(ObjectJson::new(&key.key, &meta));
        Ok(([(ETAG, etag(meta.version))], json).into_response())
    }

    fn note_size(&self, key: &ObjectKey, meta: &ObjectMeta) {
        let now_ns = self.ambient.monotonic_ns();
        self.knowledge.note_size(key, Some(meta.size_bytes), now_ns);
    }
}

/// Writes an object, in place of what was there, at once and durably.
#[utoipa::path(put, path = "/v1/objects/{bucket}/{key}", tag = "objects",
    params(("bucket" = String, Path), ("key" = String, Path, description = "May hold slashes"),
        ("If-Match" = Option<String>, Header, description = "Only in place of this version; `*`: of any"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where there is none")),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = ObjectJson, headers(("ETag" = String))), (status = 403, body = ProblemBody),
        (status = 412, body = ProblemBody), (status = 413, description = "Beyond limits.object", body = ProblemBody)))]
pub(crate) async fn put_object(
    State(app): State<Shared>,
    path: PathOf<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let put = async {
        let key = named(path)?;
        let options = own_write(&app, &key, &headers).await?;
        let stored = body::store(body, app.object_limit(), &*app.store, &key, options).await;
        app.written(&key, stored)
    };
    app.counted(ObjectOperation::Put, put.await)
}

/// Writes behind the end of an object, or makes it; all of the body or nothing. Of bodies that are sent at the same time none is
/// lost and each stays in one piece.
#[utoipa::path(post, path = "/v1/objects/{bucket}/{key}", tag = "objects",
    params(("bucket" = String, Path), ("key" = String, Path, description = "May hold slashes"),
        ("If-Match" = Option<String>, Header, description = "Only behind this version; `*`: behind any"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where there is none")),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = ObjectJson, headers(("ETag" = String))), (status = 403, body = ProblemBody),
        (status = 412, body = ProblemBody),
        (status = 413, description = "A body beyond limits.object; 400 where only the object would be", body = ProblemBody)))]
pub(crate) async fn append_object(
    State(app): State<Shared>,
    path: PathOf<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let append = async {
        let key = named(path)?;
        let options = own_write(&app, &key, &headers).await?;
        let piece = body::collect(body, app.object_limit()).await?;
        let appended = app.store.append(&key, piece, options).await;
        app.written(&key, appended.map_err(Problem::from))
    };
    app.counted(ObjectOperation::Append, append.await)
}

/// A write with a name of the gateway's, on the condition that the request states.
async fn own_write(app: &App, key: &ObjectKey, headers: &HeaderMap) -> Result<PutOptions, Problem> {
    Ok(PutOptions {
        condition: condition(app, key, headers).await?,
        commit: Some(app.own_effect()),
    })
}

async fn condition(app: &App, key: &ObjectKey, headers: &HeaderMap) -> Result<Condition, Problem> {
    match write_condition(headers)? {
        Some(condition) => Ok(condition),
        None => match app.store.stat(key).await {
            Ok(meta) => Ok(Condition::Version(meta.version)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Error::conflict(format!("no object {key}, and If-Match asks for one")).into())
            }
            Err(error) => Err(error.into()),
        },
    }
}

/// Reads an object, or a range of it.
#[utoipa::path(get, path = "/v1/objects/{bucket}/{key}", tag = "objects",
    params(("bucket" = String, Path), ("key" = String, Path, description = "May hold slashes"),
        ("Range" = Option<String>, Header, description = "One range of bytes"), ("If-Range" = Option<String>, Header),
        ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = String, content_type = "application/octet-stream", headers(("ETag" = String))),
        (status = 206, description = "The range", body = String, content_type = "application/octet-stream"), (status = 304),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody),
        (status = 416, description = "The range begins behind the end", body = ProblemBody)))]
pub(crate) async fn get_object(
    State(app): State<Shared>,
    path: PathOf<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let get = async { read(&app, &named(path)?, &ReadAsked::of(&headers)).await };
    app.counted(ObjectOperation::Get, get.await)
}

/// What is known of an object, in the headers of a `GET`.
#[utoipa::path(head, path = "/v1/objects/{bucket}/{key}", tag = "objects",
    params(("bucket" = String, Path), ("key" = String, Path, description = "May hold slashes")),
    responses((status = 200, headers(("ETag" = String), ("Content-Length" = u64))), (status = 403), (status = 404)))]
pub(crate) async fn head_object(
    State(app): State<Shared>,
    path: PathOf<(String, String)>,
) -> Result<Response, Problem> {
    let head = async {
        let key = named(path)?;
        let meta = app.store.stat(&key).await?;
        app.note_size(&key, &meta);
        Ok(answer(
            StatusCode::OK,
            &meta,
            meta.size_bytes,
            Body::empty(),
        ))
    };
    app.counted(ObjectOperation::Stat, head.await)
}

/// Removes an object.
#[utoipa::path(delete, path = "/v1/objects/{bucket}/{key}", tag = "objects",
    params(("bucket" = String, Path), ("key" = String, Path, description = "May hold slashes"),
        ("If-Match" = Option<String>, Header, description = "Only this version")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody)))]
pub(crate) async fn delete_object(
    State(app): State<Shared>,
    path: PathOf<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let delete = async {
        let key = named(path)?;
        let condition = condition(&app, &key, &headers).await?;
        app.knowledge.forget_size(&key);
        app.store.delete(&key, condition).await?;
        Ok(StatusCode::NO_CONTENT)
    };
    app.counted(ObjectOperation::Delete, delete.await)
}

/// Lists a bucket, page by page.
#[utoipa::path(get, path = "/v1/objects/{bucket}", tag = "objects", params(("bucket" = String, Path), ListQuery),
    responses((status = 200, body = ObjectList), (status = 403, body = ProblemBody)))]
pub(crate) async fn list_objects(
    State(app): State<Shared>,
    PathOf(bucket): PathOf<String>,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<Json<ObjectList>, Problem> {
    let list = async {
        let bucket = Bucket::new(bucket)?;
        if bucket.is_internal() {
            return Err(
                Error::denied(format!("bucket {bucket} belongs to Ganglion itself")).into(),
            );
        }
        let after = query.after.map(Key::new).transpose()?;
        let limit = query.limit.unwrap_or(LIST_LIMIT);
        let page = app
            .store
            .list(&bucket, &query.prefix, after.as_ref(), limit)
            .await?;
        let object = |(key, meta): &(Key, ObjectMeta)| ObjectJson::new(key, meta);
        Ok(Json(ObjectList {
            objects: page.objects.iter().map(object).collect(),
            more: page.more,
        }))
    };
    app.counted(ObjectOperation::List, list.await)
}

/// The buckets that hold an object, in byte order.
#[utoipa::path(get, path = "/v1/buckets", tag = "objects", responses((status = 200, body = BucketList)))]
pub(crate) async fn list_buckets(State(app): State<Shared>) -> Result<Json<BucketList>, Problem> {
    let list = async {
        let buckets = app.store.buckets().await?;
        let public = buckets.iter().filter(|bucket| !bucket.is_internal());
        Ok(Json(BucketList {
            buckets: public.map(Bucket::to_string).collect(),
        }))
    };
    app.counted(ObjectOperation::List, list.await)
}

async fn read(app: &App, key: &ObjectKey, asked: &ReadAsked) -> Result<Response, Problem> {
    if asked.is_plain() {
        let (meta, body) = stream_object(&app.store, key).await?;
        return Ok(answer(StatusCode::OK, &meta, meta.size_bytes, body));
    }
    let meta = app.store.stat(key).await?;
    match asked.answer(&meta) {
        ReadAnswer::Whole => {
            let body = pieces(app.store.clone(), key.clone(), &meta, 0..meta.size_bytes);
            Ok(answer(StatusCode::OK, &meta, meta.size_bytes, body))
        }
        ReadAnswer::Part(ByteRange { offset, length }) => {
            let end = offset + length;
            let body = pieces(app.store.clone(), key.clone(), &meta, offset..end);
            let mut response = answer(StatusCode::PARTIAL_CONTENT, &meta, length, body);
            let range = format!("bytes {offset}-{}/{}", end - 1, meta.size_bytes);
            response.headers_mut().insert(CONTENT_RANGE, ascii(range));
            Ok(response)
        }
        ReadAnswer::NotModified => {
            Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag(meta.version))]).into_response())
        }
        ReadAnswer::Failed => {
            let version = meta.version;
            Err(Error::conflict(format!(
                "{key} is version {version}, and If-Match asks for another"
            ))
            .into())
        }
        ReadAnswer::OutOfRange => Ok(out_of_range(key, &meta)),
    }
}

fn out_of_range(key: &ObjectKey, meta: &ObjectMeta) -> Response {
    let size = meta.size_bytes;
    let error = Error::invalid(format!("the range begins behind the {size} bytes of {key}"));
    let problem = Problem::from(error).with_status(StatusCode::RANGE_NOT_SATISFIABLE);
    let mut response = problem.into_response();
    let range = ascii(format!("bytes */{size}"));
    response.headers_mut().insert(CONTENT_RANGE, range);
    response
}

fn answer(status: StatusCode, meta: &ObjectMeta, length: u64, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ETAG, ascii(etag(meta.version)));
    response
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits and punctuation")
}

/// A whole object as a stream; a small one is read in one request and is there before the answer begins.
pub(crate) async fn stream_object(
    store: &Arc<dyn ObjectStore>,
    key: &ObjectKey,
) -> Result<(ObjectMeta, Body), Error> {
    let first = ByteRange {
        offset: 0,
        length: PIECE_BYTES as u64,
    };
    let read = store.get(key, first, None).await?;
    let (meta, first) = (read.meta, read.bytes);
    if first.len() as u64 == meta.size_bytes {
        return Ok((meta, Body::from(first)));
    }
    let rest = Pieces {
        store: store.clone(),
        key: key.clone(),
        meta: meta.clone(),
        left: first.len() as u64..meta.size_bytes,
    };
    let head = stream::once(async move { Ok(first) });
    let body = Body::from_stream(futures::StreamExt::chain(head, rest.stream()));
    Ok((meta, body))
}

fn pieces(
    store: Arc<dyn ObjectStore>,
    key: ObjectKey,
    meta: &ObjectMeta,
    left: std::ops::Range<u64>,
) -> Body {
    let meta = meta.clone();
    Body::from_stream(
        Pieces {
            store,
            key,
            meta,
            left,
        }
        .stream(),
    )
}

/// What is left to read of one version of an object.
struct Pieces {
    store: Arc<dyn ObjectStore>,
    key: ObjectKey,
    meta: ObjectMeta,
    left: std::ops::Range<u64>,
}

impl Pieces {
    fn stream(self) -> impl futures::Stream<Item = Result<bytes::Bytes, Error>> + Send {
        stream::try_unfold(self, |mut pieces| async move {
            if pieces.left.is_empty() {
                return Ok(None);
            }
            let range = ByteRange {
                offset: pieces.left.start,
                length: (pieces.left.end - pieces.left.start).min(PIECE_BYTES as u64),
            };
            let version = Some(pieces.meta.version);
            let read = pieces.store.get(&pieces.key, range, version).await?;
            if read.bytes.is_empty() {
                return Err(Error::corrupt(format!("{} ends early", pieces.key)));
            }
            pieces.left.start += read.bytes.len() as u64;
            Ok(Some((read.bytes, pieces)))
        })
    }
}
