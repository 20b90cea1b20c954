//! The functions that a node has ready, by content.

use crate::function::{Function, needs_one_image, start_up};
use crate::guest::Guest;
use crate::images;
use crate::run::Surroundings;
use ganglion_registry::{Compiled, Modules};
use ganglion_snapshot::Image;
use ganglion_types::{Call, ContentHash, Error, Result};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::OnceCell;
use wasmtime::Linker;

/// Functions kept ready; beyond them the one that was not called for longest is dropped and loaded again when it is.
const READY_MAX: usize = 1024;

struct Entry {
    function: OnceCell<Arc<Function>>,
    last_used: AtomicU64,
}

pub(crate) struct Functions {
    modules: Arc<Modules>,
    linker: Arc<Linker<Guest>>,
    around: Surroundings,
    stack_bytes: u64,
    entries: RwLock<HashMap<ContentHash, Arc<Entry>>>,
}

impl Functions {
    pub(crate) fn new(
        modules: Arc<Modules>,
        linker: Linker<Guest>,
        around: Surroundings,
        stack_bytes: u64,
    ) -> Self {
        let linker = Arc::new(linker);
        Self {
            modules,
            linker,
            around,
            stack_bytes,
            entries: RwLock::default(),
        }
    }

    /// A function that is ready: the path of a warm call.
    pub(crate) fn ready(&self, hash: &ContentHash, now_ns: u64) -> Option<Arc<Function>> {
        let entries = self.entries.read();
        let entry = entries.get(hash)?;
        entry.last_used.store(now_ns, Ordering::Relaxed);
        entry.function.get().cloned()
    }

    /// Loads a function and makes its image. Calls that come at the same time wait for one loading.
    ///
    /// # Errors
    /// As [`Modules::load`] and [`Function::make`]; a failure is not remembered.
    pub(crate) async fn load(&self, call: &Arc<Call>) -> Result<Arc<Function>> {
        let entry = self.entry(call.module);
        entry
            .function
            .get_or_try_init(|| self.make(call))
            .await
            .cloned()
    }

    async fn make(&self, call: &Arc<Call>) -> Result<Arc<Function>> {
        let (compiled, origin) = self.modules.load(call.module).await?;
        tracing::debug!(function = %call.function, module = ?call.module, ?origin, "loaded");
        if !needs_one_image(&compiled) {
            return Ok(Arc::new(self.make_from(compiled, call, None).await?));
        }
        let kept = images::fetch(&self.modules, &compiled).await?;
        let is_new = kept.is_none();
        let function = self.make_from(compiled.clone(), call, kept).await?;
        if is_new && !self.keep_image(&function, call).await? {
            let kept = images::fetch(&self.modules, &compiled).await?;
            return Ok(Arc::new(self.make_from(compiled, call, kept).await?));
        }
        Ok(Arc::new(function))
    }

    /// `false` when another node was sooner. One that cannot be kept is this node's alone: other nodes then refuse its guests, which
    /// run here.
    async fn keep_image(&self, function: &Function, call: &Call) -> Result<bool> {
        let kept = images::keep(&self.modules, call.module, function.image.clone()).await;
        Ok(kept.unwrap_or_else(|error| {
            tracing::warn!(function = %call.function, %error, "its image is not kept");
            true
        }))
    }

    async fn make_from(
        &self,
        compiled: Arc<Compiled>,
        call: &Arc<Call>,
        image: Option<Arc<Image>>,
    ) -> Result<Function> {
        let (linker, around) = (self.linker.clone(), self.around.clone());
        let (stack_bytes, call) = (self.stack_bytes, call.clone());
        let made = tokio::task::spawn_blocking(move || {
            Function::make(&compiled, &linker, &around, &call, stack_bytes, image)
        });
        match made.await {
            Ok(function) => function,
            Err(error) => Err(Error::internal(format!(
                "making an image ended early: {error}"
            ))),
        }
    }

    /// A function of which nothing has run yet, and what has to run before its first call.
    ///
    /// # Errors
    /// As [`Modules::load`] and [`Function::before_start_up`].
    pub(crate) async fn before_start_up(
        &self,
        module: ContentHash,
    ) -> Result<(Function, Vec<&'static str>)> {
        let (compiled, _) = self.modules.load(module).await?;
        let function = Function::before_start_up(&compiled, &self.linker, self.stack_bytes, None)?;
        Ok((function, start_up(&compiled)))
    }

    fn entry(&self, hash: ContentHash) -> Arc<Entry> {
        let mut entries = self.entries.write();
        if !entries.contains_key(&hash) && entries.len() >= READY_MAX {
            let age = |entry: &Arc<Entry>| entry.last_used.load(Ordering::Relaxed);
            let oldest = entries
                .iter()
                .min_by_key(|(_, entry)| age(entry))
                .map(|(hash, _)| *hash);
            oldest.map(|oldest| entries.remove(&oldest));
        }
        let now = self.around.ambient.monotonic_ns();
        let fresh = || {
            Arc::new(Entry {
                function: OnceCell::new(),
                last_used: AtomicU64::new(now),
            })
        };
        entries.entry(hash).or_insert_with(fresh).clone()
    }
}
