//! From a request of either dialect to one [`Call`].

use crate::app::App;
use crate::dispatch::check_public;
use bytes::Bytes;
use ganglion_registry::FunctionRecord;
use ganglion_types::{
    Call, CallId, CallLimits, Deadline, Entry, Error, FunctionRef, Ndp, ObjectKey, Result,
    TraceParent,
};
use std::time::Duration;

/// What a request asks for, in the words of both dialects.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) input: Bytes,
    pub(crate) args: Vec<String>,
    /// In place of the object that the function's manifest finds in the input.
    pub(crate) object: Option<ObjectKey>,
    pub(crate) ndp: Ndp,
    /// In place of `limits.call_time`.
    pub(crate) budget: Option<Duration>,
    pub(crate) trace: Option<TraceParent>,
}

impl App {
    /// Resolves the function and everything else that the call needs.
    ///
    /// # Errors
    /// `NotFound` for the function, `Unavailable` while draining, `Denied` for an internal object, `Invalid` for a
    /// deadline beyond the limit.
    pub(crate) async fn call(
        &self,
        id: CallId,
        function: FunctionRef,
        asked: Asked,
    ) -> Result<Call> {
        self.prepare(id, function, asked)
            .await
            .inspect_err(|error| self.metrics.failed(error.kind()))
    }

    async fn prepare(&self, id: CallId, function: FunctionRef, asked: Asked) -> Result<Call> {
        self.check_not_draining()?;
        let record = self.catalog.resolve(&function).await?;
        let object = object_of(&record, &asked)?;
        let limits = self.call_limits(&record, asked.budget)?;
        Ok(Call {
            id,
            function,
            module: record.module,
            entry: Entry::Main,
            input: asked.input,
            args: asked.args,
            object,
            ndp: asked.ndp,
            deadline: Deadline::after(self.ambient.monotonic_ns(), limits.wall),
            limits,
            trace: asked.trace,
        })
    }

    /// Refuses new work once this node is being shut down.
    pub(crate) fn check_not_draining(&self) -> Result<()> {
        match self.drain.is_draining() {
            false => Ok(()),
            true => Err(Error::unavailable(
                "this node is draining and takes no new calls",
            )),
        }
    }

    /// What a call of this function may use that asks for so much time.
    ///
    /// # Errors
    /// `Invalid` for more time than there is.
    pub(crate) fn call_limits(
        &self,
        record: &FunctionRecord,
        budget: Option<Duration>,
    ) -> Result<CallLimits> {
        let limits = record.manifest.limits.within(self.settings.call_limits);
        let wall = budget.unwrap_or(limits.wall);
        if wall > limits.wall {
            return Err(Error::invalid(format!(
                "the deadline of {wall:?} is beyond {:?} (setting limits.call_time)",
                limits.wall
            )));
        }
        Ok(CallLimits { wall, ..limits })
    }
}

fn object_of(record: &FunctionRecord, asked: &Asked) -> Result<Option<ObjectKey>> {
    match &asked.object {
        Some(object) => {
            check_public(object)?;
            Ok(Some(object.clone()))
        }
        None => {
            let tenant = &record.function.tenant;
            let named = record.manifest.object.object(tenant, &asked.input);
            // What a function finds in its input is its own guess: an internal name is no object of anybody.
            Ok(named.filter(|object| !object.bucket.is_internal()))
        }
    }
}

/// A function's name for an upload. A tenant whose bucket would be one of Ganglion's own is refused: its guests could
/// reach records that are nobody's objects.
pub(crate) fn owned(tenant: &str, name: &str) -> Result<FunctionRef> {
    let function = FunctionRef::new(tenant, name)?;
    if function.tenant.bucket().is_internal() {
        return Err(Error::denied(format!(
            "tenant {tenant} begins with a dot: such names belong to Ganglion itself"
        )));
    }
    Ok(function)
}
