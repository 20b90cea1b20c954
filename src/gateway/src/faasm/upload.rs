//! Faasm's upload server: functions, state values and shared files. State and files are objects in buckets of Ganglion's
//! own.

use super::reply;
use crate::app::{App, Shared};
use crate::body::{self, collect};
use crate::call::owned;
use crate::extract::PathOf;
use crate::problem::Problem;
use crate::v1::stream_object;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use ganglion_store::PutOptions;
use ganglion_types::{Bucket, Error, ErrorKind, FunctionRef, ObjectKey, Result};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

/// State values, by `user/key`.
const STATE_BUCKET: &str = ".state";
/// Shared files, by path.
const FILES_BUCKET: &str = ".files";

/// `GET /ping`.
pub(crate) async fn ping() -> Response {
    reply::text(StatusCode::OK, Bytes::from_static(b"PONG"))
}

/// `PUT /f/{user}/{function}`: a module.
pub(crate) async fn put_function(
    State(app): State<Shared>,
    path: Result<PathOf<(String, String)>, Problem>,
    body: Body,
) -> Response {
    let uploaded = async {
        let PathOf((user, function)) = path?;
        let function = owned(&user, &function)?;
        let wasm = collect(body, app.module_limit()).await?;
        Ok::<_, Problem>(app.catalog.upload(function, wasm, None).await?)
    };
    let uploaded = uploaded.await;
    app.metrics.uploaded(uploaded.is_ok());
    match uploaded {
        Ok(_) => reply::text(
            StatusCode::OK,
            Bytes::from_static(b"Function upload complete\n"),
        ),
        Err(problem) => reply::problem(&problem),
    }
}

/// `GET /f/{user}/{function}`: the module as it was uploaded.
pub(crate) async fn get_function(
    State(app): State<Shared>,
    path: Result<PathOf<(String, String)>, Problem>,
) -> Response {
    let read = async {
        let PathOf((user, function)) = path?;
        let function = FunctionRef::new(user, function)?;
        Ok::<_, Problem>(app.catalog.original(&function).await?)
    };
    match read.await {
        Ok(wasm) => {
            let mut response = reply::text(StatusCode::OK, wasm);
            let wasm = HeaderValue::from_static("application/wasm");
            response.headers_mut().insert(CONTENT_TYPE, wasm);
            response
        }
        Err(problem) => reply::problem(&problem),
    }
}

/// `PUT /p/{user}/{function}`: Python is not offered.
pub(crate) async fn put_python() -> Response {
    reply::text(
        StatusCode::NOT_IMPLEMENTED,
        Bytes::from_static(
            b"python functions are not offered by Ganglion: upload WebAssembly to /f/",
        ),
    )
}

/// `PUT /s/{user}/{key}`: a state value.
pub(crate) async fn put_state(
    State(app): State<Shared>,
    path: Result<PathOf<(String, String)>, Problem>,
    body: Body,
) -> Response {
    let key = path.and_then(|PathOf((user, key))| Ok(state_key(&user, &key)?));
    put(&app, key, body, b"State upload complete\n").await
}

/// `GET /s/{user}/{key}`: a state value.
pub(crate) async fn get_state(
    State(app): State<Shared>,
    path: Result<PathOf<(String, String)>, Problem>,
) -> Response {
    let key = path.and_then(|PathOf((user, key))| Ok(state_key(&user, &key)?));
    match key {
        Ok(key) => get(&app, &key).await.unwrap_or_else(|e| missing(&e)),
        Err(problem) => reply::problem(&problem),
    }
}

/// `PUT /file` with the header `FilePath`: a shared file.
pub(crate) async fn put_file(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let key = file_key(&headers).map_err(Problem::from);
    put(&app, key, body, b"").await
}

/// `GET /file` with the header `FilePath`: a shared file; a directory answers `IS_DIR`.
pub(crate) async fn get_file(State(app): State<Shared>, headers: HeaderMap) -> Response {
    let key = match file_key(&headers) {
        Ok(key) => key,
        Err(error) => return reply::failure(&error),
    };
    match get(&app, &key).await {
        Ok(response) => response,
        Err(error) if error.kind() == ErrorKind::NotFound => match is_directory(&app, &key).await {
            Ok(true) => reply::text(StatusCode::OK, Bytes::from_static(b"IS_DIR")),
            Ok(false) => missing(&error),
            Err(error) => reply::failure(&error),
        },
        Err(error) => missing(&error),
    }
}

async fn put(
    app: &App,
    key: Result<ObjectKey, Problem>,
    body: Body,
    done: &'static [u8],
) -> Response {
    let stored = async {
        let options = PutOptions {
            commit: Some(app.own_effect()),
            ..PutOptions::default()
        };
        body::store(body, app.object_limit(), &*app.store, &key?, options).await
    };
    match stored.await {
        Ok(_) => reply::text(StatusCode::OK, Bytes::from_static(done)),
        Err(problem) => reply::problem(&problem),
    }
}

async fn get(app: &App, key: &ObjectKey) -> Result<Response> {
    let (_, body) = stream_object(&app.store, key).await?;
    let mut response = reply::text(StatusCode::OK, Bytes::new());
    *response.body_mut() = body;
    Ok(response)
}

/// Faasm's answer for what is not there.
fn missing(error: &Error) -> Response {
    match error.kind() {
        ErrorKind::NotFound => reply::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            Bytes::from_static(b"Empty response"),
        ),
        _ => reply::failure(error),
    }
}

async fn is_directory(app: &App, path: &ObjectKey) -> Result<bool> {
    let inside = format!("{}/", path.key.as_str().trim_end_matches('/'));
    let page = app.store.list(&path.bucket, &inside, None, 1).await?;
    Ok(!page.objects.is_empty())
}

fn state_key(user: &str, key: &str) -> Result<ObjectKey> {
    // A user is checked as the bucket that it would have, so that `a/b` of one is never `b` of another.
    let user = Bucket::new(user)?;
    ObjectKey::new(STATE_BUCKET, format!("{user}/{key}"))
}

fn file_key(headers: &HeaderMap) -> Result<ObjectKey> {
    let path = headers
        .get("FilePath")
        .ok_or_else(|| Error::invalid("the header FilePath is missing"))?;
    let path = std::str::from_utf8(path.as_bytes())
        .map_err(|_| Error::invalid("the header FilePath is not UTF-8"))?;
    ObjectKey::new(FILES_BUCKET, path.trim_start_matches('/'))
}
