//! Names: which content a function's name stands for, now and after a restart.

use crate::manifest::{Manifest, ObjectFrom};
use crate::modules::{BUCKET, Modules};
use bytes::Bytes;
use ganglion_store::{ByteRange, Condition, ObjectStore, PutOptions, Version};
use ganglion_types::{
    Ambient, Bucket, ContentHash, Error, ErrorKind, FunctionRef, Key, ObjectKey, Result, Tenant,
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A function as it is known under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRecord {
    /// Its name.
    pub function: FunctionRef,
    /// What the name stands for.
    pub module: ContentHash,
    /// Size of the uploaded file, in bytes.
    pub size_bytes: u64,
    /// When it was uploaded, in milliseconds since 1970-01-01 UTC.
    pub uploaded_ms: u64,
    /// What it says of itself, or what the upload said in its place.
    pub manifest: Manifest,
    /// Whether it can write objects.
    pub writes_objects: bool,
    /// Whether it has a combiner of its own.
    pub combines: bool,
}

/// A record as it is kept: JSON in an object whose key is the name.
#[derive(Serialize, Deserialize)]
struct Stored {
    module: String,
    size_bytes: u64,
    uploaded_ms: u64,
    manifest: Manifest,
    writes_objects: bool,
    /// Absent from records of earlier releases.
    #[serde(default)]
    combines: bool,
}

const LIST_PAGE: usize = 1_000;
const NAME_PREFIX: &str = "name/";

/// A name as it was last seen in the store.
struct Known {
    record: Arc<FunctionRecord>,
    /// Of the object that keeps it: a name that changed has a later one.
    version: Version,
    /// When it was last seen to be so, or began to be looked at again.
    seen_ns: AtomicU64,
}

/// The names of a cluster's functions: durable in the object store, answered from memory.
///
/// Several gateways may share one store. A name that is in use is looked at again once in `name_age`, behind the call that
/// finds it old: what another gateway uploaded or deleted takes effect here at most one call later than that, and a store
/// that does not answer keeps no call waiting.
pub struct Catalog(Arc<Shared>);

struct Shared {
    store: Arc<dyn ObjectStore>,
    modules: Arc<Modules>,
    ambient: Arc<dyn Ambient>,
    name_age_ns: u64,
    names: RwLock<HashMap<FunctionRef, Known>>,
    /// Held across the store's write and the change in memory, so that both have the same last upload.
    writer: tokio::sync::Mutex<()>,
}

impl Catalog {
    /// The names that `store` keeps; each is read when it is first asked for. `name_age` is the setting
    /// `gateway.function_age`.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        modules: Arc<Modules>,
        ambient: Arc<dyn Ambient>,
        name_age: Duration,
    ) -> Self {
        Self(Arc::new(Shared {
            store,
            modules,
            ambient,
            name_age_ns: u64::try_from(name_age.as_nanos()).unwrap_or(u64::MAX),
            names: RwLock::default(),
            writer: tokio::sync::Mutex::new(()),
        }))
    }

    /// Uploads a module under a name. It takes effect for the next call; running ones go on with what they have.
    /// `object` stands in place of what the module's manifest says of its object.
    ///
    /// # Errors
    /// `Invalid` when the module is refused, saying why; the store's errors.
    pub async fn upload(
        &self,
        function: FunctionRef,
        wasm: Bytes,
        object: Option<ObjectFrom>,
    ) -> Result<Arc<FunctionRecord>> {
        let size_bytes = wasm.len() as u64;
        let compiled = self
            .0
            .modules
            .add(wasm)
            .await
            .map_err(|e| e.within(&function))?;
        let record = Arc::new(FunctionRecord {
            module: compiled.hash,
            size_bytes,
            uploaded_ms: self.0.ambient.unix_ns() / 1_000_000,
            manifest: Manifest {
                object: object.unwrap_or(compiled.manifest.object),
                ..compiled.manifest.clone()
            },
            writes_objects: compiled.shape.writes_objects,
            combines: compiled.shape.has_combiner,
            function,
        });
        let _writer = self.0.writer.lock().await;
        let key = name_key(&record.function)?;
        let written = self
            .0
            .store
            .put(&key, encode(&record)?, PutOptions::default())
            .await?;
        self.0.enter(record.clone(), written.version);
        Ok(record)
    }

    /// What a name stands for now.
    ///
    /// # Errors
    /// `NotFound`; for a name that was not asked for before also the store's errors, and `Corrupt` for a record that cannot be
    /// read.
    pub async fn resolve(&self, function: &FunctionRef) -> Result<Arc<FunctionRecord>> {
        match self.0.known(function) {
            Some((record, true)) => Ok(record),
            Some((record, false)) => {
                let (shared, function) = (self.0.clone(), function.clone());
                tokio::spawn(async move {
                    if let Err(error) = shared.look(&function).await {
                        tracing::warn!(%function, %error, "going on with the function as it was last seen");
                    }
                });
                Ok(record)
            }
            None => self
                .0
                .look(function)
                .await?
                .ok_or_else(|| missing(function)),
        }
    }

    /// All functions, or one tenant's, by name, as the store has them now.
    ///
    /// # Errors
    /// The store's errors, and `Corrupt` for a record that cannot be read.
    pub async fn list(&self, tenant: Option<&Tenant>) -> Result<Vec<Arc<FunctionRecord>>> {
        let prefix = match tenant {
            Some(tenant) => format!("{NAME_PREFIX}{tenant}/"),
            None => NAME_PREFIX.to_owned(),
        };
        let bucket = Bucket::new(BUCKET)?;
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let store = &self.0.store;
            let page = store
                .list(&bucket, &prefix, after.as_ref(), LIST_PAGE)
                .await?;
            for (key, _) in &page.objects {
                // One that was deleted meanwhile is no longer there.
                records.extend(self.0.look(&name_of(key)?).await?);
            }
            after = page.objects.last().map(|(key, _)| key.clone());
            if !page.more {
                return Ok(records);
            }
        }
    }

    /// The module as it was uploaded.
    ///
    /// # Errors
    /// `NotFound`; the store's errors.
    pub async fn original(&self, function: &FunctionRef) -> Result<Bytes> {
        let module = self.resolve(function).await?.module;
        self.0.modules.original(module).await
    }

    /// Forgets a name. Running calls go on; the module's bytes stay in the store, by content.
    ///
    /// # Errors
    /// `NotFound`; the store's errors.
    pub async fn delete(&self, function: &FunctionRef) -> Result<()> {
        let _writer = self.0.writer.lock().await;
        let deleted = self
            .0
            .store
            .delete(&name_key(function)?, Condition::None)
            .await;
        self.0.names.write().remove(function);
        match deleted {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(missing(function)),
            deleted => deleted,
        }
    }
}

