//! What past transfers say of a link.

use ganglion_types::LinkEstimate;
use parking_lot::Mutex;
use std::time::Duration;

/// Up to this many payload bytes an exchange tells of the round trip.
const SMALL_BYTES_MAX: u64 = 4 << 10;
/// From this many on it tells of the rate.
const LARGE_BYTES_MIN: u64 = 256 << 10;
/// The newest sample's weight is one in so many.
const WEIGHT: u64 = 8;

/// Exponentially weighted means over exchanges, with the time that the other end was busy taken off.
#[derive(Default)]
pub(crate) struct Estimator(Mutex<Means>);

#[derive(Clone, Copy, Default)]
struct Means {
    round_trip_ns: Option<u64>,
    bytes_per_s: Option<u64>,
}

fn blend(mean: Option<u64>, sample: u64) -> Option<u64> {
    Some(mean.map_or(sample, |mean| mean - mean / WEIGHT + sample / WEIGHT))
}

/// As [`blend`], but a shorter time counts half: whatever disturbs a round trip makes it longer, so the shorter one is
/// nearer to what the link takes.
fn nearer(mean: Option<u64>, sample: u64) -> Option<u64> {
    match mean {
        Some(mean) if sample < mean => Some(u64::midpoint(mean, sample)),
        _ => blend(mean, sample),
    }
}

impl Estimator {
    /// `payload_bytes`, both ways together, took `elapsed` on the link.
    pub(crate) fn observe(&self, payload_bytes: u64, elapsed: Duration) {
        let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX).max(1);
        let mut means = self.0.lock();
        if payload_bytes <= SMALL_BYTES_MAX {
            means.round_trip_ns = nearer(means.round_trip_ns, elapsed_ns);
        } else if payload_bytes >= LARGE_BYTES_MIN {
            let transfer_ns = elapsed_ns
                .saturating_sub(means.round_trip_ns.unwrap_or(0))
                .max(elapsed_ns / 10);
            let rate = u128::from(payload_bytes) * 1_000_000_000 / u128::from(transfer_ns.max(1));
            let rate = u64::try_from(rate).unwrap_or(u64::MAX);
            means.bytes_per_s = blend(means.bytes_per_s, rate);
        }
    }

    /// What is known, with `assumed_bytes_per_s` until something large was sent; `None` before the first exchange.
    pub(crate) fn estimate(&self, assumed_bytes_per_s: u64) -> Option<LinkEstimate> {
        let means = *self.0.lock();
        Some(LinkEstimate {
            bytes_per_s: means.bytes_per_s.unwrap_or(assumed_bytes_per_s),
            round_trip_ns: means.round_trip_ns?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_start_is_soon_forgotten() {
        let estimator = Estimator::default();
        estimator.observe(0, Duration::from_millis(20));
        for _ in 0..10 {
            estimator.observe(0, Duration::from_micros(100));
        }
        assert!(estimator.estimate(7).unwrap().round_trip_ns < 150_000);
    }

    #[test]
    fn small_exchanges_tell_the_round_trip_and_large_ones_the_rate() {
        let estimator = Estimator::default();
        assert_eq!(estimator.estimate(7), None);
        for _ in 0..50 {
            estimator.observe(100, Duration::from_micros(100));
        }
        assert_eq!(estimator.estimate(7).unwrap().bytes_per_s, 7);
        for _ in 0..50 {
            // 1 MB in 10 ms beyond the round trip: 100 MB/s.
            estimator.observe(1_000_000, Duration::from_micros(10_100));
        }
        let link = estimator.estimate(7).unwrap();
        assert!(link.round_trip_ns.abs_diff(100_000) < 1_000, "{link:?}");
        assert!(
            link.bytes_per_s.abs_diff(100_000_000) < 1_000_000,
            "{link:?}"
        );
    }
}
