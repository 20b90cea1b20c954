//! Names: which content a function's name stands for, now and after a restart.

use crate::manifest::Manifest;
use crate::modules::{BUCKET, Modules};
use bytes::Bytes;
use ganglion_store::{ByteRange, Condition, ObjectStore, PutOptions};
use ganglion_types::{
    Ambient, Bucket, ContentHash, Error, ErrorKind, FunctionRef, Key, ObjectKey, Result, Tenant,
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

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
}

/// A record as it is kept: JSON in an object whose key is the name.
#[derive(Serialize, Deserialize)]
struct Stored {
    module: String,
    size_bytes: u64,
    uploaded_ms: u64,
    manifest: Manifest,
    writes_objects: bool,
}

const LIST_PAGE: usize = 1_000;
const NAME_PREFIX: &str = "name/";

/// The names of a cluster's functions: durable in the object store, answered from memory.
pub struct Catalog {
    store: Arc<dyn ObjectStore>,
    modules: Arc<Modules>,
    ambient: Arc<dyn Ambient>,
    records: RwLock<HashMap<FunctionRef, Arc<FunctionRecord>>>,
    /// Held across the store's write and the change in memory, so that both have the same last upload.
    writer: tokio::sync::Mutex<()>,
}

impl Catalog {
    /// Reads every name from the store.
    ///
    /// # Errors
    /// The store's errors, and `Corrupt` for a record that cannot be read.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        modules: Arc<Modules>,
        ambient: Arc<dyn Ambient>,
    ) -> Result<Self> {
        let records = RwLock::new(read_all(&*store).await?);
        Ok(Self {
            store,
            modules,
            ambient,
            records,
            writer: tokio::sync::Mutex::new(()),
        })
    }

    /// Uploads a module under a name. It takes effect for the next call; running ones go on with what they have.
    /// `manifest` stands in place of the module's own.
    ///
    /// # Errors
    /// `Invalid` when the module is refused, saying why; the store's errors.
    pub async fn upload(
        &self,
        function: FunctionRef,
        wasm: Bytes,
        manifest: Option<Manifest>,
    ) -> Result<Arc<FunctionRecord>> {
        let size_bytes = wasm.len() as u64;
        let compiled = self
            .modules
            .add(wasm)
            .await
            .map_err(|e| e.within(&function))?;
        let record = Arc::new(FunctionRecord {
            module: compiled.hash,
            size_bytes,
            uploaded_ms: self.ambient.unix_ns() / 1_000_000,
            manifest: manifest.unwrap_or_else(|| compiled.manifest.clone()),
            writes_objects: compiled.shape.writes_objects,
            function,
        });
        let _writer = self.writer.lock().await;
        let key = name_key(&record.function)?;
        self.store
            .put(&key, encode(&record)?, PutOptions::default())
            .await?;
        self.records
            .write()
            .insert(record.function.clone(), record.clone());
        Ok(record)
    }

    /// What a name stands for now.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn resolve(&self, function: &FunctionRef) -> Result<Arc<FunctionRecord>> {
        self.records
            .read()
            .get(function)
            .cloned()
            .ok_or_else(|| missing(function))
    }

    /// All functions, or one tenant's, by name.
    pub fn list(&self, tenant: Option<&Tenant>) -> Vec<Arc<FunctionRecord>> {
        let records = self.records.read();
        let wanted = |r: &&Arc<FunctionRecord>| tenant.is_none_or(|t| *t == r.function.tenant);
        let mut list: Vec<_> = records.values().filter(wanted).cloned().collect();
        list.sort_by(|a, b| a.function.cmp(&b.function));
        list
    }

    /// The module as it was uploaded.
    ///
    /// # Errors
    /// `NotFound`; the store's errors.
    pub async fn original(&self, function: &FunctionRef) -> Result<Bytes> {
        self.modules.original(self.resolve(function)?.module).await
    }

    /// Forgets a name. Running calls go on; the module's bytes stay in the store, by content.
    ///
    /// # Errors
    /// `NotFound`; the store's errors.
    pub async fn delete(&self, function: &FunctionRef) -> Result<()> {
        let _writer = self.writer.lock().await;
        if !self.records.read().contains_key(function) {
            return Err(missing(function));
        }
        match self
            .store
            .delete(&name_key(function)?, Condition::None)
            .await
        {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.records.write().remove(function);
        Ok(())
    }
}

fn missing(function: &FunctionRef) -> Error {
    Error::not_found(format!("no function {function}"))
}

fn name_key(function: &FunctionRef) -> Result<ObjectKey> {
    ObjectKey::new(BUCKET, format!("{NAME_PREFIX}{function}"))
}

fn encode(record: &FunctionRecord) -> Result<Bytes> {
    let stored = Stored {
        module: record.module.to_string(),
        size_bytes: record.size_bytes,
        uploaded_ms: record.uploaded_ms,
        manifest: record.manifest.clone(),
        writes_objects: record.writes_objects,
    };
    let json = serde_json::to_vec(&stored);
    json.map(Bytes::from)
        .map_err(|error| Error::internal(format!("encoding a record: {error}")))
}

fn decode(key: &Key, json: &[u8]) -> Result<FunctionRecord> {
    let damaged = |why: &str| Error::corrupt(format!("function record {BUCKET}/{key}: {why}"));
    let stored: Stored = serde_json::from_slice(json).map_err(|e| damaged(&e.to_string()))?;
    let name = key
        .as_str()
        .strip_prefix(NAME_PREFIX)
        .ok_or_else(|| damaged("no name"))?;
    Ok(FunctionRecord {
        function: name.parse().map_err(|e: Error| damaged(e.message()))?,
        module: stored
            .module
            .parse()
            .map_err(|e: Error| damaged(e.message()))?,
        size_bytes: stored.size_bytes,
        uploaded_ms: stored.uploaded_ms,
        manifest: stored.manifest,
        writes_objects: stored.writes_objects,
    })
}

async fn read_all(store: &dyn ObjectStore) -> Result<HashMap<FunctionRef, Arc<FunctionRecord>>> {
    let bucket = Bucket::new(BUCKET)?;
    let (mut records, mut after) = (HashMap::new(), None);
    loop {
        let page = store
            .list(&bucket, NAME_PREFIX, after.as_ref(), LIST_PAGE)
            .await?;
        for (key, _) in &page.objects {
            let object = ObjectKey {
                bucket: bucket.clone(),
                key: key.clone(),
            };
            let read = store.get(&object, ByteRange::ALL, None).await?;
            let record = Arc::new(decode(key, &read.bytes)?);
            records.insert(record.function.clone(), record);
        }
        after = page.objects.last().map(|(key, _)| key.clone());
        if !page.more {
            return Ok(records);
        }
    }
}
