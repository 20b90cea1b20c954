//! `bench call`: what a call costs, from the engine up to the socket.

use crate::ladder::{LadderReport, ladder};
use crate::report::{Machine, failed, write_json};
use crate::server::{Nodes, ServerProcess};
use crate::starts::{StartsReport, prepare, starts};
use crate::warm::{WarmReport, warm};
use ganglion_node::HostAmbient;
use ganglion_types::{Ambient, Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What `bench call` is told.
#[derive(Clone, Debug)]
pub struct CallOptions {
    /// Rounds of each HTTP subject at each number of connections; there are 14 of these. At least 1.
    pub rounds: usize,
    /// Length of one such round.
    pub round: Duration,
    /// Warm calls of each kind inside of the process.
    pub calls: usize,
    /// First calls of each kind, and server starts.
    pub firsts: usize,
    /// Where the report is written as JSON.
    pub json: Option<PathBuf>,
}

impl Default for CallOptions {
    /// About 80 seconds.
    fn default() -> Self {
        Self {
            rounds: 10,
            round: Duration::from_millis(400),
            calls: 20_000,
            firsts: 7,
            json: None,
        }
    }
}

impl CallOptions {
    /// About ten seconds, for tests: every part runs, no figure is worth quoting.
    pub fn quick() -> Self {
        Self {
            rounds: 2,
            round: Duration::from_millis(150),
            calls: 1_000,
            firsts: 2,
            json: None,
        }
    }
}

/// What `bench call` found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallReport {
    /// Where.
    pub machine: Machine,
    /// Without HTTP.
    pub engine: WarmReport,
    /// With it.
    pub ladder: LadderReport,
    /// The first calls.
    pub starts: StartsReport,
}

/// Measures calls. Starts copies of this program with the subcommand `bench-server`, which has to run
/// [`server`](crate::server()).
///
/// Has to run on [`ganglion_node::build_runtime`]'s runtime.
///
/// # Errors
/// `Unavailable` when a server does not start or ends early, `Internal` when any answer is not a success, the worker's.
pub async fn call(options: CallOptions) -> Result<CallReport> {
    let machine = Machine::here();
    let CallOptions {
        rounds,
        round,
        calls,
        firsts,
        json,
    } = options;
    // On a thread of the runtime, which has room for a guest's stack: the caller's own may not.
    let engine = tokio::spawn(warm(calls, firsts)).await;
    let engine =
        engine.map_err(|error| Error::internal(format!("measuring the engine: {error}")))??;
    let clock: Arc<dyn Ambient> = Arc::new(HostAmbient::new());
    let folder = tempfile::tempdir().map_err(failed("a temporary folder"))?;
    let data = Nodes::ALL.map(|nodes| folder.path().join(nodes.as_str()));
    eprintln!("call: starting servers");
    let servers = [
        ServerProcess::start(Nodes::Single, &data[0]).await?,
        ServerProcess::start(Nodes::Cluster, &data[1]).await?,
    ];
    for server in &servers {
        prepare(server).await?;
    }
    let ladder = ladder(&clock, &servers, rounds, round).await?;
    for server in servers {
        server.stop().await?;
    }
    let mut rows = Vec::new();
    for (nodes, data) in Nodes::ALL.into_iter().zip(&data) {
        rows.extend(starts(&*clock, nodes, data, firsts).await?);
    }
    let report = CallReport {
        machine,
        engine,
        ladder,
        starts: StartsReport { rows },
    };
    json.map_or(Ok(()), |path| write_json(&report, &path))?;
    Ok(report)
}

impl fmt::Display for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            machine,
            engine,
            ladder,
            starts,
        } = self;
        write!(f, "{machine}\n\n{engine}\n\n{ladder}\n\n{starts}")
    }
}
