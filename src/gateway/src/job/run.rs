//! One job, from its first page of keys to its result.
//!
//! A single task keeps everything and waits for one thing: the next of the tasks that it has started to end. These are batches at
//! nodes, parts that rest before they are placed again, and outputs that are being combined. When the job's future is dropped they are
//! ended with it, and the guests of its batches are stopped.

use super::gather::{Gathered, check_result};
use super::jobs::Job;
use super::over::Over;
use super::part::{REST, Waiting, failure, is_repeatable, next_batch};
use super::place::{Object, peer_of};
use super::plan::Plan;
use crate::app::Shared;
use crate::metrics::PartOutcome;
use bytes::Bytes;
use ganglion_store::{ListPage, ObjectStore};
use ganglion_types::{
    Answer, Batch, Batched, Call, Combiner, Error, Key, NodeId, ObjectKey, Part, Result,
};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Keys asked for at once.
const PAGE: usize = 1_000;
/// With fewer keys in hand the next page is asked for.
const UNPLACED_MIN: usize = 512;
/// Batches of a job at one node: one runs, and the next is there when it ends.
const BATCHES_AT_NODE: u32 = 2;

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
    Rested(Waiting),
    Combined(Result<Bytes>),
    Counted(Result<(u64, u64)>),
}

/// Where the listing of keys is.
#[derive(Default)]
struct Listing {
    after: Option<Key>,
    is_over: bool,
    objects: u32,
}

