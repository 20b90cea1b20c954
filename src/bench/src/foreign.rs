//! What others take of the machine's cores while something is measured: figures of a disturbed machine are wrong in either direction.

use crate::report::failed;
use ganglion_node::HostAmbient;
use ganglion_types::{Ambient, Result};
use std::collections::HashMap;

/// From this share of all cores on, what was measured is not judged.
pub(crate) const DISTURBED_FROM: f64 = 0.05;

/// The kernel's unit of processor time in `/proc`, in seconds (`USER_HZ`, proc_pid_stat(5)).
const TICK_S: f64 = 0.01;
/// The process under which the kernel's own threads are: their work is that of those who asked for it.
const KERNEL: u32 = 2;

/// A share of the processor time that all cores have, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) f64);

/// A measurement that has begun.
pub(crate) struct Foreign {
    ours: Vec<u32>,
    before: HashMap<u32, u64>,
    stolen: u64,
    /// Begun when the measurement was.
    clock: HostAmbient,
    began_ns: u64,
}

#[derive(Clone, Copy)]
struct Process {
    parent: u32,
    ticks: u64,
}

impl Foreign {
    /// `ours`: processes that belong to the measurement beside this one; their children, and this one's, do as well.
    ///
    /// # Errors
    /// `Unavailable` where `/proc` cannot be read.
    pub(crate) fn begin(ours: &[u32]) -> Result<Self> {
        let clock = HostAmbient::new();
        Ok(Self {
            ours: ours.iter().copied().chain([std::process::id()]).collect(),
            before: ticks(&processes()?),
            stolen: stolen()?,
            began_ns: clock.monotonic_ns(),
            clock,
        })
    }

    /// What the others, the processes that began meanwhile among them, have had since. One that ended meanwhile is not counted.
    ///
    /// # Errors
    /// As [`Foreign::begin`].
    #[allow(
        clippy::cast_precision_loss,
        reason = "ticks and nanoseconds are far below 2^53"
    )]
    pub(crate) fn end(&self) -> Result<Share> {
        let all_s = (self.clock.monotonic_ns() - self.began_ns) as f64 / 1e9 * cores();
        let after = processes()?;
        let grown = after
            .iter()
            .filter(|(pid, _)| is_foreign(**pid, &self.ours, &after))
            .map(|(pid, process)| {
                let before = self.before.get(pid).copied().unwrap_or(0);
                process.ticks.saturating_sub(before)
            });
        let ticks = grown.sum::<u64>() + stolen()?.saturating_sub(self.stolen);
        Ok(Share(ticks as f64 * TICK_S / all_s.max(TICK_S)))
    }
}

#[allow(clippy::cast_precision_loss, reason = "cores are few")]
fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1, usize::from) as f64
}

fn ticks(processes: &HashMap<u32, Process>) -> HashMap<u32, u64> {
    let ticks = processes.iter();
    ticks.map(|(pid, process)| (*pid, process.ticks)).collect()
}

/// Whether neither the process nor one that it comes from is ours or the kernel.
fn is_foreign(pid: u32, ours: &[u32], processes: &HashMap<u32, Process>) -> bool {
    let parent = |pid: &u32| processes.get(pid).map(|process| process.parent);
    let mut line = std::iter::successors(Some(pid), parent);
    !line.any(|pid| pid == KERNEL || ours.contains(&pid))
}

fn processes() -> Result<HashMap<u32, Process>> {
    let folder = std::fs::read_dir("/proc").map_err(failed("/proc"))?;
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let process = |name: String| {
        let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
        Some((name.parse().ok()?, process(&stat)?))
    };
    Ok(names.filter_map(process).collect())
}

/// `/proc/PID/stat`: behind the name, which may have spaces and brackets, are the fields from the third on.
fn process(stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Process {
        parent: u32::try_from(field(4)?).ok()?,
        ticks: field(14)? + field(15)?,
    })
}

/// Ticks that the hypervisor gave to other machines, where it says so.
fn stolen() -> Result<u64> {
    let stat = std::fs::read_to_string("/proc/stat").map_err(failed("/proc/stat"))?;
    let all = stat.lines().next().unwrap_or_default();
    let steal = all.split_whitespace().nth(8);
    Ok(steal.and_then(|ticks| ticks.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_whatever_the_program_is_called() {
        let stat = "7 (a) b (c) R 5 7 7 0 -1 4194304 1 2 3 4 50 60 7 8 20 0 1 0 99";
        let process = process(stat).unwrap();
        assert_eq!((process.parent, process.ticks), (5, 110));
    }

    #[test]
    fn what_comes_from_us_or_from_the_kernel_is_not_foreign() {
        let process = |parent| Process { parent, ticks: 0 };
        let of = [
            (1, 0),
            (2, 0),
            (10, 1),
            (11, 10),
            (20, 2),
            (30, 1),
            (31, 30),
        ];
        let processes = of.map(|(pid, parent)| (pid, process(parent))).into();
        let foreign = |pid| is_foreign(pid, &[10], &processes);
        assert!(!foreign(11) && !foreign(10) && !foreign(20));
        assert!(foreign(31) && foreign(1));
    }

    #[test]
    fn a_program_of_ours_is_not_counted_and_one_that_is_not_is() {
        let mut spinning = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let measured = |ours: bool| {
            let mut foreign = Foreign::begin(&[]).unwrap();
            if !ours {
                foreign.ours = vec![u32::MAX];
            }
            std::thread::sleep(std::time::Duration::from_millis(500));
            foreign.end().unwrap().0
        };
        let (all, others) = (measured(false), measured(true));
        spinning.kill().unwrap();
        spinning.wait().unwrap();
        assert!(all - others > 0.2, "{all} {others}");
    }
}
