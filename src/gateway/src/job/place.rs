//! Parts of a job on their way to nodes: placed as calls are, sent in batches, and learned from.

use crate::dispatch::{Dispatcher, Question};
use crate::peers::{Member, find};
use ganglion_scheduler::{ObjectFacts, Outcome, Profile};
use ganglion_types::{
    Answer, Batch, Batched, Call, End, Error, Ndp, NodeId, ObjectKey, Peer, Result, Site, Start,
};
use std::sync::Arc;

/// An object of a job whose node is asked for.
pub(crate) struct Object<'a> {
    pub(crate) key: &'a ObjectKey,
    pub(crate) size_bytes: u64,
    /// Its part may have run already.
    pub(crate) may_have_run: bool,
}

impl Dispatcher {
    /// The node where a part runs. `refused_by` is asked only when no other takes it. `ahead` tells how many parts the job already has
    /// at a node: they count as waiting there, so that a job of thousands does not go where the first of them would.
    ///
    /// # Errors
    /// `Busy` or `Unavailable` when there is none.
    pub(crate) fn place_part(
        &self,
        common: &Call,
        object: &Object<'_>,
        members: &[Member],
        refused_by: Option<&NodeId>,
        ahead: impl Fn(&NodeId) -> u32,
    ) -> Result<NodeId> {
        let home = self.store.home(object.key);
        let question = Question {
            code: (common.module, common.entry),
            ndp: common.ndp,
            may_have_run: object.may_have_run,
            input_bytes: (object.key.key.as_str().len() + common.input.len()) as u64,
            object: Some(ObjectFacts {
                key: object.key,
                size_bytes: Some(object.size_bytes),
                home: home.as_ref(),
            }),
        };
        let decide = |refused: &[bool]| -> Result<NodeId> {
            let mut candidates = self.candidates(members, refused, home.as_ref());
            for candidate in &mut candidates {
                if let Some(load) = &mut candidate.load {
                    let ours = ahead(candidate.node).saturating_sub(load.running);
                    load.queued = load.queued.max(ours);
                }
            }
            let mut known = Profile::default();
            let decision = self.decide(&question, &candidates, &mut known)?;
            Ok(decision.chosen.node.clone())
        };
        let is_refused = |member: &Member| Some(member.peer.id()) == refused_by;
        let refused: Vec<bool> = members.iter().map(is_refused).collect();
        match decide(&refused) {
            Err(error) if refused.contains(&true) && error.kind().nothing_ran() => {
                decide(&vec![false; members.len()])
            }
            decided => decided,
        }
    }

    /// Sends a batch and waits for what comes of it. Dropping the future stops its parts.
    ///
    /// # Errors
    /// As [`ganglion_types::Executor::batch`]; `Indeterminate` also when no answer came in time.
    pub(crate) async fn send(&self, peer: Arc<dyn Peer>, batch: Batch) -> Result<Batched> {
        let _under_way = self.under_way.token();
        let (deadline, node) = (batch.common.deadline, peer.id().clone());
        let answer = peer.batch(batch);
        let answer = self.in_time(deadline, &node, answer).await;
        if let Err(error) = &answer {
            self.metrics.refused(peer.site(), error.kind());
        }
        answer
    }

    /// Runs a call that combines outputs: on compute, or at a storage node where there are no others.
    ///
    /// # Errors
    /// As [`Dispatcher::run`].
    pub(crate) async fn combine(&self, call: &Call) -> Result<Answer> {
        let members = self.peers.current();
        if call.ndp == Ndp::Forbidden || has_compute(&members) {
            return self.run(call).await.map(|placed| placed.answer);
        }
        let load = |member: &Member| member.peer.load().filter(|load| !load.draining);
        let loads = members.iter().filter_map(|m| Some((load(m)?, m)));
        let least = loads.min_by_key(|(load, _)| load.running.saturating_add(load.queued));
        match least {
            Some((_, member)) => self.execute(member, call).await,
            None => Err(Error::unavailable("no node can be reached")),
        }
    }

    /// Learns from a part that ran.
    pub(crate) fn learn_part(&self, common: &Call, object: &Object<'_>, answer: &Answer) {
        let succeeded = answer.end == End::Exited(0) && answer.usage.start == Start::Restored;
        let outcome = succeeded.then(|| Outcome {
            site: answer.site,
            input_bytes: (object.key.key.as_str().len() + common.input.len()) as u64,
            named_object: true,
            object_size_bytes: Some(object.size_bytes),
            // Shared with the batch's other parts, as is the time of the way.
            output_bytes: None,
            usage: answer.usage,
            took: None,
        });
        let home = self.store.home(object.key);
        self.knowledge.learn(
            &(common.module, common.entry),
            outcome.as_ref(),
            (&answer.node, &answer.usage),
            home.as_ref(),
        );
    }
}

/// Whether there are nodes that keep no objects, reachable or not.
pub(crate) fn has_compute(members: &[Member]) -> bool {
    let mut sites = members.iter().map(|member| member.peer.site());
    sites.any(|site| site == Site::Compute)
}

/// The node of that name, when it is a member.
pub(crate) fn peer_of(members: &[Member], node: &NodeId) -> Option<Arc<dyn Peer>> {
    find(members, node).map(|member| member.peer.clone())
}
