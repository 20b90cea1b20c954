//! The scan, small.
#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

use ganglion_bench::{ScanOptions, ScanReport, scan};
use ganglion_node::{Settings, build_runtime};

#[test]
fn every_way_is_measured_and_only_the_copied_one_copies() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("scan.json");
    let options = ScanOptions {
        object_bytes: 1 << 20,
        rounds: 2,
        json: Some(json.clone()),
    };
    let runtime = build_runtime(&Settings::default()).unwrap();
    let report = runtime.block_on(scan(options)).unwrap();

    let ways = if report.compiler.is_some() { 3 } else { 2 };
    assert_eq!(report.rows.len(), 2 * ways);
    for row in &report.rows {
        assert_eq!(row.wall_ms.count, 2);
        assert!(row.cpu_ms.min > 0.0 && row.wall_ms.min > 0.0, "{row:?}");
        let copied = if row.way == "wasm, copied" {
            1 << 20
        } else {
            0
        };
        assert_eq!(row.copied_bytes, copied, "{row:?}");
        assert_eq!(
            row.cpu_to_native.is_some(),
            ways == 3 && row.way != "native"
        );
    }
    for row in &report.interruption.rows {
        let ways: Vec<_> = row.cells.iter().map(|cell| cell.way.as_str()).collect();
        assert_eq!(ways, ["never", "never again", "epoch", "poll"]);
        assert!(row.cells.iter().all(|cell| cell.cpu_ms.count == 2));
    }
    assert!(report.interruption.rows.len() >= 5);
    let means = &report.interruption.to_never;
    assert!(means.iter().all(|(_, mean)| *mean > 0.1), "{means:?}");
    let written: ScanReport = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(written.rows.len(), report.rows.len());
    let text = report.to_string();
    assert!(text.contains("wordcount") && text.contains("geometric mean"));
}
