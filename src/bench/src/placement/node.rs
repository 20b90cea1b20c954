//! A node of the lab: a process of this very program.

use crate::report::failed;
use ganglion_types::{Error, Result};
use std::fs::File;
use std::path::Path;
use std::process::{Command as StdCommand, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long it may take to serve.
const START_LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// Lines of its log that an error carries.
const TAIL_LINES: usize = 8;

/// Dropping it kills it.
pub(super) struct Node {
    child: Child,
}

impl Node {
    /// Returns when it has said `ready` in its log, which is kept in `folder`.
    ///
    /// # Errors
    /// `Unavailable`, with the end of its log, when it ends before that; `Deadline` when it takes too long.
    pub(super) async fn start(command: StdCommand, folder: &Path, ready: &str) -> Result<Self> {
        let path = folder.join("log");
        let log = File::create(&path).map_err(failed(path.display()))?;
        let child = Command::from(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("a node"))?;
        let mut node = Self { child };
        let said = || std::fs::read_to_string(&path).map_err(failed(path.display()));
        let serves = async {
            while !said()?.contains(ready) {
                if let Some(status) = node.child.try_wait().map_err(failed("a node"))? {
                    let end = tail(&said()?);
                    return Err(Error::unavailable(format!("a node ended, {status}{end}")));
                }
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        let started = tokio::time::timeout(START_LIMIT, serves).await;
        started.unwrap_or_else(|_| {
            let end = tail(&said()?);
            Err(Error::deadline(format!(
                "a node does not serve within {START_LIMIT:?}{end}"
            )))
        })?;
        Ok(node)
    }

    /// Its process; `None` once it has ended.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    last.iter().map(|line| format!("\n  {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(script: &str) -> StdCommand {
        let mut command = StdCommand::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_node_is_waited_for_and_one_that_ends_is_told_of_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let command = says("echo listening >&2; exec sleep 600");
        let node = Node::start(command, folder.path(), "listening").await;
        assert!(node.unwrap().pid().is_some());
        let command = says("echo no such pool >&2; exit 4");
        let error = Node::start(command, folder.path(), "listening").await;
        let error = error.err().expect("it ended");
        assert!(error.message().contains("no such pool"), "{error}");
    }
}
