//! Running other programs to their end, with a bound and with their words in the error.

use crate::process;
use ganglion_types::{Error, Result};
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read, Seek, Write};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// Longest tail of a program's words or of a log that an error carries, in lines.
const TAIL_LINES: usize = 12;

/// What a program that has ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Makes `command` a program of this cluster, deaf to the caller's own Ceph settings.
pub(crate) fn of_cluster(mut command: Command, conf: &Path) -> Command {
    command.env_remove("CEPH_ARGS").env("CEPH_CONF", conf);
    command
}

/// Runs `command` to its end and gives what it printed; `stdin` is what it reads.
///
/// Its output goes through files, not pipes: a daemon that lives on would keep a pipe open.
///
/// # Errors
/// `Unavailable` when the program is not installed, `Deadline` when it was still running after `limit` and was killed,
/// `Internal` when the machine refused.
pub(crate) fn run(command: &mut Command, stdin: &str, limit: Duration) -> Result<Ended> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| Error::internal(format!("running `{name}`: {error}"));
    let mut input = tempfile::tempfile().map_err(failed)?;
    input.write_all(stdin.as_bytes()).map_err(failed)?;
    input.rewind().map_err(failed)?;
    let mut stdout = tempfile::tempfile().map_err(failed)?;
    let mut stderr = tempfile::tempfile().map_err(failed)?;
    command
        .stdin(input)
        .stdout(stdout.try_clone().map_err(failed)?)
        .stderr(stderr.try_clone().map_err(failed)?);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        IoErrorKind::NotFound => missing(&name),
        _ => failed(error),
    })?;
    let in_time = process::ends_within(&child, limit);
    if !matches!(in_time, Ok(true)) {
        child.kill().map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    let stderr = text_of(&mut stderr).map_err(failed)?;
    if !in_time? {
        let said = tail(&stderr);
        return Err(Error::deadline(format!(
            "`{name}` did not end within {} s{said}",
            limit.as_secs()
        )));
    }
    Ok(Ended {
        status,
        stdout: text_of(&mut stdout).map_err(failed)?,
        stderr,
    })
}

/// As [`run`], and gives what it printed.
///
/// # Errors
/// Also `Unavailable`, with the program's last words, when it ended with another status than zero.
pub(crate) fn run_well(command: &mut Command, stdin: &str, limit: Duration) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended = run(command, stdin, limit)?;
    if ended.status.success() {
        return Ok(ended.stdout);
    }
    let said = tail(&ended.stderr);
    Err(Error::unavailable(format!(
        "`{name}` failed, {}{said}",
        ended.status
    )))
}

/// A program that the machine does not have, and what to type to have it.
fn missing(program: &str) -> Error {
    let packages = match program {
        "ip" | "tc" => "iproute2",
        "nsenter" => "util-linux",
        "iptables" => "iptables",
        _ => "ceph-mon ceph-osd ceph-common",
    };
    Error::unavailable(format!(
        "the program `{program}` is not installed: apt-get install --no-install-recommends {packages}"
    ))
}

fn text_of(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last lines of what a program said, on lines of their own below a sentence; empty where it said nothing.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    last.iter().map(|line| format!("\n  {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::ErrorKind;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn a_program_reads_what_it_is_given_and_its_words_come_back() {
        let ended = run_well(&mut Command::new("cat"), "one\ntwo\n", LIMIT);
        assert_eq!(ended.unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_failure_carries_the_last_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such pool >&2; exit 3"]);
        let error = run_well(&mut command, "", LIMIT).unwrap_err();
        assert!(error.message().contains("no such pool"), "{error}");
        assert!(error.message().contains('3'), "{error}");
    }

    #[test]
    fn a_missing_program_is_an_error_that_says_what_to_install() {
        let error = run(&mut Command::new("ceph-no-such-program"), "", LIMIT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error
                .message()
                .contains("apt-get install --no-install-recommends ceph-mon ceph-osd ceph-common")
        );
    }

    #[test]
    fn a_program_that_hangs_is_killed_at_its_limit() {
        let mut command = Command::new("sleep");
        let error = run(command.arg("600"), "", Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadline);
    }

    #[test]
    fn a_tail_is_the_end_and_not_the_beginning() {
        let text: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let tail = tail(&text);
        assert!(tail.ends_with("\n  line 99") && !tail.contains("line 50\n"));
    }
}
