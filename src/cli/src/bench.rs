//! `bench`: runs a measurement and shows its report.

use crate::args::{BenchArgs, BenchCommand, BenchLoadArgs, BenchServerArgs, PlacementArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Ui;
use anyhow::Context;
use ganglion_bench::{
    CallOptions, EngineOptions, FunctionsOptions, GeneratorOptions, OffloadOptions,
    PlacementOptions, ScanOptions, ServerOptions, call, engine, functions, generator, offload,
    placement, scan, server,
};
use ganglion_node::termination;
use ganglion_types::ErrorKind;
use tokio_util::sync::CancellationToken;

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
        BenchCommand::Engine(args) => {
            let report = engine(engine_options(args)).await.context("bench engine")?;
            ui.result(&report, &report)
        }
        BenchCommand::Functions(args) => {
            let report = functions(functions_options(args)).await;
            let report = report.context("bench functions")?;
            ui.result(&report, &report)
        }
        BenchCommand::Offload(args) => {
            let report = offload(offload_options(args)).await;
            let report = report.context("bench offload")?;
            ui.result(&report, &report)
        }
        BenchCommand::Placement(args) => measure_placement(args, ui).await,
    }
}

/// A signal ends what was started, in order.
async fn measure_placement(args: &PlacementArgs, ui: &Ui) -> Outcome<()> {
    let mut options = match args.bench.quick {
        true => PlacementOptions::quick(),
        false => PlacementOptions::default(),
    };
    options.json.clone_from(&args.bench.json);
    options.plot.clone_from(&args.plot);
    if !args.links.is_empty() {
        options.links.clone_from(&args.links);
    }
    let stop = CancellationToken::new();
    let mut measured = std::pin::pin!(placement(options, stop.clone()));
    let report = tokio::select! {
        report = &mut measured => report.context("bench placement")?,
        signal = termination() => {
            let signal = signal.context("waiting for signals")?;
            ui.note(format_args!("{signal}: ending what was started"));
            stop.cancel();
            drop(measured.await);
            return Err(Failure::interrupted());
        }
    };
    ui.result(&report, &report)?;
    match report.elsewhere() {
        0 => Ok(()),
        calls => Err(Failure::new(
            ErrorKind::Internal,
            format!("{calls} calls that were forced to one site ran at the other"),
        )),
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

/// The load generator that `bench placement` starts.
///
/// # Errors
/// As [`generator`].
pub(crate) async fn load(args: &BenchLoadArgs) -> Outcome<()> {
    let options = GeneratorOptions {
        gateway: args.gateway,
        answers: args.answers.clone(),
        objects: args.objects,
        in_flight: args.in_flight,
    };
    Ok(generator(options).await.context("bench-load")?)
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

fn engine_options(args: &BenchArgs) -> EngineOptions {
    let options = match args.quick {
        true => EngineOptions::quick(),
        false => EngineOptions::default(),
    };
    EngineOptions {
        json: args.json.clone(),
        ..options
    }
}

fn functions_options(args: &BenchArgs) -> FunctionsOptions {
    let options = match args.quick {
        true => FunctionsOptions::quick(),
        false => FunctionsOptions::default(),
    };
    FunctionsOptions {
        json: args.json.clone(),
        ..options
    }
}

fn offload_options(args: &BenchArgs) -> OffloadOptions {
    let options = match args.quick {
        true => OffloadOptions::quick(),
        false => OffloadOptions::default(),
    };
    OffloadOptions {
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
