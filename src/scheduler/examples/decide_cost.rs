//! Prints what a decision costs: `cargo run --release -p ganglion-scheduler --example decide_cost`.

use ganglion_scheduler::{Candidate, Facts, Link, ObjectFacts, Profile, decide};
use ganglion_types::{LinkEstimate, Load, Ndp, NodeId, ObjectKey, Result, Site};
use std::hint::black_box;

const ROUNDS: u64 = 5_000_000;

fn main() -> Result<()> {
    let names: Vec<NodeId> = ["compute-0", "compute-1", "storage-1", "storage-2"]
        .into_iter()
        .map(NodeId::new)
        .collect::<Result<_>>()?;
    let candidates: Vec<Candidate<'_>> = names
        .iter()
        .map(|node| Candidate {
            node,
            site: if node.as_str().starts_with('c') {
                Site::Compute
            } else {
                Site::Storage
            },
            load: Some(Load {
                permits: 4,
                running: 1,
                service_ns: 1_000_000,
                ..Load::default()
            }),
            link: Link::Measured(LinkEstimate {
                bytes_per_s: 1_250_000_000,
                round_trip_ns: 100_000,
            }),
            object_link: Link::Unmeasured,
            refused: false,
        })
        .collect();
    let key = ObjectKey::new("ndp", "hello")?;
    let object = ObjectFacts {
        key: &key,
        size_bytes: Some(16 << 20),
        home: Some(&names[2]),
    };
    let profile = Profile::default();
    let facts = |object, candidates| Facts {
        ndp: Ndp::Allowed,
        input_bytes: 5,
        object,
        candidates,
        profile: &profile,
        spread: 0,
    };
    report("no object, 2 compute nodes", facts(None, &candidates[..2]))?;
    report(
        "an object, 2 compute and 2 storage nodes",
        facts(Some(object), &candidates),
    )?;
    let decision = decide(&facts(Some(object), &candidates))?;
    let each_ns = nanoseconds_each(ROUNDS / 10, |_| {
        black_box(black_box(&decision).to_string());
    });
    println!("{each_ns:7.1} ns  to format the reason \"{decision}\"");
    Ok(())
}

fn report(what: &str, mut facts: Facts<'_>) -> Result<()> {
    decide(&facts)?;
    let each_ns = nanoseconds_each(ROUNDS, |round| {
        facts.spread = round;
        // An error was returned above; the facts differ in `spread` only.
        let _ = black_box(decide(black_box(&facts)));
    });
    println!("{each_ns:7.1} ns  to decide: {what}");
    Ok(())
}

#[allow(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock; the crate itself does not"
)]
fn nanoseconds_each(rounds: u64, mut body: impl FnMut(u64)) -> f64 {
    let start = std::time::Instant::now();
    for round in 0..rounds {
        body(round);
    }
    start.elapsed().as_secs_f64() * 1e9 / rounds as f64
}
