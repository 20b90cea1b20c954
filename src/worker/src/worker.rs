//! A node's worker: takes calls or refuses them, and gives each a thread.

use crate::batch;
use crate::function::Function;
use crate::functions::Functions;
use crate::guest::{ObjectUse, Reach};
use crate::host;
use crate::interrupt::Interrupter;
use crate::memory::EngineMemory;
use crate::offload::{Offloads, Taken, take};
use crate::rehearsal::Rehearsal;
use crate::run::{Ran, Start, Surroundings, run};
use crate::threads::{GuestThreads, Weight};
use crate::wait::Waiting;
use async_trait::async_trait;
use ganglion_registry::{Modules, stack_bytes_of};
use ganglion_scheduler::{AdmissionFacts, admit};
use ganglion_store::ObjectStore;
use ganglion_types::{
    Ambient, Answer, Batch, Batched, Call, Entry, Error, Executor, Load, Neighbours, NodeId,
    Offload, Offloaded, Result, Site, Start as Started, Usage,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// With more of a guest's memory its function is not run inline, however short it has been: the pages are put in there as well, and
/// this many keep a thread for less than half a millisecond. Another thread would take longer, since its core has none of them.
const INLINE_DELTA_BYTES_MAX: u64 = 1 << 20;

/// How many calls of one process may run on the threads that receive calls; shared by its workers.
#[derive(Clone, Debug)]
pub struct Inline(Arc<Semaphore>);

impl Inline {
    /// `at_once`: fewer than the runtime has threads, so that one is always left to receive; 0 never runs a call inline.
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }
}

/// An operator's settings for a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// Guests that compute at once. Settings `compute.permits`, `storage.permits`.
    pub permits: u32,
    /// Calls that may wait for a permit. Settings `compute.queue`, `storage.queue`.
    pub queue_max: u32,
    /// By how much a guest's thread is nicer than the process once the guest has computed for long; 0 never. Setting `worker.niceness`.
    pub niceness: u8,
    /// A guest's native stack, in bytes. Setting `limits.stack`.
    pub stack_bytes: u64,
    /// Memory that a guest may have changed, in bytes, for a storage call of it to go elsewhere. Setting `limits.delta`.
    pub delta_bytes_max: usize,
    /// How long a call may believe that its caller still waits before it asks again at its next write: less than the time after which
    /// a caller gives a silent node up. Half of setting `link.heartbeat`.
    pub trust: Duration,
    /// How long an object's size is believed when a storage call is placed. Setting `gateway.object_size_age`.
    pub size_age: Duration,
}

/// What a worker is built from.
pub struct WorkerParts {
    /// The node it works for.
    pub node: NodeId,
    /// What kind of node that is.
    pub site: Site,
    /// Machine code of functions; its engine is [`crate::engine`]'s.
    pub modules: Arc<Modules>,
    /// The slots of that engine.
    pub memory: EngineMemory,
    /// What stops the guests of that engine.
    pub interrupter: Arc<Interrupter>,
    /// The objects that guests reach; on a storage node it has that node's own as files.
    pub store: Arc<dyn ObjectStore>,
    /// The other nodes that the middle of a call can go to.
    pub neighbours: Arc<dyn Neighbours>,
    /// Clocks and randomness.
    pub ambient: Arc<dyn Ambient>,
    /// The process's allowance of inline calls.
    pub inline: Inline,
    /// The operator's settings.
    pub settings: WorkerSettings,
}

/// Runs calls on one node. A handle: clones are the same worker.
#[derive(Clone)]
pub struct Worker(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) node: NodeId,
    site: Site,
    functions: Functions,
    pub(crate) around: Surroundings,
    store: Arc<dyn ObjectStore>,
    offloads: Arc<Offloads>,
    inline: Inline,
    threads: GuestThreads,
    pub(crate) settings: WorkerSettings,
    permits: Arc<Semaphore>,
    /// As many parts of jobs as there are permits run or wait for one: a call finds no more of them before it.
    pub(crate) job_parts: Arc<Semaphore>,
    running: AtomicU32,
    queued: AtomicU32,
    service_ns: AtomicU64,
    draining: AtomicBool,
}

