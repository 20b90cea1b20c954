//! Calls of `/v1`: raw input in, raw output out.

use crate::app::{App, Shared};
use crate::body::collect;
use crate::call::Asked;
use crate::dispatch::Placed;
use crate::explain::{explain, identify, trace_of};
use crate::extract::PathOf;
use crate::problem::{Problem, ProblemBody};
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ganglion_types::{CallId, End, Error, FunctionRef, Ndp, Result};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Uri};
use std::time::Duration;

/// Runs a function on the body. The answer is the output that it set; if it set none, what it printed.
///
/// A guest that traps, meets a limit or returns non-zero is a problem of kind `Guest` (500), with its exit code, the
/// beginning of its output and the ends of what it printed.
#[utoipa::path(post, path = "/v1/functions/{tenant}/{name}/invoke", tag = "functions",
    params(("tenant" = String, Path), ("name" = String, Path),
        ("ndp" = Option<String>, Query, description = "`allow` (default), `forbid`: never on a storage node, or `prefer`: on storage wherever that is possible, for tests and measurements"),
        ("object" = Option<String>, Query, description = "BUCKET/KEY of the object that the call is about, in place of the manifest's"),
        ("deadline" = Option<String>, Query, description = "`30s`, `500ms`, `2m`; a bare number is milliseconds; at most limits.call_time"),
        ("arg" = Option<Vec<String>>, Query, description = "An argument of the guest; may be repeated"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; passed on and echoed")),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = String, content_type = "application/octet-stream",
            description = "The output. Headers ganglion-call-id, -node, -site, -reason, -moved-bytes, -predicted-us, -run-us, -wait-us, -exit-code, -start tell how the call went",
            headers(("ganglion-call-id" = String), ("ganglion-node" = String), ("ganglion-site" = String), ("ganglion-reason" = String), ("ganglion-moved-bytes" = u64))),
        (status = 400, body = ProblemBody), (status = 404, body = ProblemBody), (status = 413, description = "Beyond limits.input", body = ProblemBody),
        (status = 429, description = "Nothing ran: no node had room", body = ProblemBody),
        (status = 500, description = "The guest failed", body = ProblemBody),
        (status = 503, description = "Nothing ran: no node could be reached, or this one is draining", body = ProblemBody),
        (status = 504, description = "Its time was over, or it may have run and nobody can know", body = ProblemBody)))]
pub(crate) async fn invoke(
    State(app): State<Shared>,
    PathOf((tenant, name)): PathOf<(String, String)>,
    request: Request,
) -> Response {
    let id = app.call_ids.next();
    let (parts, body) = request.into_parts();
    let trace = trace_of(&parts.headers);
    let run = async {
        let function = FunctionRef::new(tenant, name)?;
        let mut asked = asked(&parts.uri)?;
        asked.trace = trace;
        asked.input = collect(body, app.input_limit()).await?;
        Ok::<_, Problem>(run(&app, id, function, asked).await?)
    };
    let mut response = match run.await {
        Ok(placed) => answered(id, &placed),
        Err(problem) => problem.of_call(id).into_response(),
    };
    identify(response.headers_mut(), id, trace);
    response
}

async fn run(app: &App, id: CallId, function: FunctionRef, asked: Asked) -> Result<Placed> {
    let call = app.call(id, function, asked).await?;
    app.dispatcher.run(&call).await
}

fn answered(id: CallId, placed: &Placed) -> Response {
    let answer = &placed.answer;
    let failure = match &answer.end {
        End::Exited(0) => None,
        End::Exited(code) => Some((
            Some(*code),
            Error::guest(format!("the function returned {code}")),
        )),
        End::Failed(error) => Some((None, error.clone())),
    };
    let mut response = match failure {
        None => output(answer.output.as_ref().unwrap_or(&answer.stdout).clone()),
        Some((code, error)) => Problem::from(error)
            .of_call(id)
            .of_guest(code, answer)
            .into_response(),
    };
    explain(response.headers_mut(), placed);
    response
}

fn output(bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    let raw = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, raw);
    response
}

/// Headers that an answer can have, so that the map grows only once.
const HEADERS: usize = 24;

/// Reads the query; a parameter that is not known is refused, so that a misspelt one is not silently without effect.
fn asked(uri: &Uri) -> Result<Asked> {
    let mut asked = Asked::default();
    if uri.query().is_none() {
        return Ok(asked);
    }
    let Query(parameters) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| Error::invalid(format!("the query: {error}")))?;
    for (name, value) in parameters {
        match (name.as_str(), value.as_str()) {
            ("arg", _) => asked.args.push(value),
            ("ndp", word) => asked.ndp = ndp(word)?,
            ("object", _) => asked.object = Some(value.parse()?),
            ("deadline", _) => asked.budget = Some(duration(&value)?),
            _ => {
                return Err(Error::invalid(format!(
                    "no parameter `{name}`; there are ndp, object, deadline, arg"
                )));
            }
        }
    }
    Ok(asked)
}

/// Whether storage nodes are allowed, in the words of this dialect.
pub(super) fn ndp(word: &str) -> Result<Ndp> {
    match word {
        "allow" => Ok(Ndp::Allowed),
        "prefer" => Ok(Ndp::Preferred),
        "forbid" => Ok(Ndp::Forbidden),
        _ => Err(Error::invalid(format!(
            "ndp is `{word}`, and may be allow, prefer or forbid"
        ))),
    }
}

/// A time such as `30s`, `500ms` or `2m`.
pub(super) fn duration(text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let ms_each = match &text[digits.len()..] {
        "" | "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().filter(|number| *number > 0);
    let ms = number
        .zip(ms_each)
        .and_then(|(number, ms)| number.checked_mul(ms));
    ms.map(Duration::from_millis).ok_or_else(|| {
        Error::invalid(format!(
            "the deadline `{text}` is not like 30s, 500ms or 2m"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_has_a_unit_or_is_in_milliseconds() {
        for (text, ms) in [("30s", 30_000), ("500ms", 500), ("2m", 120_000), ("7", 7)] {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(ms), "{text}");
        }
        for bad in [
            "",
            "s",
            "0s",
            "-1s",
            "1h",
            "1.5s",
            "99999999999999999999",
            "9999999999999999999m",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn arguments_keep_their_order_and_a_misspelt_parameter_is_refused() {
        let uri: Uri = "/?arg=a&ndp=forbid&arg=b%20c&object=books/a/b"
            .parse()
            .unwrap();
        let read = asked(&uri).unwrap();
        assert_eq!(read.args, ["a", "b c"]);
        assert_eq!(read.ndp, Ndp::Forbidden);
        assert_eq!(read.object.unwrap().to_string(), "books/a/b");
        for bad in [
            "/?npd=forbid",
            "/?ndp=no",
            "/?object=books",
            "/?deadline=soon",
        ] {
            assert!(asked(&bad.parse().unwrap()).is_err(), "{bad}");
        }
    }
}
