//! Requests to a gateway, and what comes back.

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use std::time::Duration;

/// A gateway over HTTP.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    url: String,
}

impl Api {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            client: Client::new(),
            url: url.to_owned(),
        }
    }

    pub(crate) async fn until_ready(&self) {
        for _ in 0..500 {
            let ready = self.get("/readyz").await;
            if ready.status() == StatusCode::OK {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "not ready: {}",
            self.get("/readyz").await.text().await.unwrap()
        );
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        self.request(Method::PUT, path)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// A call in Faasm's dialect.
    pub(crate) async fn faasm(&self, json: &str) -> (StatusCode, String) {
        let request = self
            .request(Method::POST, "/f/")
            .header("content-type", "application/json");
        let response = request.body(json.to_owned()).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// A call in our own dialect; `query` begins with `?` or is empty.
    pub(crate) async fn invoke(&self, function: &str, input: &str, query: &str) -> Called {
        let path = format!("/v1/functions/ndp/{function}/invoke{query}");
        let response = self
            .request(Method::POST, &path)
            .body(input.to_owned())
            .send()
            .await
            .unwrap();
        Called::of(response).await
    }

    /// Uploads a module written as text.
    pub(crate) async fn upload(&self, function: &str, text: &str) {
        let wasm = wat::parse_str(text).unwrap();
        let response = self
            .put(&format!("/v1/functions/ndp/{function}"), wasm)
            .await;
        assert!(
            response.status().is_success(),
            "{}",
            response.text().await.unwrap()
        );
    }

    /// The sum of a counter over its labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let of_name = |line: &&str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        text.lines().filter(of_name).map(value).sum()
    }
}

/// What a call came to.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) status: StatusCode,
    pub(crate) site: String,
    pub(crate) node: String,
    pub(crate) reason: String,
    pub(crate) moved_bytes: u64,
    pub(crate) body: Vec<u8>,
}

impl Called {
    pub(crate) async fn of(response: Response) -> Self {
        let header = |name: &str| {
            let value = response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned());
            value.unwrap_or_default()
        };
        Self {
            status: response.status(),
            site: header("ganglion-site"),
            node: header("ganglion-node"),
            reason: header("ganglion-reason"),
            moved_bytes: header("ganglion-moved-bytes").parse().unwrap_or(0),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The error of a failed call: its kind and its sentence.
    pub(crate) fn error(&self) -> (String, String) {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let field = |name: &str| json["error"][name].as_str().unwrap_or_default().to_owned();
        (field("kind"), field("message"))
    }
}
