//! A real gateway over a store in memory, with one node that sets its input as output.

use async_trait::async_trait;
use ganglion_gateway::{
    Drain, Gateway, GatewayParts, GatewaySettings, Peers, ServeSettings, serve,
};
use ganglion_registry::{Catalog, Engine, Interruption, Modules};
use ganglion_store::{MemoryStore, ObjectStore};
use ganglion_types::{
    Ambient, Answer, Batch, Batched, Call, CallIds, End, Executor, LinkEstimate, Load,
    ModuleLimits, NodeId, Peer, Result, Site, Start, Usage,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A clock on which every look takes a millisecond.
struct TestAmbient(AtomicU64);

impl Ambient for TestAmbient {
    fn monotonic_ns(&self) -> u64 {
        self.0.fetch_add(1_000_000, Ordering::Relaxed)
    }

    fn unix_ns(&self) -> u64 {
        1_790_000_000_000_000_000 + self.monotonic_ns()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

struct Echo(NodeId);

#[async_trait]
impl Executor for Echo {
    async fn execute(&self, call: Call) -> Result<Answer> {
        let code = call.args.first().map_or(0, |code| code.parse().unwrap());
        Ok(Answer {
            end: End::Exited(code),
            output: Some(call.input),
            stdout: b"".as_slice().into(),
            stderr: b"a warning".as_slice().into(),
            node: self.0.clone(),
            site: Site::Compute,
            storage_calls: ganglion_types::StorageCalls::default(),
            usage: Usage {
                wait_ns: 3_000,
                run_ns: 42_000,
                cpu_ns: 40_000,
                object_bytes: 0,
                moved_bytes: 0,
                link_ns: 0,
                store_failures: 0,
                start: Start::Restored,
            },
            load: Load::default(),
        })
    }

    async fn batch(&self, batch: Batch) -> Result<Batched> {
        let mut parts = Vec::new();
        for part in &batch.parts {
            parts.push(self.execute(batch.call(part, 0)).await);
        }
        Ok(Batched {
            parts,
            combined: Vec::new(),
            load: Load::default(),
        })
    }
}

impl Peer for Echo {
    fn id(&self) -> &NodeId {
        &self.0
    }

    fn site(&self) -> Site {
        Site::Compute
    }

    fn load(&self) -> Option<Load> {
        Some(Load {
            permits: 4,
            ..Load::default()
        })
    }

    fn link(&self) -> Option<LinkEstimate> {
        None
    }

    fn address(&self) -> Option<String> {
        None
    }
}

/// A gateway that serves until it is dropped.
pub(crate) struct House {
    pub(crate) url: String,
    _runtime: Runtime,
    _modules: tempfile::TempDir,
}

pub(crate) fn house() -> House {
    let runtime = Runtime::new().unwrap();
    let modules = tempfile::tempdir().unwrap();
    let gateway = runtime.block_on(gateway(modules.path()));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings = ServeSettings::default();
    runtime.spawn(serve(
        listener,
        gateway.router(),
        settings,
        std::future::pending(),
    ));
    House {
        url,
        _runtime: runtime,
        _modules: modules,
    }
}

async fn gateway(modules: &std::path::Path) -> Gateway {
    let ambient = Arc::new(TestAmbient(AtomicU64::new(1)));
    let node = NodeId::new("compute-1").unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(
        Some(node.clone()),
        ambient.clone(),
        1 << 30,
    ));
    let engine = Engine::new(1 << 20, Interruption::Poll).unwrap();
    let modules = Modules::open(engine, modules, store.clone(), ModuleLimits::default()).unwrap();
    let catalog = Catalog::new(
        store.clone(),
        Arc::new(modules),
        ambient.clone(),
        Duration::from_secs(1),
    );
    Gateway::new(GatewayParts {
        catalog: Arc::new(catalog),
        store,
        peers: Arc::new(Peers::new(vec![Arc::new(Echo(node))])),
        ambient,
        call_ids: Arc::new(CallIds::new(7)),
        settings: GatewaySettings::default(),
        drain: Arc::new(Drain::default()),
    })
}
