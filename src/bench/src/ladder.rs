//! Requests per second and processor time per request, from a handler that does nothing up to a call on another node.

use crate::http::{Round, Target, load};
use crate::report::{Spread, US, figure, median, table};
use crate::server::{Nodes, ServerProcess};
use comfy_table::Cell;
use ganglion_types::{Ambient, Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Connections that are loaded at once: a server with enough to do, and one caller that waits for each answer.
const CONNECTIONS: [usize; 2] = [64, 1];

/// One subject under one load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadRow {
    /// What was asked.
    pub subject: String,
    /// Connections, each with one request under way.
    pub connections: usize,
    /// Requests per second, the median over the rounds.
    pub requests_per_s: f64,
    /// Over that of the plain handler, in the same rounds.
    pub to_plain: f64,
    /// From a request to the end of its answer, in microseconds: the medians of the rounds' `p50` and `p99`.
    pub latency_us: Spread,
    /// The smallest of the rounds' median latencies, in microseconds: what is left where nothing disturbed.
    pub quiet_us: f64,
    /// The server's processor time for a request, in microseconds, over all rounds.
    pub cpu_us: f64,
    /// Over that of the plain handler.
    pub cpu_to_plain: f64,
    /// An answer's size with its head, in bytes.
    pub answer_bytes: usize,
}

/// A layer, and what it adds to the ones below it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rung {
    /// The layer.
    pub layer: String,
    /// Processor time per request up to here, in microseconds, at the larger number of connections.
    pub cpu_us: f64,
    /// What this layer adds to it.
    pub adds_cpu_us: f64,
    /// Median latency up to here, in microseconds, on one connection, in the quietest round.
    pub latency_us: f64,
    /// What this layer adds to it.
    pub adds_latency_us: f64,
}

/// What calls over HTTP cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LadderReport {
    /// Rounds of each subject; subjects take turns.
    pub rounds: usize,
    /// Length of a round, in seconds.
    pub round_s: f64,
    /// Subject by subject.
    pub rows: Vec<LoadRow>,
    /// Layer by layer.
    pub rungs: Vec<Rung>,
}

/// What is asked, and of which server.
struct Subject {
    name: &'static str,
    server: usize,
    target: Target,
    rounds: Vec<Loaded>,
}

/// A round, and what the server used for it.
struct Loaded {
    round: Round,
    cpu_ns: u64,
}

const PLAIN: &str = "plain handler";
const STUB: &str = "/v1 noop, stub node";
const SINGLE: &str = "/v1 noop, single node";
const CLUSTER: &str = "/v1 noop, cluster";

/// The layers of a `/v1` call, and the subjects that end with them.
const RUNGS: [(&str, &str); 4] = [
    ("plain handler: connection, HTTP, runtime", PLAIN),
    ("+ gateway: routes, headers, decision, metrics", STUB),
    ("+ engine: admission, instance, guest, reset", SINGLE),
    ("+ wire: frames, sockets, another node's thread", CLUSTER),
];

/// The servers are in the order of [`Nodes::ALL`].
pub(crate) async fn ladder(
    clock: &Arc<dyn Ambient>,
    servers: &[ServerProcess; Nodes::ALL.len()],
    rounds: usize,
    duration: Duration,
) -> Result<LadderReport> {
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let mut subjects = subjects(servers);
        for round in 0..rounds {
            eprintln!(
                "call: {connections} connections, round {} of {rounds}",
                round + 1
            );
            for subject in &mut subjects {
                let server = &servers[subject.server];
                let before_ns = server.cpu_ns()?;
                let loaded =
                    on_own_thread(clock.clone(), subject.target.clone(), connections, duration);
                let round = loaded.await.map_err(|error| error.within(subject.name))?;
                subject.rounds.push(Loaded {
                    round,
                    cpu_ns: server.cpu_ns()? - before_ns,
                });
            }
        }
        rows.extend(compared(subjects, connections));
    }
    let rungs = rungs(&rows);
    Ok(LadderReport {
        rounds,
        round_s: duration.as_secs_f64(),
        rows,
        rungs,
    })
}

fn subjects(servers: &[ServerProcess; Nodes::ALL.len()]) -> Vec<Subject> {
    const V1: (&str, &[u8]) = ("/v1/functions/ndp/noop/invoke", b"");
    const FAASM: (&str, &[u8]) = (
        "/f/",
        br#"{"user":"ndp","function":"noop","input_data":""}"#,
    );
    let [single, cluster] = servers;
    [
        (PLAIN, 0, single.ready.address, ("/plain", &b""[..])),
        (STUB, 0, single.ready.stub, V1),
        ("/f/ noop, stub node", 0, single.ready.stub, FAASM),
        (SINGLE, 0, single.ready.address, V1),
        ("/f/ noop, single node", 0, single.ready.address, FAASM),
        (CLUSTER, 1, cluster.ready.address, V1),
        ("/f/ noop, cluster", 1, cluster.ready.address, FAASM),
    ]
    .map(|(name, server, address, (path, body))| Subject {
        name,
        server,
        target: Target::new(address, "POST", path, body),
        rounds: Vec::new(),
    })
    .into()
}

/// The load generator has one thread, so that it takes no more than one core from the server.
async fn on_own_thread(
    clock: Arc<dyn Ambient>,
    target: Target,
    connections: usize,
    duration: Duration,
) -> Result<Round> {
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime =
            runtime.map_err(|error| Error::internal(format!("the load generator: {error}")))?;
        runtime.block_on(load(clock, &target, connections, duration))
    });
    thread
        .await
        .map_err(|error| Error::internal(format!("the load generator: {error}")))?
}

