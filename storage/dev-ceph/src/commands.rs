//! Commands to the monitor, by Ceph's own command line.

use crate::cluster::MiniCeph;
use crate::program::{Ended, of_cluster, run, tail};
use crate::wait;
use ganglion_types::{Error, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Longest time for one start of the command line: it gives up by itself before.
const LIMIT: Duration = Duration::from_secs(40);

/// How long the command line may be refused before it has asked anything. Ceph 16 now and then mistakes a client whose map
/// has no name yet for one of another cluster, the more so in the monitor's first second.
const REFUSED: Duration = Duration::from_secs(10);

/// Pause before asking again.
const PAUSE: Duration = Duration::from_millis(100);

/// What the command line says when it was refused like that.
const REFUSED_EARLY: &str = "problem getting command descriptions from mon";

impl MiniCeph {
    /// Runs `ceph WORDS... -f json` and gives what it answers; `Null` where it answers nothing.
    ///
    /// # Errors
    /// `Unavailable`, with the words of `ceph`, when it failed: also for a command that does not exist.
    pub fn command(&self, words: &[&str]) -> Result<Value> {
        let ended = ceph(&self.conf(), words, "")?;
        if !ended.status.success() {
            return Err(failed(&words.join(" "), &ended));
        }
        Ok(answers(&ended.stdout)?
            .into_iter()
            .next()
            .unwrap_or_default())
    }
}

/// Gives all `lines` to one start of `ceph`, since each costs a third of a second, and returns the answers of those that
/// answer.
///
/// # Errors
/// `Unavailable`, with the words of `ceph`, when it failed at one of them.
pub(crate) fn batch(conf: &Path, lines: &[String]) -> Result<Vec<Value>> {
    let ended = ceph(conf, &[], &lines.join("\n"))?;
    // It ends well whatever became of its lines.
    let is_failure = |line: &str| line.starts_with("Error");
    if !ended.status.success() || ended.stderr.lines().any(is_failure) {
        return Err(failed("", &ended));
    }
    answers(&ended.stdout)
}

/// Runs the command line, again where it was refused before it asked anything.
fn ceph(conf: &Path, words: &[&str], stdin: &str) -> Result<Ended> {
    wait::until("the monitor takes commands", REFUSED, PAUSE, || {
        let mut command = of_cluster(Command::new("ceph"), conf);
        let ended = run(command.args(words).args(["-f", "json"]), stdin, LIMIT)?;
        Ok((!ended.stderr.contains(REFUSED_EARLY)).then_some(ended))
    })
}

fn failed(words: &str, ended: &Ended) -> Error {
    let said = tail(&ended.stderr);
    Error::unavailable(format!("`ceph {words}` failed, {}{said}", ended.status))
}

fn answers(stdout: &str) -> Result<Vec<Value>> {
    serde_json::Deserializer::from_str(stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| Error::internal(format!("`ceph` answered no JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_one_after_another() {
        let all = answers("\n[1]\n\n{\"a\":2}\n").unwrap();
        assert_eq!(all, [serde_json::json!([1]), serde_json::json!({"a": 2})]);
        assert!(answers(" \n").unwrap().is_empty());
        assert!(answers("not json").is_err());
    }
}
