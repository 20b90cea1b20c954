//! The jobs of a gateway: those that run, and for a while those that have ended.

use super::part::Past;
use super::plan::Plan;
use super::progress::Progress;
use super::run::run;
use crate::app::{App, Shared};
use crate::kept::{Kept, KeptLimits};
use crate::metrics::JobOutcome;
use crate::settings::GatewaySettings;
use bytes::Bytes;
use ganglion_types::{Ambient, CallId, Error, FunctionRef, ObjectKey, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How a job ended.
#[derive(Clone, Debug)]
pub(crate) enum JobEnd {
    /// With this result.
    Done(Bytes),
    /// Its result of so many bytes is an object.
    Stored(ObjectKey, u64),
    Failed(Error),
    Cancelled,
}

/// One job, as long as it is known.
pub(crate) struct Job {
    pub(crate) id: CallId,
    pub(crate) function: FunctionRef,
    /// The pattern of its keys.
    pub(crate) over: String,
    /// What combines its outputs.
    pub(crate) combiner: Option<FunctionRef>,
    /// Which of this gateway's jobs it is.
    pub(crate) number: u64,
    pub(crate) began_ms: u64,
    began_ns: u64,
    state: Mutex<State>,
    cancel: CancellationToken,
}

#[derive(Default)]
struct State {
    progress: Progress,
    /// And when that was.
    end: Option<(JobEnd, u64)>,
}

impl Job {
    pub(crate) fn note(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.state.lock().progress);
    }

    /// How far it has come, how it ended if it has, and how long it has run, in nanoseconds.
    pub(crate) fn look(&self, now_ns: u64) -> (Progress, Option<JobEnd>, u64) {
        let state = self.state.lock();
        let until_ns = state.end.as_ref().map_or(now_ns, |(_, at_ns)| *at_ns);
        let end = state.end.as_ref().map(|(end, _)| end.clone());
        let ran_ns = until_ns.saturating_sub(self.began_ns);
        (state.progress.clone(), end, ran_ns)
    }

    fn has_ended(&self) -> bool {
        self.state.lock().end.is_some()
    }
}

/// The jobs of this gateway.
pub(crate) struct Jobs {
    jobs: Mutex<Known>,
    tasks: TaskTracker,
    ambient: Arc<dyn Ambient>,
}

struct Known {
    kept: Kept<CallId, Arc<Job>>,
    begun: u64,
}

impl Jobs {
    pub(crate) fn new(settings: &GatewaySettings, ambient: Arc<dyn Ambient>) -> Self {
        let jobs = &settings.jobs;
        let kept = Kept::new(KeptLimits {
            count_max: jobs.kept_max,
            bytes_max: jobs.kept_bytes_max,
            age: jobs.age,
        });
        Self {
            jobs: Mutex::new(Known { kept, begun: 0 }),
            tasks: TaskTracker::new(),
            ambient,
        }
    }

    /// Begins a job; it runs whatever becomes of whoever asked for it.
    ///
    /// # Errors
    /// `Busy` when as many run as may.
    pub(crate) fn begin(&self, app: &Shared, plan: Plan) -> Result<Arc<Job>> {
        let job = self.enter(app, &plan)?;
        let (app, begun) = (app.clone(), job.clone());
        self.tasks.spawn(async move {
            let running = app.metrics.begin_job();
            // Whatever becomes of the work, the job does not stay `running`.
            let mut ending = Ending {
                app: app.clone(),
                job: begun.clone(),
                end: JobEnd::Failed(Error::internal("the job's task ended early")),
            };
            ending.end = tokio::select! {
                biased;
                () = begun.cancel.cancelled() => JobEnd::Cancelled,
                end = work(&app, &begun, plan) => end,
            };
            drop(running);
        });
        Ok(job)
    }

