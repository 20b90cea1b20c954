//! Processes that load when they are told to, and how they are told.
//!
//! A job is a line, `WAY KERNEL MILLISECONDS`; its answer is a line of JSON, `{"Ok": LOADED}` or `{"Err": "sentence"}`. Both
//! programs that understand it, the load generator (module `generator`) and the native one (`native_rados.cpp`), are started in
//! the compute machine's namespace and end when their stdin does.

use super::OBJECT_BYTES;
use super::kernel::{Kernel, Way};
use crate::report::failed;
use ganglion_types::{Error, Result};
use serde::{Deserialize, Serialize};
use std::process::{Command as StdCommand, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How much longer than it was told to a job may take: the answers that are under way at its end may be slow ones.
const PATIENCE: Duration = Duration::from_secs(90);

/// What came of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loaded {
    /// From the first request to the last answer, in nanoseconds.
    pub(super) wall_ns: u64,
    /// Of each request, in nanoseconds.
    pub(super) latencies_ns: Vec<u64>,
    /// Answers that are not what they have to be.
    pub(super) wrong: u64,
    /// Answers of storage nodes.
    #[serde(default)]
    pub(super) on_storage: u64,
}

impl Loaded {
    /// Object bytes gone over, in 10^6 bytes per second.
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts and durations are far below 2^53"
    )]
    pub(super) fn mb_per_s(&self) -> f64 {
        (self.latencies_ns.len() * OBJECT_BYTES) as f64 * 1e3 / self.wall_ns.max(1) as f64
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) way: Way,
    pub(super) kernel: Kernel,
    pub(super) duration: Duration,
}

impl Job {
    fn line(&self) -> String {
        let Self {
            way,
            kernel,
            duration,
        } = self;
        format!("{way} {kernel} {}\n", duration.as_millis())
    }

    /// # Errors
    /// `Invalid` for a line that is none of [`Job::line`].
    pub(super) fn read(line: &str) -> Result<Self> {
        let unread = || Error::invalid(format!("`{line}` is no job"));
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[way, kernel, ms] = words.as_slice() else {
            return Err(unread());
        };
        Ok(Self {
            way: way.parse()?,
            kernel: kernel.parse()?,
            duration: Duration::from_millis(ms.parse().map_err(|_| unread())?),
        })
    }
}

/// Such a process. Dropping it kills it.
pub(super) struct Loader {
    name: &'static str,
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Loader {
    pub(super) fn start(name: &'static str, command: StdCommand) -> Result<Self> {
        let mut child = Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed(name))?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Ok(Self {
            name,
            child,
            stdin,
            stdout,
        })
    }

    /// Its process; `None` once it has ended.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Has a job done.
    ///
    /// # Errors
    /// `Internal`, with its words, when it failed or an answer was wrong; `Deadline` when it hangs.
    pub(super) async fn load(&mut self, job: Job) -> Result<Loaded> {
        let done = tokio::time::timeout(job.duration + PATIENCE, self.ask(&job.line())).await;
        let loaded = done.unwrap_or_else(|_| {
            Err(Error::deadline(format!(
                "no end within {PATIENCE:?} of the time it was given"
            )))
        });
        let what = format!("{}: {} {}", self.name, job.kernel, job.way);
        let loaded = loaded.map_err(|error| error.within(&what))?;
        match loaded.wrong {
            0 => Ok(loaded),
            wrong => Err(Error::internal(format!(
                "{what}: {wrong} of {} answers are not what they have to be",
                loaded.latencies_ns.len()
            ))),
        }
    }

    async fn ask(&mut self, line: &str) -> Result<Loaded> {
        let mut answer = String::new();
        let told = async {
            self.stdin.write_all(line.as_bytes()).await?;
            self.stdout.read_line(&mut answer).await
        };
        told.await.map_err(failed("its pipes"))?;
        let answer: std::result::Result<Loaded, String> = serde_json::from_str(&answer)
            .map_err(|error| Error::internal(format!("it said `{}` ({error})", answer.trim())))?;
        answer.map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: Job = Job {
        way: Way::Auto,
        kernel: Kernel::Scan,
        duration: Duration::from_millis(1500),
    };

    #[test]
    fn a_job_reads_back_and_another_line_is_refused() {
        assert_eq!(Job::read(&JOB.line()).unwrap(), JOB);
        for bad in ["", "auto scan", "auto scan x", "auto tea 1", "up scan 1"] {
            assert!(Job::read(bad).is_err(), "{bad}");
        }
    }

    async fn answered(answer: &str) -> Result<Loaded> {
        let mut command = StdCommand::new("sh");
        command.args(["-c", "read job; echo \"$0\"", answer]);
        Loader::start("a process", command).unwrap().load(JOB).await
    }

    #[tokio::test]
    async fn wrong_answers_failures_and_rubbish_end_the_measurement() {
        let good = r#"{"Ok":{"wall_ns":9,"latencies_ns":[4,5],"wrong":0}}"#;
        assert_eq!(answered(good).await.unwrap().latencies_ns, [4, 5]);
        for (said, told) in [
            (
                r#"{"Ok":{"wall_ns":9,"latencies_ns":[4,5],"wrong":1}}"#,
                "1 of 2 answers",
            ),
            (r#"{"Err":"no such pool"}"#, "no such pool"),
            ("what?", "`what?`"),
        ] {
            let error = answered(said).await.unwrap_err();
            assert!(error.message().contains(told), "{error}");
            assert!(error.message().contains("scan auto"), "{error}");
        }
    }
}
