//! The threads of guests that do not run where their call was received.
//!
//! ```text
//!   run ─► a thread that waits, or a new one ─► guest ─────────────────────────────► waits for the next one
//!                                                 └─ 10 ms of processor time ─► lowered ─► ends with its guest
//! ```
//!
//! A guest that has computed for long without ending has its thread's weight lowered (setting `worker.niceness`): whoever wakes up
//! to do little goes before it from then on. Without that a thread which has just used more than its share of a busy core waits for
//! the kernel's next tick, up to 4 ms, however little it wants. Who shares the cores with nobody loses nothing.
//!
//! A weight that was lowered cannot be raised again without privilege. So such a thread ends with its guest; a function whose last
//! call was long gets a thread of its own, lowered from the beginning; and nobody else inherits it: what a guest waits for may start
//! threads, which have the weight of the thread that starts them, and a guest's thread that was started lowered ends as well.

use crate::slice::{self, Slice};
use ganglion_types::{Error, Result};
use parking_lot::{Condvar, Mutex};
use rustix::thread::{Pid, gettid};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::runtime::Handle;

/// Processor time after which a guest is long.
pub(crate) const LONG_NS: u64 = 10_000_000;
/// How often somebody looks whether a guest is.
const LOOK: Duration = Duration::from_millis(5);
/// So often in a row there has to be no guest to look at, and nobody looks until there is one.
const LOOKS_MAX: u32 = 200;
/// How long a thread waits for its next guest.
const WAIT: Duration = Duration::from_secs(10);

/// How a guest's thread takes part in the cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The process's, with that slice, for as long as the guest is not long.
    Full(Slice),
    /// Lowered from the beginning.
    Lowered,
}

type Run = Box<dyn FnOnce() + Send>;

/// A thread's next guest, and the way to give it another one.
struct Job {
    run: Run,
    next: Sender<Job>,
}

/// The threads of a worker's guests.
pub(crate) struct GuestThreads {
    shared: Arc<Shared>,
    stack_bytes: usize,
}

struct Shared {
    /// By how much a thread is lowered; 0: never.
    niceness: u8,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// The latest last.
    waiting: Vec<(Pid, Sender<Job>)>,
    /// Those with a guest, but for the lowered ones.
    busy: Vec<Busy>,
    nobody_looks: bool,
    ended: bool,
}

struct Busy {
    thread: Pid,
    /// The thread's processor time when this guest was first looked at.
    seen_at_ns: Option<u64>,
}

impl GuestThreads {
    /// `stack_bytes`: the room that each thread has; `niceness`: setting `worker.niceness`.
    ///
    /// # Errors
    /// `Internal` when no thread can be started.
    pub(crate) fn new(stack_bytes: usize, niceness: u8) -> Result<Self> {
        let shared = Arc::new(Shared {
            niceness,
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        if niceness > 0 {
            let looking = shared.clone();
            let started = std::thread::Builder::new().name("guest weights".into());
            started
                .spawn(move || looking.look())
                .map_err(|error| Error::internal(format!("no thread can be started: {error}")))?;
        }
        Ok(Self {
            shared,
            stack_bytes,
        })
    }

    /// Runs `run` on a thread that has that weight, and may wait for what the runtime does.
    ///
    /// # Errors
    /// `Unavailable` when a thread is needed and cannot be started.
    pub(crate) fn run(&self, weight: Weight, run: Run) -> Result<()> {
        let (slice, is_lowered) = match weight {
            Weight::Full(slice) => (slice, false),
            Weight::Lowered => (Slice::Ordinary, self.shared.niceness > 0),
        };
        let run: Run = Box::new(move || {
            slice.ask();
            run();
        });
        let waiting = match is_lowered {
            true => None,
            false => self.shared.state.lock().waiting.pop(),
        };
        if let Some((_, thread)) = waiting {
            let next = thread.clone();
            return match thread.send(Job { run, next }) {
                Ok(()) => Ok(()),
                Err(_) => Err(Error::internal(
                    "a thread that waited for a guest has ended",
                )),
            };
        }
        let (next, jobs) = channel();
        let (shared, runtime) = (self.shared.clone(), Handle::current());
        let job = Job { run, next };
        std::thread::Builder::new()
            .name("guest".into())
            .stack_size(self.stack_bytes)
            .spawn(move || {
                let _runtime = runtime.enter();
                shared.serve(job, &jobs, is_lowered);
            })
            .map_err(|error| Error::unavailable(format!("a guest's thread: {error}")))?;
        Ok(())
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.waiting.clear();
        state.ended = true;
        self.shared.wake.notify_one();
    }
}

impl Shared {
    /// What a thread does.
    fn serve(&self, first: Job, jobs: &Receiver<Job>, is_lowered: bool) {
        let thread = gettid();
        if is_lowered {
            self.lower(thread);
        }
        let inherits = slice::niceness(thread) > slice::process_niceness();
        let mut job = Some(first);
        while let Some(Job { run, next }) = job {
            if is_lowered || inherits {
                return run();
            }
            self.begin(thread);
            let watched = Watched {
                shared: self,
                thread,
            };
            run();
            if watched.end() {
                return;
            }
            job = self.wait(thread, next, jobs);
        }
    }

    fn begin(&self, thread: Pid) {
        let mut state = self.state.lock();
        state.busy.push(Busy {
            thread,
            seen_at_ns: None,
        });
        if state.nobody_looks {
            self.wake.notify_one();
        }
    }

    /// The thread's next guest; `None` when none comes.
    fn wait(&self, thread: Pid, next: Sender<Job>, jobs: &Receiver<Job>) -> Option<Job> {
        {
            let mut state = self.state.lock();
            if state.ended {
                return None;
            }
            state.waiting.push((thread, next));
        }
        match jobs.recv_timeout(WAIT) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.state
                    .lock()
                    .waiting
                    .retain(|(waits, _)| *waits != thread);
                // Where it was not among them any more, somebody has a guest for it.
                jobs.recv().ok()
            }
        }
    }