struct Run<'a> {
    app: &'a Shared,
    job: &'a Arc<Job>,
    plan: Plan,
    listing: Listing,
    unplaced: VecDeque<Waiting>,
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
    let mut run = Run {
        gathered: Gathered::new(plan.combiner.clone(), result_bytes_max),
        app,
        job,
        plan,
        listing: Listing::default(),
        unplaced: VecDeque::new(),
        nodes: HashMap::new(),
        is_combining: false,
        tasks: JoinSet::new(),
    };
    run.count();
    loop {
        run.list().await?;
        run.place()?;
        run.send();
        match run.tasks.join_next().await {
            Some(ended) => run.take(ended.map_err(came_apart)?)?,
            None if run.has_more() => {}
            None => break,
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
        placed || !self.unplaced.is_empty() || !self.listing.is_over
    }

    /// Counts the objects, ahead of the listing, which goes no faster than the job: that is what the time left is told by.
    fn count(&mut self) {
        let (store, over) = (self.app.store.clone(), self.plan.over.clone());
        let tries = self.app.settings.attempts_max;
        self.tasks.spawn(async move {
            let (mut objects, mut bytes, mut after) = (0, 0, None);
            loop {
                let page = match page(&*store, &over, after.as_ref(), tries).await {
                    Ok(page) => page,
                    Err(error) => return Ended::Counted(Err(error)),
                };
                for (_, meta) in page.objects.iter().filter(|(key, _)| over.matches(key)) {
                    objects += 1;
                    bytes += meta.size_bytes;
                }
                after = page.objects.last().map(|(key, _)| key.clone());
                if !page.more || after.is_none() {
                    return Ended::Counted(Ok((objects, bytes)));
                }
            }
        });
    }

    /// Takes in pages of keys until there are enough in hand.
    async fn list(&mut self) -> Result<()> {
        while !self.listing.is_over && self.unplaced.len() < UNPLACED_MIN {
            let (store, tries) = (&*self.app.store, self.app.settings.attempts_max);
            let page = page(store, &self.plan.over, self.listing.after.as_ref(), tries).await?;
            let last = page.objects.last().map(|(key, _)| key.clone());
            for (key, meta) in page.objects {
                if self.plan.over.matches(&key) {
                    self.enter(key, meta.size_bytes)?;
                }
            }
            self.listing.is_over = !page.more || last.is_none();
            self.listing.after = last;
        }
        Ok(())
    }

    fn enter(&mut self, key: Key, size_bytes: u64) -> Result<()> {
        let (number, limit) = (self.listing.objects, self.app.settings.jobs.objects_max);
        if number >= limit {
            return Err(Error::invalid(format!(
                "more than {limit} objects match `{}` (setting jobs.objects)",
                self.plan.over.pattern()
            )));
        }
        self.listing.objects += 1;
        let part = Part { number, key };
        self.unplaced.push_back(Waiting::new(part, size_bytes));
        Ok(())
    }

    /// Gives parts to nodes, as many as these will want next and no more: what is learned meanwhile is for the rest.
    fn place(&mut self) -> Result<()> {
        let members = self.app.peers.current();
        let batch = self.app.settings.jobs.batch_parts_max;
        let placed_max = members.len().max(1) * batch * 2;
        let mut placed: usize = self.nodes.values().map(|node| node.placed.len()).sum();
        while placed < placed_max
            && let Some(waiting) = self.unplaced.pop_front()
        {
            let key = self.object_key(&waiting.part.key);
            let object = Object {
                key: &key,
                size_bytes: waiting.size_bytes,
                may_have_run: waiting.may_have_run,
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
                Err(error) => self.again(waiting, error)?,
            }
        }
        Ok(())
    }

    fn object_key(&self, key: &Key) -> ObjectKey {
        ObjectKey {
            bucket: self.plan.over.bucket.clone(),
            key: key.clone(),
        }
    }

    /// Sends batches to the nodes that have room for one.
    fn send(&mut self) {
        let members = self.app.peers.current();
        let settings = &self.app.settings.jobs;
        for (node, at) in &mut self.nodes {
            while at.sent_batches < BATCHES_AT_NODE && !at.placed.is_empty() {
                let Some(peer) = peer_of(&members, node) else {
                    // It has left the cluster since.
                    self.unplaced.extend(at.placed.drain(..));
                    break;
                };
                let limits = (settings.batch_parts_max, settings.batch_bytes_max);
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
            Ended::Rested(waiting) => self.unplaced.push_front(waiting),
            Ended::Counted(counted) => {
                let counted = counted?;
                self.job.note(|progress| progress.total = Some(counted));
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
            && let Some(group) = self.gathered.too_many()
        {
            self.is_combining = true;
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
                return lost
                    .into_iter()
                    .try_for_each(|(part, error)| self.again(part, error));
            }
            Err(error) => return Err(error),
        };
        let numbers = parts.iter().map(|waiting| waiting.part.number);
        let came = self.gathered.take(numbers, &mut batched)?;
        self.job.note(|progress| progress.outputs_bytes += came);
        for (waiting, answer) in parts.into_iter().zip(batched.parts) {
            match answer {
                Ok(answer) => self.ran(waiting, &answer)?,
                Err(error) => self.again(waiting, error)?,
            }
        }
        Ok(())
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

    /// A part came to nothing: it rests and is placed again, or that was all.
    fn again(&mut self, mut waiting: Waiting, error: Error) -> Result<()> {
        let attempts_max = self.app.settings.attempts_max;
        let Some(rest) = waiting.rest_after(error.kind(), attempts_max) else {
            return self.failed(&waiting, error);
        };
        tracing::debug!(job = %self.job.id, key = %waiting.part.key, %error, "placed again");
        self.job.note(|progress| progress.repeated += 1);
        self.app.metrics.job_part_repeated();
        self.tasks.spawn(async move {
            tokio::time::sleep(rest).await;
            Ended::Rested(waiting)
        });
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
        let (app, common) = (self.app.clone(), self.plan.common.clone());
        self.tasks
            .spawn(async move { Ended::Combined(combine(&app, &common, &combiner, &group).await) });
    }

    /// Combines until one output is left; all of them are here.
    async fn combine_rest(&mut self) -> Result<()> {
        while let Some(group) = self.gathered.next_group()? {
            self.combine(group);
            if let Some(ended) = self.tasks.join_next().await {
                self.take(ended.map_err(came_apart)?)?;
            }
        }
        Ok(())
    }
}

/// One page of keys. A store that cannot be reached is asked again, a few times.
async fn page(
    store: &dyn ObjectStore,
    over: &Over,
    after: Option<&Key>,
    tries: u32,
) -> Result<ListPage> {
    let mut tried = 1;
    loop {
        match store.list(&over.bucket, &over.prefix, after, PAGE).await {
            Err(error) if error.kind().nothing_ran() && tried < tries => {
                tokio::time::sleep(REST).await;
                tried += 1;
            }
            listed => return listed.map_err(|error| error.within("listing the job's objects")),
        }
    }
}

/// Makes one of several outputs, on whatever node a call that names no object runs.
async fn combine(
    app: &Shared,
    common: &Call,
    combiner: &Combiner,
    group: &[Bytes],
) -> Result<Bytes> {
    let now_ns = app.ambient.monotonic_ns();
    let call = combiner.call(common, app.call_ids.next(), group, now_ns);
    let placed = app.dispatcher.run(&call).await;
    let placed =
        placed.map_err(|error| error.within(format!("combining ({})", combiner.function)))?;
    combiner.output(placed.answer)
}
