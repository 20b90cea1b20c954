//! `bench engine`: what the engine makes of images, of objects as memory, and of guests that do not end.
//!
//! ```text
//!   restore    an instance with its image mapped    │ the same bytes copied │ the same function started   (module `restore`)
//!   mapping    an object mapped into a guest        │ copied                │ native code over a buffer   (module `mapping`)
//!   fairness   a short call beside guests that spin │ the same call alone                                 (module `fairness`)
//! ```

mod fairness;
mod mapping;
mod report;
mod restore;

pub use fairness::FairnessRow;
pub use mapping::{MappingRow, SumRow};
pub use report::{Beside, EngineReport};
pub use restore::RestoreRow;

use crate::report::{Machine, write_json};
use ganglion_types::{Error, Result};
use std::path::PathBuf;

/// What `bench engine` is told.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Rounds of each part that count. At least 1.
    pub rounds: usize,
    /// Turns of all subjects in each round. At least 1.
    pub turns: usize,
    /// Size of the object that is mapped, in bytes.
    pub object_bytes: usize,
    /// Where the report is written as JSON.
    pub json: Option<PathBuf>,
}

impl Default for EngineOptions {
    /// Half a minute where nobody disturbs it.
    fn default() -> Self {
        Self {
            rounds: 7,
            turns: 5,
            object_bytes: 64 << 20,
            json: None,
        }
    }
}

impl EngineOptions {
    /// Some seconds, for tests: every part runs, no figure is worth quoting.
    pub fn quick() -> Self {
        Self {
            rounds: 1,
            turns: 1,
            object_bytes: 4 << 20,
            json: None,
        }
    }
}

/// Measures the engine.
///
/// Has to run on [`ganglion_node::build_runtime`]'s runtime.
///
/// # Errors
/// `Unavailable` when the temporary folder cannot be used, `Internal` when an answer is wrong, the worker's.
pub async fn engine(options: EngineOptions) -> Result<EngineReport> {
    let machine = Machine::here();
    let json = options.json.clone();
    // On a thread of the runtime, which has room for a guest's stack: the caller's own may not.
    let measured = tokio::spawn(async move {
        let restores = restore::restores(&options).await?;
        let mapping = mapping::mapping(&options).await?;
        let fairness = fairness::fairness(&options).await?;
        Ok::<_, Error>(EngineReport::of(machine, restores, mapping, fairness))
    });
    let measured = measured.await;
    let report =
        measured.map_err(|error| Error::internal(format!("measuring the engine: {error}")))??;
    json.map_or(Ok(()), |path| write_json(&report, &path))?;
    Ok(report)
}
