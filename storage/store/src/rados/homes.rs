//! Where objects are: their placement group is computed, the group's acting primary is looked up in a table.
//!
//! The table is asked for group by group (`osd map` of a name that falls into it), since no command of the monitors alone
//! lists them: a fifth of a millisecond each. So it is asked for only when what placement depends on has changed, not whenever
//! the map has.

use super::hash::{OBJECT_HASH_RJENKINS, name_hash, placement_group};
use super::monitors::{Monitors, OsdMap, Placement};
use super::osds::OsdNodes;
use crate::blocking::blocking;
use arc_swap::ArcSwapOption;
use ganglion_types::{Error, NodeId, ObjectKey, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What is known of the pool's placement. Readers take no lock.
pub(super) struct Homes {
    monitors: Arc<Monitors>,
    pool: i64,
    table: ArcSwapOption<Table>,
    pool_is_gone: AtomicBool,
    nodes: Arc<OsdNodes>,
}

struct Table {
    /// The number of the newest map that was looked at.
    epoch: u64,
    /// What the primaries follow from; `None` where the map moved while they were asked for, so that some may be of either.
    placement: Option<Placement>,
    /// The acting primary of each placement group, where it has one.
    primaries: Arc<[Option<i32>]>,
}

impl Homes {
    /// Of the pool of that number; knows nothing yet.
    pub(super) fn new(monitors: Arc<Monitors>, pool: i64) -> Self {
        Self {
            monitors,
            pool,
            table: ArcSwapOption::empty(),
            pool_is_gone: AtomicBool::new(false),
            nodes: Arc::default(),
        }
    }

    pub(super) fn nodes(&self) -> &Arc<OsdNodes> {
        &self.nodes
    }

    pub(super) fn pool_is_gone(&self) -> bool {
        self.pool_is_gone.load(Ordering::Relaxed)
    }

    /// The OSD that serves this key now.
    pub(super) fn osd(&self, key: &ObjectKey) -> Option<i32> {
        let table = self.table.load();
        let primaries = &table.as_ref()?.primaries;
        let groups = u32::try_from(primaries.len()).ok()?;
        let hash = name_hash(key.bucket.as_str(), key.key.as_str());
        primaries[placement_group(hash, groups) as usize]
    }

    pub(super) fn node(&self, key: &ObjectKey) -> Option<NodeId> {
        self.osd(key).map(|osd| self.nodes.node(osd))
    }

    /// Looks whether the map has moved, and asks for the table anew where that changes it. Blocks.
    ///
    /// # Errors
    /// When the monitors do not answer; what is known stays.
    pub(super) fn refresh(&self) -> Result<()> {
        let known = self.table.load_full();
        if let Some(table) = &known
            && table.epoch == self.monitors.epoch()?
        {
            return Ok(());
        }
        let mut map = self.monitors.map()?;
        map.placement.pools.retain(|pool| pool.pool == self.pool);
        let Some(pool) = map.placement.pools.first() else {
            self.pool_is_gone.store(true, Ordering::Relaxed);
            self.table.store(None);
            return Ok(());
        };
        let primaries = match &known {
            Some(table) if table.placement.as_ref() == Some(&map.placement) => {
                table.primaries.clone()
            }
            _ if pool.object_hash != OBJECT_HASH_RJENKINS => {
                return Err(Error::invalid(format!(
                    "the pool's names are hashed in way {}, which is not known here",
                    pool.object_hash
                )));
            }
            _ => self.primaries(pool.pg_num)?,
        };
        let OsdMap { epoch, placement } = map;
        let placement = (self.monitors.epoch()? == epoch).then_some(placement);
        self.table.store(Some(Arc::new(Table {
            epoch,
            placement,
            primaries,
        })));
        Ok(())
    }

    /// Asks where each of the groups is.
    fn primaries(&self, groups: u32) -> Result<Arc<[Option<i32>]>> {
        names_in_each(groups)
            .iter()
            .map(|name| {
                let located = self.monitors.locate(name)?;
                check_hash(name, &located.raw_pgid)?;
                Ok(Some(located.acting_primary).filter(|osd| *osd >= 0))
            })
            .collect()
    }
}

/// For each placement group a name that falls into it.
fn names_in_each(groups: u32) -> Vec<String> {
    let mut names = vec![None; groups as usize];
    let mut missing = names.len();
    let mut number = 0_u64;
    while missing > 0 {
        let name = number.to_string();
        let place = &mut names[placement_group(name_hash("", &name), groups) as usize];
        if place.is_none() {
            *place = Some(name);
            missing -= 1;
        }
        number += 1;
    }
    names.into_iter().flatten().collect()
}

/// The cluster hashes as this code does; otherwise every home would be wrong.
fn check_hash(name: &str, raw_pgid: &str) -> Result<()> {
    let digits = raw_pgid.rsplit('.').next().unwrap_or_default();
    if u32::from_str_radix(digits, 16) == Ok(name_hash("", name)) {
        return Ok(());
    }
    Err(Error::internal(format!(
        "the cluster places `{name}` by {raw_pgid}, which is not its hash"
    )))
}

/// Looks every `age` until it is aborted.
pub(super) async fn watch(homes: Arc<Homes>, age: Duration) {
    let mut failing = false;
    loop {
        tokio::time::sleep(age).await;
        let looking = homes.clone();
        let outcome = blocking(move || looking.refresh()).await;
        match &outcome {
            Err(error) if !failing => {
                tracing::warn!(%error, "where objects are is not known anew: it may be out of date");
            }
            Ok(()) if failing => tracing::info!("where objects are is known again"),
            _ => {}
        }
        failing = outcome.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_gets_a_name_that_falls_into_it() {
        for groups in [1, 2, 16, 100, 1024] {
            let names = names_in_each(groups);
            assert_eq!(names.len(), groups as usize);
            for (group, name) in names.iter().enumerate() {
                let found = placement_group(name_hash("", name), groups);
                assert_eq!(found as usize, group);
            }
        }
    }

    #[test]
    fn a_cluster_that_hashes_otherwise_is_noticed() {
        assert!(check_hash("a", "1.29eec818").is_ok());
        assert!(check_hash("a", "1.29eec819").is_err());
        assert!(check_hash("a", "").is_err());
    }
}