impl Worker {
    /// # Errors
    /// `Internal` when the host interface cannot be linked, or a thread not be started.
    pub fn new(parts: WorkerParts) -> Result<Self> {
        let WorkerParts {
            node,
            site,
            modules,
            memory,
            interrupter,
            store,
            neighbours,
            ambient,
            inline,
            settings,
        } = parts;
        let around = Surroundings {
            memory,
            interrupter,
            ambient,
        };
        let linker = host::linker(modules.engine())
            .map_err(|error| Error::internal(format!("the host interface: {error:#}")))?;
        let stack_bytes = usize::try_from(settings.stack_bytes).unwrap_or(usize::MAX);
        let threads = GuestThreads::new(stack_bytes_of(stack_bytes), settings.niceness)?;
        let functions = Functions::new(modules, linker, around.clone(), settings.stack_bytes);
        let offloads = Offloads::new(node.clone(), neighbours, store.clone(), &settings);
        Ok(Self(Arc::new(Shared {
            offloads: Arc::new(offloads),
            node,
            site,
            functions,
            around,
            store,
            inline,
            threads,
            permits: Arc::new(Semaphore::new(settings.permits as usize)),
            job_parts: Arc::new(Semaphore::new(settings.permits as usize)),
            settings,
            running: AtomicU32::new(0),
            queued: AtomicU32::new(0),
            service_ns: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        })))
    }

    /// The node it works for.
    pub fn node(&self) -> &NodeId {
        &self.0.node
    }

    /// What kind of node that is.
    pub fn site(&self) -> Site {
        self.0.site
    }

    /// The parts of a call of `call`'s function, to be measured one by one.
    ///
    /// # Errors
    /// As for a first call.
    pub async fn rehearse(&self, call: Call) -> Result<Rehearsal> {
        let Shared {
            functions, around, ..
        } = &*self.0;
        let call = Arc::new(call);
        let (new, start_up) = functions.before_start_up(call.module).await?;
        Ok(Rehearsal {
            ready: functions.load(&call).await?,
            new,
            start_up,
            around: around.clone(),
            call,
        })
    }

    /// What it would say of its work now.
    pub fn load(&self) -> Load {
        self.0.load()
    }

    /// From now on new calls are refused; running ones go on.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Executor for Worker {
    async fn execute(&self, call: Call) -> Result<Answer> {
        let worker = &self.0;
        let arrived_ns = worker.around.ambient.monotonic_ns();
        worker.admit(&call, arrived_ns)?;
        worker.call(call, arrived_ns).await
    }

    /// Takes the middle of a call when there is a permit for it now: its caller can run it as well, and does not wait in a queue.
    async fn offload(&self, offload: Offload) -> Result<Offloaded> {
        let worker = &self.0;
        let arrived_ns = worker.around.ambient.monotonic_ns();
        worker.admit(&offload.call, arrived_ns)?;
        let Ok(permit) = worker.permits.clone().try_acquire_owned() else {
            return Err(Error::busy(format!(
                "all {} permits of {} are in use (setting {}.permits)",
                worker.settings.permits, worker.node, worker.site
            )));
        };
        let call = Arc::new(offload.call.clone());
        let (function, start) = match worker.functions.ready(&call.module, arrived_ns) {
            Some(function) => (function, Started::Restored),
            None => (worker.functions.load(&call).await?, Started::Cold),
        };
        let taken = worker.take(function, call, offload, permit).await?;
        Ok(worker.offloaded(taken, arrived_ns, start))
    }

    /// Takes a batch as it would take a call, and runs its parts as permits allow.
    async fn batch(&self, batch: Batch) -> Result<Batched> {
        self.0
            .admit(&batch.common, self.0.around.ambient.monotonic_ns())?;
        batch::run(&self.0, batch).await
    }
}

