//! A function as a node keeps it, ready for its next call: machine code, links and its image.

use crate::guest::Guest;
use crate::run::{Live, Start, Surroundings, instantiate};
use crate::slice::Slice;
use crate::threads::{LONG_NS, Weight};
use ganglion_registry::abi::{COMBINE, STORAGE_CALL};
use ganglion_registry::{Compiled, MEMORY_EXPORT, START_EXPORT, TABLE_EXPORT, global_export};
use ganglion_snapshot::Image;
use ganglion_types::{Call, End, Error, ErrorKind, GlobalValue, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use wasmtime::{Extern, Instance, InstancePre, Linker, ModuleExport, Store, Val};

/// A call below this is short: switching threads for it would cost as much as running it.
const SHORT_NS: u64 = 100_000;
/// So many calls in a row have to be short before the next is run inline.
const SHORT_STREAK: u32 = 16;

/// The exports that a host uses, as indices: looking up by name costs more than a restore.
pub(crate) struct Exports {
    pub(crate) memory: ModuleExport,
    pub(crate) main: ModuleExport,
    pub(crate) combine: Option<ModuleExport>,
    pub(crate) table: Option<ModuleExport>,
    pub(crate) globals: Vec<ModuleExport>,
}

/// A function that can be called.
pub(crate) struct Function {
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) exports: Arc<Exports>,
    pub(crate) image: Arc<Image>,
    /// The globals whose value in the image is not the one that instantiation gives them.
    pub(crate) changed_globals: Vec<(ModuleExport, Val)>,
    /// Whether it makes storage calls.
    pub(crate) offloads: bool,
    pub(crate) stack_bytes: u64,
    /// Of its calls.
    pub(crate) streak: Streak,
    /// Of the functions of its table that are run for calls of other nodes.
    pub(crate) taken_streak: Streak,
}

/// How often in a row something has been short, or [`LONG`].
#[derive(Debug, Default)]
pub(crate) struct Streak(AtomicU32);

/// It was long the last time.
const LONG: u32 = u32::MAX;

impl Function {
    /// Links a module and makes its image: start function, constructors and zygote run here, once, unless the `image` that they
    /// leave is there already. `call` is the first call, whose limits and deadline hold for that as well.
    ///
    /// # Errors
    /// `Guest` or `Deadline` when the start-up code fails; `Busy` when no slot is free.
    pub(crate) fn make(
        compiled: &Compiled,
        linker: &Linker<Guest>,
        around: &Surroundings,
        call: &Arc<Call>,
        stack_bytes: u64,
        image: Option<Arc<Image>>,
    ) -> Result<Self> {
        let is_complete = image.is_some();
        let mut function = Self::before_start_up(compiled, linker, stack_bytes, image)?;
        let start_up = start_up(compiled);
        if !is_complete && (!start_up.is_empty() || function.offloads) {
            function.grow_up(around, call, &start_up)?;
        }
        Ok(function)
    }

    /// Links a module, with the given image, or else with the memory that it begins with: nothing of it has run.
    ///
    /// # Errors
    /// `Internal` when it cannot be linked; `Unavailable` when there is no memory for its image.
    pub(crate) fn before_start_up(
        compiled: &Compiled,
        linker: &Linker<Guest>,
        stack_bytes: u64,
        image: Option<Arc<Image>>,
    ) -> Result<Self> {
        let pre = linker
            .instantiate_pre(&compiled.module)
            .map_err(|error| Error::internal(format!("linking {}: {error:#}", compiled.hash)))?;
        let exports = Arc::new(exports(compiled)?);
        let memory_bytes = usize::try_from(compiled.shape.memory_min_bytes)
            .map_err(|_| Error::internal("a memory larger than the address space"))?;
        let image = match image {
            Some(image) => image,
            None => {
                let image = Image::new(&compiled.initial_memory, memory_bytes, Vec::new());
                Arc::new(image.map_err(out_of_memory)?)
            }
        };
        // Of an image that is complete the globals are what they became; of one that is not, none are known.
        let globals = exports.globals.iter().zip(image.globals());
        let globals = globals.map(|(export, global)| (*export, value(*global)));
        Ok(Self {
            pre,
            changed_globals: globals.collect(),
            exports,
            image,
            offloads: makes_storage_calls(compiled),
            stack_bytes,
            streak: Streak::default(),
            taken_streak: Streak::default(),
        })
    }

    /// Runs the start-up code in an instance and makes what it leaves the image.
    fn grow_up(
        &mut self,
        around: &Surroundings,
        call: &Arc<Call>,
        start_up: &[&str],
    ) -> Result<()> {
        let mut live = self.instantiate_unreached(around, call)?;
        let (store, instance) = (&mut live.store, live.instance);
        let before = self.globals(store, instance)?;
        self.start_up(store, instance, start_up)?;
        let after = self.globals(store, instance)?;
        let changed = after.iter().zip(&before).zip(&self.exports.globals);
        self.changed_globals = changed
            .filter(|((after, before), _)| after != before)
            .map(|((after, _), export)| (*export, value(*after)))
            .collect();
        let Some(grown) = store.data().memory else {
            return Err(Error::internal("an instance without its memory"));
        };
        let bytes = grown.data(&*store);
        self.image = Arc::new(Image::new(bytes, bytes.len(), after).map_err(out_of_memory)?);
        Ok(())
    }