    /// Looks from time to time who has become long, until the worker is no more.
    fn look(&self) {
        Slice::Short.ask();
        let mut looks = 0;
        let mut state = self.state.lock();
        while !state.ended {
            if state.busy.is_empty() && looks >= LOOKS_MAX {
                state.nobody_looks = true;
                self.wake.wait(&mut state);
                state.nobody_looks = false;
                looks = 0;
            } else {
                self.wake.wait_for(&mut state, LOOK);
            }
            looks = if state.busy.is_empty() { looks + 1 } else { 0 };
            state.busy.retain_mut(|busy| !self.became_long(busy));
        }
    }

    /// Whether the thread was lowered. Only while its guest is among the busy ones: it is this guest's time.
    fn became_long(&self, busy: &mut Busy) -> bool {
        let Some(now_ns) = slice::cpu_ns_of(busy.thread) else {
            return false;
        };
        let is_long = now_ns - *busy.seen_at_ns.get_or_insert(now_ns) >= LONG_NS;
        if is_long {
            self.lower(busy.thread);
        }
        is_long
    }

    fn lower(&self, thread: Pid) {
        if let Err(error) = slice::lower(thread, self.niceness) {
            tracing::debug!(%error, "a guest's thread keeps its weight");
        }
    }
}

/// A guest among the busy ones.
struct Watched<'a> {
    shared: &'a Shared,
    thread: Pid,
}

impl Watched<'_> {
    /// The guest has ended: whether its thread was lowered meanwhile.
    fn end(self) -> bool {
        !self.leave()
    }

    fn leave(&self) -> bool {
        let mut state = self.shared.state.lock();
        let place = state
            .busy
            .iter()
            .position(|busy| busy.thread == self.thread);
        place.map(|place| state.busy.swap_remove(place)).is_some()
    }
}

impl Drop for Watched<'_> {
    /// After a panic.
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes for so long, of this thread's time.
    fn compute(time: Duration) {
        let began_ns = crate::run::thread_cpu_ns();
        while u128::from(crate::run::thread_cpu_ns() - began_ns) < time.as_nanos() {}
    }

    /// What `run` returns on a guest's thread.
    fn on<T: Send + 'static>(
        threads: &GuestThreads,
        weight: Weight,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (done, result) = channel();
        let run = Box::new(move || done.send(run()).unwrap());
        threads.run(weight, run).unwrap();
        let result = result.recv().unwrap();
        // The thread has yet to say that it is free.
        std::thread::sleep(Duration::from_millis(5));
        result
    }

    fn here() -> (Pid, i32) {
        (gettid(), slice::niceness(gettid()))
    }

    #[tokio::test]
    async fn a_guest_that_computes_for_long_is_lowered_and_its_thread_serves_nobody_else() {
        let threads = GuestThreads::new(1 << 20, 7).unwrap();
        let full = Weight::Full(Slice::Ordinary);
        let process = slice::process_niceness();
        let (first, niceness) = on(&threads, full, here);
        assert_eq!(niceness, process);
        let long = move || {
            let before = here();
            compute(Duration::from_millis(60));
            (before, here())
        };
        let (before, after) = on(&threads, full, long);
        assert_eq!(before, (first, process), "a thread that waited");
        assert_eq!(after, (first, (process + 7).min(19)));
        let (next, niceness) = on(&threads, full, here);
        assert_ne!(next, first);
        assert_eq!(niceness, process);
        let (lowered, niceness) = on(&threads, Weight::Lowered, here);
        assert_ne!(lowered, next);
        assert_eq!(niceness, (process + 7).min(19));
        assert_eq!(on(&threads, full, here).0, next);
    }

    #[tokio::test]
    async fn a_guest_that_waits_for_long_is_not_lowered_and_none_is_where_the_setting_says_so() {
        let full = Weight::Full(Slice::Ordinary);
        let process = slice::process_niceness();
        let threads = GuestThreads::new(1 << 20, 7).unwrap();
        let slept = || {
            std::thread::sleep(Duration::from_millis(60));
            here().1
        };
        assert_eq!(on(&threads, full, slept), process);
        let threads = GuestThreads::new(1 << 20, 0).unwrap();
        let computed = || {
            compute(Duration::from_millis(60));
            here().1
        };
        assert_eq!(on(&threads, full, computed), process);
        assert_eq!(on(&threads, Weight::Lowered, computed), process);
    }

    #[tokio::test]
    async fn threads_end_with_their_worker_and_a_panic_ends_only_its_own() {
        let threads = GuestThreads::new(1 << 20, 7).unwrap();
        let full = Weight::Full(Slice::Ordinary);
        threads.run(full, Box::new(|| panic!("a defect"))).unwrap();
        let (thread, _) = on(&threads, full, here);
        let task = format!("/proc/self/task/{}", thread.as_raw_nonzero());
        assert!(std::fs::exists(&task).unwrap());
        drop(threads);
        let ended = (0..5000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            !std::fs::exists(&task).unwrap()
        });
        assert!(ended, "it waits on");
    }
}
