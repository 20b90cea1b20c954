//! A worker in this process, without a node around it.

use bytes::Bytes;
use ganglion_node::{BUNDLED, HostAmbient};
use ganglion_registry::{Interruption, Modules};
use ganglion_store::ObjectStore;
use ganglion_types::{
    Alone, Ambient, Answer, Call, CallIds, CallLimits, ContentHash, Deadline, End, Entry, Error,
    FunctionRef, ModuleLimits, Ndp, NodeId, Result, Site,
};
use ganglion_worker::{
    EngineMemory, Inline, Interrupter, Worker, WorkerParts, WorkerSettings, engine,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The node that the workers work for.
pub(crate) const NODE: &str = "here";
/// The tenant of all functions, and the bucket of its objects.
pub(crate) const TENANT: &str = "ndp";

/// An engine and what workers share of it.
pub(crate) struct Bed {
    pub(crate) clock: Arc<dyn Ambient>,
    pub(crate) modules: Arc<Modules>,
    memory: EngineMemory,
    interrupter: Arc<Interrupter>,
    ids: CallIds,
}

impl Bed {
    /// Modules are kept in `store`, their machine code in `artefacts`.
    pub(crate) fn new(artefacts: &Path, store: Arc<dyn ObjectStore>) -> Result<Self> {
        Self::interrupted_by(Interruption::Poll, artefacts, store)
    }

    /// As [`Bed::new`], with guests that are interrupted in that way.
    pub(crate) fn interrupted_by(
        interruption: Interruption,
        artefacts: &Path,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Self> {
        let limits = ModuleLimits::default();
        let stack_bytes = usize::try_from(limits.stack_bytes).unwrap_or(usize::MAX);
        let memory = EngineMemory::new(64);
        let engine = engine(stack_bytes, interruption, &memory)
            .map_err(|error| Error::internal(format!("the engine does not start: {error:#}")))?;
        let clock: Arc<dyn Ambient> = Arc::new(HostAmbient::new());
        let interrupter = Interrupter::start(&engine, clock.clone()).map_err(|error| {
            Error::internal(format!("what interrupts guests does not start: {error}"))
        })?;
        Ok(Self {
            clock,
            modules: Arc::new(Modules::open(engine, artefacts, store, limits)?),
            memory,
            interrupter: Arc::new(interrupter),
            ids: CallIds::new(1),
        })
    }

    /// Whether memories are put back by their written pages.
    pub(crate) fn scans_pages(&self) -> bool {
        self.memory.scans_pages()
    }

    /// The same engine's modules, with machine code kept elsewhere.
    pub(crate) fn other_modules(
        &self,
        artefacts: &Path,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Arc<Modules>> {
        let engine = self.modules.engine().clone();
        Ok(Arc::new(Modules::open(
            engine,
            artefacts,
            store,
            ModuleLimits::default(),
        )?))
    }

    /// A worker that has no function ready yet, and runs short ones on the thread that asks.
    pub(crate) fn worker(
        &self,
        modules: Arc<Modules>,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Worker> {
        self.worker_with(modules, store, Inline::new(1), 1)
    }

    /// As [`Bed::worker`], with another allowance of inline calls, for so many guests at once.
    pub(crate) fn worker_with(
        &self,
        modules: Arc<Modules>,
        store: Arc<dyn ObjectStore>,
        inline: Inline,
        permits: u32,
    ) -> Result<Worker> {
        let mut parts = self.parts(modules, store)?;
        parts.inline = inline;
        parts.settings.permits = permits;
        Worker::new(parts)
    }

    /// What a storage node's worker is made of that runs one guest at once and knows no other node.
    pub(crate) fn parts(
        &self,
        modules: Arc<Modules>,
        store: Arc<dyn ObjectStore>,
    ) -> Result<WorkerParts> {
        Ok(WorkerParts {
            node: NodeId::new(NODE)?,
            site: Site::Storage,
            modules,
            memory: self.memory.clone(),
            interrupter: self.interrupter.clone(),
            store,
            neighbours: Arc::new(Alone),
            ambient: self.clock.clone(),
            inline: Inline::new(1),
            settings: WorkerSettings {
                permits: 1,
                queue_max: 1,
                niceness: 10,
                stack_bytes: ModuleLimits::default().stack_bytes,
                delta_bytes_max: 32 << 20,
                size_age: Duration::from_secs(30),
                trust: Duration::from_secs(1),
            },
        })
    }

    pub(crate) fn call(&self, function: &FunctionRef, module: ContentHash, input: &Bytes) -> Call {
        let limits = CallLimits::default();
        Call {
            id: self.ids.next(),
            function: function.clone(),
            module,
            entry: Entry::Main,
            input: input.clone(),
            args: Vec::new(),
            object: None,
            ndp: Ndp::Allowed,
            deadline: Deadline::after(self.clock.monotonic_ns(), limits.wall),
            limits,
            trace: None,
        }
    }
}

/// Modules of `funcs/` that are there to be measured.
const MEASURED: [(&str, &[u8]); 2] = [
    ("logs", include_bytes!("../../../funcs/wasm/logs.wasm")),
    ("sum", include_bytes!("../../../funcs/wasm/sum.wasm")),
];

/// A module that comes with Ganglion.
pub(crate) fn bundled(name: &str) -> Result<Bytes> {
    if let Some((_, wasm)) = MEASURED.iter().find(|(measured, _)| *measured == name) {
        return Ok(Bytes::from_static(wasm));
    }
    let found = BUNDLED.iter().find(|bundled| bundled.name == name);
    found
        .map(|bundled| bundled.bytes())
        .ok_or_else(|| Error::internal(format!("no function `{name}` is bundled")))
}

/// The module with a custom section behind it that no other has: the same code under another hash.
pub(crate) fn made_unique(wasm: &Bytes, mark: u64) -> Bytes {
    let section = wasm_encoder::CustomSection {
        name: "bench".into(),
        data: mark.to_le_bytes().to_vec().into(),
    };
    let mut unique = wasm.to_vec();
    wasm_encoder::Section::append_to(&section, &mut unique);
    unique.into()
}

/// The answer of a call that has to succeed.
pub(crate) fn succeeded(answer: Result<Answer>, function: &FunctionRef) -> Result<Answer> {
    let answer = answer?;
    match &answer.end {
        End::Exited(0) => Ok(answer),
        End::Exited(code) => Err(Error::guest(format!("{function} exited with code {code}"))),
        End::Failed(error) => Err(error.clone().within(function)),
    }
}
