//! Processor time of other processes.

use crate::report::failed;
use ganglion_types::{Error, Result};

/// Processor time that a process has used, in nanoseconds, in steps of the kernel's tick (10 ms mostly).
///
/// # Errors
/// `Unavailable` when there is no such process.
pub(crate) fn cpu_ns_of(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).map_err(failed(&path))?;
    ticks(&stat)
        .map(|ticks| ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second())
        .ok_or_else(|| Error::internal(format!("{path} has no times in it")))
}

/// `utime` and `stime` of a line of `/proc/PID/stat`: the 14th and 15th fields, counted from behind the name, which may hold
/// anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut times = behind_name.split(' ').skip(11);
    Some(times.next()?.parse::<u64>().ok()? + times.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194560 900 0 1 0 120 30 7 8 20 0 5 0 9000";
        assert_eq!(ticks(stat), Some(150));
        assert_eq!(ticks(""), None);
        assert!(cpu_ns_of(std::process::id()).is_ok());
    }
}
