//! Parts of a job on their node: run as permits allow, their outputs combined before they leave.
//!
//! ```text
//!   parts ─ permit ─ run ─┬─ failed ───────────────────────────────> told
//!                         └─ output ─┬─ no combiner ───────────────> sent back
//!                                    └─ kept ─ `limits.input` full ─ combined, kept ─ at the end: combined, sent back
//! ```
//!
//! A part is a call like any other: it waits for its permit behind the calls that were there before it. No more parts run or wait at
//! once than the node has permits, however many batches there are, so a call waits for few of them.

use crate::worker::Shared;
use bytes::Bytes;
use ganglion_types::{Answer, Batch, Batched, Combiner, End, Error, Result, take_together};
use std::sync::Arc;
use tokio::task::JoinSet;

/// The end of what a failed guest printed that is told of it, in bytes.
const TOLD_BYTES: usize = 4 << 10;

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
            self.shorten(answer)?;
        }
        self.answers[index] = Some(answer);
        match &self.batch.combiner {
            Some(combiner) if self.kept_bytes >= combiner.input_bytes_max => {
                self.combine(combiner).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Leaves of an answer what is to go back with it.
    fn shorten(&mut self, answer: &mut Answer) -> Result<()> {
        if answer.end != End::Exited(0) {
            for printed in [&mut answer.stdout, &mut answer.stderr] {
                *printed = printed.slice(printed.len().saturating_sub(TOLD_BYTES)..);
            }
            if let Some(output) = &mut answer.output {
                output.truncate(TOLD_BYTES);
            }
            return Ok(());
        }
        let printed = std::mem::take(&mut answer.stdout);
        let output = answer.output.take().unwrap_or(printed);
        answer.stderr = Bytes::new();
        self.kept_bytes += output.len() as u64;
        if self.batch.combiner.is_some() {
            self.outputs.push(output);
            return Ok(());
        }
        answer.output = Some(output);
        let limit = self.batch.outputs_bytes_max;
        match self.kept_bytes > limit {
            false => Ok(()),
            true => Err(Error::invalid(format!(
                "the outputs of the job's parts have more than {limit} bytes together (setting jobs.result)"
            ))),
        }
    }

    /// Makes one of as many outputs as fit the combiner's input, if there are two that do. `false`: there are not, or the node had no
    /// room for it, and they stay as they are.
    async fn combine(&mut self, combiner: &Combiner) -> Result<bool> {
        let Some(group) = take_together(&mut self.outputs, combiner.input_bytes_max) else {
            return Ok(false);
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
                return Ok(false);
            }
            Err(error) => return Err(error.within(format!("combining ({})", combiner.function))),
        };
        self.outputs.push(combined);
        self.kept_bytes = self.outputs.iter().map(|output| output.len() as u64).sum();
        Ok(true)
    }

    async fn finish(mut self) -> Result<Batched> {
        if let Some(combiner) = &self.batch.combiner {
            while self.combine(combiner).await? {}
        }
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
