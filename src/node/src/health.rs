//! A process's own word on how it is, on a socket of the file system: ports may be many, and nobody but its host is to ask.
//!
//! Whoever connects is sent one line, a [`HealthReport`] as JSON, and the connection is closed.

use ganglion_gateway::Gateway;
use ganglion_types::{Error, Result};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// Longest time of one answer; asking the object store is part of it.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Longest report, in bytes.
const REPORT_BYTES_MAX: u64 = 64 * 1024;

/// How a process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Its roles run. Before, it waits for what the reasons tell.
    pub started: bool,
    /// Why it takes no calls; empty when it does.
    pub reasons: Vec<String>,
}

impl HealthReport {
    /// What the process behind that socket says of itself.
    ///
    /// # Errors
    /// `Unavailable` when nobody answers there, within 5 s.
    pub async fn of(socket: &Path) -> Result<Self> {
        let failed = |why: &dyn std::fmt::Display| {
            Error::unavailable(format!(
                "no answer at {} (setting listen.health): {why}",
                socket.display()
            ))
        };
        let answer = async {
            let stream = UnixStream::connect(socket).await?;
            let mut line = String::new();
            stream
                .take(REPORT_BYTES_MAX)
                .read_to_string(&mut line)
                .await?;
            std::io::Result::Ok(line)
        };
        let answer = tokio::time::timeout(ANSWER_TIME, answer).await;
        let line = answer.map_err(|late| failed(&late))?;
        serde_json::from_str(&line.map_err(|error| failed(&error))?).map_err(|error| failed(&error))
    }
}

enum Phase {
    /// It waits for that.
    Starting(String),
    /// Its gateway, if it has that role, knows more.
    Serving(Option<Gateway>),
    Draining,
}

/// How the process is, as its parts tell. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Health(Arc<Mutex<Phase>>);

impl Health {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Phase::Starting("starting".into()))))
    }

    pub(crate) fn waits_for(&self, what: &str) {
        *self.0.lock() = Phase::Starting(format!("waits for {what}"));
    }

    pub(crate) fn serves(&self, gateway: Option<Gateway>) {
        *self.0.lock() = Phase::Serving(gateway);
    }

    pub(crate) fn drains(&self) {
        *self.0.lock() = Phase::Draining;
    }

    async fn report(&self) -> HealthReport {
        let (started, reasons, gateway) = match &*self.0.lock() {
            Phase::Starting(why) => (false, vec![why.clone()], None),
            Phase::Draining => (true, vec!["draining".to_owned()], None),
            Phase::Serving(gateway) => (true, Vec::new(), gateway.clone()),
        };
        let reasons = match gateway {
            Some(gateway) => gateway.reasons_not_ready().await,
            None => reasons,
        };
        HealthReport { started, reasons }
    }
}

/// Answers at `listen.health`. Dropping it takes the socket away.
pub(crate) struct HealthSocket {
    path: PathBuf,
    _task: AbortOnDropHandle<()>,
}

impl HealthSocket {
    /// `None` where the path is empty. What a process that has died left there is taken away first.
    ///
    /// # Errors
    /// `Unavailable` when the socket cannot be made: the folder is not there, or another process answers at it.
    pub(crate) fn open(path: &Path, health: Health) -> Result<Option<Self>> {
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        if is_dead_socket(path) {
            let _gone_already = std::fs::remove_file(path);
        }
        let listener = UnixListener::bind(path).map_err(|error| {
            Error::unavailable(format!(
                "cannot listen on {} (setting listen.health): {error}",
                path.display()
            ))
        })?;
        Ok(Some(Self {
            path: path.to_owned(),
            _task: AbortOnDropHandle::new(tokio::spawn(answer_all(listener, health))),
        }))
    }
}

impl Drop for HealthSocket {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_file(&self.path);
    }
}

/// What a process that has died left. A plain file refuses connections too, and is none.
fn is_dead_socket(path: &Path) -> bool {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    is_socket && BlockingStream::connect(path).is_err_and(refused)
}

async fn answer_all(listener: UnixListener, health: Health) {
    let mut answers = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, mostly: others have to be closed first.
                tracing::warn!(%error, "an answer at listen.health failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        while answers.try_join_next().is_some() {}
        let health = health.clone();
        answers.spawn(tokio::time::timeout(ANSWER_TIME, async move {
            if let Err(error) = answer(stream, &health).await {
                tracing::debug!(%error, "who asked at listen.health has gone");
            }
        }));
    }
}

async fn answer(mut stream: UnixStream, health: &Health) -> std::io::Result<()> {
    let report = health.report().await;
    let line = serde_json::to_string(&report).map_err(std::io::Error::other)?;
    stream.write_all(format!("{line}\n").as_bytes()).await
}
