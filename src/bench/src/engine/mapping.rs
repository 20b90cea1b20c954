//! An object as memory: what mapping costs beside copying, and a pass over it beside native code over a buffer.

use super::EngineOptions;
use super::report::Beside;
use crate::aims::{Aim, Bound};
use crate::bed::{TENANT, bundled, succeeded};
use crate::report::{MS, Spread, US};
use crate::rounds::Rounds;
use crate::scan::{self, Kernel, Ways};
use bytes::Bytes;
use ganglion_types::{ContentHash, Error, Executor, FunctionRef, Result};
use ganglion_worker::Worker;
use serde::{Deserialize, Serialize};

/// Adds up all bytes; the native program over a buffer that it has filled before.
const SUM: Kernel = Kernel {
    name: "sum",
    input: scan::OBJECT,
    command: "resident sum",
};
/// Mappings in each turn.
const MAPPINGS: usize = 10;

/// An object that is opened in a guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MappingRow {
    /// Its size, in bytes.
    pub object_bytes: u64,
    /// From asking for it to having its address, by the guest's clock, in microseconds.
    pub map_us: Spread,
    /// Giving it back, in microseconds.
    pub unmap_us: Spread,
    /// Copying as many bytes.
    pub beside: Vec<Beside>,
}

/// The sum of an object's bytes, one way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SumRow {
    /// `native, resident`; `wasm, mapped`; `wasm, copied`.
    pub way: String,
    /// Processor time of the thread that adds, in milliseconds; of a guest's with opening and closing the object.
    pub cpu_ms: Spread,
    /// Wall time, in milliseconds; of a guest's that of the whole call.
    pub wall_ms: Spread,
    /// `cpu_ms` at the median over native's.
    pub cpu_to_native: Option<f64>,
}

/// What was found of one object.
pub(super) struct Mapping {
    pub(super) row: MappingRow,
    pub(super) sums: Vec<SumRow>,
    pub(super) compiler: Option<String>,
    pub(super) foreign_share: f64,
}

/// The times of a round, in nanoseconds.
#[derive(Default)]
struct Times {
    map: Vec<u64>,
    unmap: Vec<u64>,
    copied: Vec<u64>,
    sums: scan::Round,
}

pub(super) async fn mapping(options: &EngineOptions) -> Result<Mapping> {
    let mut ways = Ways::open(options.object_bytes).await?;
    let sum = ways.bed.modules.add(bundled(SUM.name)?).await?.hash;
    let opening = ways.bed.modules.add(guest_that_opens()?).await?.hash;
    turn(&mut ways, sum, opening, &mut Times::default()).await?;
    let mut rounds = Rounds::new("engine, mapping", options.rounds);
    while let Some(round) = rounds.begin()? {
        let mut times = Times::default();
        for _ in 0..options.turns {
            turn(&mut ways, sum, opening, &mut times).await?;
        }
        rounds.end(&round, times)?;
    }
    let (mut rounds, foreign_share) = rounds.finish();
    let mut spread = |of: fn(&mut Times) -> &mut Vec<u64>, unit_ns| {
        let spreads = rounds
            .iter_mut()
            .map(|times| Spread::of_ns(of(times), unit_ns));
        Spread::of_rounds(&spreads.collect::<Vec<_>>())
    };
    let map_us = spread(|times| &mut times.map, US);
    let copied_us = spread(|times| &mut times.copied, US);
    let sums = [
        (
            "native, resident",
            spread(|times| &mut times.sums.native.cpu_ns, MS),
            spread(|times| &mut times.sums.native.wall_ns, MS),
        ),
        (
            "wasm, mapped",
            spread(|times| &mut times.sums.mapped.cpu_ns, MS),
            spread(|times| &mut times.sums.mapped.wall_ns, MS),
        ),
        (
            "wasm, copied",
            spread(|times| &mut times.sums.copied.cpu_ns, MS),
            spread(|times| &mut times.sums.copied.wall_ns, MS),
        ),
    ];
    let native = (sums[0].1.count > 0).then_some(sums[0].1.p50);
    let sums = sums.map(|(way, cpu_ms, wall_ms)| SumRow {
        way: way.into(),
        cpu_to_native: native.map(|native| cpu_ms.p50 / native),
        cpu_ms,
        wall_ms,
    });
    Ok(Mapping {
        row: MappingRow {
            object_bytes: options.object_bytes as u64,
            map_us,
            unmap_us: spread(|times| &mut times.unmap, US),
            beside: vec![Beside {
                what: "opening one that cannot be mapped: read and copied into the guest".into(),
                us: copied_us,
                ratio: copied_us.p50 / map_us.p50,
            }],
        },
        sums: sums
            .into_iter()
            .filter(|row| row.cpu_ms.count > 0)
            .collect(),
        compiler: ways.native.map(|native| native.compiler),
        foreign_share,
    })
}

