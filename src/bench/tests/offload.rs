//! Offloads, briefly.
#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

use ganglion_bench::{OffloadOptions, OffloadReport, offload};
use ganglion_node::{Settings, build_runtime};

#[test]
fn every_offload_is_measured_beside_its_floor_and_told_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("offload.json");
    let options = OffloadOptions {
        json: Some(json.clone()),
        ..OffloadOptions::quick()
    };
    let runtime = build_runtime(&Settings::default()).unwrap();
    let report = runtime.block_on(offload(options)).unwrap();

    assert!(report.round_trip_us.min > 0.0 && report.round_trip_us.count >= 20);
    let pages: Vec<u32> = report.deltas.iter().map(|row| row.pages).collect();
    assert_eq!(pages, [2, 17, 164, 1639]);
    for row in &report.deltas {
        assert!(
            row.us.count >= 2 && row.us.min > report.round_trip_us.min,
            "{row:?}"
        );
        let parts = row.parts.iter().map(|part| part.part.as_str());
        let names = "here, link, there, function, taken out, restore, put in, compared, put back";
        assert_eq!(parts.collect::<Vec<_>>().join(", "), names);
        let sum: f64 = row.parts[..4].iter().map(|part| part.us.min).sum();
        assert!(sum > 0.0 && sum <= row.us.p99 * 1.01, "{row:?}");
    }
    assert!(report.transfer_ms.min > 0.0 && report.whole_ms > report.transfer_ms.p50);
    for row in &report.ends {
        assert!(
            row.in_place_ms.min > 0.0 && row.at_the_object_ms.min > 0.0,
            "{row:?}"
        );
    }
    assert_eq!((report.ends.len(), report.aims.len()), (4, 2));
    let written: OffloadReport = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(written.deltas.len(), report.deltas.len());
    assert!(report.to_string().contains("round trip"));
}
