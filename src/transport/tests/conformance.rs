//! A remote node's objects keep every promise of the trait, over a real socket.

use ganglion_store::{MemoryStore, ObjectStore, suite_tests};
use ganglion_transport::{
    Identity, Link, LinkParts, LinkSettings, RemoteStore, Server, ServerLimits, ServerParts,
};
use ganglion_types::{Ambient, Load, NodeId, Site};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

struct Clock(tokio::time::Instant);

impl Ambient for Clock {
    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
    fn unix_ns(&self) -> u64 {
        1_000_000
    }
    fn fill_random(&self, buffer: &mut [u8]) {
        buffer.fill(4);
    }
}

/// A server over a store in memory, and the store as the other end of a link sees it.
fn remote() -> (DropGuard, Arc<dyn ObjectStore>) {
    let ambient: Arc<dyn Ambient> = Arc::new(Clock(tokio::time::Instant::now()));
    let name = |name: &str| NodeId::new(name).expect("a node's name");
    let node = name("storage-0");
    let kept = MemoryStore::new(Some(node.clone()), ambient.clone(), 1 << 30);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket for tokio");
    let listener = TcpListener::from_std(listener).expect("a socket for tokio");
    let parts = ServerParts {
        identity: Identity {
            node: node.clone(),
            site: Site::Storage,
        },
        executor: None,
        load: Arc::new(Load::default),
        store: Some(Arc::new(kept)),
        ambient: ambient.clone(),
        limits: ServerLimits::default(),
    };
    let server = Server::on(listener, parts).expect("a server");
    let link = Link::connect_lazy(LinkParts {
        address: server.address().to_string(),
        expected: Some(node.clone()),
        identity: Identity {
            node: name("gateway-0"),
            site: Site::Compute,
        },
        // Small pieces, so that the suite's objects move in several.
        settings: LinkSettings {
            piece_bytes: 64 << 10,
            ..LinkSettings::default()
        },
        ambient,
    });
    let stop = CancellationToken::new();
    tokio::spawn(server.serve(stop.clone()));
    (stop.drop_guard(), Arc::new(RemoteStore::new(link, node)))
}

suite_tests!(remote);
