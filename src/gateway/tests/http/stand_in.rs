//! A node that does as it is told.

use async_trait::async_trait;
use bytes::Bytes;
use ganglion_types::{
    Answer, Batch, Batched, Call, End, Error, ErrorKind, Executor, LinkEstimate, Load, NodeId,
    Peer, Result, Site, Start, Usage,
};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// What a node does with its next calls.
#[derive(Clone, Debug)]
pub(crate) enum Will {
    /// Sets the input as output.
    Echo,
    /// Sets nothing and prints.
    Print,
    /// Returns this code, with this output.
    Return(i32, &'static str),
    /// Traps.
    Trap,
    /// Is ended by its deadline.
    OutOfTime,
    /// Returns 1, since the store failed it.
    StoreFails,
    /// Does not run it.
    Fail(ErrorKind),
    /// Runs it, and its answer is lost.
    Lose,
    /// Runs it once the gate is opened.
    Wait,
    /// Never answers.
    Hang,
}

pub(crate) struct StandIn {
    id: NodeId,
    site: Site,
    pub(crate) will: Mutex<Will>,
    pub(crate) load: Mutex<Option<Load>>,
    pub(crate) seen: Mutex<Vec<Call>>,
    pub(crate) gate: Semaphore,
    pub(crate) entered: Semaphore,
    batches: AtomicUsize,
    parts: AtomicU32,
    hanging: AtomicUsize,
    keeps: bool,
}

/// A batch that waits; dropping it ends that.
struct Hanging<'a>(&'a AtomicUsize);

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl StandIn {
    pub(crate) fn new(id: &str, site: Site) -> Arc<Self> {
        Self::with(id, site, true)
    }

    /// One that remembers no calls.
    pub(crate) fn forgetful(id: &str, site: Site) -> Arc<Self> {
        Self::with(id, site, false)
    }

    fn with(id: &str, site: Site, keeps: bool) -> Arc<Self> {
        Arc::new(Self {
            id: NodeId::new(id).unwrap(),
            site,
            will: Mutex::new(Will::Echo),
            load: Mutex::new(Some(Load {
                permits: 4,
                ..Load::default()
            })),
            seen: Mutex::default(),
            gate: Semaphore::new(0),
            entered: Semaphore::new(0),
            batches: AtomicUsize::new(0),
            parts: AtomicU32::new(0),
            hanging: AtomicUsize::new(0),
            keeps,
        })
    }

    pub(crate) fn will(&self, will: Will) {
        *self.will.lock().unwrap() = will;
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Batches that came.
    pub(crate) fn batches(&self) -> usize {
        self.batches.load(Ordering::SeqCst)
    }

    /// The highest number of a part that came, and one.
    pub(crate) fn parts(&self) -> u32 {
        self.parts.load(Ordering::SeqCst)
    }

    /// Batches that somebody waits for.
    pub(crate) fn hanging(&self) -> usize {
        self.hanging.load(Ordering::SeqCst)
    }

    pub(crate) fn last(&self) -> Call {
        self.seen.lock().unwrap().last().unwrap().clone()
    }

    fn answer(&self, end: End, output: Option<Bytes>, printed: &'static str) -> Answer {
        Answer {
            end,
            output,
            stdout: Bytes::from_static(printed.as_bytes()),
            stderr: Bytes::from_static(b"a warning"),
            node: self.id.clone(),
            site: self.site,
            storage_calls: ganglion_types::StorageCalls::default(),
            usage: Usage {
                wait_ns: 3_000,
                run_ns: 42_000,
                cpu_ns: 40_000,
                object_bytes: 0,
                moved_bytes: 7,
                link_ns: 0,
                store_failures: 0,
                start: Start::Restored,
            },
            load: self.load.lock().unwrap().unwrap_or_default(),
        }
    }
}

#[async_trait]
impl Executor for StandIn {
    async fn execute(&self, call: Call) -> Result<Answer> {
        let input = call.input.clone();
        if self.keeps {
            self.seen.lock().unwrap().push(call);
            self.entered.add_permits(1);
        }
        let will = self.will.lock().unwrap().clone();
        match will {
            Will::Echo => Ok(self.answer(End::Exited(0), Some(input), "")),
            Will::Print => Ok(self.answer(End::Exited(0), None, "printed")),
            Will::Return(code, output) => {
                let output = (!output.is_empty()).then(|| Bytes::from(output));
                Ok(self.answer(End::Exited(code), output, "printed"))
            }
            Will::Trap => {
                let error = Error::guest("wasm trap: integer divide by zero");
                Ok(self.answer(End::Failed(error), None, "printed"))
            }
            Will::OutOfTime => {
                let error = Error::deadline("the call's time is over");
                Ok(self.answer(End::Failed(error), None, ""))
            }
            Will::StoreFails => {
                let mut answer = self.answer(End::Exited(1), None, "no object");
                answer.usage.store_failures = 1;
                Ok(answer)
            }
            Will::Lose => Err(Error::indeterminate("the connection ended")),
            Will::Fail(kind) => Err(Error::new(kind, format!("{} says no", self.id))),
            Will::Wait => {
                self.gate.acquire().await.unwrap().forget();
                Ok(self.answer(End::Exited(0), Some(input), ""))
            }
            Will::Hang => std::future::pending().await,
        }
    }

    /// Each part as a call; where there is a combiner it is left to the gateway.
    async fn batch(&self, batch: Batch) -> Result<Batched> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        self.hanging.fetch_add(1, Ordering::SeqCst);
        let _hanging = Hanging(&self.hanging);
        let last = batch.parts.iter().map(|part| part.number + 1).max();
        self.parts.fetch_max(last.unwrap_or(0), Ordering::SeqCst);
        let will = self.will.lock().unwrap().clone();
        let (mut parts, mut combined) = (Vec::new(), Vec::new());
        if let Will::Fail(kind) = will {
            return Err(Error::new(kind, format!("{} says no", self.id)));
        }
        for part in &batch.parts {
            let mut answer = self.execute(batch.call(part, 0)).await;
            if let (Some(_), Ok(answer)) = (&batch.combiner, &mut answer) {
                combined.extend(answer.output.take());
            }
            parts.push(answer);
        }
        if matches!(will, Will::Lose) {
            return Err(Error::indeterminate("the connection ended"));
        }
        let load = self.load.lock().unwrap().unwrap_or_default();
        Ok(Batched {
            parts,
            combined,
            load,
        })
    }
}

impl Peer for StandIn {
    fn id(&self) -> &NodeId {
        &self.id
    }

    fn site(&self) -> Site {
        self.site
    }

    fn load(&self) -> Option<Load> {
        *self.load.lock().unwrap()
    }

    fn link(&self) -> Option<LinkEstimate> {
        None
    }

    fn address(&self) -> Option<String> {
        Some(format!("{}:9000", self.id))
    }
}
