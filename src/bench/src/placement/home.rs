//! What it costs to know where an object is.

use super::kernel::key;
use crate::bed::TENANT;
use ganglion_node::HostAmbient;
use ganglion_store::{ObjectStore, RadosStore};
use ganglion_types::{Ambient, Error, ObjectKey, Result};
use serde::{Deserialize, Serialize};
use std::hint::black_box;

const LOOKUPS: u32 = 200_000;
const STATS: u32 = 1_000;

/// Finding the OSD of a key, beside asking that OSD for the least that can be asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Home {
    /// Computing a key's home, in nanoseconds: the mean.
    pub computed_ns: f64,
    /// A `stat` of an object, one after the other, in nanoseconds: the mean.
    pub stat_ns: f64,
}

/// Takes turns over the objects.
pub(super) async fn home(store: &RadosStore, objects: usize) -> Result<Home> {
    let keys = (0..objects).map(|object| ObjectKey::new(TENANT, key(object)));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let each = |count: u32| (0..count as usize).map(|turn| &keys[turn % keys.len()]);
    let clock = HostAmbient::new();
    let began_ns = clock.monotonic_ns();
    for key in each(LOOKUPS) {
        let home = black_box(store).home(black_box(key));
        black_box(home.ok_or_else(|| Error::internal(format!("{key} has no home")))?);
    }
    let computed_ns = clock.monotonic_ns() - began_ns;
    let began_ns = clock.monotonic_ns();
    for key in each(STATS) {
        store.stat(key).await?;
    }
    let stat_ns = clock.monotonic_ns() - began_ns;
    Ok(Home {
        computed_ns: mean(computed_ns, LOOKUPS),
        stat_ns: mean(stat_ns, STATS),
    })
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a measurement takes far less than 2^53 ns"
)]
fn mean(sum_ns: u64, count: u32) -> f64 {
    sum_ns as f64 / f64::from(count)
}
