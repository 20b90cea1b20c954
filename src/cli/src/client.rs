//! Requests to a running gateway, and its answers as results by kind.

use crate::args::Global;
use crate::failure::{Failure, Outcome, Report};
use crate::output::Ui;
use ganglion_types::ErrorKind;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How often a silent connection is asked whether it lives: a call may rightly be silent for minutes.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long an answer that is known to be short may take.
const SHORT_TIME: Duration = Duration::from_secs(30);
/// Largest JSON document taken from a gateway, in bytes: a page of 10,000 keys of 1 KiB fits five times.
const JSON_BYTES_MAX: usize = 64 << 20;

/// What to do when nobody answers.
const START_ONE: &str = "is it running? start one with `ganglion up`";

/// A gateway.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

#[derive(Deserialize)]
struct ErrorDocument {
    error: Report,
}

impl Client {
    /// # Errors
    /// `Invalid` when `--url` is no `http://` URL.
    pub(crate) fn new(global: &Global) -> Outcome<Self> {
        let base = base_of(&global.url)?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIME)
            .tcp_keepalive(KEEPALIVE)
            // A gateway listens on loopback or in a private network: the way to it is not the way to the web.
            .no_proxy()
            .build()
            .map_err(|error| Failure::from(anyhow::Error::new(error)))?;
        Ok(Self { http, base })
    }

    /// Where the gateway is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A request that may take as long as it takes.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// A request whose answer is short.
    pub(crate) fn short(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).timeout(SHORT_TIME)
    }

    /// Sends, and takes any status for an answer.
    ///
    /// # Errors
    /// `Unavailable` when no connection came about, or when only reading was asked; otherwise `Indeterminate` when the
    /// answer was lost: the gateway may have done it.
    pub(crate) async fn answer(&self, request: RequestBuilder, ui: &Ui) -> Outcome<Response> {
        let request = request
            .build()
            .map_err(|error| Failure::invalid(format!("the request: {}", innermost(&error))))?;
        let method = request.method().clone();
        ui.detail(format_args!("{method} {}", request.url()));
        let sent = self.http.execute(request).await;
        let response = sent.map_err(|error| self.lost(&method, &error))?;
        ui.detail(format_args!("{}", response.status()));
        Ok(response)
    }

    /// Sends, and takes only success for an answer.
    pub(crate) async fn send(&self, request: RequestBuilder, ui: &Ui) -> Outcome<Response> {
        let response = self.answer(request, ui).await?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(failure_of(response).await),
        }
    }

    /// Sends, and reads the answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        ui: &Ui,
    ) -> Outcome<T> {
        let mut response = self.send(request, ui).await?;
        let body = collect(&mut response, JSON_BYTES_MAX).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::new(
                ErrorKind::Internal,
                format!(
                    "the answer of {} is not what this version expects: {error}",
                    self.base
                ),
            )
            .or_hint("`ganglion --version` and the gateway's version may differ")
        })
    }

    /// Whether a gateway answers on this port of loopback.
    pub(crate) async fn lives_on(&self, port: u16) -> bool {
        let url = format!("http://127.0.0.1:{port}/healthz");
        match self.http.get(url).timeout(CONNECT_TIME).send().await {
            Ok(mut response) => collect(&mut response, 64)
                .await
                .is_ok_and(|body| body == b"ok\n"),
            Err(_) => false,
        }
    }

    fn lost(&self, method: &Method, error: &reqwest::Error) -> Failure {
        let cause = innermost(error);
        if error.is_connect() {
            let message = format!("no gateway answers at {}: {cause}", self.base);
            return Failure::new(ErrorKind::Unavailable, message).or_hint(START_ONE);
        }
        let message = format!("the answer of {} was lost: {cause}", self.base);
        match method.is_safe() {
            true => Failure::new(ErrorKind::Unavailable, message),
            false => Failure::new(ErrorKind::Indeterminate, message)
                .or_hint("it may have been done: look before you repeat it"),
        }
    }
}

