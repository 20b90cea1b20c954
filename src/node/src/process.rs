//! What the nodes of one process share: the engine, its memory, the clocks, the threads.

use crate::ambient::HostAmbient;
use crate::settings::{Settings, SiteSettings};
use bytesize::ByteSize;
use ganglion_registry::{Engine, Modules, stack_bytes_of};
use ganglion_store::ObjectStore;
use ganglion_types::{Ambient, Error, Result, Site};
use ganglion_worker::{EngineMemory, Inline, Interrupter, Slice, WorkerSettings, engine};
use std::sync::Arc;

/// Threads that receive requests, for each core. More than one, so that guests that turn out long, on all cores, leave one.
const RECEIVERS_PER_CORE: usize = 2;

/// What the nodes of one process share.
pub struct Process {
    pub(crate) settings: Settings,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) engine: Engine,
    pub(crate) memory: EngineMemory,
    pub(crate) interrupter: Arc<Interrupter>,
    pub(crate) inline: Inline,
    cores: usize,
}

impl Process {
    /// # Errors
    /// `Internal` when this machine cannot run the engine.
    pub fn new(settings: Settings) -> Result<Arc<Self>> {
        let memory = EngineMemory::new(settings.worker.instances);
        let engine = engine(
            stack_bytes(&settings),
            settings.worker.interruption,
            &memory,
        )
        .map_err(|error| Error::internal(format!("the engine does not start: {error:#}")))?;
        let ambient: Arc<dyn Ambient> = Arc::new(HostAmbient::new());
        let interrupter = Interrupter::start(&engine, ambient.clone()).map_err(|error| {
            Error::internal(format!("what interrupts guests does not start: {error}"))
        })?;
        if !memory.scans_pages() {
            tracing::info!(
                "this kernel has no PAGEMAP_SCAN (Linux 6.7): memories are put back the slower way"
            );
        }
        let cores = cores();
        Ok(Arc::new(Self {
            ambient,
            engine,
            memory,
            interrupter: Arc::new(interrupter),
            inline: Inline::new(if settings.worker.inline {
                receivers() - 1
            } else {
                0
            }),
            settings,
            cores,
        }))
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Clocks and randomness.
    pub fn ambient(&self) -> Arc<dyn Ambient> {
        self.ambient.clone()
    }

    /// Functions by content, kept in `objects`; machine code is kept in the data folder.
    ///
    /// # Errors
    /// `Unavailable` when the folder cannot be had.
    pub(crate) fn modules(&self, objects: Arc<dyn ObjectStore>) -> Result<Arc<Modules>> {
        let folder = self.settings.data.join("artefacts");
        let limits = self.settings.module_limits();
        let modules = Modules::open(self.engine.clone(), &folder, objects, limits)?;
        Ok(Arc::new(modules))
    }

    pub(crate) fn worker_settings(&self, site: Site) -> WorkerSettings {
        let &SiteSettings { permits, queue, .. } = self.settings.site(site);
        let per_core = u32::try_from(self.cores).unwrap_or(u32::MAX);
        WorkerSettings {
            permits: if permits == 0 { per_core } else { permits },
            queue_max: queue,
            niceness: self.settings.worker.niceness,
            stack_bytes: self.settings.limits.stack.as_u64(),
            delta_bytes_max: bytes(self.settings.limits.delta),
            size_age: self.settings.gateway.object_size_age,
            trust: self.settings.link.heartbeat / 2,
        }
    }
}

/// The runtime that a process's nodes run on: its threads have room for a guest's stack.
///
/// # Errors
/// `Internal` when threads cannot be started.
pub fn build_runtime(settings: &Settings) -> Result<tokio::runtime::Runtime> {
    // Whoever builds it waits on it.
    Slice::Short.ask();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(receivers())
        .on_thread_start(|| Slice::Short.ask())
        .thread_stack_size(stack_bytes_of(stack_bytes(settings)))
        .enable_all()
        .build()
        .map_err(|error| Error::internal(format!("the runtime does not start: {error}")))
}

fn stack_bytes(settings: &Settings) -> usize {
    bytes(settings.limits.stack)
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

/// Threads that receive requests. All but one of them may be inside of a short guest.
fn receivers() -> usize {
    RECEIVERS_PER_CORE * cores()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
