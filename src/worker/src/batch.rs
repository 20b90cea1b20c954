//! Parts of a job on their node: run as permits allow, their outputs combined before they leave.
//!
//! ```text
//!   parts ─ permit ─ run ─┬─ failed ───────────────────────────────> told
//!                         └─ output ─┬─ no combiner ───────────────> sent back
//!                                    └─ kept ─ `limits.input` full ─ combined, kept ─ at the end: combined, sent back
//! ```
//!
//! What is kept is bounded: beyond `jobs.result` no more outputs are taken until some are combined, and ones of which no two fit
//! `limits.input` end the batch.
//!
//! A part is a call like any other: it waits for its permit behind the calls that were there before it. No more parts run or wait at
//! once than the node has permits, however many batches there are, so a call waits for few of them.

use crate::worker::Shared;
use bytes::Bytes;
use ganglion_types::{Answer, Batch, Batched, Combiner, End, Error, Result, take_together};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// The end of what a failed guest printed that is told of it, in bytes.
const TOLD_BYTES: usize = 4 << 10;
/// How long a combiner rests that had to be run now and was refused.
const REST: Duration = Duration::from_millis(50);

/// What has come of a batch so far.
struct Gathered<'a> {
    worker: &'a Arc<Shared>,
    batch: &'a Batch,
    answers: Vec<Option<Result<Answer>>>,
    /// Waiting to be combined.
    outputs: Vec<Bytes>,
    /// Of the outputs that are kept, in bytes.
    kept_bytes: u64,
}

/// What came of combining some of what is kept.
enum Combined {
    /// There is one output in place of several.
    Yes,
    /// No two fit the combiner's input.
    NoTwo,
    /// The node had no room for it: they stay as they are.
    Refused,
}

/// Runs a batch that is admitted. Dropping the future stops the guests that run.
///
/// # Errors
/// `Guest` when the combiner failed, `Invalid` when the outputs are too long together, `Internal` when a part's task came apart.
pub(crate) async fn run(worker: &Arc<Shared>, batch: Batch) -> Result<Batched> {
    let batch = Arc::new(batch);
    let mut gathered = Gathered {
        worker,
        batch: &batch,
        answers: vec![None; batch.parts.len()],
        outputs: Vec::new(),
        kept_bytes: 0,
    };
    let at_once = worker.settings.permits as usize;
    let (mut running, mut begun) = (JoinSet::new(), 0);
    loop {
        while begun < batch.parts.len() && running.len() < at_once {
            // A task of its own for each: one that runs inline keeps the others from nothing.
            running.spawn(part(worker.clone(), batch.clone(), begun));
            begun += 1;
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        let (index, answer) = ended
            .map_err(|error| Error::internal(format!("a part's task ended early: {error}")))?;
        gathered.take(index, answer).await?;
    }
    gathered.finish().await
}

async fn part(worker: Arc<Shared>, batch: Arc<Batch>, index: usize) -> (usize, Result<Answer>) {
    let _part = worker.job_parts.acquire().await;
    if worker.is_draining() {
        let node = &worker.node;
        let error = Error::unavailable(format!("{node} is draining and begins no more parts"));
        return (index, Err(error));
    }
    let now_ns = worker.around.ambient.monotonic_ns();
    let call = batch.call(&batch.parts[index], now_ns);
    (index, worker.call(call, now_ns).await)
}

impl Gathered<'_> {
    async fn take(&mut self, index: usize, mut answer: Result<Answer>) -> Result<()> {
        if let Ok(answer) = &mut answer {
            self.shorten(answer);
        }
        self.answers[index] = Some(answer);
        if let Some(combiner) = &self.batch.combiner
            && self.kept_bytes >= combiner.input_bytes_max
        {
            self.combine(combiner).await?;
        }
        self.keep_within().await
    }

    /// Combines until what is kept is within its limit. Where the node has no room for that now, the batch waits.
    async fn keep_within(&mut self) -> Result<()> {
        let limit = self.batch.outputs_bytes_max;
        while self.kept_bytes > limit {
            let Some(combiner) = &self.batch.combiner else {
                return Err(Error::invalid(format!(
                    "the outputs of the job's parts have more than {limit} bytes together (setting jobs.result)"
                )));
            };
            match self.combine(combiner).await? {
                Combined::Yes => {}
                Combined::NoTwo => return Err(combiner.no_two(self.outputs.len(), limit)),
                Combined::Refused => self.rest().await?,
            }
        }
        Ok(())
    }

    /// # Errors
    /// `Deadline` when the batch's time is over.
    async fn rest(&self) -> Result<()> {
        let now_ns = self.worker.around.ambient.monotonic_ns();
        if self.batch.common.deadline.remaining(now_ns).is_zero() {
            return Err(Error::deadline(
                "no combiner had room before the job's end (setting jobs.time)",
            ));
        }
        tokio::time::sleep(REST).await;
        Ok(())
    }

    /// Leaves of an answer what is to go back with it.
    fn shorten(&mut self, answer: &mut Answer) {
        if answer.end != End::Exited(0) {
            for printed in [&mut answer.stdout, &mut answer.stderr] {
                *printed = printed.slice(printed.len().saturating_sub(TOLD_BYTES)..);
            }
            if let Some(output) = &mut answer.output {
                output.truncate(TOLD_BYTES);
            }
            return;
        }
        let printed = std::mem::take(&mut answer.stdout);
        let output = answer.output.take().unwrap_or(printed);
        answer.stderr = Bytes::new();
        self.kept_bytes += output.len() as u64;
        match self.batch.combiner {
            Some(_) => self.outputs.push(output),
            None => answer.output = Some(output),
        }
    }

    /// Makes one of as many outputs as fit the combiner's input, if there are two that do.
    async fn combine(&mut self, combiner: &Combiner) -> Result<Combined> {
        let Some(group) = take_together(&mut self.outputs, combiner.input_bytes_max) else {
            return Ok(Combined::NoTwo);
        };
        let now_ns = self.worker.around.ambient.monotonic_ns();
        let job = &self.batch.common;
        // It writes nothing, so its id is there for logs alone.
        let id = job.id.part(u32::MAX - self.batch.parts[0].number);
        let call = combiner.call(job, id, &group, now_ns);
        let combined = match self.worker.call(call, now_ns).await {
            Ok(answer) => combiner.output(answer)?,
            Err(error) if error.kind().nothing_ran() => {
                self.outputs.extend(group);
                return Ok(Combined::Refused);
            }
            Err(error) => return Err(error.within(format!("combining ({})", combiner.function))),
        };
        self.outputs.push(combined);
        self.kept_bytes = self.outputs.iter().map(|output| output.len() as u64).sum();
        Ok(Combined::Yes)
    }

    async fn finish(mut self) -> Result<Batched> {
        if let Some(combiner) = &self.batch.combiner {
            while matches!(self.combine(combiner).await?, Combined::Yes) {}
        }
        self.keep_within().await?;
        let told = |answer: Option<Result<Answer>>| {
            answer.unwrap_or_else(|| Err(Error::internal("a part that never ended")))
        };
        Ok(Batched {
            parts: self.answers.into_iter().map(told).collect(),
            combined: self.outputs,
            load: self.worker.load(),
        })
    }
}
