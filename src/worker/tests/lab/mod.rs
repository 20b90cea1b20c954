//! A worker with a store in memory, and guests written as text.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its part of the lab"
)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test is allowed to panic and has a real clock"
)]

pub mod program;

use async_trait::async_trait;
use bytes::Bytes;
use ganglion_registry::{Interruption, Modules};
use ganglion_store::{
    ByteRange, Condition, ListPage, MemoryStore, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload,
    ObjectView, PutOptions, Version,
};
use ganglion_types::{
    Alone, Ambient, Answer, Bucket, Call, CallIds, CallLimits, ContentHash, Deadline, Entry, Error,
    Executor, FunctionRef, Key, LinkEstimate, Load, ModuleLimits, Ndp, Neighbours, NodeId,
    ObjectKey, Offload, Offloaded, Peer, Result, Site,
};
use ganglion_worker::{
    EngineMemory, Inline, Interrupter, Worker, WorkerParts, WorkerSettings, engine,
};
use std::future::Future;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const STACK_BYTES: u32 = 256 << 10;

/// Whether the objects are the worker's own or another node's, and that may be away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    Here,
    Elsewhere,
    Away,
}

pub struct Lab {
    pub worker: Worker,
    modules: Arc<Modules>,
    objects: Arc<dyn ObjectStore>,
    clock: Arc<Clock>,
    ids: CallIds,
    _artefacts: tempfile::TempDir,
}

impl Lab {
    pub const PERMITS: u32 = 2;
    pub const QUEUE: u32 = 3;

    pub fn new() -> Self {
        Self::at(Where::Here, Interruption::Poll)
    }

    pub fn with_objects(place: Where) -> Self {
        Self::at(place, Interruption::Poll)
    }

    pub fn interrupted_by(interruption: Interruption) -> Self {
        Self::at(Where::Here, interruption)
    }

    /// One for each way that an operator can choose.
    pub fn interrupted_by_each() -> [Self; 2] {
        [Interruption::Poll, Interruption::Epoch].map(Self::interrupted_by)
    }

    fn at(place: Where, interruption: Interruption) -> Self {
        let clock = Arc::new(Clock::new());
        let here = NodeId::new("here").unwrap();
        let home = if place == Where::Here {
            here.clone()
        } else {
            NodeId::new("afar").unwrap()
        };
        let stored: Arc<dyn ObjectStore> =
            Arc::new(MemoryStore::new(Some(home), clock.clone(), 1 << 30));
        let objects = if place == Where::Here {
            stored
        } else {
            Arc::new(Afar(stored, place == Where::Away))
        };
        Self::of(
            (here, Site::Storage),
            (objects.clone(), objects),
            clock,
            Arc::new(Alone),
            interruption,
        )
    }

