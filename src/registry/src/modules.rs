//! Modules by content: the original in the object store, the machine code on this node.

use crate::artefact::{ArtefactCache, Parts};
use crate::blueprint::Blueprint;
use crate::engine::Engine;
use crate::manifest::Manifest;
use crate::rewrite::{Shape, rewrite};
use bytes::Bytes;
use ganglion_store::{ByteRange, Condition, ObjectStore, PutOptions};
use ganglion_types::{ContentHash, Error, ErrorKind, ModuleLimits, ObjectKey, Result};
use std::path::Path;
use std::sync::Arc;
use wasmtime::Module;

/// The bucket of the registry's own objects.
pub(crate) const BUCKET: &str = ".functions";

/// A module that can be instantiated.
pub struct Compiled {
    /// The hash of the file that was uploaded.
    pub hash: ContentHash,
    /// Machine code of the rewritten module.
    pub module: Module,
    /// What the host needs to know of it.
    pub shape: Shape,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its linear memory before the first instruction, up to the last byte that is not zero by default.
    pub initial_memory: Vec<u8>,
}

/// How a module came to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From an artefact on this node's disk.
    Artefact,
    /// Compiled just now.
    Compiled,
}

/// Loads and compiles modules for one node. Keeps none in memory: that is the worker's.
pub struct Modules {
    engine: Engine,
    cache: Arc<ArtefactCache>,
    store: Arc<dyn ObjectStore>,
    limits: ModuleLimits,
}

impl Modules {
    /// Artefacts are kept in `dir`, which is made; several nodes of one machine may share it.
    ///
    /// # Errors
    /// `Internal` when the folder cannot be made.
    pub fn open(
        engine: Engine,
        dir: &Path,
        store: Arc<dyn ObjectStore>,
        limits: ModuleLimits,
    ) -> Result<Self> {
        let cache = Arc::new(ArtefactCache::open(dir, engine.clone())?);
        Ok(Self {
            engine,
            cache,
            store,
            limits,
        })
    }

    /// The engine that the modules are compiled for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What a module is called by its content.
    pub fn hash(wasm: &[u8]) -> ContentHash {
        ContentHash(*blake3::hash(wasm).as_bytes())
    }

    /// Checks, compiles and keeps a module; the same bytes again cost no compilation.
    ///
    /// # Errors
    /// `Invalid` when it may not be uploaded; the store's errors.
    pub async fn add(&self, wasm: Bytes) -> Result<Arc<Compiled>> {
        let hash = Self::hash(&wasm);
        let compiled = match self.load_artefact(hash).await? {
            Some(compiled) => compiled,
            None => self.compile(hash, wasm.clone()).await?,
        };
        let options = PutOptions {
            condition: Condition::Absent,
            commit: None,
        };
        match self.store.put(&module_key(hash)?, wasm, options).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error.within(format!("keeping module {hash:?}"))),
        }
        Ok(compiled)
    }

    /// Loads a module that was added, here or on another node.
    ///
    /// # Errors
    /// `NotFound` when nobody added it; `Corrupt` when the store returns other bytes; the store's errors.
    pub async fn load(&self, hash: ContentHash) -> Result<(Arc<Compiled>, Origin)> {
        if let Some(compiled) = self.load_artefact(hash).await? {
            return Ok((compiled, Origin::Artefact));
        }
        let wasm = self.original(hash).await?;
        Ok((self.compile(hash, wasm).await?, Origin::Compiled))
    }

    /// The file as it was uploaded.
    ///
    /// # Errors
    /// `NotFound` when nobody added it; `Corrupt` when the store returns other bytes; the store's errors.
    pub async fn original(&self, hash: ContentHash) -> Result<Bytes> {
        let read = self
            .store
            .get(&module_key(hash)?, ByteRange::ALL, None)
            .await;
        let wasm = read
            .map_err(|error| error.within(format!("module {hash:?}")))?
            .bytes;
        if Self::hash(&wasm) == hash {
            Ok(wasm)
        } else {
            Err(Error::corrupt(format!(
                "module {hash} is not what was uploaded"
            )))
        }
    }

    /// The image of a module's memory after its start-up code, as a worker sealed it; `None` when nobody has kept one.
    ///
    /// # Errors
    /// The store's.
    pub async fn image(&self, hash: ContentHash) -> Result<Option<Bytes>> {
        match self
            .store
            .get(&image_key(hash)?, ByteRange::ALL, None)
            .await
        {
            Ok(read) => Ok(Some(read.bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.within(format!("the image of module {hash:?}"))),
        }
    }

    /// Keeps an image beside its module, unless there is one: `false`, and that one holds.
    ///
    /// # Errors
    /// The store's, also when it is too large for it.
    pub async fn keep_image(&self, hash: ContentHash, sealed: Bytes) -> Result<bool> {
        let options = PutOptions {
            condition: Condition::Absent,
            commit: None,
        };
        match self.store.put(&image_key(hash)?, sealed, options).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
            Err(error) => Err(error.within(format!("keeping the image of module {hash:?}"))),
        }
    }

    async fn load_artefact(&self, hash: ContentHash) -> Result<Option<Arc<Compiled>>> {
        let cache = self.cache.clone();
        blocking(move || {
            Ok(cache
                .load(hash)
                .map(|(module, parts)| compiled(hash, module, parts)))
        })
        .await
    }

    async fn compile(&self, hash: ContentHash, wasm: Bytes) -> Result<Arc<Compiled>> {
        let (engine, cache, limits) = (self.engine.clone(), self.cache.clone(), self.limits);
        blocking(move || {
            let blueprint = Blueprint::read(&wasm, &limits)?;
            let rewritten = rewrite(&wasm, &blueprint, engine.interruption())?;
            let artefact = engine.precompile_module(&rewritten.wasm).map_err(|error| {
                Error::invalid(format!("the module does not compile: {error:#}"))
            })?;
            let parts = Parts {
                shape: rewritten.shape,
                manifest: blueprint.manifest,
                initial_memory: rewritten.initial_memory,
            };
            cache.keep(hash, &artefact, &parts)?;
            let Some((module, parts)) = cache.load(hash) else {
                return Err(Error::internal(format!(
                    "the artefact of module {hash} does not load"
                )));
            };
            Ok(compiled(hash, module, parts))
        })
        .await
    }
}

fn compiled(hash: ContentHash, module: Module, parts: Parts) -> Arc<Compiled> {
    let Parts {
        shape,
        manifest,
        initial_memory,
    } = parts;
    Arc::new(Compiled {
        hash,
        module,
        shape,
        manifest,
        initial_memory,
    })
}

fn module_key(hash: ContentHash) -> Result<ObjectKey> {
    ObjectKey::new(BUCKET, format!("module/{hash}"))
}

fn image_key(hash: ContentHash) -> Result<ObjectKey> {
    ObjectKey::new(BUCKET, format!("image/{hash}"))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::internal(format!(
            "a registry task ended early: {error}"
        ))),
    }
}
