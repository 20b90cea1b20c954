//! A gateway on a port of its own, its nodes, and a client.

use crate::stand_in::StandIn;
use bytes::Bytes;
use ganglion_gateway::{
    Drain, Gateway, GatewayParts, GatewaySettings, Peers, ServeSettings, serve,
};
use ganglion_registry::{Catalog, Engine, Interruption, Modules};
use ganglion_store::{MemoryStore, ObjectStore};
use ganglion_types::{Ambient, CallIds, ModuleLimits, NodeId, Peer, Site};
use reqwest::{Client, Method, RequestBuilder, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A clock that tokio's tests could set, and numbers that repeat.
pub(crate) struct TestAmbient {
    began: tokio::time::Instant,
    drawn: AtomicU64,
}

impl TestAmbient {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: tokio::time::Instant::now(),
            drawn: AtomicU64::new(1),
        })
    }
}

impl Ambient for TestAmbient {
    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap()
    }

    fn unix_ns(&self) -> u64 {
        1_700_000_000_000_000_000 + self.monotonic_ns()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
            *byte = drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
        }
    }
}

/// Reads only.
pub(crate) const READER: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
/// Can write objects.
pub(crate) const WRITER: &str = r#"(module
    (import "env" "__faasmndp_put" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (func (export "_start")))"#;

pub(crate) fn wasm(text: &str) -> Bytes {
    Bytes::from(wat::parse_str(text).unwrap())
}

/// What a test builds on.
pub(crate) struct House {
    pub(crate) compute: Vec<Arc<StandIn>>,
    pub(crate) storage: Arc<StandIn>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) drain: Arc<Drain>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) gateway: Gateway,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<bool>>,
    _dir: tempfile::TempDir,
}

/// Two compute nodes, and a storage node that is home to every object. `ndp/reader` finds its object in the first word
/// of its input, and so does `ndp/writer`.
pub(crate) async fn house() -> House {
    house_with(GatewaySettings::default(), None).await
}

pub(crate) async fn house_with(
    settings: GatewaySettings,
    store: Option<Arc<dyn ObjectStore>>,
) -> House {
    let ambient = TestAmbient::new();
    let home = NodeId::new("storage-1").unwrap();
    let store =
        store.unwrap_or_else(|| Arc::new(MemoryStore::new(Some(home), ambient.clone(), 1 << 40)));
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(1 << 20, Interruption::Poll).unwrap();
    let modules =
        Modules::open(engine, dir.path(), store.clone(), ModuleLimits::default()).unwrap();
    let modules = Arc::new(modules);
    let catalog = Catalog::new(
        store.clone(),
        modules,
        ambient.clone(),
        settings.function_age,
    );
    let compute: Vec<_> = ["compute-1", "compute-2"]
        .map(|id| StandIn::new(id, Site::Compute))
        .into();
    let storage = StandIn::new("storage-1", Site::Storage);
    let mut members: Vec<Arc<dyn Peer>> = vec![storage.clone()];
    members.extend(compute.iter().map(|peer| peer.clone() as Arc<dyn Peer>));
    let (drain, peers) = (Arc::new(Drain::default()), Arc::new(Peers::new(members)));
    let gateway = Gateway::new(GatewayParts {
        catalog: Arc::new(catalog),
        store: store.clone(),
        peers: peers.clone(),
        ambient,
        call_ids: Arc::new(CallIds::new(7)),
        settings,
        drain: drain.clone(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = gateway.router();
    let served = tokio::spawn(serve(listener, router, ServeSettings::default(), async {
        let _ = stopped.await;
    }));
    let house = House {
        compute,
        storage,
        store,
        drain,
        peers,
        gateway,
        address,
        client: Client::builder().no_proxy().build().unwrap(),
        stop: Some(stop),
        served: Some(served),
        _dir: dir,
    };
    house.upload("reader", READER).await;
    house.upload("writer", WRITER).await;
    house
}

impl House {
    async fn upload(&self, name: &str, text: &str) {
        let path = format!("/v1/functions/ndp/{name}?object=first-word");
        let answer = self.request("PUT", &path).body(wasm(text)).send().await;
        assert_eq!(answer.unwrap().status(), 200);
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request("GET", path).send().await.unwrap()
    }

    /// `POST /f/`.
    pub(crate) async fn post(&self, message: &str) -> Response {
        let request = self.request("POST", "/f/").body(message.to_owned());
        request.send().await.unwrap()
    }

    /// Calls `ndp/NAME` through `/v1`.
    pub(crate) async fn invoke(&self, name: &str, query: &str, input: &str) -> Response {
        let path = format!("/v1/functions/ndp/{name}/invoke{query}");
        let request = self.request("POST", &path).body(input.to_owned());
        request.send().await.unwrap()
    }

    /// Sends bytes as they are and reads until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn compute_calls(&self) -> usize {
        self.compute.iter().map(|peer| peer.calls()).sum()
    }

    pub(crate) fn all_compute(&self, will: crate::stand_in::Will) {
        for peer in &self.compute {
            peer.will(will.clone());
        }
    }

    /// Ends the server; returns whether every request finished.
    pub(crate) fn stop(&mut self) -> JoinHandle<bool> {
        self.stop.take().unwrap().send(()).unwrap();
        self.served.take().unwrap()
    }
}

pub(crate) fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response
        .headers()
        .get(name)
        .unwrap_or_else(|| panic!("no header {name} in {:?}", response.headers()))
        .to_str()
        .unwrap()
}

pub(crate) async fn problem(response: Response) -> serde_json::Value {
    assert_eq!(header(&response, "content-type"), "application/json");
    let body: serde_json::Value = response.json().await.unwrap();
    body["error"].clone()
}
