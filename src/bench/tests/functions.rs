//! The suite, briefly: both ways answer alike, or the bench fails.
#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

use ganglion_bench::{FunctionsOptions, FunctionsReport, functions};
use ganglion_node::{Settings, build_runtime};

#[test]
fn every_function_is_measured_in_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("functions.json");
    let options = FunctionsOptions {
        json: Some(json.clone()),
        ..FunctionsOptions::quick()
    };
    let runtime = build_runtime(&Settings::default()).unwrap();
    let report = runtime.block_on(functions(options)).unwrap();
    assert_eq!(report.rows.len(), 12);
    for row in &report.rows {
        assert!(
            row.wasm_cpu_ms.min > 0.0 && row.object_bytes > 1_000,
            "{row:?}"
        );
        assert_eq!(row.ratio.is_some(), report.compiler.is_some());
        assert!(
            row.ratio.is_none_or(|ratio| (0.05..50.0).contains(&ratio)),
            "{row:?}"
        );
    }
    let written: FunctionsReport = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(written.rows.len(), report.rows.len());
    assert!(report.to_string().contains("geometric mean") || report.compiler.is_none());
}
