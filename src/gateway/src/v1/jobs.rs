//! Jobs: a function over many objects, as a resource that lives a while longer than the work.

use super::invoke::{duration, ndp};
use super::objects::stream_object;
use crate::app::{App, Shared};
use crate::body::collect;
use crate::explain::trace_of;
use crate::extract::PathOf;
use crate::job::{CombineWith, FAILURES_MAX, Failed, Job, JobAsked, JobEnd, Plan, Progress};
use crate::problem::{Problem, ProblemBody};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ganglion_store::{CommitId, PutOptions};
use ganglion_types::{CallId, Error, FunctionName, FunctionRef, Key, ObjectKey, Result};
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A job to run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRequest {
    /// `TENANT/FUNCTION`. It is called once for each object, with the object's key as its input.
    function: String,
    /// Which objects of the tenant's bucket: a pattern of keys. `*` is any characters, slashes as well, `?` one byte, `[ab]` one of those,
    /// `{a,b}` either of those.
    over: String,
    /// What stands in each call's input behind the key and a space.
    #[serde(default)]
    input: String,
    /// Arguments of each guest.
    #[serde(default)]
    args: Vec<String>,
    /// `true`: outputs are combined by the function's own combiner; a name: by that function of the same tenant. Without it they
    /// stand behind one another in the order of the keys.
    #[serde(default)]
    combine: Option<CombineJson>,
    /// `allow` (default), `forbid`: never on a storage node, or `prefer`: on storage wherever that is possible.
    #[serde(default)]
    ndp: Option<String>,
    /// Time of each call: `30s`, `500ms`, `2m`; at most limits.call_time.
    #[serde(default)]
    deadline: Option<String>,
    /// An object whose call fails is told of, and the rest goes on; otherwise the job ends with the first.
    #[serde(default)]
    keep_going: bool,
    /// The key of an object, in the tenant's bucket, that becomes of the result.
    #[serde(default)]
    to: Option<String>,
}

/// How outputs are combined.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
enum CombineJson {
    /// By the function's own combiner, or not.
    Own(bool),
    /// By this function of the same tenant.
    Function(String),
}

/// A job, and how far it has come.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobJson {
    id: String,
    function: String,
    /// The pattern of keys.
    over: String,
    /// What combines the outputs; absent when they stand behind one another.
    combiner: Option<String>,
    /// `running`, `done`, `failed` or `cancelled`.
    state: &'static str,
    objects: ObjectsJson,
    bytes: BytesJson,
    parts: PartsJson,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    began_ms: u64,
    /// How long it has run.
    elapsed_ms: u64,
    /// How long it will go on at the rate so far; absent while nobody knows, and once it has ended.
    left_ms: Option<u64>,
    /// Size of the result; absent until there is one.
    result_bytes: Option<u64>,
    /// The object that the result is.
    to: Option<String>,
    /// Why it failed.
    error: Option<JobErrorJson>,
    /// The first objects that failed, at most 100.
    failures: Vec<FailureJson>,
}

/// Objects of a job.
#[derive(Serialize, ToSchema)]
struct ObjectsJson {
    /// In all; absent until they are counted.
    total: Option<u64>,
    done: u64,
    failed: u64,
}

/// Bytes of a job.
#[derive(Serialize, ToSchema)]
struct BytesJson {
    /// Of the objects in all; absent until they are counted.
    total: Option<u64>,
    /// Of the objects that are done or failed.
    done: u64,
    /// Of objects, that crossed a link.
    moved: u64,
    /// Of outputs, that came from the nodes to the gateway.
    outputs: u64,
}

/// Where the calls of a job ran that succeeded.
#[derive(Serialize, ToSchema)]
struct PartsJson {
    compute: u64,
    storage: u64,
    /// Times that a call was placed again, because it was refused, or its answer lost.
    repeated: u64,
}

/// Why a job failed.
#[derive(Serialize, ToSchema)]
struct JobErrorJson {
    /// As in a problem.
    kind: &'static str,
    message: String,
}

