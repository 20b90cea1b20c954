//! `bench`: runs a measurement and shows its report.

use crate::args::{BenchArgs, BenchCommand, BenchServerArgs};
use crate::failure::Outcome;
use crate::output::Ui;
use anyhow::Context;
use ganglion_bench::{CallOptions, ScanOptions, ServerOptions, call, scan, server};

const QUICK_OBJECT_BYTES: usize = 4 << 20;
const QUICK_ROUNDS: u32 = 3;

/// Runs one of the `bench` commands.
///
/// # Errors
/// The measurement's.
pub(crate) async fn run(command: &BenchCommand, ui: &Ui) -> Outcome<()> {
    match command {
        BenchCommand::Call(args) => {
            let report = call(call_options(args)).await.context("bench call")?;
            ui.result(&report, &report)
        }
        BenchCommand::Scan(args) => {
            let report = scan(scan_options(args)).await.context("bench scan")?;
            ui.result(&report, &report)
        }
    }
}

/// The server that `bench call` starts.
///
/// # Errors
/// As [`server`].
pub(crate) async fn serve(args: &BenchServerArgs) -> Outcome<()> {
    let options = ServerOptions {
        nodes: args.nodes,
        data: args.data.clone(),
    };
    Ok(server(options).await.context("bench-server")?)
}

fn call_options(args: &BenchArgs) -> CallOptions {
    let options = match args.quick {
        true => CallOptions::quick(),
        false => CallOptions::default(),
    };
    CallOptions {
        json: args.json.clone(),
        ..options
    }
}

fn scan_options(args: &BenchArgs) -> ScanOptions {
    let json = args.json.clone();
    match args.quick {
        true => ScanOptions {
            object_bytes: QUICK_OBJECT_BYTES,
            rounds: QUICK_ROUNDS,
            json,
        },
        false => ScanOptions {
            json,
            ..ScanOptions::default()
        },
    }
}