    /// A compute node, and the storage node that holds the objects beside it, which it can hand the middle of a call to. What the
    /// neighbour makes of that is up to `fate`.
    pub fn with_neighbour(fate: Fate) -> (Self, Arc<Neighbour>) {
        let clock = Arc::new(Clock::new());
        let (compute, storage) = (node("compute-0"), node("storage-1"));
        let stored: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(
            Some(storage.clone()),
            clock.clone(),
            1 << 30,
        ));
        let home = Self::of(
            (storage, Site::Storage),
            (stored.clone(), stored.clone()),
            clock.clone(),
            Arc::new(Alone),
            Interruption::Poll,
        );
        let neighbour = Arc::new(Neighbour {
            home,
            fate: Mutex::new(fate),
            taken: AtomicU32::new(0),
        });
        let seen: Arc<dyn ObjectStore> = Arc::new(Afar(stored.clone(), false));
        let neighbours = Arc::new(Beside(neighbour.clone()));
        let lab = Self::of(
            (compute, Site::Compute),
            (seen, stored),
            clock,
            neighbours,
            Interruption::Poll,
        );
        (lab, neighbour)
    }

    fn of(
        (node, site): (NodeId, Site),
        (objects, everywhere): (Arc<dyn ObjectStore>, Arc<dyn ObjectStore>),
        clock: Arc<Clock>,
        neighbours: Arc<dyn Neighbours>,
        interruption: Interruption,
    ) -> Self {
        let artefacts = tempfile::tempdir().unwrap();
        let memory = EngineMemory::new(16);
        let engine = engine(STACK_BYTES as usize, interruption, &memory).unwrap();
        let limits = ModuleLimits {
            stack_bytes: STACK_BYTES.into(),
            ..ModuleLimits::default()
        };
        let modules = Modules::open(engine.clone(), artefacts.path(), everywhere, limits).unwrap();
        let modules = Arc::new(modules);
        let worker = Worker::new(WorkerParts {
            node,
            site,
            modules: modules.clone(),
            memory,
            interrupter: Arc::new(Interrupter::start(&engine, clock.clone()).unwrap()),
            store: objects.clone(),
            neighbours,
            ambient: clock.clone(),
            inline: Inline::new(1),
            settings: WorkerSettings {
                permits: Self::PERMITS,
                queue_max: Self::QUEUE,
                niceness: 10,
                stack_bytes: STACK_BYTES.into(),
                delta_bytes_max: 8 << 20,
                size_age: Duration::from_secs(30),
                trust: Duration::from_secs(1),
            },
        })
        .unwrap();
        Self {
            worker,
            modules,
            objects,
            clock,
            ids: CallIds::new(77),
            _artefacts: artefacts,
        }
    }

    pub async fn add(&self, text: &str) -> ContentHash {
        self.add_wasm(wat::parse_str(text).unwrap()).await
    }

    pub async fn add_wasm(&self, wasm: Vec<u8>) -> ContentHash {
        self.modules.add(wasm.into()).await.unwrap().hash
    }

    /// From now on `random_get` is a host call that keeps its guest so long.
    pub fn random_takes(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.clock.random_takes_ms.store(ms, Ordering::Relaxed);
    }

    pub fn call(&self, module: ContentHash, input: &str) -> Call {
        Call {
            id: self.ids.next(),
            function: FunctionRef::new("lab", "guest").unwrap(),
            module,
            entry: Entry::Main,
            input: Bytes::copy_from_slice(input.as_bytes()),
            args: vec![],
            object: None,
            ndp: Ndp::Allowed,
            deadline: self.deadline(Duration::from_secs(60)),
            limits: CallLimits {
                memory_bytes: 32 << 20,
                output_bytes: 2 << 20,
                log_bytes: 1 << 16,
                ..CallLimits::default()
            },
            trace: None,
        }
    }

    pub async fn run(&self, module: ContentHash, input: &str) -> Answer {
        self.execute(self.call(module, input)).await.unwrap()
    }

    pub async fn run_large(&self, module: ContentHash, input: &str) -> Answer {
        let mut call = self.call(module, input);
        call.limits.output_bytes = 1 << 30;
        self.execute(call).await.unwrap()
    }

    pub fn execute(&self, call: Call) -> impl Future<Output = Result<Answer>> + use<> {
        let worker = self.worker.clone();
        async move { worker.execute(call).await }
    }

    pub fn now_ns(&self) -> u64 {
        self.clock.monotonic_ns()
    }

    pub fn deadline(&self, budget: Duration) -> Deadline {
        Deadline::after(self.now_ns(), budget)
    }

    /// Waits for a load; a test that waits in vain fails by its runner's timeout.
    pub async fn until(&self, reached: impl Fn(Load) -> bool) {
        for _ in 0..10_000 {
            if reached(self.worker.load()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the load stayed {:?}", self.worker.load());
    }

    pub async fn put(&self, key: &str, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.objects
            .put(&object(key), bytes, PutOptions::default())
            .await
            .unwrap();
    }

    pub async fn get(&self, key: &str) -> Bytes {
        self.objects
            .get(&object(key), ByteRange::ALL, None)
            .await
            .unwrap()
            .bytes
    }

    pub async fn version(&self, key: &str) -> Version {
        self.objects.stat(&object(key)).await.unwrap().version
    }
}

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// What becomes of an offload on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is run and answered.
    Arrives,
    /// The node refuses it.
    Refused,
    /// It is run, and the answer is lost.
    AnswerLost,
    /// It does not arrive, and nobody knows.
    RequestLost,
}

