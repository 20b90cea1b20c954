//! The arithmetic of a prediction; the crate page has its formula.

use crate::{Candidate, Facts, Link};
use ganglion_types::{LinkEstimate, Load};

/// Rate of a link that was never measured, in bytes per second.
pub const PRIOR_BYTES_PER_S: u64 = 1_250_000_000;
/// Round trip of a link that was never measured, in nanoseconds.
pub const PRIOR_ROUND_TRIP_NS: u64 = 200_000;
/// Run time of a function never seen on no bytes, in nanoseconds.
pub const PRIOR_BASE_NS: f64 = 100_000.0;
/// Run time that each byte adds to a function never seen, in nanoseconds.
pub const PRIOR_NS_PER_BYTE: f64 = 1.0;
/// Bytes that a function never seen reads of an object of unknown size.
pub const PRIOR_READ_BYTES: f64 = 1_048_576.0;

/// When a call would be over at one place, and what the time is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prediction {
    /// Waiting for a permit, in nanoseconds.
    pub wait_ns: u64,
    /// The guest's own time, without waiting for links, in nanoseconds.
    pub run_ns: u64,
    /// Bytes and round trips on links, in nanoseconds.
    pub move_ns: u64,
    /// What the model leaves out, as the factor by which calls there have taken longer than the three together, in
    /// thousandths; 0 stands for 1000.
    pub slip_permille: u32,
    /// Bytes that would cross links: input, output and object.
    pub moved_bytes: u64,
}

impl Prediction {
    /// From now until the caller has the answer, in nanoseconds.
    pub fn total_ns(&self) -> u64 {
        let slip = match self.slip_permille {
            0 => 1000,
            permille => permille,
        };
        let total = u128::from(self.modelled_ns()) * u128::from(slip) / 1000;
        u64::try_from(total).unwrap_or(u64::MAX)
    }

    /// The three terms together, in nanoseconds.
    pub fn modelled_ns(&self) -> u64 {
        self.wait_ns
            .saturating_add(self.run_ns)
            .saturating_add(self.move_ns)
    }
}

impl Link {
    /// The estimate that stands for this link; `None` inside one process.
    pub(crate) fn estimate(self) -> Option<LinkEstimate> {
        match self {
            Self::SameProcess => None,
            Self::Unmeasured => Some(LinkEstimate {
                bytes_per_s: PRIOR_BYTES_PER_S,
                round_trip_ns: PRIOR_ROUND_TRIP_NS,
            }),
            Self::Measured(estimate) => Some(estimate),
        }
    }
}

/// Nanoseconds, or bytes, without their fraction.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from float to integer saturates, and that is what is wanted of an absurd prediction"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value as u64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a slip is bounded by SLIP_MAX"
)]
fn permille(factor: f64) -> u32 {
    (factor * 1000.0).round() as u32
}

/// How long a call that arrives now waits for a permit, when each call ahead of it takes `service_ns`.
pub(crate) fn wait_ns(load: &Load, service_ns: u64) -> u64 {
    let present = u64::from(load.running) + u64::from(load.queued);
    let permits = u64::from(load.permits);
    if present < permits {
        return 0;
    }
    let ahead = present - permits + 1;
    whole(ahead as f64 * service_ns as f64 / permits.max(1) as f64)
}

/// Time and bytes of one leg.
fn leg(link: Link, bytes: f64) -> (f64, f64) {
    match link.estimate() {
        None => (0.0, 0.0),
        Some(LinkEstimate {
            bytes_per_s,
            round_trip_ns,
        }) => {
            let ns_per_byte = 1e9 / bytes_per_s.max(1) as f64;
            (round_trip_ns as f64 + bytes * ns_per_byte, bytes)
        }
    }
}

/// What would come of running the call on that node, whose load is `load`.
pub(crate) fn predict(facts: &Facts<'_>, candidate: &Candidate<'_>, load: &Load) -> Prediction {
    let profile = facts.profile;
    let input = facts.input_bytes as f64;
    let read = facts
        .object
        .map_or(0.0, |object| profile.read_bytes(object.size_bytes));
    let run_ns = whole(profile.run_ns(candidate.site, input + read));

    let (call_ns, call_bytes) = leg(candidate.link, input + profile.output_bytes());
    let away_from_home = facts.object.is_some() && facts.home() != Some(candidate.node);
    let (object_ns, object_bytes) = if away_from_home {
        leg(candidate.object_link, read)
    } else {
        (0.0, 0.0)
    };

    let service_ns = match load.service_ns {
        0 => run_ns,
        measured => measured,
    };
    Prediction {
        wait_ns: wait_ns(load, service_ns),
        run_ns,
        move_ns: whole(call_ns + object_ns),
        slip_permille: permille(profile.slip(candidate.site)),
        moved_bytes: whole(call_bytes + object_bytes),
    }
}
