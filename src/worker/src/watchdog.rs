//! Who trips the poll pages: a thread that sleeps until the next deadline.
//!
//! Each slot has a *seat*, in which its guest is for as long as it runs. The watchdog looks at all seats when the earliest
//! deadline comes, or when somebody asks it to; it trips the slots of guests whose time is up or whose call is cancelled.
//! A guest leaves its seat before its slot is given back, and the watchdog trips under the seat's lock: so it is never the
//! slot's next guest that is stopped.
//!
//! A call costs two uncontended locks, and no system call: nearly always its deadline is later than the moment at which
//! the watchdog looks in any case. No deadline is missed:
//!
//! 1. The watchdog says that it looks at no certain moment (`looks_at_ns` is the end of time), then looks at the seats one
//!    by one, then says when it looks next and sleeps.
//! 2. A guest takes its seat, then reads that moment, and asks when its deadline is earlier.
//! 3. When the watchdog did not see the guest, it had left the seat before the guest took it. So by the seat's lock the
//!    guest reads what step 1 said first, or later, and what it asks for is considered before the watchdog sleeps, or wakes
//!    it.

use crate::guest::Guest;
use ganglion_snapshot::{SLOTS_MAX, Slot};
use ganglion_types::Ambient;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The end of time.
const NEVER_NS: u64 = u64::MAX;
/// After a page could not be protected, until the next attempt.
const AGAIN_NS: u64 = 10_000_000;
/// Seats that are made at once, when a slot among them is first used.
const ROW: usize = 32;

pub(crate) struct Watchdog(Arc<Shared>);

struct Shared {
    ambient: Arc<dyn Ambient>,
    rows: [OnceLock<Box<[Seat; ROW]>>; SLOTS_MAX.div_ceil(ROW)],
    /// When the watchdog looks next, or earlier.
    looks_at_ns: AtomicU64,
    asked: Mutex<Asked>,
    wake: Condvar,
}

/// What the watchdog is asked for since it last began to look.
struct Asked {
    /// To look at this moment.
    look_at_ns: u64,
    end: bool,
}

/// A cache line for each: two cores with a slot each have nothing in common.
#[derive(Default)]
#[repr(align(64))]
struct Seat(Mutex<Option<Watched>>);

struct Watched {
    slot: Arc<Slot>,
    deadline_ns: u64,
    cancelled: Arc<AtomicBool>,
}

/// A guest's place with the watchdog, which it leaves when this is dropped.
pub(crate) struct Watch<'a>(&'a Seat);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}

impl Watchdog {
    /// # Errors
    /// The system's, when it cannot start a thread.
    pub(crate) fn start(ambient: Arc<dyn Ambient>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            ambient,
            rows: [const { OnceLock::new() }; _],
            looks_at_ns: AtomicU64::new(NEVER_NS),
            asked: Mutex::new(Asked {
                look_at_ns: NEVER_NS,
                end: false,
            }),
            wake: Condvar::new(),
        });
        let watching = shared.clone();
        std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || watching.keep_watch())?;
        Ok(Self(shared))
    }

    pub(crate) fn watch(&self, guest: &Guest) -> Watch<'_> {
        let seat = self.0.seat(guest.slot.number());
        let deadline_ns = guest.call.deadline.as_ns();
        let before = seat.0.lock().replace(Watched {
            slot: guest.slot.clone(),
            deadline_ns,
            cancelled: guest.cancelled.clone(),
        });
        assert!(before.is_none(), "a slot's guest has left its seat");
        if guest.cancelled.load(Ordering::Relaxed) {
            self.look_now();
        } else if deadline_ns < self.0.looks_at_ns.load(Ordering::Relaxed) {
            self.0.ask(deadline_ns);
        }
        Watch(seat)
    }

    /// Asks for a look, for those that were cancelled before.
    pub(crate) fn look_now(&self) {
        self.0.ask(0);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.asked.lock().end = true;
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn seat(&self, slot: usize) -> &Seat {
        let row = self.rows[slot / ROW].get_or_init(Box::default);
        &row[slot % ROW]
    }

    fn ask(&self, look_at_ns: u64) {
        let mut asked = self.asked.lock();
        asked.look_at_ns = asked.look_at_ns.min(look_at_ns);
        self.wake.notify_one();
    }

    fn keep_watch(&self) {
        loop {
            self.looks_at_ns.store(NEVER_NS, Ordering::Relaxed);
            let next_ns = self.look();
            if !self.sleep_until(next_ns) {
                return;
            }
        }
    }

    /// Sleeps until that moment, or an earlier one that is asked for; `false` when it is to end.
    fn sleep_until(&self, next_ns: u64) -> bool {
        let mut asked = self.asked.lock();
        while !asked.end {
            let until_ns = next_ns.min(asked.look_at_ns);
            let left_ns = until_ns.saturating_sub(self.ambient.monotonic_ns());
            if left_ns == 0 {
                break;
            }
            self.looks_at_ns.store(until_ns, Ordering::Relaxed);
            if until_ns == NEVER_NS {
                self.wake.wait(&mut asked);
            } else {
                self.wake
                    .wait_for(&mut asked, Duration::from_nanos(left_ns));
            }
        }
        asked.look_at_ns = NEVER_NS;
        !asked.end
    }

    /// Stops whom it has to stop, and gives the moment at which the next has to be.
    fn look(&self) -> u64 {
        let now_ns = self.ambient.monotonic_ns();
        let rows = self.rows.iter().filter_map(OnceLock::get);
        let seats = rows.flat_map(|row| row.iter());
        seats
            .map(|seat| seat.look(now_ns))
            .min()
            .unwrap_or(NEVER_NS)
    }
}

impl Seat {
    /// When its guest has to be looked at again.
    fn look(&self, now_ns: u64) -> u64 {
        let mut seat = self.0.lock();
        let Some(guest) = seat.as_ref() else {
            return NEVER_NS;
        };
        if guest.deadline_ns > now_ns && !guest.cancelled.load(Ordering::Relaxed) {
            return guest.deadline_ns;
        }
        if let Err(error) = guest.slot.trip() {
            tracing::error!(%error, "a guest whose time is up cannot be stopped now");
            return now_ns + AGAIN_NS;
        }
        *seat = None;
        NEVER_NS
    }
}
