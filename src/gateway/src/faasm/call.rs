//! `POST` of a message: calls, their status, flush.

use super::background::Finished;
use super::message::{Message, Wanted};
use super::reply;
use crate::app::Shared;
use crate::body::collect;
use crate::call::Asked;
use crate::dispatch::Placed;
use crate::explain::{explain, identify, trace_of};
use crate::problem::Problem;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ganglion_types::{
    Answer, CallId, End, Error, ErrorKind, FunctionRef, Ndp, Result, TraceParent,
};
use http::{Method, StatusCode};
use std::borrow::Cow;
use std::sync::Arc;

/// Any path that is no route: Faasm looks at the body alone.
pub(crate) async fn any_path(state: State<Shared>, request: Request) -> Response {
    let ours = request.uri().path().starts_with("/v1");
    match *request.method() {
        Method::POST if !ours => call(state, request).await,
        Method::OPTIONS if !ours => reply::preflight(),
        _ => Problem::from(Error::not_found(format!(
            "no route {}; GET /v1/openapi.json lists them, and POST /f/ calls a function",
            request.uri().path()
        )))
        .into_response(),
    }
}

/// A JSON message: a call, the status of an asynchronous one, or a flush.
#[utoipa::path(
    post, path = "/f/", tag = "faasm",
    request_body(content = String, content_type = "application/json",
        description = "user, function, input_data, cmdline, forbid_ndp, is_storage, async; or status and id; or type 3"),
    responses(
        (status = 200, description = "The function's raw output, or an asynchronous call's id", body = String, content_type = "text/plain"),
        (status = 400, description = "No call: the text says why", body = String, content_type = "text/plain"),
        (status = 413, description = "The body is beyond limits.input", body = String, content_type = "text/plain"),
        (status = 429, description = "Nothing ran: no node had room", body = String, content_type = "text/plain"),
        (status = 500, description = "The function failed, or there is none of that name", body = String, content_type = "text/plain"),
        (status = 503, description = "Nothing ran: no node could be reached, or this one is draining", body = String, content_type = "text/plain"),
    )
)]
pub(crate) async fn call(State(app): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match collect(body, app.input_limit()).await {
        Ok(body) => body,
        Err(problem) => return reply::problem(&problem),
    };
    match Wanted::parse(&body) {
        Ok(Wanted::Call(message)) => {
            let trace = trace_of(&parts.headers);
            run(app, &body, message, trace).await
        }
        Ok(Wanted::Status(id)) => status(&app, id),
        Ok(Wanted::Flush) => {
            app.knowledge.forget_sizes();
            reply::text(StatusCode::OK, Bytes::from_static(b"Flush sent"))
        }
        Err(error) => reply::failure(&error),
    }
}

async fn run(
    app: Shared,
    body: &Bytes,
    message: Message<'_>,
    trace: Option<TraceParent>,
) -> Response {
    let id = app.call_ids.next();
    let mut response = match FunctionRef::new(&message.user, &message.function) {
        Err(error) => reply::failure(&error),
        Ok(function) => {
            let in_background = message.r#async;
            let asked = asked(body, message, trace);
            if in_background {
                begin(app, id, function, asked).await
            } else {
                match now(&app, id, function, asked).await {
                    Ok(placed) => answered(id, &placed),
                    Err(error) => reply::failure(&error),
                }
            }
        }
    };
    identify(response.headers_mut(), id, trace);
    response
}

async fn now(app: &Shared, id: CallId, function: FunctionRef, asked: Asked) -> Result<Placed> {
    let call = app.call(id, function, asked).await?;
    app.dispatcher.run(&call).await
}

/// Starts an asynchronous call and answers with its id.
async fn begin(app: Shared, id: CallId, function: FunctionRef, asked: Asked) -> Response {
    let input = asked.input.clone();
    let call = match app.call(id, function, asked).await {
        Ok(prepared) => prepared,
        Err(error) => return reply::failure(&error),
    };
    let background = app.background.clone();
    let function = call.function.clone();
    let work = async move {
        let result = app.dispatcher.run(&call).await;
        Finished::new(id, function, input, result)
    };
    match background.begin(work) {
        Ok(number) => reply::text(StatusCode::OK, number.to_string()),
        Err(error) => reply::failure(&error),
    }
}

fn status(app: &Shared, number: u64) -> Response {
    match app.background.status(number) {
        Err(error) => reply::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("FAILED: {error}"),
        ),
        Ok(None) => reply::text(StatusCode::OK, Bytes::from_static(b"RUNNING")),
        Ok(Some(finished)) if finished.succeeded() => {
            reply::text(StatusCode::OK, finished.json(number))
        }
        Ok(Some(finished)) => {
            let failed = [b"FAILED: ", &finished.output()[..]].concat();
            reply::text(StatusCode::INTERNAL_SERVER_ERROR, failed)
        }
    }
}

fn asked(body: &Bytes, message: Message<'_>, trace: Option<TraceParent>) -> Asked {
    Asked {
        input: match message.input_data {
            Cow::Borrowed(text) => body.slice_ref(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        },
        args: message
            .cmdline
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
        object: None,
        ndp: match (message.forbid_ndp, message.is_storage) {
            (true, _) => Ndp::Forbidden,
            (false, true) => Ndp::Preferred,
            (false, false) => Ndp::Allowed,
        },
        budget: None,
        trace,
    }
}

fn answered(id: CallId, placed: &Placed) -> Response {
    let answer = &placed.answer;
    let status = match answer.end {
        End::Exited(0) => StatusCode::OK,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = reply::text(status, output_of(id, answer));
    explain(response.headers_mut(), placed);
    response
}

/// What Faasm has as a call's output: the guest's own, or a sentence when it failed without one.
pub(super) fn output_of(id: CallId, answer: &Answer) -> Bytes {
    let output = answer.output.clone().unwrap_or_default();
    match &answer.end {
        End::Failed(error) => Bytes::from(threw(id, error)),
        End::Exited(code) if *code != 0 && output.is_empty() => {
            Bytes::from(format!("Call failed (return value={code})"))
        }
        End::Exited(_) => output,
    }
}

/// Faasm's sentence for a call that an exception ended.
pub(super) fn threw(id: CallId, error: &Error) -> String {
    format!("Task {id} threw exception. What: {error}")
}

/// What an asynchronous call that did not run leaves as its output.
pub(super) fn not_run(id: CallId, error: &Error) -> String {
    match error.kind() {
        ErrorKind::Busy | ErrorKind::Unavailable => error.to_string(),
        _ => threw(id, error),
    }
}

/// Shared results are handed out without copying.
pub(super) type FinishedRef = Arc<Finished>;
