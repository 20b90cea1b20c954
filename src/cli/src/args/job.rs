//! `job`: a function over many objects.

use super::TransferFile;
use crate::failure::{Failure, Outcome};
use clap::{Args, Subcommand};
use ganglion_types::{CallId, FunctionName, FunctionRef, Key, Tenant};
use std::time::Duration;

/// Run a function over many objects, and look after such jobs
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  ganglion job run ndp/wordcount --over 'books/*' --combine
  ganglion job list
  ganglion job cancel 5f0c2a9e71d34b6800000000000004d2")]
pub(crate) enum JobCommand {
    Run(JobRunArgs),
    /// List the jobs that run, and those that ended lately
    ///
    /// A gateway keeps an ended job for a while (settings jobs.age, jobs.kept, jobs.kept_bytes); each gateway has its own.
    #[command(after_help = "Examples:
  ganglion job list
  ganglion job list -o json | jq '.jobs[] | select(.state == \"running\") | .id'")]
    List,
    Status(JobIdArgs),
    Result(JobResultArgs),
    Cancel(JobIdCancelArgs),
}

/// Run a function once for each object whose key matches, and make one result of the outputs
///
/// Each call gets the object's key as its input, and runs on the node that holds the object where that pays. With --combine
/// the outputs become one of the same form, on the nodes first and then once, by the function's own combiner
/// (GANGLION_COMBINE in C and C++) or by another function; without it they stand behind one another in the order of the
/// keys. Calls that are refused, or lost with their node, run again elsewhere; what they write is written once, unless more than
/// 63 others have written the same object since. The job ends with the first object whose call fails, unless told to keep
/// going. Ctrl-C cancels it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion job run ndp/wordcount --over 'books/*' --combine
  ganglion job run ndp/scan --over 'logs/2026-*' --input e --keep-going --out counts.txt
  ganglion job run ndp/wordcount --over '*' --combine --forbid-ndp --store results/words")]
pub(crate) struct JobRunArgs {
    /// Function to call, as TENANT/FUNCTION, or FUNCTION with --user
    #[arg(value_name = "FUNCTION")]
    pub(crate) function: String,
    /// Tenant that owns the function, and whose bucket holds the objects
    #[arg(short, long, env = "GANGLION_USER", hide_env_values = true)]
    pub(crate) user: Option<Tenant>,
    /// Keys of the objects: `*` is any characters, `/` as well, `?` one byte, `[ab]` one of those, `{a,b}` either of those
    #[arg(long, value_name = "PATTERN")]
    pub(crate) over: String,
    /// Combine the outputs: with the function's own combiner, or with the function NAME of the same tenant
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    #[allow(clippy::option_option, reason = "absent, bare, or with a name")]
    pub(crate) combine: Option<Option<FunctionName>>,
    /// What stands in each call's input behind the key and a space
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) input: Option<String>,
    /// Argument of the function; may be repeated
    #[arg(long = "arg", value_name = "A", allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
    /// Run nothing of it on a storage node
    #[arg(long)]
    pub(crate) forbid_ndp: bool,
    /// Time that each call may take, such as 500ms, 30s or 2m [default: the gateway's limits.call_time]
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    pub(crate) deadline: Option<Duration>,
    /// Go on without the objects whose call fails, and end with 1 if there were any
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// File for the result; `-` is stdout
    #[arg(
        long,
        value_name = "FILE",
        default_value = "-",
        conflicts_with = "store"
    )]
    pub(crate) out: TransferFile,
    /// Make the result this object, in the tenant's bucket
    #[arg(long, value_name = "KEY", value_parser = |key: &str| Key::new(key))]
    pub(crate) store: Option<Key>,
}

/// Show how far a job has come
///
/// Objects done, failed and in all, their bytes, where the calls ran, what crossed a link, and the time that is left at
/// the rate so far. Of objects that failed the first 100 are named.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion job status 5f0c2a9e71d34b6800000000000004d2
  ganglion job status 5f0c2a9e71d34b6800000000000004d2 -o json | jq .objects")]
pub(crate) struct JobIdArgs {
    /// The job, as `job list` shows it
    #[arg(value_name = "JOB")]
    pub(crate) job: CallId,
}

/// Get the result of a job that is done
///
/// The same bytes as often as it is asked for, until the gateway no longer keeps the job.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion job result 5f0c2a9e71d34b6800000000000004d2
  ganglion job result 5f0c2a9e71d34b6800000000000004d2 words.txt")]
pub(crate) struct JobResultArgs {
    /// The job, as `job list` shows it
    #[arg(value_name = "JOB")]
    pub(crate) job: CallId,
    /// File for the result; `-` is stdout
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) out: TransferFile,
}

/// Stop a job that runs, or forget one that has ended
///
/// The calls of it that run are stopped; what they have written to objects stays.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion job cancel 5f0c2a9e71d34b6800000000000004d2
  ganglion job list -o json | jq -r '.jobs[].id' | xargs -n1 ganglion job cancel")]
pub(crate) struct JobIdCancelArgs {
    /// The job, as `job list` shows it
    #[arg(value_name = "JOB")]
    pub(crate) job: CallId,
}

impl JobRunArgs {
    /// The function, from `TENANT/FUNCTION`, or from `FUNCTION` and `--user`.
    pub(crate) fn target(&self) -> Outcome<FunctionRef> {
        match (&self.user, self.function.contains('/')) {
            (_, true) => Ok(self.function.parse::<FunctionRef>()?),
            (Some(tenant), false) => Ok(FunctionRef::new(tenant.as_str(), &self.function)?),
            (None, false) => Err(Failure::invalid(format!(
                "whose function is {}? give TENANT/{}, --user or GANGLION_USER",
                self.function, self.function
            ))),
        }
    }
}