    fn enter(&self, app: &Shared, plan: &Plan) -> Result<Arc<Job>> {
        let now_ns = self.ambient.monotonic_ns();
        let mut known = self.jobs.lock();
        known.kept.drop_expired(now_ns);
        let (running, limit) = (known.kept.running(), app.settings.jobs.running_max);
        if running >= limit {
            return Err(Error::busy(format!(
                "{running} jobs are running, limit {limit} (setting jobs.running)"
            )));
        }
        known.begun += 1;
        let job = Arc::new(Job {
            id: plan.common.id,
            function: plan.common.function.clone(),
            over: plan.over.pattern().to_owned(),
            combiner: plan.combiner.as_ref().map(|with| with.function.clone()),
            number: known.begun,
            began_ms: self.ambient.unix_ns() / 1_000_000,
            began_ns: now_ns,
            state: Mutex::default(),
            cancel: CancellationToken::new(),
        });
        known.kept.begin(job.id, job.clone());
        Ok(job)
    }

    /// All that are known, in the order in which they began.
    pub(crate) fn all(&self) -> Vec<Arc<Job>> {
        let mut known = self.jobs.lock();
        known.kept.drop_expired(self.ambient.monotonic_ns());
        let mut jobs: Vec<_> = known.kept.values().cloned().collect();
        jobs.sort_unstable_by_key(|job| job.number);
        jobs
    }

    /// # Errors
    /// `NotFound` for an id that no job has, or whose job is no longer kept.
    pub(crate) fn get(&self, id: CallId) -> Result<Arc<Job>> {
        let mut known = self.jobs.lock();
        known.kept.drop_expired(self.ambient.monotonic_ns());
        known.kept.get(id).cloned().ok_or_else(|| {
            Error::not_found(format!(
                "no job {id}, or it is no longer kept (settings jobs.age, jobs.kept, jobs.kept_bytes)"
            ))
        })
    }

    /// Stops a job that runs, parts of it that run included; one that has ended is forgotten. `true`: it ran.
    ///
    /// # Errors
    /// As [`Jobs::get`].
    pub(crate) fn cancel(&self, id: CallId) -> Result<bool> {
        let job = self.get(id)?;
        if job.has_ended() {
            self.jobs.lock().kept.forget(id);
            return Ok(false);
        }
        job.cancel.cancel();
        Ok(true)
    }

    /// Waits until none runs.
    pub(crate) async fn done(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn work(app: &Shared, job: &Arc<Job>, plan: Plan) -> JobEnd {
    let time = app.settings.jobs.time;
    let to = plan.to.clone();
    let result = match tokio::time::timeout(time, run(app, job, plan)).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => return JobEnd::Failed(error),
        Err(_) => {
            return JobEnd::Failed(Error::deadline(format!(
                "the job took longer than {time:?} (setting jobs.time)"
            )));
        }
    };
    let Some(object) = to else {
        return JobEnd::Done(result);
    };
    let bytes = result.len() as u64;
    match store(app, job.id, &object, &result).await {
        Ok(()) => JobEnd::Stored(object, bytes),
        Err(error) => JobEnd::Failed(error.within(format!("writing the result to {object}"))),
    }
}

/// Writes the result; a store that does not take it is asked again, a few times.
async fn store(app: &App, id: CallId, to: &ObjectKey, result: &Bytes) -> Result<()> {
    let mut past = Past::default();
    loop {
        let Err(error) = app.store_result(id, to, result.clone()).await else {
            return Ok(());
        };
        let rest = past.rest_of_attempt(app.settings.attempts_max);
        match rest.filter(|_| error.kind().may_pass()) {
            Some(rest) => tokio::time::sleep(rest).await,
            None => return Err(error),
        }
    }
}

/// A job's end; what it holds when it is dropped is how.
struct Ending {
    app: Shared,
    job: Arc<Job>,
    end: JobEnd,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let jobs = &self.app.jobs;
        let now_ns = jobs.ambient.monotonic_ns();
        let (bytes, outcome) = match &self.end {
            JobEnd::Done(result) => (result.len() as u64, JobOutcome::Done),
            JobEnd::Stored(..) => (0, JobOutcome::Done),
            JobEnd::Failed(_) => (0, JobOutcome::Failed),
            JobEnd::Cancelled => (0, JobOutcome::Cancelled),
        };
        tracing::info!(job = %self.job.id, function = %self.job.function, end = ?outcome, "a job ended");
        self.app.metrics.job_ended(outcome);
        // Whoever sees that it has ended finds it among the ended.
        let mut known = jobs.jobs.lock();
        self.job.state.lock().end = Some((self.end.clone(), now_ns));
        known.kept.end(self.job.id, self.job.clone(), bytes, now_ns);
    }
}