async fn turn(
    ways: &mut Ways,
    sum: ContentHash,
    opening: ContentHash,
    times: &mut Times,
) -> Result<()> {
    ways.round(&SUM, sum, &mut times.sums).await?;
    for _ in 0..MAPPINGS {
        let [map_ns, unmap_ns] = open(ways, &ways.mapped, opening).await?;
        times.map.push(map_ns);
        times.unmap.push(unmap_ns);
    }
    let [copied_ns, _] = open(ways, &ways.copied, opening).await?;
    times.copied.push(copied_ns);
    Ok(())
}

/// How long a guest waits for the object, and for giving it back.
async fn open(ways: &Ways, worker: &Worker, opening: ContentHash) -> Result<[u64; 2]> {
    let function = FunctionRef::new(TENANT, "guest")?;
    let input = Bytes::from_static(scan::OBJECT.as_bytes());
    let call = ways.bed.call(&function, opening, &input);
    let answer = succeeded(worker.execute(call).await, &function)?;
    let output = answer.output.unwrap_or_default();
    let times = output.as_chunks().0.iter();
    let times: Vec<u64> = times.map(|time| u64::from_le_bytes(*time)).collect();
    let &[before, mapped, after] = times.as_slice() else {
        return Err(Error::internal("the guest gave no times"));
    };
    Ok([mapped - before, after - mapped])
}

/// A guest that opens the object that its input names, gives it back, and gives three times of the clock.
fn guest_that_opens() -> Result<Bytes> {
    let wasm = wat::parse_str(
        r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
    (import "env" "__faasmndp_unmap" (func $unmap (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (memory (export "memory") 1)
    (func $now (param $at i32) (drop (call $clock (i32.const 1) (i64.const 1) (local.get $at))))
    (func (export "_start") (local $key_len i32) (local $at i32)
        (local.set $key_len (call $in (i32.const 1024) (i32.const 1024)))
        (call $now (i32.const 0))
        (local.set $at (call $map (i32.const 1024) (local.get $key_len) (i64.const 0) (i64.const 0x7fffffffffff) (i32.const 512)))
        (call $now (i32.const 8))
        (if (i32.eqz (local.get $at)) (then (unreachable)))
        (if (call $unmap (local.get $at) (i32.load (i32.const 512))) (then (unreachable)))
        (call $now (i32.const 16))
        (call $out (i32.const 0) (i32.const 24))))"#,
    );
    let wasm = wasm.map_err(|error| Error::internal(format!("a guest of the bench: {error}")))?;
    Ok(wasm.into())
}

pub(super) fn aims(mapping: &Mapping) -> Vec<Aim> {
    let aim = |aim: &str, ratio, at_most| Aim {
        aim: aim.into(),
        place: format!("{} MiB", mapping.row.object_bytes >> 20),
        ratio,
        bound: Bound::AtMost(at_most),
        to_possible: None,
        foreign_share: mapping.foreign_share,
    };
    let copied = mapping.row.beside.first();
    let mapped =
        copied.map(|copied| aim("mapping an object / copying it", 1.0 / copied.ratio, 0.001));
    let sums = mapping.sums.iter();
    let summed = sums.filter(|row| row.way == "wasm, mapped");
    let summed = summed.filter_map(|row| row.cpu_to_native);
    let summed =
        summed.map(|ratio| aim("adding it up, mapped / native over a buffer", ratio, 1.05));
    mapped.into_iter().chain(summed).collect()
}
