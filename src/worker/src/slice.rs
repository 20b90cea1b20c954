//! How soon the kernel runs a thread that wakes up beside others that never sleep: slices and weights.
//!
//! A thread's slice is the time for which it may go on while others wait. Since Linux 6.12 a thread can ask for one of its own, and
//! one that wakes up takes the core from a thread with a longer slice at once; of two alike, the one that wakes up waits until the
//! other's slice is over, milliseconds. So all threads of a process have short slices, but for those of guests that compute for
//! long. All get the same share of the cores: a short slice comes more often.
//!
//! Earlier kernels take the wish and do nothing about it.
//!
//! A thread that has just used more than its share waits all the same, until the others have caught up and the kernel's tick comes.
//! What it has used too much is less, and they catch up sooner, the less they weigh: [`lower`].

use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::Pid;
use std::cell::Cell;
use std::mem::size_of;

/// A thread's slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// As short as there is, for what answers soon.
    Short,
    /// The kernel's own choice, some milliseconds.
    Ordinary,
}

/// The shortest that the kernel gives.
const SHORT_NS: u64 = 100_000;

thread_local! {
    /// What this thread last asked for. A new one has what its maker had.
    static ASKED: Cell<Option<Slice>> = const { Cell::new(None) };
}

impl Slice {
    /// Asks for this slice for the calling thread; two system calls where it had another.
    pub fn ask(self) {
        if ASKED.replace(Some(self)) == Some(self) {
            return;
        }
        let slice_ns = match self {
            Self::Short => SHORT_NS,
            Self::Ordinary => 0,
        };
        if let Err(error) = ask_kernel(slice_ns) {
            tracing::debug!(%error, "the kernel gives no slices");
        }
    }
}

/// Sets the calling thread's slice, 0 for the kernel's choice, and leaves its policy and niceness as they are.
fn ask_kernel(slice_ns: u64) -> std::io::Result<()> {
    let size = size_of::<libc::sched_attr>();
    // SAFETY: a C structure of numbers, for which zeros are a value.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: writes at most `size` bytes to `attributes`; 0 is the calling thread.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if got != 0 {
        return Err(std::io::Error::last_os_error());
    }
    attributes.sched_runtime = slice_ns;
    // SAFETY: reads the `size` bytes that `attributes` says it has; 0 is the calling thread.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    match set {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// The niceness that lowers a thread most.
const NICENESS_MAX: i32 = 19;

/// Lowers the weight of a thread of this process to that of one so much nicer than the process. It cannot be raised again without
/// privilege.
///
/// # Errors
/// The kernel's.
pub(crate) fn lower(thread: Pid, niceness: u8) -> std::io::Result<()> {
    let lowered = process_niceness() + i32::from(niceness);
    // A thread's niceness is set by its own number, as a process's.
    setpriority_process(Some(thread), lowered.min(NICENESS_MAX)).map_err(Into::into)
}

/// The niceness of a thread of this process; that of the process where there is none.
pub(crate) fn niceness(thread: Pid) -> i32 {
    getpriority_process(Some(thread)).unwrap_or_else(|_| process_niceness())
}

/// The niceness of the process's first thread, which runs no guests.
pub(crate) fn process_niceness() -> i32 {
    getpriority_process(Some(rustix::process::getpid())).unwrap_or(0)
}

/// Processor time that a thread of this process has had, in nanoseconds; `None` when it has ended.
pub(crate) fn cpu_ns_of(thread: Pid) -> Option<u64> {
    // How the kernel numbers threads' clocks: `MAKE_THREAD_CPUCLOCK` of its `posix-timers_types.h`, with `CPUCLOCK_SCHED`.
    let clock = (!thread.as_raw_nonzero().get() << 3) | 6;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one `timespec`; a clock that does not exist is an error.
    let got = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    (got == 0).then_some(seconds * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slice as the kernel tells it, in nanoseconds; since Linux 6.12 never 0.
    fn slice_ns() -> u64 {
        // SAFETY: as above.
        unsafe {
            let mut attributes: libc::sched_attr = std::mem::zeroed();
            let size = size_of::<libc::sched_attr>();
            let got = libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0);
            assert_eq!(got, 0);
            attributes.sched_runtime
        }
    }

    #[test]
    fn a_thread_has_the_slice_that_it_asked_for_last_and_others_keep_theirs() {
        let ordinary = slice_ns();
        if ordinary == 0 {
            return;
        }
        Slice::Short.ask();
        assert_eq!(slice_ns(), SHORT_NS);
        Slice::Ordinary.ask();
        assert_eq!(slice_ns(), ordinary);
        Slice::Short.ask();
        let made = std::thread::spawn(|| {
            Slice::Ordinary.ask();
            slice_ns()
        });
        assert_eq!(made.join().unwrap(), ordinary);
        assert_eq!(slice_ns(), SHORT_NS);
    }
}
