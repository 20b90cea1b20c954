//! A worker of this process, as the gateway sees nodes.

use async_trait::async_trait;
use ganglion_types::{
    Answer, Batch, Batched, Call, Executor, LinkEstimate, Load, NodeId, Offload, Offloaded, Peer,
    Result, Site,
};
use ganglion_worker::Worker;

/// Calls reach it without a socket.
pub(crate) struct LocalPeer(pub(crate) Worker);

#[async_trait]
impl Executor for LocalPeer {
    async fn execute(&self, call: Call) -> Result<Answer> {
        self.0.execute(call).await
    }

    async fn offload(&self, offload: Offload) -> Result<Offloaded> {
        self.0.offload(offload).await
    }

    async fn batch(&self, batch: Batch) -> Result<Batched> {
        self.0.batch(batch).await
    }
}

impl Peer for LocalPeer {
    fn id(&self) -> &NodeId {
        self.0.node()
    }

    fn site(&self) -> Site {
        self.0.site()
    }

    fn load(&self) -> Option<Load> {
        Some(self.0.load())
    }

    fn link(&self) -> Option<LinkEstimate> {
        None
    }

    fn address(&self) -> Option<String> {
        None
    }
}
