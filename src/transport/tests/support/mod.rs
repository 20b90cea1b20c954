//! What the tests stand on: a clock, a store in memory, an executor that does as its call's arguments say.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use ganglion_store::{
    ByteRange, CommitId, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload,
    ObjectView, PutOptions, Version,
};
use ganglion_transport::{
    Identity, Link, LinkParts, LinkSettings, RemotePeer, RemoteStore, Server, ServerLimits,
    ServerParts,
};
use ganglion_types::{
    Ambient, Answer, Bucket, Call, CallId, CallLimits, ContentHash, Deadline, End, Entry, Error,
    Executor, FunctionRef, Key, Load, Ndp, NodeId, ObjectKey, Result, Site, Start, Usage,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct Clock(tokio::time::Instant);

impl Clock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(tokio::time::Instant::now() - Duration::from_secs(1)))
    }
}

impl Ambient for Clock {
    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap()
    }
    fn unix_ns(&self) -> u64 {
        0
    }
    fn fill_random(&self, buffer: &mut [u8]) {
        buffer.fill(4);
    }
}

type Stored = (ObjectMeta, Bytes, Option<CommitId>);

#[derive(Default)]
pub struct Objects {
    stored: Mutex<BTreeMap<ObjectKey, Stored>>,
    pub writes: AtomicUsize,
    pub open_uploads: Arc<AtomicUsize>,
}

impl Objects {
    fn write(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        let mut stored = self.stored.lock();
        let before = stored.get(key);
        if let Some((meta, _, Some(commit))) = before
            && options.commit == Some(*commit)
        {
            return Ok(meta.clone());
        }
        check(before, options.condition)?;
        let version = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let meta = ObjectMeta {
            size_bytes: body.len() as u64,
            version: Version(version as u64),
            modified_ms: 77,
        };
        stored.insert(key.clone(), (meta.clone(), body, options.commit));
        Ok(meta)
    }
}

fn check(before: Option<&Stored>, condition: Condition) -> Result<()> {
    let version = before.map(|(meta, ..)| meta.version);
    match condition {
        Condition::None => Ok(()),
        Condition::Absent if version.is_none() => Ok(()),
        Condition::Version(wanted) if version == Some(wanted) => Ok(()),
        _ => Err(Error::conflict("the condition does not hold")),
    }
}

struct Upload {
    objects: Arc<Objects>,
    key: ObjectKey,
    options: PutOptions,
    body: BytesMut,
}

#[async_trait]
impl ObjectUpload for Upload {
    async fn write(&mut self, piece: Bytes) -> Result<()> {
        self.body.extend_from_slice(&piece);
        Ok(())
    }
    async fn commit(mut self: Box<Self>) -> Result<ObjectMeta> {
        let body = std::mem::take(&mut self.body).freeze();
        self.objects.write(&self.key, body, self.options)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.objects.open_uploads.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The store is handed out behind an `Arc`, for its uploads hold it.
pub struct Memory(pub Arc<Objects>);

#[async_trait]
impl ObjectStore for Memory {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        self.0.write(key, body, options)
    }
    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        self.0.open_uploads.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Upload {
            objects: self.0.clone(),
            key: key.clone(),
            options,
            body: BytesMut::new(),
        }))
    }
    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<ObjectRead> {
        let stored = self.0.stored.lock();
        let (meta, body, _) = stored
            .get(key)
            .ok_or_else(|| Error::not_found("no such object"))?;
        if if_version.is_some_and(|version| version != meta.version) {
            return Err(Error::conflict("another version"));
        }
        let part = range.within(meta.size_bytes);
        let start = part.offset as usize;
        Ok(ObjectRead {
            meta: meta.clone(),
            bytes: body.slice(start..start + part.length as usize),
        })
    }
    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        Ok(self.get(key, ByteRange::ALL, None).await?.meta)
    }
    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        let mut stored = self.0.stored.lock();
        if !stored.contains_key(key) {
            return Err(Error::not_found("no such object"));
        }
        check(stored.get(key), condition)?;
        stored.remove(key);
        Ok(())
    }
    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        let stored = self.0.stored.lock();
        let behind = |key: &Key| after.is_none_or(|after| key.as_str() > after.as_str());
        let mut found = stored.iter().filter(|(key, _)| {
            key.bucket == *bucket && key.key.as_str().starts_with(prefix) && behind(&key.key)
        });
        let page = found.by_ref().take(limit);
        let objects = page
            .map(|(key, (meta, ..))| (key.key.clone(), meta.clone()))
            .collect();
        let more = found.next().is_some();
        Ok(ListPage { objects, more })
    }
    async fn buckets(&self) -> Result<Vec<Bucket>> {
        let mut buckets: Vec<_> = self
            .0
            .stored
            .lock()
            .keys()
            .map(|key| key.bucket.clone())
            .collect();
        buckets.dedup();
        Ok(buckets)
    }
    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        let meta = self.stat(key).await?;
        Ok(ObjectView::Remote { meta })
    }
    fn home(&self, _key: &ObjectKey) -> Option<NodeId> {
        None
    }
}

