//! A node on the other side of a link, as one that runs calls.

use crate::connection::Ask;
use crate::failure::Failure;
use crate::link::Link;
use crate::parts::{Parts, one};
use async_trait::async_trait;
use bytes::Bytes;
use ganglion_types::{
    Answer, Batch, Batched, Call, Error, Executor, LinkEstimate, Load, NodeId, Offload, Offloaded,
    Peer, Result, Site,
};
use ganglion_wire::message::{self, answer::Outcome, request::Operation};
use ganglion_wire::{OffloadParts, Packing, batch_message, offload_parts, packing_for};
use std::sync::Arc;

/// A remote worker.
pub struct RemotePeer {
    link: Arc<Link>,
    node: NodeId,
    site: Site,
}

impl RemotePeer {
    /// The node of that name and kind (membership knows both) over `link`.
    pub fn new(link: Arc<Link>, node: NodeId, site: Site) -> Self {
        Self { link, node, site }
    }
}

#[async_trait]
impl Executor for RemotePeer {
    /// Sends the call and waits for its answer, `link.answer_grace` longer than its deadline. Dropping the future cancels the
    /// call over there.
    ///
    /// # Errors
    /// `Unavailable`, `Busy` and `Deadline` when it was not sent, `Indeterminate` when no answer came, and what the node said.
    async fn execute(&self, call: Call) -> Result<Answer> {
        let ask = Ask {
            operation: Operation::Execute(message::Execute::from(&call)),
            payload: one(call.input),
            place: None,
        };
        let grace = self.link.settings().answer_grace;
        let reply = self.link.ask(ask, call.deadline, grace).await;
        let reply = reply.map_err(Failure::of_effect)?;
        let load = reply.answer.load.unwrap_or_default().into();
        match reply.answer.outcome {
            Some(Outcome::Executed(executed)) => {
                executed.into_answer(reply.payload.into_bytes(), load)
            }
            _ => Err(unexpected(&self.link)),
        }
    }

    /// Sends what the guest has changed and waits for what its function changes, as [`RemotePeer::execute`] does.
    async fn offload(&self, offload: Offload) -> Result<Offloaded> {
        let until = offload.call.deadline;
        let OffloadParts {
            offload,
            input,
            pages,
        } = offload_parts(offload, self.packing())?;
        let ask = Ask {
            operation: Operation::Offload(Box::new(offload)),
            payload: parts(input, pages.into_iter()),
            place: None,
        };
        let grace = self.link.settings().answer_grace;
        let reply = self.link.ask(ask, until, grace).await;
        let reply = reply.map_err(Failure::of_effect)?;
        let load = reply.answer.load.unwrap_or_default().into();
        match reply.answer.outcome {
            Some(Outcome::Offloaded(offloaded)) => {
                offloaded.into_offloaded(reply.payload.into_bytes(), load)
            }
            _ => Err(unexpected(&self.link)),
        }
    }

    /// Sends the parts and waits for what comes of them all, as [`RemotePeer::execute`] does.
    async fn batch(&self, batch: Batch) -> Result<Batched> {
        let ask = Ask {
            operation: Operation::Batch(Box::new(batch_message(&batch))),
            payload: one(batch.common.input),
            place: None,
        };
        let grace = self.link.settings().answer_grace;
        let reply = self.link.ask(ask, batch.common.deadline, grace).await;
        let reply = reply.map_err(Failure::of_effect)?;
        let load = reply.answer.load.unwrap_or_default().into();
        match reply.answer.outcome {
            Some(Outcome::Batched(batched)) => {
                batched.into_batched(reply.payload.into_bytes(), load)
            }
            _ => Err(unexpected(&self.link)),
        }
    }
}

impl RemotePeer {
    /// How pages travel over this link.
    fn packing(&self) -> Packing {
        match self.link.estimate() {
            Some(link) => packing_for(u64::MAX, link.bytes_per_s),
            None => Packing::Plain,
        }
    }
}

/// The parts of an offload's payload: the call's input, and behind it the pages.
fn parts(input: Bytes, pages: impl Iterator<Item = Bytes>) -> Parts {
    std::iter::once(input).chain(pages).collect()
}

/// An answer to another question.
pub(crate) fn unexpected(link: &Link) -> Error {
    Error::corrupt(format!(
        "the answer from {} is not to what was asked",
        link.address()
    ))
}

impl Peer for RemotePeer {
    fn id(&self) -> &NodeId {
        &self.node
    }

    fn site(&self) -> Site {
        self.site
    }

    fn load(&self) -> Option<Load> {
        self.link.load()
    }

    fn link(&self) -> Option<LinkEstimate> {
        self.link.estimate()
    }

    fn address(&self) -> Option<String> {
        Some(self.link.address().to_owned())
    }
}
