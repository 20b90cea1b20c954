//! The engine, briefly.
#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

use ganglion_bench::{EngineOptions, EngineReport, engine};
use ganglion_node::{Settings, build_runtime};

#[test]
fn every_figure_stands_beside_its_floor_and_every_aim_beside_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("engine.json");
    let options = EngineOptions {
        json: Some(json.clone()),
        ..EngineOptions::quick()
    };
    let runtime = build_runtime(&Settings::default()).unwrap();
    let report = runtime.block_on(engine(options)).unwrap();

    let beside = report.restores.iter().map(|row| row.beside.len());
    assert_eq!(beside.collect::<Vec<_>>(), [2, 2, 1]);
    for row in &report.restores {
        assert!(
            row.us.count >= 100 && row.us.min > 0.0 && row.back_us.min > 0.0,
            "{row:?}"
        );
        assert!(
            row.beside.iter().all(|beside| beside.ratio > 1.0),
            "{row:?}"
        );
    }
    let [small, large, started] = &report.restores[..] else {
        panic!("three guests");
    };
    assert_eq!((small.image_bytes, large.image_bytes), (1 << 20, 64 << 20));
    assert!(started.image_bytes > 0);
    assert!(report.mapping.map_us.min > 0.0 && report.mapping.beside[0].ratio > 1.0);
    let ways = if report.compiler.is_some() { 3 } else { 2 };
    assert_eq!(report.sums.len(), ways);
    assert!(report.fairness.alone_us.min > 0.0 && report.fairness.beside_us.count >= 40);
    assert_eq!(report.aims.len(), if ways == 3 { 6 } else { 5 });
    let written: EngineReport = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(written.restores.len(), report.restores.len());
    assert!(report.to_string().contains("regex"));
}
