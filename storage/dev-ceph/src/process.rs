//! The processes of a cluster, found by what they run with and where, and held so that no other is ever taken for them.

use ganglion_types::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

/// A process that was running when it was looked for. The handle stays with it even if its number is given to another one.
#[derive(Debug)]
pub(crate) struct Process {
    /// `mon.a` or `osd.3`, and of other programs what they were called with.
    pub(crate) name: String,
    pub(crate) pid: u32,
    handle: OwnedFd,
}

/// All processes that run `ceph-mon` or `ceph-osd` with this ceph.conf: daemons, and those that prepare their folders.
///
/// Nothing is recorded, so nothing can be out of date: whoever started the cluster, and however they died.
///
/// # Errors
/// `Internal` when `/proc` cannot be read.
pub(crate) fn daemons(conf: &Path) -> Result<Vec<Process>> {
    all(|pid| daemon_name(&command_line(pid)?, conf))
}

/// All processes in the network namespace that `file` stands for, except this one.
///
/// # Errors
/// `Internal` when `/proc` cannot be read.
pub(crate) fn in_network_of(file: &Path) -> Result<Vec<Process>> {
    let namespace = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let wanted = namespace(file);
    all(|pid| {
        let its = namespace(Path::new(&format!("/proc/{pid}/ns/net")))?;
        let other = wanted == Some(its) && pid != std::process::id();
        other.then(|| command_line(pid).map(|words| words.join(" ")))?
    })
}

/// All processes to which `name_of` gives a name.
fn all(name_of: impl Fn(u32) -> Option<String>) -> Result<Vec<Process>> {
    let unreadable = |error: std::io::Error| Error::internal(format!("reading /proc: {error}"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").map_err(unreadable)? {
        let number = entry.map_err(unreadable)?.file_name();
        let number = number.to_str().and_then(|number| number.parse().ok());
        found.extend(number.and_then(|pid| one(pid, &name_of)));
    }
    found.sort_by(|a: &Process, b| (&a.name, a.pid).cmp(&(&b.name, b.pid)));
    Ok(found)
}

/// The handle is taken between two looks: with one look before it, the number could have changed owners. A process that is
/// gone, also one that waits to be reaped, has no command line and no namespace.
fn one(pid: u32, name_of: impl Fn(u32) -> Option<String>) -> Option<Process> {
    name_of(pid)?;
    let number = Pid::from_raw(i32::try_from(pid).ok()?)?;
    let handle = pidfd_open(number, PidfdFlags::empty()).ok()?;
    let name = name_of(pid)?;
    Some(Process { name, pid, handle })
}

fn command_line(pid: u32) -> Option<Vec<String>> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = bytes.split(|byte| *byte == 0);
    Some(
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
    )
}

/// The name of the daemon that these words run, if they run one with this ceph.conf.
fn daemon_name(words: &[String], conf: &Path) -> Option<String> {
    let value = |option: &str| {
        let at = words.iter().position(|word| word == option)?;
        words.get(at + 1)
    };
    let program = Path::new(words.first()?).file_name()?.to_str()?;
    let kind = program.strip_prefix("ceph-")?;
    let ours = ["mon", "osd"].contains(&kind) && Path::new(value("--conf")?) == conf;
    ours.then_some(())?;
    Some(format!("{kind}.{}", value("--id")?))
}

