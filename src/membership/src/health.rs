//! Whether Redis answers: for a readiness page, and told in the log once each way.

use ganglion_types::{Ambient, Error};
use parking_lot::Mutex;
use std::sync::Arc;

/// Whether the Redis can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipHealth {
    /// It answered the last time; false before the first.
    pub reachable: bool,
    /// Since when that is so, in milliseconds since 1970-01-01 UTC.
    pub since_ms: u64,
    /// Why it could not be asked the last time; `None` while it can, and before the first try.
    pub error: Option<String>,
}

pub(crate) struct Health {
    state: Mutex<MembershipHealth>,
    ambient: Arc<dyn Ambient>,
    address: String,
}

impl Health {
    pub(crate) fn unknown(ambient: Arc<dyn Ambient>, address: String) -> Self {
        let state = MembershipHealth {
            reachable: false,
            since_ms: unix_ms(&*ambient),
            error: None,
        };
        Self {
            state: Mutex::new(state),
            ambient,
            address,
        }
    }

    pub(crate) fn now(&self) -> MembershipHealth {
        self.state.lock().clone()
    }

    pub(crate) fn reached(&self) {
        tracing::info!(address = self.address, "Redis answers");
        *self.state.lock() = MembershipHealth {
            reachable: true,
            since_ms: unix_ms(&*self.ambient),
            error: None,
        };
    }

    pub(crate) fn lost(&self, why: &Error) {
        let mut state = self.state.lock();
        if state.reachable || state.error.is_none() {
            tracing::warn!(
                address = self.address,
                %why,
                "Redis cannot be asked; the roster stays as it is, and trying goes on"
            );
            state.reachable = false;
            state.since_ms = unix_ms(&*self.ambient);
        }
        state.error = Some(why.to_string());
    }
}

fn unix_ms(ambient: &dyn Ambient) -> u64 {
    ambient.unix_ns() / 1_000_000
}