/// Does as its call's first argument says: `echo`, `wait` (until released), `refuse`, `panic`.
#[derive(Default)]
pub struct Script {
    pub seen: Mutex<Vec<Call>>,
    pub begun: Notify,
    pub release: Notify,
    pub dropped: Notify,
    pub running: AtomicUsize,
    pub running_max: AtomicUsize,
}

struct Dropped<'a>(&'a Script);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.dropped.notify_one();
    }
}

#[async_trait]
impl Executor for Script {
    async fn execute(&self, call: Call) -> Result<Answer> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.running_max.fetch_max(running, Ordering::SeqCst);
        let _dropped = Dropped(self);
        self.seen.lock().push(call.clone());
        self.begun.notify_one();
        match call.args.first().map(String::as_str) {
            Some("wait") => self.release.notified().await,
            Some("refuse") => return Err(Error::busy("no permit")),
            Some("panic") => panic!("as asked"),
            _ => {}
        }
        Ok(answer(call.input))
    }
}

pub fn answer(output: Bytes) -> Answer {
    Answer {
        end: End::Exited(7),
        output: Some(output),
        stdout: Bytes::from_static(b"said"),
        stderr: Bytes::from_static(b"complained"),
        node: node("server"),
        site: Site::Storage,
        storage_calls: ganglion_types::StorageCalls::default(),
        usage: Usage {
            wait_ns: 1,
            run_ns: 2,
            cpu_ns: 3,
            object_bytes: 4,
            moved_bytes: 5,
            link_ns: 6,
            store_failures: 7,
            start: Start::Restored,
        },
        load: load(),
    }
}

pub fn load() -> Load {
    Load {
        permits: 4,
        running: 3,
        queued: 2,
        service_ns: 1,
        draining: false,
    }
}

pub fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub fn identity(name: &str, site: Site) -> Identity {
    Identity {
        node: node(name),
        site,
    }
}

/// A call whose executor does `what`.
pub fn call(what: &str, input: impl Into<Bytes>, within: Duration) -> Call {
    Call {
        id: CallId(9 << 64 | 1),
        function: FunctionRef::new("ndp", "echo").unwrap(),
        module: ContentHash([3; 32]),
        entry: Entry::Main,
        input: input.into(),
        args: vec![what.to_owned()],
        object: Some(ObjectKey::new("books", "a").unwrap()),
        ndp: Ndp::Forbidden,
        deadline: Deadline::after(CLOCK.with(|clock| clock.monotonic_ns()), within),
        limits: CallLimits::default(),
        trace: None,
    }
}

thread_local! {
    /// One clock for a test: its links and its calls have to agree on the time.
    pub static CLOCK: Arc<Clock> = Clock::new();
}

/// A server in this process.
pub struct Host {
    pub address: SocketAddr,
    pub script: Arc<Script>,
    pub objects: Arc<Objects>,
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Host {
    pub async fn start(limits: ServerLimits) -> Self {
        Self::start_at("127.0.0.1:0", limits).await
    }

    pub async fn start_at(address: &str, limits: ServerLimits) -> Self {
        let (script, objects) = (Arc::new(Script::default()), Arc::new(Objects::default()));
        let parts = ServerParts {
            identity: identity("server", Site::Storage),
            executor: Some(script.clone()),
            load: Arc::new(load),
            store: Some(Arc::new(Memory(objects.clone()))),
            ambient: CLOCK.with(Clone::clone),
            limits,
        };
        let server = Server::bind(address, parts).await.unwrap();
        let stop = CancellationToken::new();
        Self {
            address: server.address(),
            script,
            objects,
            task: tokio::spawn(server.serve(stop.clone())),
            stop,
        }
    }

    /// Ends it as a crash would.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    pub fn link(&self, settings: LinkSettings) -> Arc<Link> {
        link(&self.address.to_string(), settings)
    }

    pub fn peer(&self) -> RemotePeer {
        RemotePeer::new(self.link(settings()), node("server"), Site::Storage)
    }

    pub fn store(&self, settings: LinkSettings) -> RemoteStore {
        RemoteStore::new(self.link(settings), node("server"))
    }
}

pub fn link(address: &str, settings: LinkSettings) -> Arc<Link> {
    Link::connect_lazy(LinkParts {
        address: address.to_owned(),
        expected: Some(node("server")),
        identity: identity("client", Site::Compute),
        settings,
        ambient: CLOCK.with(Clone::clone),
    })
}

/// Quick to notice things.
pub fn settings() -> LinkSettings {
    LinkSettings {
        heartbeat: Duration::from_millis(50),
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(20),
        answer_grace: Duration::from_millis(50),
        ..LinkSettings::default()
    }
}

pub fn limits() -> ServerLimits {
    ServerLimits {
        linger_time: Duration::from_millis(50),
        ..ServerLimits::default()
    }
}