/// An object whose call failed.
#[derive(Serialize, ToSchema)]
struct FailureJson {
    key: String,
    /// As in a problem.
    kind: &'static str,
    message: String,
}

/// Jobs in the order in which they began.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobList {
    jobs: Vec<JobJson>,
}

impl JobRequest {
    fn asked(self) -> Result<JobAsked> {
        let combine = match self.combine {
            None | Some(CombineJson::Own(false)) => None,
            Some(CombineJson::Own(true)) => Some(CombineWith::Own),
            Some(CombineJson::Function(name)) => {
                Some(CombineWith::Function(FunctionName::new(name)?))
            }
        };
        Ok(JobAsked {
            function: self.function.parse::<FunctionRef>()?,
            over: self.over,
            input: Bytes::from(self.input),
            args: self.args,
            combine,
            ndp: self
                .ndp
                .as_deref()
                .map(ndp)
                .transpose()?
                .unwrap_or_default(),
            budget: self.deadline.as_deref().map(duration).transpose()?,
            keep_going: self.keep_going,
            to: self.to.map(Key::new).transpose()?,
            trace: None,
        })
    }
}

impl JobJson {
    fn of(job: &Job, now_ns: u64) -> Self {
        let (progress, end, ran_ns) = job.look(now_ns);
        let Progress {
            total,
            done: [compute, storage],
            ..
        } = progress;
        let (state, result_bytes, to, error) = match &end {
            None => ("running", None, None, None),
            Some(JobEnd::Done(result)) => ("done", Some(result.len() as u64), None, None),
            Some(JobEnd::Stored(object, bytes)) => ("done", Some(*bytes), Some(object), None),
            Some(JobEnd::Failed(error)) => ("failed", None, None, Some(error)),
            Some(JobEnd::Cancelled) => ("cancelled", None, None, None),
        };
        let left_ns = progress.left_ns(ran_ns).filter(|_| end.is_none());
        Self {
            id: job.id.to_string(),
            function: job.function.to_string(),
            over: job.over.clone(),
            combiner: job.combiner.as_ref().map(ToString::to_string),
            state,
            objects: ObjectsJson {
                total: total.map(|(objects, _)| objects),
                done: compute + storage,
                failed: progress.failed,
            },
            bytes: BytesJson {
                total: total.map(|(_, bytes)| bytes),
                done: progress.bytes,
                moved: progress.moved_bytes,
                outputs: progress.outputs_bytes,
            },
            parts: PartsJson {
                compute,
                storage,
                repeated: progress.repeated,
            },
            began_ms: job.began_ms,
            elapsed_ms: ran_ns / 1_000_000,
            left_ms: left_ns.map(|ns| ns / 1_000_000),
            result_bytes,
            to: to.map(ToString::to_string),
            error: error.map(|error| JobErrorJson {
                kind: error.kind().as_str(),
                message: error.message().to_owned(),
            }),
            failures: progress.failures.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Failed> for FailureJson {
    fn from(failed: &Failed) -> Self {
        Self {
            key: failed.key.to_string(),
            kind: failed.error.kind().as_str(),
            message: failed.error.message().to_owned(),
        }
    }
}

impl App {
    fn job_json(&self, job: &Job) -> JobJson {
        JobJson::of(job, self.ambient.monotonic_ns())
    }

    fn job(&self, id: &str) -> Result<Arc<Job>> {
        self.jobs.get(id.parse::<CallId>()?)
    }

    /// Writes a job's result, once however often that is tried.
    pub(crate) async fn store_result(
        &self,
        id: CallId,
        to: &ObjectKey,
        result: Bytes,
    ) -> Result<()> {
        let options = PutOptions {
            commit: Some(CommitId {
                call: id,
                sequence: 0,
            }),
            ..PutOptions::default()
        };
        self.knowledge.forget_size(to);
        self.store.put(to, result, options).await.map(drop)
    }
}

/// Begins a job: a function, once for each object whose key matches. It goes on whatever becomes of this connection.
///
/// The outputs of all calls become one result: combined, by a function that takes outputs one behind the other and sets one of the
/// same form, near the objects first and then once; or behind one another in the order of the keys.
#[utoipa::path(post, path = "/v1/jobs", tag = "jobs", request_body = JobRequest,
    responses((status = 202, body = JobJson, headers(("location" = String))), (status = 400, body = ProblemBody),
        (status = 404, description = "No such function", body = ProblemBody), (status = 413, description = "Beyond limits.input", body = ProblemBody),
        (status = 429, description = "As many jobs run as may (jobs.running)", body = ProblemBody),
        (status = 503, description = "This node is draining", body = ProblemBody)))]
pub(crate) async fn create_job(
    State(app): State<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = collect(body, app.input_limit()).await?;
    let request: JobRequest = serde_json::from_slice(&body)
        .map_err(|error| Error::invalid(format!("the body is no job: {error}")))?;
    let mut asked = request.asked()?;
    asked.trace = trace_of(&parts.headers);
    let plan = Plan::make(&app, app.call_ids.next(), asked).await?;
    let job = app.jobs.begin(&app, plan)?;
    let location = format!("/v1/jobs/{}", job.id);
    let json = Json(app.job_json(&job));
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], json).into_response())
}

