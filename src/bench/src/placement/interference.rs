//! What near-data work costs other readers of the same OSDs.

use super::cells::Bench;
use super::kernel::{Kernel, Way};
use super::lab::{Lab, OSDS, STORAGE_PERMITS};
use super::loader::Job;
use super::resident::Resident;
use super::transport::Transport;
use crate::foreign::Foreign;
use crate::report::median;
use ganglion_dev_ceph::Place;
use ganglion_types::Result;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a load runs before the reads begin, and goes on behind them.
const MARGIN: Duration = Duration::from_millis(400);

/// Plain reads of 4 MiB by another client, outside of the limited link, beside loads; in 10^6 bytes per second, each the median
/// of the rounds, which take turns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interference {
    /// Nothing else runs.
    pub alone_mb_per_s: f64,
    /// Wordcounts beside the objects use the storage workers' whole budget.
    pub beside_near_data_mb_per_s: f64,
    /// As many guests count words in memory and touch no OSD.
    pub beside_same_load_mb_per_s: f64,
    /// What the wordcounts beside the objects went over meanwhile.
    pub near_data_mb_per_s: f64,
    /// What those in memory did.
    pub same_load_mb_per_s: f64,
    /// What programs that are not part of this had of all cores meanwhile.
    pub foreign_share: f64,
}

pub(super) async fn interference(bench: &mut Bench<'_>) -> Result<Interference> {
    let Bench {
        lab,
        transport,
        resident,
        options,
        ..
    } = bench;
    let time = Duration::from_secs((2 * options.round.as_secs()).max(1));
    let foreign = Foreign::begin(lab.cluster())?;
    let (mut alone, mut near, mut same) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        eprintln!(
            "placement: plain reads beside near-data work, round {round} of {}",
            options.rounds
        );
        alone.push(transport.mb_per_s(Place::Root, time).await?);
        near.push(beside_near_data(lab, transport, time).await?);
        same.push(beside_same_load(transport, resident, time).await?);
    }
    let of = |rows: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| median(rows.iter().map(pick));
    Ok(Interference {
        alone_mb_per_s: median(alone),
        beside_near_data_mb_per_s: of(&near, |row| row.0),
        beside_same_load_mb_per_s: of(&same, |row| row.0),
        near_data_mb_per_s: of(&near, |row| row.1),
        same_load_mb_per_s: of(&same, |row| row.1),
        foreign_share: foreign.end()?.0,
    })
}

/// The reads' rate, and that of the near-data work.
async fn beside_near_data(
    lab: &mut Lab,
    transport: &Transport<'_>,
    time: Duration,
) -> Result<(f64, f64)> {
    let job = Job {
        way: Way::On,
        kernel: Kernel::Wordcount,
        duration: time + 2 * MARGIN,
    };
    let (loaded, read) = tokio::join!(lab.saturating.load(job), reads(transport, time));
    Ok((read?, loaded?.mb_per_s()))
}

/// The reads' rate, and that of the work in memory.
async fn beside_same_load(
    transport: &Transport<'_>,
    resident: &Resident,
    time: Duration,
) -> Result<(f64, f64)> {
    let stop = CancellationToken::new();
    let busy = resident.busy(Kernel::Wordcount, OSDS * STORAGE_PERMITS, &stop);
    let (loaded, read) = tokio::join!(busy, async {
        let read = reads(transport, time).await;
        tokio::time::sleep(MARGIN).await;
        stop.cancel();
        read
    });
    Ok((read?, loaded?.mb_per_s()))
}

async fn reads(transport: &Transport<'_>, time: Duration) -> Result<f64> {
    tokio::time::sleep(MARGIN).await;
    transport.mb_per_s(Place::Root, time).await
}
