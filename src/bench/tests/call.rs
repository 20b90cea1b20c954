//! The whole of `bench call`, quickly. This program is its own server, as the command line is; so it has no test harness.
#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

use ganglion_bench::{CallOptions, ServerOptions, call, server};
use ganglion_node::{Settings, build_runtime};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = build_runtime(&Settings::default()).unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bench-server", "--nodes", nodes, "--data", data] => {
            let options = ServerOptions {
                nodes: nodes.parse().unwrap(),
                data: data.into(),
            };
            runtime.block_on(server(options)).unwrap();
        }
        // What a harness would be asked for.
        ["--list", ..] => println!("every_part_of_a_call_is_measured: test"),
        _ => every_part_of_a_call_is_measured(&runtime),
    }
}

fn every_part_of_a_call_is_measured(runtime: &tokio::runtime::Runtime) {
    let report = runtime.block_on(call(CallOptions::quick())).unwrap();
    assert_eq!(report.ladder.rows.len(), 2 * 7);
    for row in &report.ladder.rows {
        assert!(
            row.requests_per_s > 1.0 && row.latency_us.p50 <= row.latency_us.p99,
            "{row:?}"
        );
    }
    assert_eq!(report.ladder.rungs.len(), 4);
    assert_eq!(report.starts.rows.len(), 2 * 8);
    assert!(
        report
            .starts
            .rows
            .iter()
            .all(|row| row.ms.count == 2 && row.ms.min > 0.0)
    );
    println!("{report}");
}
