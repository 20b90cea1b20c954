//! Stopping a guest that runs: its time is up, or its caller has gone.

use crate::epochs::{Beaten, Epochs};
use crate::guest::Guest;
use crate::stop::because;
use crate::watchdog::{Watch, Watchdog};
use ganglion_registry::{Engine, Interruption};
use ganglion_types::Ambient;
use std::sync::Arc;
use wasmtime::{Store, UpdateDeadline};

/// Stops the guests of an engine, in the way for which the engine compiles them. One for a process; it ends when the value
/// is dropped.
pub struct Interrupter(Way);

enum Way {
    Poll(Watchdog),
    Epoch(Epochs),
    Never,
}

/// That a guest runs: from before its first instruction until after its last.
pub(crate) enum Running<'a> {
    Watched { _watch: Watch<'a> },
    Beaten { _beaten: Beaten<'a> },
    Alone,
}

impl Interrupter {
    /// Starts what stops the guests of this engine: a thread.
    ///
    /// # Errors
    /// The system's, when it cannot start one.
    pub fn start(engine: &Engine, ambient: Arc<dyn Ambient>) -> std::io::Result<Self> {
        Ok(Self(match engine.interruption() {
            Interruption::Poll => Way::Poll(Watchdog::start(ambient)?),
            Interruption::Epoch => Way::Epoch(Epochs::start((**engine).clone())?),
            Interruption::Never => Way::Never,
        }))
    }

    /// Has the guest of this store stopped when its time comes, for as long as what is returned lives. It has to be dropped
    /// before the store, whose slot is another guest's afterwards.
    pub(crate) fn enter(&self, store: &mut Store<Guest>) -> Running<'_> {
        match &self.0 {
            Way::Poll(watchdog) => Running::Watched {
                _watch: watchdog.watch(store.data()),
            },
            Way::Epoch(epochs) => {
                store.set_epoch_deadline(1);
                store.epoch_deadline_callback(|context| {
                    context.data().may_go_on().map_err(because)?;
                    Ok(UpdateDeadline::Continue(1))
                });
                Running::Beaten {
                    _beaten: epochs.guest(),
                }
            }
            Way::Never => Running::Alone,
        }
    }

    /// Has those guests stopped whose call is marked as cancelled by now; epochs find them by themselves.
    pub(crate) fn look(&self) {
        if let Way::Poll(watchdog) = &self.0 {
            watchdog.look_now();
        }
    }
}
