//! A Ceph, a Redis, and the processes of a cluster: a storage worker beside each OSD, a compute worker, a gateway.

use crate::api::Api;
use crate::process::{Running, program};
use ganglion_dev_ceph::{MiniCeph, Options};
use ganglion_membership::server::RedisServer;
use reqwest::StatusCode;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How long something may take that has to happen by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct CephLab {
    api: Api,
    /// By name: `gateway-g`, `compute-c`, `storage-0`. Ended before the Ceph is.
    processes: HashMap<String, Running>,
    pub(crate) redis: RedisServer,
    pub(crate) ceph: MiniCeph,
    /// What every process is told beside its own.
    common: Vec<String>,
    environment: Vec<(String, String)>,
    folder: TempDir,
}

impl CephLab {
    /// Three OSDs, two copies of each object.
    pub(crate) async fn up() -> Self {
        Self::up_with(|_| {}).await
    }

    pub(crate) async fn up_with(change: fn(&mut Options)) -> Self {
        let mut lab = Self::bare(change).await;
        lab.start_all().await;
        lab
    }

    /// Three storage workers, a compute worker and a gateway.
    pub(crate) async fn start_all(&mut self) {
        for osd in 0..3 {
            self.start_storage(osd);
        }
        self.start_compute("c");
        self.start_gateway("g");
        self.joined(4).await;
    }

    /// From now on the gateway `g` is asked; it knows so many workers.
    pub(crate) async fn joined(&mut self, workers: usize) {
        self.api = self.api_of("g");
        self.api.until_ready().await;
        self.until_members(workers).await;
    }