/// The jobs that run, and those that have ended and are kept.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", responses((status = 200, body = JobList)))]
pub(crate) async fn list_jobs(State(app): State<Shared>) -> Json<JobList> {
    let jobs = app.jobs.all();
    Json(JobList {
        jobs: jobs.iter().map(|job| app.job_json(job)).collect(),
    })
}

/// How far a job has come.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = JobJson), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_job(
    State(app): State<Shared>,
    PathOf(id): PathOf<String>,
) -> Result<Json<JobJson>, Problem> {
    let job = app.job(&id)?;
    Ok(Json(app.job_json(&job)))
}

/// The result of a job that is done.
#[utoipa::path(get, path = "/v1/jobs/{id}/result", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "application/octet-stream"), (status = 404, body = ProblemBody),
        (status = 409, description = "It still runs, or was cancelled", body = ProblemBody),
        (status = 500, description = "It failed; also with the other codes of its kind of error", body = ProblemBody)))]
pub(crate) async fn get_result(
    State(app): State<Shared>,
    PathOf(id): PathOf<String>,
) -> Result<Response, Problem> {
    let job = app.job(&id)?;
    let raw = (CONTENT_TYPE, "application/octet-stream");
    let not_there = |what: &str| {
        let error = Error::conflict(format!("job {id} {what}"));
        Err(Problem::from(error).with_status(StatusCode::CONFLICT))
    };
    match job.look(0).1 {
        None => not_there("is still running"),
        Some(JobEnd::Cancelled) => not_there("was cancelled"),
        Some(JobEnd::Failed(error)) => Err(error.into()),
        Some(JobEnd::Done(result)) => Ok(([raw], result).into_response()),
        Some(JobEnd::Stored(object, _)) => {
            let (_, body): (_, Body) = stream_object(&app.store, &object).await?;
            Ok(([raw], body).into_response())
        }
    }
}

/// Stops a job that runs: its calls are stopped, and what they have written stays. One that has ended is forgotten.
#[utoipa::path(delete, path = "/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path)),
    responses((status = 202, description = "It is being stopped"), (status = 204, description = "It had ended, and is forgotten"),
        (status = 404, body = ProblemBody)))]
pub(crate) async fn delete_job(
    State(app): State<Shared>,
    PathOf(id): PathOf<String>,
) -> Result<StatusCode, Problem> {
    match app.jobs.cancel(id.parse::<CallId>()?)? {
        true => Ok(StatusCode::ACCEPTED),
        false => Ok(StatusCode::NO_CONTENT),
    }
}

const _: () = assert!(FAILURES_MAX == 100, "the document says so");