impl Shared {
    /// Runs a call that is admitted.
    pub(crate) async fn call(self: &Arc<Self>, call: Call, arrived_ns: u64) -> Result<Answer> {
        let call = Arc::new(call);
        let (function, start) = match self.functions.ready(&call.module, arrived_ns) {
            Some(function) => (function, Started::Restored),
            None => (self.functions.load(&call).await?, Started::Cold),
        };
        let permit = self.permit(&call).await?;
        let ran = self.run(function, call, permit).await?;
        Ok(self.answer(ran, arrived_ns, start))
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn load(&self) -> Load {
        Load {
            permits: self.settings.permits,
            running: self.running.load(Ordering::Relaxed),
            queued: self.queued.load(Ordering::Relaxed),
            service_ns: self.service_ns.load(Ordering::Relaxed),
            draining: self.is_draining(),
        }
    }

    fn admit(&self, call: &Call, now_ns: u64) -> Result<()> {
        admit(&AdmissionFacts {
            node: &self.node,
            site: self.site,
            ndp: call.ndp,
            load: self.load(),
            queue_max: self.settings.queue_max,
            remaining: call.deadline.remaining(now_ns),
        })
    }

    /// A permit: at once, or after waiting in the queue.
    async fn permit(&self, call: &Call) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _queued = Counted::up(&self.queued);
        let remaining = call.deadline.remaining(self.around.ambient.monotonic_ns());
        match tokio::time::timeout(remaining, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::unavailable(format!(
                "{} is shutting down",
                self.node
            ))),
            Err(_) => Err(Error::busy(format!(
                "{} had no permit to give before the call's deadline (setting {}.permits)",
                self.node, self.site
            ))),
        }
    }

    async fn run(
        self: &Arc<Self>,
        function: Arc<Function>,
        call: Arc<Call>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Ran> {
        if call.entry == Entry::Main
            && function.streak.is_short()
            && let Ok(inline) = self.inline.0.clone().try_acquire_owned()
        {
            let cancelled = Arc::new(AtomicBool::new(false));
            return self.run_here(&function, call, permit, cancelled, Some(inline));
        }
        self.on_a_thread(function.streak.weight(), move |worker, cancelled| {
            worker.run_here(&function, call, permit, cancelled, None)
        })
        .await
    }

    /// Runs a guest on a thread of its own, with that weight. Dropping the future cancels it.
    async fn on_a_thread<R: Send + 'static>(
        self: &Arc<Self>,
        weight: Weight,
        run: impl FnOnce(&Self, Arc<AtomicBool>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let mut cancel = CancelOnDrop::of(&self.around.interrupter);
        let (worker, cancelled) = (self.clone(), cancel.cancelled.clone());
        let (done, ran) = oneshot::channel();
        let run = move || {
            let _nobody_waits = done.send(run(&worker, cancelled));
        };
        self.threads.run(weight, Box::new(run))?;
        let ran = ran.await;
        cancel.over = true;
        ran.map_err(|_| Error::internal("a guest's thread ended early"))?
    }

    async fn take(
        self: &Arc<Self>,
        function: Arc<Function>,
        call: Arc<Call>,
        offload: Offload,
        permit: OwnedSemaphorePermit,
    ) -> Result<Taken> {
        if offload.memory.pages_bytes() <= INLINE_DELTA_BYTES_MAX
            && function.taken_streak.is_short()
            && let Ok(inline) = self.inline.0.clone().try_acquire_owned()
        {
            let cancelled = Arc::new(AtomicBool::new(false));
            let start = self.start(call, permit, cancelled, Some(inline));
            return self.take_here(&function, &offload, start);
        }
        self.on_a_thread(function.taken_streak.weight(), move |worker, cancelled| {
            let start = worker.start(call, permit, cancelled, None);
            worker.take_here(&function, &offload, start)
        })
        .await
    }

    fn take_here(&self, function: &Function, offload: &Offload, start: Start) -> Result<Taken> {
        let _running = Counted::up(&self.running);
        let taken = take(function, &self.around, start, offload)?;
        // Without the delta's way in and out: how long that may be is said by the delta's size.
        let busy_ns = taken.cpu_ns + taken.objects.link_ns;
        function.taken_streak.kept_its_thread(busy_ns);
        self.learn(taken.run_ns);
        Ok(taken)
    }

    /// What a guest is made with; `inline`: the allowance to run on a thread of the runtime.
    fn start(
        &self,
        call: Arc<Call>,
        permit: OwnedSemaphorePermit,
        cancelled: Arc<AtomicBool>,
        inline: Option<OwnedSemaphorePermit>,
    ) -> Start {
        let waiting = Waiting::new(
            inline,
            self.permits.clone(),
            permit,
            call.deadline,
            self.around.ambient.clone(),
        );
        Start {
            call,
            cancelled,
            reach: Some(Reach {
                node: self.node.clone(),
                store: self.store.clone(),
                waiting,
                offloads: self.offloads.clone(),
                trust_ns: u64::try_from(self.settings.trust.as_nanos()).unwrap_or(u64::MAX),
            }),
        }
    }

    fn run_here(
        &self,
        function: &Function,
        call: Arc<Call>,
        permit: OwnedSemaphorePermit,
        cancelled: Arc<AtomicBool>,
        inline: Option<OwnedSemaphorePermit>,
    ) -> Result<Ran> {
        let _running = Counted::up(&self.running);
        let entry = call.entry;
        let start = self.start(call, permit, cancelled, inline);
        let ran = run(function, &self.around, start)?;
        if entry == Entry::Main {
            let busy_ns = ran.cpu_ns + ran.objects.link_ns;
            function.streak.kept_its_thread(busy_ns);
        }
        self.learn(ran.run_ns);
        Ok(ran)
    }

    /// Smooths the service time over about eight calls. Two at once may lose one's contribution, which does no harm.
    fn learn(&self, run_ns: u64) {
        let old = self.service_ns.load(Ordering::Relaxed);
        let new = if old == 0 {
            run_ns
        } else {
            old - old / 8 + run_ns / 8
        };
        self.service_ns.store(new.max(1), Ordering::Relaxed);
    }

    fn offloaded(&self, taken: Taken, arrived_ns: u64, start: Started) -> Offloaded {
        let Taken {
            objects,
            run_ns,
            cpu_ns,
            ..
        } = taken;
        Offloaded {
            returned: taken.returned,
            changes: taken.changes,
            windows: taken.windows,
            output: taken.output,
            stdout: taken.stdout,
            stderr: taken.stderr,
            progress: taken.progress,
            node: self.node.clone(),
            site: self.site,
            usage: self.usage((run_ns, cpu_ns), &objects, arrived_ns, start),
            storage_calls: taken.storage_calls,
            load: self.load(),
        }
    }

    fn usage(
        &self,
        (run_ns, cpu_ns): (u64, u64),
        objects: &ObjectUse,
        arrived_ns: u64,
        start: Started,
    ) -> Usage {
        let elapsed_ns = self.around.ambient.monotonic_ns() - arrived_ns;
        Usage {
            wait_ns: elapsed_ns.saturating_sub(run_ns),
            run_ns,
            cpu_ns,
            object_bytes: objects.object_bytes,
            moved_bytes: objects.moved_bytes,
            link_ns: objects.link_ns,
            store_failures: objects.store_failures,
            start,
        }
    }

    fn answer(&self, ran: Ran, arrived_ns: u64, start: Started) -> Answer {
        Answer {
            end: ran.end,
            output: ran.output,
            stdout: ran.stdout,
            stderr: ran.stderr,
            node: self.node.clone(),
            site: self.site,
            usage: self.usage((ran.run_ns, ran.cpu_ns), &ran.objects, arrived_ns, start),
            storage_calls: ran.storage_calls,
            load: self.load(),
        }
    }
}

/// Stops the guest when its caller no longer waits.
struct CancelOnDrop<'a> {
    cancelled: Arc<AtomicBool>,
    interrupter: &'a Interrupter,
    /// Whether the guest has ended.
    over: bool,
}

impl<'a> CancelOnDrop<'a> {
    fn of(interrupter: &'a Interrupter) -> Self {
        Self {
            cancelled: Arc::default(),
            interrupter,
            over: false,
        }
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.cancelled.store(true, Ordering::Relaxed);
            self.interrupter.look();
        }
    }
}

struct Counted<'a>(&'a AtomicU32);

impl<'a> Counted<'a> {
    fn up(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