    /// Every process that is started from now on has this in its environment.
    pub(crate) fn tell(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Where its processes run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Only the Ceph and the Redis.
    pub(crate) async fn bare(change: fn(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options {
            quick_failover: true,
            ..Options::new(folder.path().join("ceph"))
        };
        change(&mut options);
        let ceph = tokio::task::spawn_blocking(move || MiniCeph::up(&options));
        let ceph = ceph.await.unwrap().unwrap();
        let redis = RedisServer::start().await.unwrap();
        let conf = ceph.conf().to_str().unwrap().to_owned();
        let common = ["--ceph", &conf, "--redis", &redis.url()];
        Self {
            api: Api::new("http://127.0.0.1:1"),
            processes: HashMap::new(),
            common: common.map(str::to_owned).into(),
            environment: Vec::new(),
            redis,
            ceph,
            folder,
        }
    }

    /// A process that is told these words beside the common ones.
    pub(crate) fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(["serve", "--data", name])
            .args(words)
            .args(&self.common)
            .env("GANGLION_LISTEN_HTTP", r#"["127.0.0.1:0"]"#)
            .env("GANGLION_CEPH_OP_TIME", "30s")
            .envs(self.environment.iter().cloned());
        command.current_dir(self.folder.path());
        command
    }

    fn start(&mut self, name: &str, words: &[&str], told: &str) {
        let command = self.command(name, words);
        let running = Running::of(command, self.folder.path(), told, 1);
        self.processes.insert(name.to_owned(), running);
    }

    pub(crate) fn start_storage(&mut self, osd: u32) {
        let osd = osd.to_string();
        let words = ["--role", "storage", "--name", &osd, "--osd", &osd];
        let words = [&words[..], &["--listen", "127.0.0.1:0"]].concat();
        self.start(&format!("storage-{osd}"), &words, "for other nodes on");
    }

    /// Beside whatever OSDs this host has.
    pub(crate) fn start_storage_of_host(&mut self, name: &str) {
        let words = ["--role", "storage", "--name", name, "--listen"];
        let words = [&words[..], &["127.0.0.1:0"]].concat();
        self.start(&format!("storage-{name}"), &words, "for other nodes on");
    }

    pub(crate) fn start_compute(&mut self, name: &str) {
        self.start_compute_on(name, "127.0.0.1:0");
    }

    pub(crate) fn start_compute_on(&mut self, name: &str, listen: &str) {
        let words = ["--role", "compute", "--name", name, "--listen", listen];
        self.start(&format!("compute-{name}"), &words, "for other nodes on");
    }

    pub(crate) fn start_gateway(&mut self, name: &str) {
        let words = ["--role", "gateway", "--name", name, "--functions"];
        self.start(&format!("gateway-{name}"), &words, "listening on http://");
    }

    /// A process to be started as `command` says, that goes on whatever becomes of its start.
    pub(crate) fn spawn(&self, mut command: Command) -> Running {
        command.stderr(Stdio::piped());
        Running {
            child: command.spawn().unwrap(),
            addresses: Vec::new(),
        }
    }

    /// Asks another gateway than the first.
    pub(crate) fn api_of(&self, gateway: &str) -> Api {
        let address = &self.processes[&format!("gateway-{gateway}")].addresses[0];
        Api::new(&format!("http://{address}"))
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    /// Kills a process as a crash would.
    pub(crate) fn kill(&mut self, name: &str) {
        drop(self.processes.remove(name).expect("it runs"));
    }

    /// `STOP`, `CONT`, `TERM`.
    pub(crate) fn signal(&self, name: &str, signal: &str) {
        self.processes[name].signal(signal);
    }

    /// The port on which a worker listens for other nodes.
    pub(crate) fn port_of(&self, worker: &str) -> u16 {
        let (_, port) = self.processes[worker].addresses[0]
            .rsplit_once(':')
            .unwrap();
        port.parse().unwrap()
    }

    /// Stores an object for each of `keys`, with a text of its own.
    pub(crate) async fn store_texts(&self, keys: &[String]) {
        for key in keys {
            self.put(key, &text_of(key)).await;
        }
    }

    pub(crate) async fn put(&self, key: &str, body: &str) {
        let path = format!("/v1/objects/ndp/{key}");
        let response = self.api.put(&path, body.to_owned()).await;
        assert!(
            response.status().is_success(),
            "{}",
            response.text().await.unwrap()
        );
    }

    /// An object's bytes; `None` when there is none.
    pub(crate) async fn object(&self, key: &str) -> Option<String> {
        let response = self.api.get(&format!("/v1/objects/ndp/{key}")).await;
        match response.status() {
            StatusCode::NOT_FOUND => None,
            status => {
                let text = response.text().await.unwrap();
                assert!(status.is_success(), "{text}");
                Some(text)
            }
        }
    }

    /// The OSD that serves a key of the bucket `ndp`, as Ceph's own tool says.
    pub(crate) fn primary_of(&self, key: &str) -> u32 {
        let map = self.ceph.command(&["osd", "map", "ganglion", key, "ndp"]);
        u32::try_from(map.unwrap()["acting_primary"].as_i64().unwrap()).unwrap()
    }

    /// The first of `prefix-0`, `prefix-1`, … that this OSD serves.
    pub(crate) fn key_on(&self, osd: u32, prefix: &str) -> String {
        let mut keys = (0..).map(|number| format!("{prefix}-{number}"));
        keys.find(|key| self.primary_of(key) == osd).unwrap()
    }

    /// The names of the nodes that the gateway knows.
    pub(crate) async fn members(&self) -> Vec<String> {
        let nodes: Value = self.api.get("/v1/nodes").await.json().await.unwrap();
        let nodes = nodes["nodes"].as_array().unwrap();
        let name = |node: &Value| node["id"].as_str().unwrap().to_owned();
        nodes.iter().map(name).collect()
    }

    /// Guests that run on a node, as far as the gateway knows; `None` for a node that it does not know or reach.
    pub(crate) async fn running_on(&self, node: &str) -> Option<u64> {
        let nodes: Value = self.api.get("/v1/nodes").await.json().await.unwrap();
        let mut nodes = nodes["nodes"].as_array().unwrap().iter();
        let node = nodes.find(|other| other["id"] == node)?;
        node["load"]["running"].as_u64()
    }

    pub(crate) async fn until_members(&self, count: usize) {
        until(async || {
            let nodes: Value = self.api.get("/v1/nodes").await.json().await.unwrap();
            let nodes = nodes["nodes"].as_array().unwrap();
            nodes.len() == count && nodes.iter().all(|node| !node["load"].is_null())
        })
        .await;
    }

    /// Runs wordcount over a key and checks what it says. Returns the node.
    pub(crate) async fn count_words(&self, key: &str, query: &str) -> String {
        let called = self.api.invoke("wordcount", key, query).await;
        assert_eq!(called.status, StatusCode::OK, "{key}: {:?}", called.error());
        assert_eq!(called.text(), counts_of(key), "{key} on {}", called.node);
        called.node
    }
}

/// Some words, different ones for each key.
pub(crate) fn text_of(key: &str) -> String {
    let line = format!("the words of {key} are the words of {key}\n");
    line.repeat(500)
}

fn counts_of(key: &str) -> String {
    let mut counts = std::collections::BTreeMap::new();
    let text = text_of(key);
    for word in text.split_whitespace() {
        *counts.entry(word).or_insert(0) += 1;
    }
    counts
        .iter()
        .map(|(word, count)| format!("{word}\t{count}\n"))
        .collect()
}

/// Asks again until it is so.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, asked).await;
    in_time.expect("it has to happen by itself");
}
