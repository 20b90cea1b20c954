//! Answers as Faasm gives them: text, with open CORS headers.

use crate::problem::{Problem, status_of};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ganglion_types::{Error, ErrorKind};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

/// Headers that an answer can have, so that the map grows only once.
const HEADERS: usize = 20;

/// A text, or a guest's raw output.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    allow_origin(&mut headers);
    let mut response = Response::new(axum::body::Body::from(body.into()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Lets a script of any page read the answer.
pub(crate) fn allow_origin(headers: &mut HeaderMap) {
    let any = HeaderValue::from_static("*");
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, any.clone());
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, any);
}

/// A failure. Faasm knows 400 and 500; a refusal keeps its own status, so that a client can tell that nothing ran.
pub(crate) fn failure(error: &Error) -> Response {
    let (status, retry_after) = match error.kind() {
        kind @ (ErrorKind::Invalid
        | ErrorKind::Denied
        | ErrorKind::Busy
        | ErrorKind::Unavailable) => status_of(kind),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    refusal(status, error.message().to_owned(), retry_after)
}

/// A failure with the status of a problem.
pub(crate) fn problem(problem: &Problem) -> Response {
    refusal(
        problem.status(),
        problem.message().to_owned(),
        problem.retry_after(),
    )
}

fn refusal(status: StatusCode, message: String, retry_after: Option<HeaderValue>) -> Response {
    let mut response = text(status, message);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

/// A method that a route does not have: `OPTIONS` is a browser's question, the rest is 405.
pub(crate) async fn other_method(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS && !uri.path().starts_with("/v1/") {
        return preflight();
    }
    let error = Error::invalid(format!("{} has no method {method}", uri.path()));
    Problem::from(error)
        .with_status(StatusCode::METHOD_NOT_ALLOWED)
        .into_response()
}

/// Allows every page to call.
pub(crate) fn preflight() -> Response {
    let mut response = text(StatusCode::OK, Bytes::new());
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET,POST,PUT,OPTIONS"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("User-Agent,Content-Type,FilePath,traceparent"),
    );
    response
}
