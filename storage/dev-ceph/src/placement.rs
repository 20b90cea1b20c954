//! The states of placement groups, asked of the OSDs: without a manager the monitor does not know them.

use crate::admin;
use crate::cluster::MiniCeph;
use crate::commands;
use crate::wait;
use ganglion_types::{Error, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest wait for placement groups; backfilling a lost OSD is what takes long.
const LIMIT: Duration = Duration::from_secs(120);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

impl MiniCeph {
    /// Waits until every placement group takes reads and writes.
    ///
    /// # Errors
    /// `Deadline`, naming a group and its state, when one does not within two minutes.
    pub fn wait_active(&self) -> Result<()> {
        self.wait_groups("active", |state| state.split('+').any(|s| s == "active"))
    }

    /// Waits until every placement group has all its copies, which all OSDs have to be up for.
    ///
    /// # Errors
    /// As [`MiniCeph::wait_active`].
    pub fn wait_clean(&self) -> Result<()> {
        self.wait_groups("active and clean", |state| state == "active+clean")
    }

    fn wait_groups(&self, wanted: &str, fits: impl Fn(&str) -> bool) -> Result<()> {
        let pools = self.pool_groups()?;
        let mut behind = String::new();
        let what = format!("all placement groups are {wanted}");
        let waited = wait::until(&what, LIMIT, PAUSE, || {
            for (pool, groups) in &pools {
                for group in 0..*groups {
                    let name = format!("{pool}.{group:x}");
                    let state = self.group_state(&name);
                    if !state.as_deref().is_some_and(&fits) {
                        let state = state.unwrap_or_else(|| "no primary".to_owned());
                        behind = format!("{name} is {state}");
                        return Ok(None);
                    }
                }
            }
            Ok(Some(()))
        });
        waited.map_err(|error| Error::new(error.kind(), format!("{}: {behind}", error.message())))
    }

    /// The state of a placement group, as its primary has it.
    fn group_state(&self, group: &str) -> Option<String> {
        let question = json!({"prefix": "query", "pgid": group});
        (0..self.options().osds).find_map(|index| {
            let socket = self.directory().socket(&format!("osd.{index}"));
            // An OSD that is dead or not the primary has nothing to say.
            let answer = admin::ask(&socket, &question).ok()?;
            answer["state"].as_str().map(str::to_owned)
        })
    }

    /// The number of each pool and of its placement groups.
    fn pool_groups(&self) -> Result<BTreeMap<u64, u64>> {
        let answers = commands::batch(&self.conf(), &["osd dump".to_owned()])?;
        let pools = answers.first().map(|dump| &dump["pools"]);
        let number = |pool: &Value, field: &str| pool[field].as_u64();
        pools
            .and_then(Value::as_array)
            .and_then(|pools| {
                pools
                    .iter()
                    .map(|pool| Some((number(pool, "pool")?, number(pool, "pg_num")?)))
                    .collect()
            })
            .ok_or_else(|| Error::internal("`ceph osd dump` tells of no pools"))
    }
}