/// The other node, as the worker sees it: calls go to it without a socket.
pub struct Neighbour {
    pub home: Lab,
    pub fate: Mutex<Fate>,
    pub taken: AtomicU32,
}

struct Beside(Arc<Neighbour>);

impl Neighbours for Beside {
    fn find(&self, node: &NodeId) -> Option<Arc<dyn Peer>> {
        (node == self.0.home.worker.node()).then(|| self.0.clone() as Arc<dyn Peer>)
    }
}

#[async_trait]
impl Executor for Neighbour {
    async fn execute(&self, call: Call) -> Result<Answer> {
        self.home.worker.execute(call).await
    }
    async fn offload(&self, offload: Offload) -> Result<Offloaded> {
        let fate = *self.fate.lock().unwrap();
        let lost = || Err(Error::indeterminate("the connection ended"));
        match fate {
            Fate::Refused => return Err(Error::busy("no permit")),
            Fate::RequestLost => return lost(),
            Fate::Arrives | Fate::AnswerLost => {}
        }
        self.taken.fetch_add(1, Ordering::SeqCst);
        let offloaded = self.home.worker.offload(offload).await;
        match fate {
            Fate::AnswerLost => lost(),
            _ => offloaded,
        }
    }
}

impl Peer for Neighbour {
    fn id(&self) -> &NodeId {
        self.home.worker.node()
    }
    fn site(&self) -> Site {
        Site::Storage
    }
    fn load(&self) -> Option<Load> {
        Some(self.home.worker.load())
    }
    fn link(&self) -> Option<LinkEstimate> {
        None
    }
    fn address(&self) -> Option<String> {
        Some("beside".into())
    }
}

fn object(key: &str) -> ObjectKey {
    ObjectKey::new("lab", key).unwrap()
}

struct Clock {
    began: Instant,
    random_takes_ms: AtomicU64,
    drawn: AtomicU8,
}

impl Clock {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            random_takes_ms: AtomicU64::new(0),
            drawn: AtomicU8::new(0),
        }
    }
}

impl Ambient for Clock {
    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap() + 1_000_000_000
    }
    fn unix_ns(&self) -> u64 {
        1_700_000_000_000_000_000
    }
    fn fill_random(&self, buffer: &mut [u8]) {
        let takes_ms = self.random_takes_ms.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(takes_ms));
        buffer.fill(self.drawn.fetch_add(1, Ordering::Relaxed));
    }
}

/// A store whose objects cannot be mapped here, as another node's cannot; `true`: no object that guests ask for can be reached.
struct Afar(Arc<dyn ObjectStore>, bool);

impl Afar {
    fn check(&self, key: &ObjectKey) -> Result<()> {
        match self.1 && key.bucket.as_str() == "lab" {
            true => Err(Error::unavailable("the store is away")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl ObjectStore for Afar {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        tokio::task::yield_now().await;
        self.check(key)?;
        self.0.put(key, body, options).await
    }
    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        self.0.upload(key, options).await
    }
    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        version: Option<Version>,
    ) -> Result<ObjectRead> {
        tokio::task::yield_now().await;
        self.0.get(key, range, version).await
    }
    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        self.0.stat(key).await
    }
    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        self.0.delete(key, condition).await
    }
    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        self.0.list(bucket, prefix, after, limit).await
    }
    async fn buckets(&self) -> Result<Vec<Bucket>> {
        self.0.buckets().await
    }
    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        self.check(key)?;
        Ok(ObjectView::Remote {
            meta: self.0.stat(key).await?,
        })
    }
    fn home(&self, key: &ObjectKey) -> Option<NodeId> {
        self.0.home(key)
    }
}
