//! From what a request asks for to a job whose names are resolved.

use super::over::Over;
use super::place::has_compute;
use crate::app::App;
use bytes::Bytes;
use ganglion_registry::FunctionRecord;
use ganglion_store::NAMES_MAX;
use ganglion_types::{
    Call, CallId, Combiner, Deadline, Entry, Error, FunctionName, FunctionRef, Key, Ndp, ObjectKey,
    Result, TraceParent,
};
use std::time::Duration;

/// What makes one output of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CombineWith {
    /// The function's own combiner.
    Own,
    /// Another function of the same tenant.
    Function(FunctionName),
}

/// What a request asks for.
pub(crate) struct JobAsked {
    pub(crate) function: FunctionRef,
    /// A pattern of keys.
    pub(crate) over: String,
    /// Stands behind the key in each part's input.
    pub(crate) input: Bytes,
    pub(crate) args: Vec<String>,
    pub(crate) combine: Option<CombineWith>,
    pub(crate) ndp: Ndp,
    /// Time of each part, in place of `limits.call_time`.
    pub(crate) budget: Option<Duration>,
    pub(crate) keep_going: bool,
    /// The object that becomes of the result, in the tenant's bucket.
    pub(crate) to: Option<Key>,
    pub(crate) trace: Option<TraceParent>,
}

/// A job, ready to run: a later upload of the names in it does not touch it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What the parts have in common; its id is the job's.
    pub(crate) common: Call,
    pub(crate) over: Over,
    pub(crate) combiner: Option<Combiner>,
    /// A part that fails is told of, and the rest goes on.
    pub(crate) keep_going: bool,
    pub(crate) to: Option<ObjectKey>,
    /// Parts of one batch.
    pub(crate) batch_parts_max: usize,
}

/// Batches of a job at one node: one runs, and the next is there when it ends.
pub(crate) const BATCHES_AT_NODE: u32 = 2;
/// Parts of one batch where they can write: what a node has of the job at once, and what is sent again when the node is lost, are no
/// more writes than one object knows the names of.
const WRITING_PARTS_MAX: usize = NAMES_MAX / BATCHES_AT_NODE as usize;

impl Plan {
    /// Resolves the names of a job.
    ///
    /// # Errors
    /// `NotFound` for a function, `Unavailable` while draining, `Invalid` for a pattern that is none, a deadline beyond its limit, a
    /// function without a combiner, or one that cannot be used as such; `Unavailable` also where storage is forbidden and there is no
    /// other node.
    pub(crate) async fn make(app: &App, id: CallId, asked: JobAsked) -> Result<Self> {
        app.check_not_draining()?;
        let record = app.catalog.resolve(&asked.function).await?;
        let settings = &app.settings;
        if asked.input.len() as u64 + Key::BYTES_MAX as u64 >= settings.input_bytes_max {
            return Err(Error::invalid(format!(
                "the input of {} bytes leaves no room for a key, limit {} bytes (setting limits.input)",
                asked.input.len(),
                settings.input_bytes_max
            )));
        }
        if asked.ndp == Ndp::Forbidden && !has_compute(&app.peers.current()) {
            return Err(Error::unavailable(
                "the cluster has no compute nodes, and the job says ndp=forbid",
            ));
        }
        let limits = app.call_limits(&record, asked.budget)?;
        let combiner = combiner(app, &asked, &record);
        let batch_parts_max = match record.writes_objects {
            true => settings.jobs.batch_parts_max.min(WRITING_PARTS_MAX),
            false => settings.jobs.batch_parts_max,
        };
        let bucket = asked.function.tenant.bucket();
        let now_ns = app.ambient.monotonic_ns();
        Ok(Self {
            combiner: combiner.await?,
            over: Over::new(bucket.clone(), &asked.over)?,
            keep_going: asked.keep_going,
            batch_parts_max,
            to: asked.to.map(|key| ObjectKey { bucket, key }),
            common: Call {
                id,
                function: asked.function,
                module: record.module,
                entry: Entry::Main,
                input: asked.input,
                args: asked.args,
                object: None,
                ndp: asked.ndp,
                deadline: Deadline::after(now_ns, settings.jobs.time),
                limits,
                trace: asked.trace,
            },
        })
    }
}

async fn combiner(
    app: &App,
    asked: &JobAsked,
    record: &FunctionRecord,
) -> Result<Option<Combiner>> {
    let input_bytes_max = app.settings.input_bytes_max;
    let function = &asked.function;
    let combiner = match &asked.combine {
        None => return Ok(None),
        Some(CombineWith::Own) if record.combines => Combiner {
            function: function.clone(),
            module: record.module,
            entry: Entry::Combine,
            input_bytes_max,
            limits: app.call_limits(record, None)?,
        },
        Some(CombineWith::Own) => {
            return Err(Error::invalid(format!(
                "{function} has no combiner of its own (export ganglion_combine): name another function, or let the outputs \
                 stand behind one another"
            )));
        }
        Some(CombineWith::Function(name)) => {
            let function = FunctionRef {
                tenant: function.tenant.clone(),
                name: name.clone(),
            };
            let record = app.catalog.resolve(&function).await?;
            if record.writes_objects {
                return Err(Error::invalid(format!(
                    "{function} can write objects, and nobody knows how often a combiner runs"
                )));
            }
            Combiner {
                function,
                module: record.module,
                entry: Entry::Main,
                input_bytes_max,
                limits: app.call_limits(&record, None)?,
            }
        }
    };
    Ok(Some(combiner))
}
