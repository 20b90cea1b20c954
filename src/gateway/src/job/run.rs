//! One job, from its first page of keys to its result.
//!
//! A single task keeps everything and waits for two things: the next page of keys, when it wants one, and the next of the tasks
//! that it has started to end. These are batches at nodes, parts that rest before they are placed again, and outputs that are being
//! combined. When the job's future is dropped they are ended with it, and the guests of its batches are stopped.

use super::gather::{Gathered, check_result};
use super::jobs::Job;
use super::keys::{Listing, Page, Pages};
use super::part::{Past, Waiting, failure, is_repeatable, next_batch, rest_unplaced};
use super::place::{Object, has_compute, peer_of};
use super::plan::{BATCHES_AT_NODE, Plan};
use crate::app::Shared;
use crate::metrics::PartOutcome;
use crate::peers::Member;
use bytes::Bytes;
use ganglion_types::{
    Answer, Batch, Batched, Call, Combiner, Error, Key, Ndp, NodeId, ObjectKey, Part, Result,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// With fewer keys in hand the next page is taken in.
const UNPLACED_MIN: usize = 512;

/// What the job has at a node.
#[derive(Default)]
struct AtNode {
    placed: VecDeque<Waiting>,
    sent_parts: u32,
    sent_batches: u32,
}

/// What a task of the job came to.
enum Ended {
    Batch {
        node: NodeId,
        parts: Vec<Waiting>,
        answer: Result<Batched>,
    },
    Rested(Vec<Waiting>),
    Combined(Result<Bytes>),
    Listed,
}

struct Run<'a> {
    app: &'a Shared,
    job: &'a Arc<Job>,
    plan: Plan,
    pages: Pages,
    /// Every key is taken in.
    listed: bool,
    /// Objects so far.
    objects: u32,
    unplaced: VecDeque<Waiting>,
    /// Parts that rest.
    resting: usize,
    nodes: HashMap<NodeId, AtNode>,
    gathered: Gathered,
    is_combining: bool,
    tasks: JoinSet<Ended>,
}

/// Runs a job to its end.
///
/// # Errors
/// What a part failed with, its object named; `Invalid` beyond a limit; what the store says of a listing.
pub(super) async fn run(app: &Shared, job: &Arc<Job>, plan: Plan) -> Result<Bytes> {
    let result_bytes_max = app.settings.jobs.result_bytes_max;
    let (listing, pages) = Listing::new(app, job, &plan.over);
    let mut run = Run {
        gathered: Gathered::new(plan.combiner.clone(), result_bytes_max),
        app,
        job,
        plan,
        pages,
        listed: false,
        objects: 0,
        unplaced: VecDeque::new(),
        resting: 0,
        nodes: HashMap::new(),
        is_combining: false,
        tasks: JoinSet::new(),
    };
    run.tasks.spawn(async move {
        listing.run().await;
        Ended::Listed
    });
    loop {
        run.place()?;
        run.send();
        let wants_keys = run.wants_keys();
        tokio::select! {
            page = run.pages.recv(), if wants_keys => run.enter(page)?,
            ended = run.tasks.join_next() => match ended {
                Some(ended) => run.take(ended.map_err(came_apart)?)?,
                None if run.has_more() => {}
                None => break,
            },
        }
    }
    run.combine_rest().await?;
    let result = run.gathered.into_result();
    check_result(result.len() as u64, result_bytes_max)?;
    Ok(result)
}

#[allow(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn came_apart(error: tokio::task::JoinError) -> Error {
    Error::internal(format!("a task of the job ended early: {error}"))
}

