//! What went wrong, as the `/v1` dialect says it.

use axum::response::{IntoResponse, Response};
use ganglion_types::{Answer, CallId, Error, ErrorKind};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// The body of every failed `/v1` request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemBody {
    error: ProblemDetail,
}

/// What failed, and what can be done about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemDetail {
    /// What the caller can do: `Invalid`, `NotFound`, `Conflict`, `Busy`, `Unavailable`, `Denied`, `Indeterminate`,
    /// `Deadline`, `Guest`, `Corrupt` or `Internal`. With `Busy` and `Unavailable` nothing ran.
    kind: &'static str,
    /// One sentence that names the thing, and the limit with its setting where one was met.
    message: String,
    /// The call, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    /// What the guest returned, when it returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    /// The beginning of the output that the guest set, as text, when it set one: where it says why, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The end of what the guest printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<String>,
    /// The end of what the guest printed as errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<String>,
}

/// An error on its way to an HTTP client.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: Box<ProblemDetail>,
    retry_after: Option<HeaderValue>,
}

impl Problem {
    /// The request is too large: 413, of kind `Invalid`.
    pub(crate) fn too_large(error: Error) -> Self {
        Self::from(error).with_status(StatusCode::PAYLOAD_TOO_LARGE)
    }

    #[must_use]
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub(crate) fn of_call(mut self, call: CallId) -> Self {
        self.detail.call_id = Some(call.to_string());
        self
    }

    /// With what the guest left behind: its exit code, when it returned, its output and what it printed.
    #[must_use]
    pub(crate) fn of_guest(mut self, exit_code: Option<i32>, answer: &Answer) -> Self {
        self.detail.exit_code = exit_code;
        self.detail.output = answer.output.as_deref().map(head);
        self.detail.stdout = Some(tail(&answer.stdout));
        self.detail.stderr = Some(tail(&answer.stderr));
        self
    }

    pub(crate) fn message(&self) -> &str {
        &self.detail.message
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn retry_after(&self) -> Option<HeaderValue> {
        self.retry_after.clone()
    }
}

/// Of what a guest leaves behind, a problem tells so much of each thing.
const TOLD_BYTES_MAX: usize = 4 << 10;

/// The first 4 KiB of a guest's output, as text.
fn head(output: &[u8]) -> String {
    let end = output.len().min(TOLD_BYTES_MAX);
    String::from_utf8_lossy(&output[..end]).into_owned()
}

/// The last 4 KiB of a guest's print, as text.
fn tail(printed: &[u8]) -> String {
    let from = printed.len().saturating_sub(TOLD_BYTES_MAX);
    String::from_utf8_lossy(&printed[from..]).into_owned()
}

/// The status of a kind, and after how many seconds to come again.
pub(crate) fn status_of(kind: ErrorKind) -> (StatusCode, Option<HeaderValue>) {
    let status = StatusCode::from_u16(kind.http_status()).expect("the table holds status codes");
    let retry_after = match kind {
        ErrorKind::Busy => Some(HeaderValue::from_static("1")),
        ErrorKind::Unavailable => Some(HeaderValue::from_static("2")),
        _ => None,
    };
    (status, retry_after)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, retry_after) = status_of(error.kind());
        Self {
            status,
            retry_after,
            detail: Box::new(ProblemDetail {
                kind: error.kind().as_str(),
                message: error.message().to_owned(),
                call_id: None,
                exit_code: None,
                output: None,
                stdout: None,
                stderr: None,
            }),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            error: *self.detail,
        };
        let json = serde_json::to_vec(&body).expect("a problem has only strings and numbers");
        let mut response = (self.status, json).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds);
        }
        response
    }
}