    /// An instance that reaches no objects.
    ///
    /// # Errors
    /// As [`instantiate`].
    pub(crate) fn instantiate_unreached<'a>(
        &self,
        around: &'a Surroundings,
        call: &Arc<Call>,
    ) -> Result<Live<'a>> {
        let start = Start {
            call: call.clone(),
            cancelled: Arc::new(AtomicBool::new(false)),
            reach: None,
        };
        instantiate(self, around, start)
    }

    /// Runs the start-up code of these names in an instance that was made for it.
    ///
    /// # Errors
    /// `Guest` or `Deadline` when it fails.
    pub(crate) fn start_up(
        &self,
        store: &mut Store<Guest>,
        instance: Instance,
        names: &[&str],
    ) -> Result<()> {
        for name in names {
            let ran = run_start_up(store, instance, name, self.stack_bytes);
            let function = &store.data().call.function;
            ran.map_err(|error| error.within(format!("{name} of {function}")))?;
        }
        Ok(())
    }

    fn globals(&self, store: &mut Store<Guest>, instance: Instance) -> Result<Vec<GlobalValue>> {
        let read = |export: &ModuleExport| {
            let global = instance
                .get_module_export(&mut *store, export)
                .and_then(Extern::into_global);
            global.and_then(|global| global_value(&global.get(&mut *store)))
        };
        let values: Option<Vec<_>> = self.exports.globals.iter().map(read).collect();
        values.ok_or_else(|| Error::internal("a mutable global that the upload check let through"))
    }
}

impl Streak {
    /// Whether it has been short lately.
    pub(crate) fn is_short(&self) -> bool {
        (SHORT_STREAK..LONG).contains(&self.0.load(Ordering::Relaxed))
    }

    /// What its thread has of the cores.
    pub(crate) fn weight(&self) -> Weight {
        match self.0.load(Ordering::Relaxed) {
            LONG => Weight::Lowered,
            SHORT_STREAK.. => Weight::Full(Slice::Short),
            _ => Weight::Full(Slice::Ordinary),
        }
    }

    /// Remembers how long it kept its thread: computing, or waiting for another node. Not its wall time, in which the
    /// kernel may have run others.
    pub(crate) fn kept_its_thread(&self, busy_ns: u64) {
        let streak = self.0.load(Ordering::Relaxed);
        if busy_ns > LONG_NS {
            self.0.store(LONG, Ordering::Relaxed);
        } else if busy_ns > SHORT_NS || streak == LONG {
            self.0.store(0, Ordering::Relaxed);
        } else if !self.is_short() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn out_of_memory(error: ganglion_snapshot::MapError) -> Error {
    Error::unavailable(format!("an image cannot be made: {error}"))
}

/// Whether all nodes must have its very image: its guests can go from one to another, or it is long in the making.
pub(crate) fn needs_one_image(compiled: &Compiled) -> bool {
    compiled.shape.has_zygote || (makes_storage_calls(compiled) && !start_up(compiled).is_empty())
}

/// Whether it imports a storage call. Its image then has to be complete, also when nothing runs before the first call.
fn makes_storage_calls(compiled: &Compiled) -> bool {
    let mut imports = compiled.module.imports();
    imports.any(|import| import.name().starts_with(STORAGE_CALL))
}

/// What has to run before the first call, in this order (Faasm's).
pub(crate) fn start_up(compiled: &Compiled) -> Vec<&'static str> {
    let shape = &compiled.shape;
    [
        (shape.has_start, START_EXPORT),
        (shape.has_constructors, "__wasm_call_ctors"),
        (shape.has_zygote, "_faasm_zygote"),
    ]
    .into_iter()
    .filter_map(|(has, name)| has.then_some(name))
    .collect()
}

fn run_start_up(
    store: &mut Store<Guest>,
    instance: Instance,
    name: &str,
    stack_bytes: u64,
) -> Result<()> {
    let missing = || Error::internal(format!("no export `{name}`, which the upload check saw"));
    let function = instance.get_func(&mut *store, name).ok_or_else(missing)?;
    let mut results = vec![Val::I32(0); function.ty(&*store).results().len()];
    let called = function.call(&mut *store, &[], &mut results);
    match crate::stop::end_of(called, store.data(), stack_bytes) {
        End::Exited(0) => {}
        End::Exited(code) => return Err(Error::guest(format!("it exited with code {code}"))),
        End::Failed(error) => return Err(error),
    }
    match results.first() {
        Some(Val::I32(code)) if *code != 0 => Err(Error::guest(format!("it returned {code}"))),
        _ => Ok(()),
    }
}

fn exports(compiled: &Compiled) -> Result<Exports> {
    let export = |name: &str| {
        compiled.module.get_export_index(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("module {} has no export `{name}`", compiled.hash),
            )
        })
    };
    let shape = &compiled.shape;
    let globals = shape.mutable_globals.iter();
    let where_there_is_one = |has: bool, name| has.then(|| export(name)).transpose();
    Ok(Exports {
        memory: export(MEMORY_EXPORT)?,
        main: export("_start")?,
        combine: where_there_is_one(shape.has_combiner, COMBINE)?,
        table: where_there_is_one(shape.has_table, TABLE_EXPORT)?,
        globals: globals
            .map(|index| export(&global_export(*index)))
            .collect::<Result<_>>()?,
    })
}

pub(crate) fn global_value(value: &Val) -> Option<GlobalValue> {
    match *value {
        Val::I32(value) => Some(GlobalValue::I32(value)),
        Val::I64(value) => Some(GlobalValue::I64(value)),
        Val::F32(bits) => Some(GlobalValue::F32(bits)),
        Val::F64(bits) => Some(GlobalValue::F64(bits)),
        _ => None,
    }
}

pub(crate) fn value(value: GlobalValue) -> Val {
    match value {
        GlobalValue::I32(value) => Val::I32(value),
        GlobalValue::I64(value) => Val::I64(value),
        GlobalValue::F32(bits) => Val::F32(bits),
        GlobalValue::F64(bits) => Val::F64(bits),
    }
}