impl Run<'_> {
    /// Whether a part is waiting, or may still be found.
    fn has_more(&self) -> bool {
        let placed = self.nodes.values().any(|node| !node.placed.is_empty());
        placed || !self.unplaced.is_empty() || !self.listed
    }

    /// Whether more keys are to be taken in. All that have not been sent count, also those that rest: nodes that refuse everything make
    /// a job no larger.
    fn wants_keys(&self) -> bool {
        let placed: usize = self.nodes.values().map(|node| node.placed.len()).sum();
        let in_hand = self.unplaced.len() + self.resting + placed;
        !self.listed && in_hand < self.placed_max().max(UNPLACED_MIN)
    }

    /// Parts that may be placed before they are sent.
    fn placed_max(&self) -> usize {
        let members = self.app.peers.current().len().max(1);
        members * self.app.settings.jobs.batch_parts_max * 2
    }

    fn enter(&mut self, page: Option<Result<Page>>) -> Result<()> {
        let Some(page) = page else {
            self.listed = true;
            return Ok(());
        };
        for (key, size_bytes) in page?.objects {
            let number = self.objects;
            self.objects += 1;
            let part = Part { number, key };
            self.unplaced.push_back(Waiting::new(part, size_bytes));
        }
        Ok(())
    }

    /// Gives parts to nodes, as many as these will want next and no more: what is learned meanwhile is for the rest.
    fn place(&mut self) -> Result<()> {
        let members = self.app.peers.current();
        let placed_max = self.placed_max();
        let mut left = Vec::new();
        let mut placed: usize = self.nodes.values().map(|node| node.placed.len()).sum();
        while placed < placed_max
            && let Some(waiting) = self.unplaced.pop_front()
        {
            let key = self.object_key(&waiting.part.key);
            let object = Object {
                key: &key,
                size_bytes: waiting.size_bytes,
                may_have_run: waiting.past.lost.is_some(),
            };
            let ahead = |node: &NodeId| {
                let ahead = |node: &AtNode| node.placed.len() + node.sent_parts as usize;
                let ahead = self.nodes.get(node).map_or(0, ahead);
                u32::try_from(ahead).unwrap_or(u32::MAX)
            };
            let refused_by = waiting.refused_by.as_ref();
            let (dispatcher, common) = (&self.app.dispatcher, &self.plan.common);
            match dispatcher.place_part(common, &object, &members, refused_by, ahead) {
                Ok(node) => {
                    let node = self.nodes.entry(node).or_default();
                    node.placed.push_back(waiting);
                    placed += 1;
                }
                Err(error) => left.push((waiting, error)),
            }
        }
        let rest = |run: &Self, waiting: &mut Waiting, error: &Error| match run
            .may_come(waiting, &members)
        {
            true => rest_unplaced(error.kind()),
            false => waiting
                .past
                .rest_after(error, run.app.settings.attempts_max),
        };
        self.rest(left, rest)
    }

    /// Whether the cluster has nodes that a part may be placed on, also when none of them can be reached now.
    fn may_come(&self, waiting: &Waiting, members: &[Member]) -> bool {
        let only_compute = self.plan.common.ndp == Ndp::Forbidden || waiting.past.lost.is_some();
        members.is_empty() || !only_compute || has_compute(members)
    }

    fn object_key(&self, key: &Key) -> ObjectKey {
        ObjectKey {
            bucket: self.plan.over.bucket.clone(),
            key: key.clone(),
        }
    }

    /// Sends batches to the nodes that have room for one.
    fn send(&mut self) {
        if self.is_combining && self.gathered.is_full() {
            return;
        }
        let members = self.app.peers.current();
        let settings = &self.app.settings.jobs;
        for (node, at) in &mut self.nodes {
            while at.sent_batches < BATCHES_AT_NODE && !at.placed.is_empty() {
                let Some(peer) = peer_of(&members, node) else {
                    // It has left the cluster since.
                    self.unplaced.extend(at.placed.drain(..));
                    break;
                };
                let limits = (self.plan.batch_parts_max, settings.batch_bytes_max);
                let parts = next_batch(&mut at.placed, limits);
                at.sent_batches += 1;
                at.sent_parts += u32::try_from(parts.len()).unwrap_or(u32::MAX);
                let batch = Batch {
                    common: self.plan.common.clone(),
                    parts: parts.iter().map(|waiting| waiting.part.clone()).collect(),
                    combiner: self.plan.combiner.clone(),
                    outputs_bytes_max: settings.result_bytes_max,
                };
                let (app, node) = (self.app.clone(), node.clone());
                self.tasks.spawn(async move {
                    let answer = app.dispatcher.send(peer, batch).await;
                    Ended::Batch {
                        node,
                        parts,
                        answer,
                    }
                });
            }
        }
    }

    fn take(&mut self, ended: Ended) -> Result<()> {
        match ended {
            Ended::Listed => {}
            Ended::Rested(rested) => {
                self.resting -= rested.len();
                for waiting in rested.into_iter().rev() {
                    self.unplaced.push_front(waiting);
                }
            }
            Ended::Combined(output) => {
                self.is_combining = false;
                self.gathered.put_back(output?);
            }
            Ended::Batch {
                node,
                parts,
                answer,
            } => self.take_batch(&node, parts, answer)?,
        }
        if !self.is_combining
            && let Some(group) = self.gathered.too_many()?
        {
            self.combine(group);
        }
        Ok(())
    }

    fn take_batch(
        &mut self,
        node: &NodeId,
        mut parts: Vec<Waiting>,
        answer: Result<Batched>,
    ) -> Result<()> {
        if let Some(at) = self.nodes.get_mut(node) {
            at.sent_batches -= 1;
            at.sent_parts -= u32::try_from(parts.len()).unwrap_or(u32::MAX);
        }
        for waiting in &mut parts {
            waiting.refused_by = Some(node.clone());
        }
        let mut batched = match answer {
            Ok(batched) if batched.parts.len() == parts.len() => batched,
            Ok(_) => {
                return Err(Error::corrupt(format!(
                    "{node} answered for other parts than it was sent"
                )));
            }
            Err(error) if is_repeatable(error.kind()) => {
                let lost = parts.into_iter().map(|waiting| (waiting, error.clone()));
                return self.again(lost.collect());
            }
            Err(error) => return Err(error),
        };
        let numbers = parts.iter().map(|waiting| waiting.part.number);
        let came = self.gathered.take(numbers, &mut batched)?;
        self.job.note(|progress| progress.outputs_bytes += came);
        let mut left = Vec::new();
        for (waiting, answer) in parts.into_iter().zip(batched.parts) {
            match answer {
                Ok(answer) => self.ran(waiting, &answer)?,
                Err(error) => left.push((waiting, error)),
            }
        }
        self.again(left)
    }

    /// A part's guest has run.
    fn ran(&mut self, waiting: Waiting, answer: &Answer) -> Result<()> {
        let key = self.object_key(&waiting.part.key);
        let object = Object {
            key: &key,
            size_bytes: waiting.size_bytes,
            may_have_run: true,
        };
        let dispatcher = &self.app.dispatcher;
        dispatcher.learn_part(&self.plan.common, &object, answer);
        match failure(answer) {
            // Not its own failure: the store may be there the next time.
            Some(error) if answer.usage.store_failures > 0 => {
                let attempts_max = self.app.settings.attempts_max;
                let again = |_: &Self, waiting: &mut Waiting, _: &Error| {
                    waiting.past.rest_of_attempt(attempts_max)
                };
                self.rest(vec![(waiting, error)], again)
            }
            Some(error) => {
                let metrics = &self.app.metrics;
                metrics.job_part(answer.site, PartOutcome::Failed);
                self.failed(&waiting, error)
            }
            None => {
                self.app.metrics.job_part(answer.site, PartOutcome::Ok);
                self.job
                    .note(|progress| progress.part_done(answer, waiting.size_bytes));
                Ok(())
            }
        }
    }

    /// Nodes have not brought these to their end: they rest and are placed again, or that was all.
    fn again(&mut self, left: Vec<(Waiting, Error)>) -> Result<()> {
        let attempts_max = self.app.settings.attempts_max;
        self.rest(left, |_, waiting, error| {
            waiting.past.rest_after(error, attempts_max)
        })
    }

    /// Parts rest as long as `rest` says, those for whom it is the same together; one for whom it says nothing has failed.
    fn rest(
        &mut self,
        left: Vec<(Waiting, Error)>,
        rest: impl Fn(&Self, &mut Waiting, &Error) -> Option<Duration>,
    ) -> Result<()> {
        let mut resting: BTreeMap<Duration, Vec<Waiting>> = BTreeMap::new();
        for (mut waiting, error) in left {
            let Some(rest) = rest(self, &mut waiting, &error) else {
                let error = waiting.past.final_error(error);
                self.failed(&waiting, error)?;
                continue;
            };
            tracing::debug!(job = %self.job.id, key = %waiting.part.key, %error, "placed again");
            self.job.note(|progress| progress.repeated += 1);
            self.app.metrics.job_part_repeated();
            self.resting += 1;
            resting.entry(rest).or_default().push(waiting);
        }
        for (rest, waiting) in resting {
            self.tasks.spawn(async move {
                tokio::time::sleep(rest).await;
                Ended::Rested(waiting)
            });
        }
        Ok(())
    }

    /// A part failed for good: so does the job, unless it goes on without.
    fn failed(&self, waiting: &Waiting, error: Error) -> Result<()> {
        let key = &waiting.part.key;
        self.job
            .note(|progress| progress.part_failed(key, &error, waiting.size_bytes));
        match self.plan.keep_going {
            true => Ok(()),
            false => Err(error.within(self.object_key(key))),
        }
    }

    fn combine(&mut self, group: Vec<Bytes>) {
        let Some(combiner) = self.plan.combiner.clone() else {
            return;
        };
        self.is_combining = true;
        let (app, common) = (self.app.clone(), self.plan.common.clone());
        self.tasks
            .spawn(async move { Ended::Combined(combine(&app, &common, &combiner, &group).await) });
    }

    /// Combines until one output is left; all of them are here.
    async fn combine_rest(&mut self) -> Result<()> {
        loop {
            if !self.is_combining {
                let Some(group) = self.gathered.next_group()? else {
                    return Ok(());
                };
                self.combine(group);
            }
            if let Some(ended) = self.tasks.join_next().await {
                self.take(ended.map_err(came_apart)?)?;
            }
        }
    }
}

/// Makes one of several outputs, on whatever node a call that names no object runs. While none takes it, it waits.
async fn combine(
    app: &Shared,
    common: &Call,
    combiner: &Combiner,
    group: &[Bytes],
) -> Result<Bytes> {
    let mut past = Past::default();
    loop {
        let now_ns = app.ambient.monotonic_ns();
        let call = combiner.call(common, app.call_ids.next(), group, now_ns);
        let error = match app.dispatcher.combine(&call).await {
            Ok(answer) => return combiner.output(answer),
            Err(error) => error,
        };
        let rest = rest_unplaced(error.kind());
        let rest = rest.or_else(|| past.rest_after(&error, app.settings.attempts_max));
        let Some(rest) = rest else {
            return Err(error.within(format!("combining ({})", combiner.function)));
        };
        tokio::time::sleep(rest).await;
    }
}