impl Shared {
    /// What memory says, and whether that may be gone by. Of several that find it old one is told so.
    fn known(&self, function: &FunctionRef) -> Option<(Arc<FunctionRecord>, bool)> {
        let names = self.names.read();
        let known = names.get(function)?;
        let (now, seen) = (
            self.ambient.monotonic_ns(),
            known.seen_ns.load(Ordering::Relaxed),
        );
        let old = now.saturating_sub(seen) > self.name_age_ns;
        let look = old
            && known
                .seen_ns
                .compare_exchange(seen, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        Some((known.record.clone(), !look))
    }

    /// What the store says, which memory then says as well.
    async fn look(&self, function: &FunctionRef) -> Result<Option<Arc<FunctionRecord>>> {
        let before = self.names.read().get(function).map(|known| known.version);
        let key = name_key(function)?;
        match self.store.get(&key, ByteRange::ALL, None).await {
            Ok(read) => {
                let record = Arc::new(decode(&key.key, &read.bytes)?);
                Ok(Some(self.enter(record, read.meta.version)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut names = self.names.write();
                // Unless it was uploaded here while the store was asked.
                if names.get(function).map(|known| known.version) == before {
                    names.remove(function);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Remembers a record unless a later one is remembered already; returns the one that now is.
    fn enter(&self, record: Arc<FunctionRecord>, version: Version) -> Arc<FunctionRecord> {
        let mut names = self.names.write();
        if let Some(known) = names.get(&record.function)
            && known.version > version
        {
            return known.record.clone();
        }
        let known = Known {
            record: record.clone(),
            version,
            seen_ns: AtomicU64::new(self.ambient.monotonic_ns()),
        };
        names.insert(record.function.clone(), known);
        record
    }
}

fn missing(function: &FunctionRef) -> Error {
    Error::not_found(format!("no function {function}"))
}

fn name_key(function: &FunctionRef) -> Result<ObjectKey> {
    ObjectKey::new(BUCKET, format!("{NAME_PREFIX}{function}"))
}

fn name_of(key: &Key) -> Result<FunctionRef> {
    let name = key.as_str().strip_prefix(NAME_PREFIX);
    let function = name.and_then(|name| name.parse().ok());
    function.ok_or_else(|| Error::corrupt(format!("{BUCKET}/{key} is no function's record")))
}

fn encode(record: &FunctionRecord) -> Result<Bytes> {
    let stored = Stored {
        module: record.module.to_string(),
        size_bytes: record.size_bytes,
        uploaded_ms: record.uploaded_ms,
        manifest: record.manifest.clone(),
        writes_objects: record.writes_objects,
        combines: record.combines,
    };
    let json = serde_json::to_vec(&stored);
    json.map(Bytes::from)
        .map_err(|error| Error::internal(format!("encoding a record: {error}")))
}

fn decode(key: &Key, json: &[u8]) -> Result<FunctionRecord> {
    let damaged = |why: &str| Error::corrupt(format!("function record {BUCKET}/{key}: {why}"));
    let stored: Stored = serde_json::from_slice(json).map_err(|e| damaged(&e.to_string()))?;
    Ok(FunctionRecord {
        function: name_of(key)?,
        module: stored
            .module
            .parse()
            .map_err(|e: Error| damaged(e.message()))?,
        size_bytes: stored.size_bytes,
        uploaded_ms: stored.uploaded_ms,
        manifest: stored.manifest,
        writes_objects: stored.writes_objects,
        combines: stored.combines,
    })
}
