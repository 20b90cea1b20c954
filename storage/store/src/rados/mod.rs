//! Objects in one pool of a Ceph cluster.
//!
//! ```text
//! bucket   a RADOS namespace of the pool      key       the RADOS object's name
//! version  the object's user version          beside    the attribute `ganglion`: time, names of writes (module `stamp`)
//! home     the acting primary of the object's placement group (modules `hash`, `homes`)
//! ```

mod connect;
mod delete;
mod error;
mod ffi;
mod hash;
mod homes;
mod list;
mod monitors;
mod object;
mod options;
mod osds;
mod stamp;
mod upload;
mod write;

pub use options::RadosOptions;
pub use osds::{Osd, OsdNodes};

use crate::blocking::blocking;
use crate::{
    ByteRange, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload, ObjectView,
    PutOptions, Version, Wait,
};
use async_trait::async_trait;
use bytes::Bytes;
use error::{Doing, failed};
use ffi::{Cluster, Namespace};
use ganglion_types::{Ambient, Bucket, Key, NodeId, ObjectKey, Result};
use homes::Homes;
use monitors::Monitors;
use object::Object;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use upload::RadosUpload;

/// Namespaces kept open: beyond that many all are let go of, and opened again as they are asked for.
const NAMESPACES_MAX: usize = 1024;
/// How much longer than its own limit librados may take to connect.
const CONNECT_SLACK: Duration = Duration::from_secs(2);

/// Objects in one pool of a Ceph cluster, through librados.
///
/// - **An object is a RADOS object**, as others see it too: `rados -p POOL -N BUCKET get KEY -`. Objects that other programs
///   wrote are read like those written here; their time has whole seconds. Those whose namespace is no bucket's name, or whose
///   name is no key, are not seen. What others write over an object written here keeps that object's names of effects.
/// - **Durable** means what the pool says: acknowledged by its acting OSDs.
/// - **Round trips.** A `get` of up to 4 MiB, a `stat`, and a `put` without condition and name are one each. A `put` with
///   either, an `append` and a `delete` read first: two, and two more for each race that they lose. An `append` sends its piece
///   alone.
/// - **Names of effects**: an object carries those of its last [`NAMES_MAX`](crate::NAMES_MAX) writes that had a name or a
///   condition (one without a name has a random one). They take 20 bytes each of the object's attribute, at most 1.3 KiB, which
///   every such write reads and writes. A `put` without condition and name does not read, so it cannot carry them on.
/// - **A write without an answer** is looked for: it took place, or is sent again where it can be told that it did not, or is
///   `Indeterminate`.
/// - **Whole objects only**: an `upload` is gathered in memory and put at its commit. Striping is absent on purpose: an object
///   would then be in several places, and computing beside it would have no place to go to.
/// - **A page of a listing** enumerates the pool's objects (every placement group is asked, a thousand names at a time) and then
///   looks at each object of the page, 32 at once: for administrators, not for the way of a request. So do `buckets`.
/// - **Dropping a future** gives a read up; a write that was sent goes on.
///
/// The last clone that is dropped shuts the connection down, once nothing is under way.
#[derive(Clone)]
pub struct RadosStore {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: Arc<Cluster>,
    /// The pool's number.
    pool: i64,
    options: Arc<RadosOptions>,
    ambient: Arc<dyn Ambient>,
    namespaces: RwLock<HashMap<Bucket, Arc<Namespace>>>,
    monitors: Arc<Monitors>,
    homes: Arc<Homes>,
    watching: JoinHandle<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl RadosStore {
    /// Connects to the cluster and learns where the pool's placement groups are. `ambient` has the host's own clock: librados
    /// stamps objects with it too.
    ///
    /// Has to be called in a tokio runtime with a clock; a task of it looks for changes of the cluster as long as the store is
    /// there.
    ///
    /// # Errors
    /// `Invalid` when the configuration cannot be used, `Denied` when the cluster does not take user and key, `Unavailable`
    /// when no monitor answers in time, `NotFound` when there is no such pool.
    pub async fn connect(options: RadosOptions, ambient: Arc<dyn Ambient>) -> Result<Self> {
        let options = Arc::new(options);
        let connecting = {
            let options = options.clone();
            blocking(move || connect::connect(&options))
        };
        let limit = options.connect_time.saturating_add(CONNECT_SLACK);
        let Ok(connected) = tokio::time::timeout(limit, connecting).await else {
            return Err(connect::unreachable_monitors(&options, ""));
        };
        let (cluster, pool) = connected?;
        let monitors = Monitors::new(cluster.clone(), options.clone(), ambient.clone());
        let monitors = Arc::new(monitors);
        let homes = Arc::new(Homes::new(monitors.clone(), pool));
        let learning = homes.clone();
        if let Err(error) = blocking(move || learning.refresh()).await {
            tracing::warn!(%error, "where objects are is not known yet");
        }
        let watching = tokio::spawn(homes::watch(homes.clone(), options.map_age));
        Ok(Self {
            shared: Arc::new(Shared {
                cluster,
                pool,
                options,
                ambient,
                namespaces: RwLock::default(),
                monitors,
                homes,
                watching,
            }),
        })
    }

    /// Which node stands for which OSD, for [`ObjectStore::home`]. The owner of the store fills it.
    #[must_use]
    pub fn osd_nodes(&self) -> &Arc<OsdNodes> {
        self.shared.homes.nodes()
    }

    /// The OSD that serves this key now (the acting primary of its placement group), whether or not the object exists; `None`
    /// until it is known, and while none does. Computed: microseconds.
    #[must_use]
    pub fn osd_of(&self, key: &ObjectKey) -> Option<i32> {
        self.shared.homes.osd(key)
    }

    /// The cluster's OSDs, by number.
    ///
    /// # Errors
    /// `Unavailable` when the monitors do not answer in time.
    pub async fn osds(&self) -> Result<Vec<Osd>> {
        let monitors = self.shared.monitors.clone();
        blocking(move || osds::list(&monitors)).await
    }
}

impl Shared {
    /// The namespace of a bucket.
    fn namespace(&self, bucket: &Bucket) -> Result<Arc<Namespace>> {
        if let Some(namespace) = self.namespaces.read().get(bucket) {
            return Ok(namespace.clone());
        }
        let name = CString::new(bucket.as_str()).expect("a bucket's name holds no NUL");
        let opened = Namespace::open(&self.cluster, self.pool, &name)
            .map_err(|errno| failed(Doing::Opening(bucket), errno, &self.options))?;
        let mut namespaces = self.namespaces.write();
        if namespaces.len() >= NAMESPACES_MAX {
            namespaces.clear();
        }
        namespaces.insert(bucket.clone(), opened.clone());
        Ok(opened)
    }