impl Process {
    /// # Errors
    /// `Internal` when the kernel refused; not when the daemon had ended already.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        match pidfd_send_signal(&self.handle, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(self.failed("sending it a signal", error)),
        }
    }

    /// Waits until it has ended; who started it may not have noticed yet.
    ///
    /// # Errors
    /// `Deadline` when it was still there after `limit`.
    pub(crate) fn wait_ended(&self, limit: Duration) -> Result<()> {
        match readable_within(&self.handle, limit) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::deadline(format!(
                "{} (process {}) did not end within {} s of being killed",
                self.name,
                self.pid,
                limit.as_secs()
            ))),
            Err(error) => Err(self.failed("waiting for its end", error)),
        }
    }

    /// Resident memory in bytes; zero once it has ended.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid));
        let kibibytes = status.unwrap_or_default().lines().find_map(|line| {
            let value = line.strip_prefix("VmRSS:")?;
            value.split_whitespace().next()?.parse::<u64>().ok()
        });
        kibibytes.unwrap_or(0) * 1024
    }

    /// Whether SIGSTOP holds it.
    pub(crate) fn is_stopped(&self) -> bool {
        stat_fields(self.pid).is_some_and(|fields| fields.first().is_some_and(|state| state == "T"))
    }

    /// Processor time that it has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        let fields = stat_fields(self.pid)?;
        // Fields 14 and 15 of proc_pid_stat(5); the first of ours is field 3.
        let ticks = |at: usize| fields.get(at - 3)?.parse::<u32>().ok();
        let used = f64::from(ticks(14)?) + f64::from(ticks(15)?);
        let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        Some(used / f64::from(per_second))
    }

    fn failed(&self, doing: &str, error: rustix::io::Errno) -> Error {
        Error::internal(format!(
            "{} (process {}): {doing}: {error}",
            self.name, self.pid
        ))
    }
}

/// What stands behind the name of the program in `/proc/PID/stat`, from the state on.
fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind) = stat.rsplit_once(')')?;
    Some(behind.split_whitespace().map(str::to_owned).collect())
}

/// When process `pid` started, in ticks since the machine did: with the number it names a process for ever.
pub(crate) fn started_ticks(pid: u32) -> Option<u64> {
    let fields = stat_fields(pid)?;
    let alive = fields.first().is_some_and(|state| state != "Z");
    alive.then(|| fields.get(22 - 3)?.parse().ok())?
}

/// Whether `child` has ended within `limit`; it is not reaped yet.
///
/// # Errors
/// `Internal` when the kernel gives no handle on it.
pub(crate) fn ends_within(child: &Child, limit: Duration) -> Result<bool> {
    pidfd_open(Pid::from_child(child), PidfdFlags::empty())
        .and_then(|handle| readable_within(&handle, limit))
        .map_err(|error| Error::internal(format!("waiting for process {}: {error}", child.id())))
}

/// A process handle becomes readable when the process ends.
fn readable_within(handle: &OwnedFd, limit: Duration) -> rustix::io::Result<bool> {
    let limit = Timespec::try_from(limit).map_err(|_| rustix::io::Errno::INVAL)?;
    loop {
        match poll(
            &mut [PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN)],
            Some(&limit),
        ) {
            Err(rustix::io::Errno::INTR) => {}
            ready => return Ok(ready? > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn only_a_daemon_with_this_very_conf_is_ours() {
        let conf = Path::new("/tmp/a/ceph.conf");
        let of = |line: &str| daemon_name(&words(line), conf);
        let osd = of("/usr/bin/ceph-osd --conf /tmp/a/ceph.conf --id 3");
        assert_eq!(osd.as_deref(), Some("osd.3"));
        let mon = of("ceph-mon --conf /tmp/a/ceph.conf --id a");
        assert_eq!(mon.as_deref(), Some("mon.a"));
        for not_ours in [
            "ceph-osd --conf /tmp/ab/ceph.conf --id 3",
            "ceph-osd --id 3",
            "vi ceph-osd --conf /tmp/a/ceph.conf --id 3",
            "ceph-mgr --conf /tmp/a/ceph.conf --id x",
            "",
        ] {
            assert_eq!(of(not_ours), None, "{not_ours}");
        }
    }

    #[test]
    fn a_process_is_known_by_its_number_and_its_start() {
        let own = std::process::id();
        assert!(started_ticks(own).is_some_and(|ticks| ticks > 0));
        assert_eq!(started_ticks(own), started_ticks(own));
        assert_eq!(started_ticks(u32::MAX), None);
    }
}