/// Rows beside the first of them.
fn compared(subjects: Vec<Subject>, connections: usize) -> Vec<LoadRow> {
    let mut rows: Vec<LoadRow> = subjects
        .into_iter()
        .map(|subject| row(subject, connections))
        .collect();
    let plain = rows
        .first()
        .map(|plain| (plain.requests_per_s, plain.cpu_us));
    for (row, (requests_per_s, cpu_us)) in rows.iter_mut().zip(plain.into_iter().cycle()) {
        row.to_plain = row.requests_per_s / requests_per_s;
        row.cpu_to_plain = row.cpu_us / cpu_us;
    }
    rows
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts and durations are far below 2^53"
)]
fn row(mut subject: Subject, connections: usize) -> LoadRow {
    let rate = |loaded: &Loaded| {
        loaded.round.latencies_ns.len() as f64 * 1e9 / loaded.round.wall_ns as f64
    };
    let requests_per_s = median(subject.rounds.iter().map(rate));
    let cpu_ns: u64 = subject.rounds.iter().map(|loaded| loaded.cpu_ns).sum();
    let answer_bytes = subject
        .rounds
        .first()
        .map_or(0, |loaded| loaded.round.answer_bytes);
    let spread = |loaded: &mut Loaded| Spread::of_ns(&mut loaded.round.latencies_ns, US);
    let latencies: Vec<Spread> = subject.rounds.iter_mut().map(spread).collect();
    let latency_us = Spread::of_rounds(&latencies);
    LoadRow {
        subject: subject.name.into(),
        connections,
        requests_per_s,
        to_plain: 1.0,
        latency_us,
        quiet_us: latencies
            .iter()
            .map(|round| round.p50)
            .reduce(f64::min)
            .unwrap_or_default(),
        cpu_us: cpu_ns as f64 / US / latency_us.count as f64,
        cpu_to_plain: 1.0,
        answer_bytes,
    }
}

fn rungs(rows: &[LoadRow]) -> Vec<Rung> {
    let [many, one] = CONNECTIONS;
    let of = |subject: &str, connections: usize| {
        rows.iter()
            .find(|row| row.subject == subject && row.connections == connections)
    };
    let (mut below_cpu_us, mut below_latency_us) = (0.0, 0.0);
    let mut rungs = Vec::new();
    for (layer, subject) in RUNGS {
        let (Some(busy), Some(quiet)) = (of(subject, many), of(subject, one)) else {
            continue;
        };
        let (cpu_us, latency_us) = (busy.cpu_us, quiet.quiet_us);
        rungs.push(Rung {
            layer: layer.into(),
            cpu_us,
            adds_cpu_us: cpu_us - below_cpu_us,
            latency_us,
            adds_latency_us: latency_us - below_latency_us,
        });
        (below_cpu_us, below_latency_us) = (cpu_us, latency_us);
    }
    rungs
}

impl fmt::Display for LadderReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "HTTP: {} rounds of {} s of each subject, taking turns",
            self.rounds, self.round_s
        )?;
        let mut loads = table(
            1,
            [
                "subject",
                "connections",
                "requests/s",
                "/ plain",
                "us p50",
                "p99",
                "quietest p50",
                "cpu us",
                "/ plain",
                "answer bytes",
            ],
        );
        for row in &self.rows {
            loads.add_row([
                Cell::new(&row.subject),
                Cell::new(row.connections),
                figure(row.requests_per_s),
                figure(row.to_plain),
                figure(row.latency_us.p50),
                figure(row.latency_us.p99),
                figure(row.quiet_us),
                figure(row.cpu_us),
                figure(row.cpu_to_plain),
                Cell::new(row.answer_bytes),
            ]);
        }
        writeln!(f, "{loads}\n")?;
        let [many, one] = CONNECTIONS;
        writeln!(
            f,
            "the ladder: server's cpu per request at {many} connections; median latency at {one}, in the quietest round"
        )?;
        let mut ladder = table(1, ["layer", "cpu us", "adds", "latency us", "adds"]);
        for rung in &self.rungs {
            ladder.add_row([
                Cell::new(&rung.layer),
                figure(rung.cpu_us),
                figure(rung.adds_cpu_us),
                figure(rung.latency_us),
                figure(rung.adds_latency_us),
            ]);
        }
        write!(f, "{ladder}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(requests: u64, cpu_ns: u64) -> Loaded {
        let latencies_ns = vec![10_000; usize::try_from(requests).unwrap()];
        Loaded {
            round: Round {
                wall_ns: 1_000_000_000,
                latencies_ns,
                answer_bytes: 80,
            },
            cpu_ns,
        }
    }

    fn subject(name: &'static str, rounds: Vec<Loaded>) -> Subject {
        let target = Target::new(([127, 0, 0, 1], 1).into(), "POST", "/", b"");
        Subject {
            name,
            server: 0,
            target,
            rounds,
        }
    }

    #[test]
    fn subjects_are_compared_with_the_first_and_layers_with_the_one_below() {
        let rows: Vec<LoadRow> = CONNECTIONS
            .into_iter()
            .flat_map(|connections| {
                let plain = subject(
                    PLAIN,
                    vec![
                        loaded(100, 2_000_000),
                        loaded(300, 4_000_000),
                        loaded(200, 3_000_000),
                    ],
                );
                let stub = subject(STUB, vec![loaded(100, 3_000_000)]);
                compared(vec![plain, stub], connections)
            })
            .collect();
        assert_eq!(
            (rows[0].requests_per_s, rows[0].cpu_us, rows[0].to_plain),
            (200.0, 15.0, 1.0)
        );
        assert_eq!((rows[1].to_plain, rows[1].cpu_to_plain), (0.5, 2.0));
        let rungs = rungs(&rows);
        assert_eq!(rungs.len(), 2);
        assert_eq!((rungs[1].cpu_us, rungs[1].adds_cpu_us), (30.0, 15.0));
    }
}
