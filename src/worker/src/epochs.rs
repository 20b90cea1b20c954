//! The beat by which guests are interrupted.

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use wasmtime::Engine;

/// Time between two beats: a guest is stopped within two of them.
const BEAT: Duration = Duration::from_millis(10);
/// Beats without a guest after which the thread sleeps until there is one.
const IDLE_BEATS: u32 = 100;

/// Increments an engine's epoch every 10 ms while guests run; a thread of its own, so that no busy core delays it.
///
/// An idle process is left alone: after a second without guests the beat stops until the next begins.
pub(crate) struct Epochs {
    shared: Arc<Shared>,
}

struct Shared {
    guests: AtomicUsize,
    asleep: AtomicBool,
    ended: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Epochs {
    /// Starts the beat of an engine; it ends when the value is dropped.
    ///
    /// # Errors
    /// The system's, when it cannot start a thread.
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            guests: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        });
        let beating = shared.clone();
        std::thread::Builder::new()
            .name("epochs".into())
            .spawn(move || beating.beat(&engine))?;
        Ok(Self { shared })
    }

    /// Counts a guest in; it is counted out when the value is dropped.
    pub(crate) fn guest(&self) -> Beaten<'_> {
        self.shared.guests.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            let _lock = self.shared.lock.lock();
            self.shared.wake.notify_one();
        }
        Beaten(&self.shared)
    }
}

impl Drop for Epochs {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _lock = self.shared.lock.lock();
        self.shared.wake.notify_one();
    }
}

pub(crate) struct Beaten<'a>(&'a Shared);

impl Drop for Beaten<'_> {
    fn drop(&mut self) {
        self.0.guests.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn beat(&self, engine: &Engine) {
        let mut idle = 0;
        while !self.ended.load(Ordering::SeqCst) {
            let mut lock = self.lock.lock();
            if idle >= IDLE_BEATS {
                // The order of `asleep` and `guests` is the reverse of the one in `guest`: one of the two sees the other.
                self.asleep.store(true, Ordering::SeqCst);
                while self.guests.load(Ordering::SeqCst) == 0 && !self.ended.load(Ordering::SeqCst)
                {
                    self.wake.wait(&mut lock);
                }
                self.asleep.store(false, Ordering::SeqCst);
                idle = 0;
            }
            self.wake.wait_for(&mut lock, BEAT);
            drop(lock);
            engine.increment_epoch();
            idle = if self.guests.load(Ordering::SeqCst) == 0 {
                idle + 1
            } else {
                0
            };
        }
    }
}