/// The part of a URL that stands before every path.
fn base_of(url: &str) -> Outcome<String> {
    let url = match url.contains("://") {
        true => url.to_owned(),
        false => format!("http://{url}"),
    };
    let url = url.trim_end_matches('/').to_owned();
    match Url::parse(&url) {
        Ok(parsed) if parsed.scheme() == "https" => Err(Failure::invalid(format!(
            "{url} needs TLS, which this client does not speak (--url)"
        ))
        .or_hint("reach the gateway itself, or through `ssh -L 8080:127.0.0.1:8080 HOST`")),
        Ok(parsed)
            if parsed.has_host()
                && parsed.scheme() == "http"
                && parsed.query().is_none()
                && parsed.fragment().is_none() =>
        {
            Ok(url)
        }
        _ => Err(Failure::invalid(format!(
            "`{url}` is no URL like http://127.0.0.1:8080 (--url)"
        ))),
    }
}

/// The cause at the end of the chain: what stands before it is the client talking of itself.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// A whole body, with a limit.
pub(crate) async fn collect(response: &mut Response, bytes_max: usize) -> Outcome<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| broken(&error, body.len()))?
    {
        if body.len() + piece.len() > bytes_max {
            return Err(Failure::invalid(format!(
                "the answer has more than {bytes_max} bytes, which is the limit with `-o json`"
            )));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// An answer that came apart on its way.
pub(crate) fn broken(error: &reqwest::Error, bytes: usize) -> Failure {
    Failure::new(
        ErrorKind::Unavailable,
        format!(
            "the answer broke off after {bytes} bytes: {}",
            innermost(error)
        ),
    )
}

/// What an answer without success says.
pub(crate) async fn failure_of(mut response: Response) -> Failure {
    /// Longest error that is read; the gateway sends a few KiB.
    const ERROR_BYTES_MAX: usize = 1 << 20;
    let status = response.status();
    let retry = response.headers().get(http::header::RETRY_AFTER);
    let retry =
        retry.and_then(|seconds| Some(format!("try again in {} s", seconds.to_str().ok()?)));
    // What cannot be read is told by its status.
    let body = collect(&mut response, ERROR_BYTES_MAX)
        .await
        .unwrap_or_default();
    let failure = told(status, &body);
    match retry {
        Some(retry) if failure.kind().nothing_ran() => failure.or_hint(retry),
        _ => failure,
    }
}

fn told(status: StatusCode, body: &[u8]) -> Failure {
    if let Ok(document) = serde_json::from_slice::<ErrorDocument>(body) {
        return Failure::of_report(document.error);
    }
    /// Longest text of somebody else that is repeated.
    const SAID_CHARS_MAX: usize = 200;
    let said = String::from_utf8_lossy(body);
    let said: String = said.trim().chars().take(SAID_CHARS_MAX).collect();
    let separator = if said.is_empty() { "" } else { ": " };
    Failure::new(
        kind_of(status),
        format!("the gateway answered {status}{separator}{said}"),
    )
}

/// The kind of an answer that names none: `HEAD` has no body, and proxies speak their own.
pub(crate) fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        429 => ErrorKind::Busy,
        502 | 503 => ErrorKind::Unavailable,
        504 => ErrorKind::Indeterminate,
        400..500 => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_lack_its_scheme_and_must_not_need_tls() {
        for (typed, base) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://node/ganglion/", "http://node/ganglion"),
            ("localhost:8080", "http://localhost:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(base_of(typed).unwrap(), base);
        }
        for bad in ["https://node", "ftp://node", "http://", "", "http://a/?b"] {
            assert_eq!(
                base_of(bad).unwrap_err().kind(),
                ErrorKind::Invalid,
                "{bad}"
            );
        }
    }

    #[test]
    fn every_kind_arrives_as_it_was_sent() {
        for kind in ErrorKind::ALL {
            let body = format!(r#"{{"error":{{"kind":"{kind}","message":"m","call_id":"ab"}}}}"#);
            let failure = told(StatusCode::IM_A_TEAPOT, body.as_bytes());
            assert_eq!(
                (failure.kind(), failure.exit_code()),
                (kind, kind.exit_code())
            );
            assert_eq!(failure.report().call_id.as_deref(), Some("ab"));
        }
    }

    #[test]
    fn an_answer_that_names_no_kind_is_read_by_its_status() {
        for (status, kind) in [
            (404, ErrorKind::NotFound),
            (413, ErrorKind::Invalid),
            (502, ErrorKind::Unavailable),
            (500, ErrorKind::Internal),
        ] {
            let failure = told(StatusCode::from_u16(status).unwrap(), b"<html>");
            assert_eq!(failure.kind(), kind);
            assert!(failure.report().message.ends_with(": <html>"));
        }
    }
}
