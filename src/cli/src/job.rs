//! Jobs: begun, followed to their end, listed and cancelled.

use crate::args::{JobCommand, JobResultArgs, JobRunArgs, TransferFile};
use crate::base64;
use crate::client::{Client, collect};
use crate::failure::{Failure, Outcome, Report};
use crate::function::suggesting;
use crate::output::{Ui, number, table, words};
use crate::signals::unless_stopped;
use crate::transfer::{Saved, save};
use crate::units;
use ganglion_types::{CallId, ErrorKind};
use indicatif::ProgressBar;
use reqwest::{Method, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt::Write;
use std::pin::pin;
use std::time::Duration;

/// How long after a look at a job the next comes: soon at first, then as often as a person looks.
const LOOK_MIN: Duration = Duration::from_millis(50);
const LOOK_MAX: Duration = Duration::from_millis(500);
/// Looks in a row that may fail before it is given up: some seconds.
const LOOKS_MISSED_MAX: u32 = 10;
/// Failed objects that are told on stderr.
const FAILURES_TOLD: usize = 10;
/// Largest result that is put into a document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 256 << 20;
/// Exit code of a job that went on without some objects: their calls failed, so it is that of a failed call.
const SOME_FAILED: u8 = 1;

/// A job, as the gateway tells of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    id: String,
    function: String,
    over: String,
    combiner: Option<String>,
    state: String,
    objects: Objects,
    bytes: Bytes,
    parts: Parts,
    began_ms: u64,
    elapsed_ms: u64,
    left_ms: Option<u64>,
    result_bytes: Option<u64>,
    to: Option<String>,
    error: Option<Told>,
    failures: Vec<Failed>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Objects {
    total: Option<u64>,
    done: u64,
    failed: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Bytes {
    total: Option<u64>,
    done: u64,
    moved: u64,
    outputs: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parts {
    compute: u64,
    storage: u64,
    repeated: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Told {
    kind: String,
    message: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Failed {
    key: String,
    kind: String,
    message: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct JobList {
    jobs: Vec<Job>,
}

/// Runs one of the `job` commands; gives the exit code.
///
/// # Errors
/// What the gateway says, and of a job that failed what it failed with.
pub(crate) async fn run(command: &JobCommand, client: &Client, ui: &Ui) -> Outcome<u8> {
    match command {
        JobCommand::Run(args) => return run_job(args, client, ui).await,
        JobCommand::List => {
            let request = client.short(Method::GET, "/v1/jobs");
            let list: JobList = unless_stopped(client.json(request, ui)).await?;
            ui.result(&list, list_table(&list.jobs))?;
        }
        JobCommand::Status(args) => {
            let job = unless_stopped(look(&args.job.to_string(), client, ui)).await?;
            ui.result(&job, told(&job))?;
        }
        JobCommand::Result(args) => unless_stopped(result(args, client, ui)).await?,
        JobCommand::Cancel(args) => {
            let id = args.job;
            unless_stopped(cancel(&id.to_string(), client, ui)).await?;
            ui.result(
                &json!({ "cancelled": id.to_string() }),
                format_args!("cancelled {id}"),
            )?;
        }
    }
    Ok(0)
}

async fn run_job(args: &JobRunArgs, client: &Client, ui: &Ui) -> Outcome<u8> {
    let job = begun(args, client, ui).await?;
    ui.detail(format_args!("job {}", job.id));
    match unless_stopped(follow(&job.id, client, ui)).await {
        Ok(job) => unless_stopped(ended(args, &job, client, ui)).await,
        Err(failure) if failure.is_interrupted() => {
            give_up(&job, client, ui).await?;
            Err(failure)
        }
        Err(failure) => Err(failure.or_hint(format!(
            "the job may go on: `ganglion job status {}`",
            job.id
        ))),
    }
}

/// Begins a job. Whoever stops that waits for its answer all the same: it names the job, which is cancelled then.
async fn begun(args: &JobRunArgs, client: &Client, ui: &Ui) -> Outcome<Job> {
    let mut begin = pin!(begin(args, client, ui));
    match unless_stopped(begin.as_mut()).await {
        Err(failure) if failure.is_interrupted() => {
            let job = unless_stopped(begin).await?;
            give_up(&job, client, ui).await?;
            Err(failure)
        }
        begun => begun,
    }
}

/// Cancels a job; after one more Ctrl-C nobody waits for that either.
async fn give_up(job: &Job, client: &Client, ui: &Ui) -> Outcome<()> {
    unless_stopped(cancel(&job.id, client, ui)).await?;
    ui.note(format_args!("job {} is cancelled", job.id));
    Ok(())
}

async fn begin(args: &JobRunArgs, client: &Client, ui: &Ui) -> Outcome<Job> {
    let function = args.target()?;
    let mut body = json!({
        "function": function.to_string(), "over": args.over, "args": args.args, "keep_going": args.keep_going,
        "input": args.input.as_deref().unwrap_or_default(),
    });
    if let Some(with) = &args.combine {
        body["combine"] = match with {
            None => true.into(),
            Some(name) => name.as_str().into(),
        };
    }
    if args.forbid_ndp {
        body["ndp"] = "forbid".into();
    }
    if let Some(deadline) = args.deadline {
        body["deadline"] = format!("{}ms", deadline.as_millis()).into();
    }
    if let Some(key) = &args.store {
        body["to"] = key.as_str().into();
    }
    let request = client.short(Method::POST, "/v1/jobs").json(&body);
    match client.json(request, ui).await {
        Ok(job) => Ok(job),
        Err(failure) => Err(suggesting(failure, &function, client, ui).await),
    }
}

async fn look(id: &str, client: &Client, ui: &Ui) -> Outcome<Job> {
    let request = client.short(Method::GET, &format!("/v1/jobs/{id}"));
    client.json(request, ui).await
}

async fn cancel(id: &str, client: &Client, ui: &Ui) -> Outcome<()> {
    let request = client.short(Method::DELETE, &format!("/v1/jobs/{id}"));
    client.send(request, ui).await.map(drop)
}

/// Looks at a job until it has ended. A gateway that cannot be asked for a moment is asked again.
async fn follow(id: &str, client: &Client, ui: &Ui) -> Outcome<Job> {
    let bar = ui.job_progress();
    let (mut pause, mut missed) = (LOOK_MIN, 0);
    loop {
        match look(id, client, ui).await {
            Ok(job) if job.state != "running" => {
                bar.finish_and_clear();
                return Ok(job);
            }
            Ok(job) => {
                missed = 0;
                show(&bar, &job);
            }
            Err(failure) if failure.kind().may_pass() && missed < LOOKS_MISSED_MAX => missed += 1,
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_MAX);
    }
}

fn show(bar: &ProgressBar, job: &Job) {
    if let Some(total) = job.objects.total {
        bar.set_length(total);
    }
    bar.set_position(job.objects.done + job.objects.failed);
    bar.set_message(progress(job));
}

/// `3 of 12 objects, 3.0 MiB of 12.0 MiB, 2 on storage, 1 on compute, 4.00 s left`.
fn progress(job: &Job) -> String {
    let (objects, bytes, parts) = (&job.objects, &job.bytes, &job.parts);
    let of = |total: Option<String>| total.map_or(String::new(), |total| format!(" of {total}"));
    let mut text = format!(
        "{}{} objects, {}{}, {} on storage, {} on compute",
        objects.done + objects.failed,
        of(objects.total.map(|total| total.to_string())),
        units::bytes(bytes.done),
        of(bytes.total.map(units::bytes)),
        parts.storage,
        parts.compute,
    );
    if objects.failed > 0 {
        write!(text, ", {} failed", objects.failed).expect("writing to a string does not fail");
    }
    if let Some(left_ms) = job.left_ms {
        let left = units::micros(left_ms * 1_000);
        write!(text, ", {left} left").expect("writing to a string does not fail");
    }
    text
}

/// Gets the result of a job that has ended, and tells how it went.
async fn ended(args: &JobRunArgs, job: &Job, client: &Client, ui: &Ui) -> Outcome<u8> {
    match (job.state.as_str(), &job.error) {
        ("done", _) => {}
        (_, Some(error)) => return Err(failed(job, error)),
        (state, None) => {
            let message = format!("job {} was {state} by somebody else", job.id);
            return Err(Failure::new(ErrorKind::Conflict, message));
        }
    }
    tell_failures(job, ui);
    if args.store.is_some() {
        let to = job.to.clone().unwrap_or_default();
        let size = units::bytes(job.result_bytes.unwrap_or(0));
        ui.result(job, format_args!("{to} is the result ({size})"))?;
    } else {
        let response = client.request(Method::GET, &format!("/v1/jobs/{}/result", job.id));
        let response = client.send(response, ui).await?;
        keep(response, job, &args.out, ui).await?;
    }
    ui.note(format_args!("{}", summary(job)));
    Ok(match job.objects.failed {
        0 => 0,
        _ => SOME_FAILED,
    })
}

fn failed(job: &Job, error: &Told) -> Failure {
    let failure = Failure::of_report(Report {
        kind: error.kind.clone(),
        message: error.message.clone(),
        ..Report::default()
    });
    match job.failures.is_empty() {
        true => failure,
        false => failure.or_hint("`--keep-going` goes on without the objects whose call fails"),
    }
}

fn tell_failures(job: &Job, ui: &Ui) {
    for Failed { key, message, .. } in job.failures.iter().take(FAILURES_TOLD) {
        ui.tell(format_args!("{} {key}: {message}", ui.red("failed:")));
    }
    let told = job.failures.len().min(FAILURES_TOLD) as u64;
    if job.objects.failed > told {
        let more = job.objects.failed - told;
        ui.tell(format_args!(
            "and {more} more: `ganglion job status {}`",
            job.id
        ));
    }
}

/// `12 objects, 12.0 MiB, in 1.20 s: 9 on storage, 3 on compute; 3.0 MiB of objects and 4.0 KiB of outputs crossed links`.
fn summary(job: &Job) -> String {
    let again = match job.parts.repeated {
        0 => String::new(),
        repeated => format!("; {repeated} times a call was placed again"),
    };
    format!(
        "{} objects, {}, in {}: {} on storage, {} on compute; {} of objects and {} of outputs crossed links{again}",
        job.objects.done,
        units::bytes(job.bytes.done),
        units::micros(job.elapsed_ms * 1_000),
        job.parts.storage,
        job.parts.compute,
        units::bytes(job.bytes.moved),
        units::bytes(job.bytes.outputs),
    )
}

/// Puts a result where it is wanted: the file, stdout, or the one document.
async fn keep(mut response: Response, job: &Job, out: &TransferFile, ui: &Ui) -> Outcome<()> {
    if ui.is_json() && matches!(out, TransferFile::Standard) {
        let (output, encoding) =
            match String::from_utf8(collect(&mut response, DOCUMENT_BYTES_MAX).await?) {
                Ok(text) => (text, "utf-8"),
                Err(error) => (base64::encode(error.as_bytes()), "base64"),
            };
        return ui.document(&json!({ "output": output, "output_encoding": encoding, "job": job }));
    }
    match save(response, out, &format!("job-{}", job.id), ui).await? {
        Saved { path: None, .. } => Ok(()),
        Saved {
            path: Some(path),
            bytes,
        } => {
            let (path, size) = (path.display().to_string(), units::bytes(bytes));
            ui.result(
                &json!({ "file": path, "size_bytes": bytes, "job": job }),
                format_args!("the result is in {path} ({size})"),
            )
        }
    }
}

async fn result(args: &JobResultArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    let id: CallId = args.job;
    let response = client.request(Method::GET, &format!("/v1/jobs/{id}/result"));
    let response = client.send(response, ui).await?;
    let job = look(&id.to_string(), client, ui).await?;
    keep(response, &job, &args.out, ui).await
}

fn list_table(jobs: &[Job]) -> String {
    let columns = [
        words("JOB"),
        words("FUNCTION"),
        words("OVER"),
        words("STATE"),
        number("DONE"),
        number("FAILED"),
        number("OBJECTS"),
        number("TIME"),
    ];
    let row = |job: &Job| {
        [
            job.id.clone(),
            job.function.clone(),
            job.over.clone(),
            job.state.clone(),
            job.objects.done.to_string(),
            job.objects.failed.to_string(),
            job.objects
                .total
                .map_or_else(|| "-".to_owned(), |total| total.to_string()),
            units::micros(job.elapsed_ms * 1_000),
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    table(columns, &rows)
}

/// A job for people, line by line.
fn told(job: &Job) -> String {
    let combined = match &job.combiner {
        Some(combiner) => format!(", combined by {combiner}"),
        None => String::new(),
    };
    let mut text = format!(
        "job       {}\nruns      {} over {}{combined}\nbegan     {}\nstate     {} for {}\nprogress  {}",
        job.id,
        job.function,
        job.over,
        units::moment(job.began_ms),
        job.state,
        units::micros(job.elapsed_ms * 1_000),
        progress(job),
    );
    let mut line = |name: &str, value: String| {
        write!(text, "\n{name:<9} {value}").expect("writing to a string does not fail");
    };
    let Parts { repeated, .. } = job.parts;
    line(
        "links",
        format!(
            "{} of objects, {} of outputs",
            units::bytes(job.bytes.moved),
            units::bytes(job.bytes.outputs)
        ),
    );
    if repeated > 0 {
        line("again", format!("{repeated} times a call was placed again"));
    }
    if let Some(bytes) = job.result_bytes {
        let to = job.to.as_ref().map(|to| format!(", {to}"));
        line(
            "result",
            format!("{}{}", units::bytes(bytes), to.unwrap_or_default()),
        );
    }
    if let Some(error) = &job.error {
        line("error", error.message.clone());
    }
    for failed in &job.failures {
        line("failed", format!("{}: {}", failed.key, failed.message));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            id: "0a".to_owned(),
            function: "ndp/wordcount".to_owned(),
            over: "books/*".to_owned(),
            combiner: Some("ndp/wordcount".to_owned()),
            state: "running".to_owned(),
            objects: Objects {
                total: Some(12),
                done: 3,
                failed: 1,
            },
            bytes: Bytes {
                total: Some(12 << 20),
                done: 4 << 20,
                moved: 1 << 20,
                outputs: 2_048,
            },
            parts: Parts {
                compute: 1,
                storage: 2,
                repeated: 5,
            },
            began_ms: 1_790_000_000_000,
            elapsed_ms: 2_000,
            left_ms: Some(4_000),
            result_bytes: None,
            to: None,
            error: None,
            failures: vec![Failed {
                key: "books/c".to_owned(),
                kind: "Guest".to_owned(),
                message: "the function returned 1".to_owned(),
            }],
        }
    }

    #[test]
    fn progress_has_objects_bytes_sites_and_the_time_that_is_left() {
        let mut job = job();
        let expected = "4 of 12 objects, 4.0 MiB of 12.0 MiB, 2 on storage, 1 on compute, 1 failed, 4.00 s left";
        assert_eq!(progress(&job), expected);
        (job.objects.total, job.bytes.total, job.left_ms) = (None, None, None);
        job.objects.failed = 0;
        assert_eq!(
            progress(&job),
            "3 objects, 4.0 MiB, 2 on storage, 1 on compute"
        );
    }

    #[test]
    fn a_jobs_lines_name_what_failed() {
        let text = told(&job());
        for line in [
            "runs      ndp/wordcount over books/*, combined by ndp/wordcount",
            "state     running for 2.00 s",
            "links     1.0 MiB of objects, 2.0 KiB of outputs",
            "again     5 times a call was placed again",
            "failed    books/c: the function returned 1",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
    }
}