    fn localized(&self) -> bool {
        self.options.crush_location.is_some()
    }

    fn pool_is_gone(&self) -> bool {
        self.homes.pool_is_gone()
    }
}

#[async_trait]
impl ObjectStore for RadosStore {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        Object::new(&self.shared, key)?.put(body, options).await
    }

    async fn append(
        &self,
        key: &ObjectKey,
        piece: Bytes,
        options: PutOptions,
    ) -> Result<ObjectMeta> {
        let object = Object::new(&self.shared, key)?;
        object.append(piece, options).await
    }

    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        let upload = RadosUpload::new(self.shared.clone(), key.clone(), options);
        Ok(Box::new(upload))
    }

    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<ObjectRead> {
        let object = Object::new(&self.shared, key)?;
        object.get(range, if_version).await
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        Object::new(&self.shared, key)?.stat().await
    }

    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        Object::new(&self.shared, key)?.delete(condition).await
    }

    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        list::page(&self.shared, bucket, prefix, after, limit).await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>> {
        list::buckets(&self.shared).await
    }

    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        let meta = self.stat(key).await?;
        Ok(ObjectView::Remote { meta })
    }

    fn read_into(
        &self,
        key: &ObjectKey,
        version: Version,
        offset: u64,
        into: &mut [u8],
        wait: &mut Wait<'_>,
    ) -> Option<Result<usize>> {
        let object = Object::new(&self.shared, key);
        Some(object.and_then(|object| object.read_into(version, offset, into, wait)))
    }

    fn home(&self, key: &ObjectKey) -> Option<NodeId> {
        self.shared.homes.node(key)
    }
}
