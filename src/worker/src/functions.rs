//! The functions that a node has ready, by content.

use crate::function::Function;
use crate::guest::Guest;
use crate::run::Surroundings;
use ganglion_registry::Modules;
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
        let (linker, around) = (self.linker.clone(), self.around.clone());
        let (stack_bytes, call) = (self.stack_bytes, call.clone());
        let made = tokio::task::spawn_blocking(move || {
            Function::make(&compiled, &linker, &around, &call, stack_bytes)
        });
        match made.await {
            Ok(function) => Ok(Arc::new(function?)),
            Err(error) => Err(Error::internal(format!(
                "making an image ended early: {error}"
            ))),
        }
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
