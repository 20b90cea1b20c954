//! A cluster of this process, and requests to it.

use ganglion_node::{Cluster, Process, Settings, Topology};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) struct Lab {
    pub(crate) cluster: Cluster,
    client: Client,
    url: String,
    folder: TempDir,
}

/// How a test's cluster differs from the default.
pub(crate) type Change = fn(&mut Settings);

impl Lab {
    /// The cluster of `ganglion up`, on a port and in a folder of its own, with the bundled functions.
    pub(crate) async fn up() -> Self {
        Self::up_with(|_| {}).await
    }

    pub(crate) async fn up_with(change: Change) -> Self {
        Self::up_in(tempfile::tempdir().unwrap(), change).await
    }

    async fn up_in(folder: TempDir, change: Change) -> Self {
        let process = Process::new(settings(folder.path(), change)).unwrap();
        let cluster = Cluster::start(
            process,
            Topology {
                compute: 2,
                storage: 3,
            },
        )
        .await
        .unwrap();
        Self::with(cluster, folder).await
    }

    /// One node with every role.
    pub(crate) async fn single() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::new(settings(folder.path(), |_| {})).unwrap();
        let cluster = Cluster::start_single(process).await.unwrap();
        Self::with(cluster, folder).await
    }

    async fn with(cluster: Cluster, folder: TempDir) -> Self {
        cluster.upload_bundled().await.unwrap();
        let url = format!("http://{}", cluster.addresses()[0]);
        let lab = Self {
            cluster,
            client: Client::new(),
            url,
            folder,
        };
        lab.until_ready().await;
        lab
    }

    /// Ends the cluster and starts another over the same folder.
    pub(crate) async fn restart(self) -> Self {
        assert!(self.cluster.shutdown().await, "everything had finished");
        Self::up_in(self.folder, |_| {}).await
    }

    async fn until_ready(&self) {
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

    pub(crate) fn address(&self) -> SocketAddr {
        self.cluster.addresses()[0]
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

fn settings(folder: &Path, change: Change) -> Settings {
    let mut settings = Settings {
        data: folder.join("data"),
        ..Settings::default()
    };
    settings.listen.http = vec![([127, 0, 0, 1], 0).into()];
    change(&mut settings);
    settings
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
    async fn of(response: Response) -> Self {
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
