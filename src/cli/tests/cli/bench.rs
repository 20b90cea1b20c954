//! `bench placement`: as root, with real daemons; and in a build that has no Ceph.

#[cfg(not(feature = "ceph"))]
#[test]
fn a_build_without_ceph_says_how_to_have_it() {
    let output = super::run("http://127.0.0.1:1", &["bench", "placement", "--ceph"]);
    assert_eq!(super::exit_code(&output), 2);
    let said = super::stderr(&output);
    assert!(said.contains("--features ceph"), "{said}");
}

#[cfg(all(feature = "ceph", feature = "servers"))]
mod real {
    use super::super::{document, exit_code, ganglion, stderr};
    use serde_json::Value;
    use std::process::Stdio;

    /// Whether a cell has figures.
    fn measured(cell: &Value) -> bool {
        let positive = |name: &str| cell[name].as_f64().is_some_and(|value| value > 0.0);
        positive("mb_per_s") && positive("calls") && cell["latency_ms"]["p50"].as_f64() > Some(0.0)
    }

    #[test]
    fn placement_is_measured_in_every_way_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (json, plot) = (folder.path().join("p.json"), folder.path().join("p.svg"));
        let mut command = ganglion("http://127.0.0.1:1", &["bench", "placement", "--ceph"]);
        command
            .args(["--quick", "-o", "json", "--json"])
            .arg(&json)
            .arg("--plot")
            .arg(&plot);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(exit_code(&output), 0, "{}", stderr(&output));
        let report = document(&output);
        let written: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
        assert_eq!(report, written);

        let links = report["links"].as_array().unwrap();
        assert_eq!(links.len(), 2);
        for link in links {
            let cells = link["cells"].as_array().unwrap();
            let ways = |kernel: &str| -> Vec<&str> {
                let of_kernel = cells.iter().filter(|cell| cell["kernel"] == kernel);
                of_kernel
                    .map(|cell| cell["way"].as_str().unwrap())
                    .collect()
            };
            assert_eq!(ways("get"), ["on", "off", "auto", "native", "memory"]);
            assert_eq!(ways("scan"), ways("get"));
            assert!(cells.iter().all(measured), "{cells:?}");
            for cell in cells {
                let on_storage = cell["on_storage"].as_u64().unwrap();
                match cell["way"].as_str().unwrap() {
                    "on" => assert_eq!(on_storage, cell["calls"], "{cell}"),
                    "auto" => {}
                    _ => assert_eq!(on_storage, 0, "{cell}"),
                }
            }
            // What a scan away from its object moves crosses the link whole; beside it nearly nothing does.
            let received = |way: &str| {
                let found = |cell: &&Value| cell["kernel"] == "scan" && cell["way"] == way;
                let cell = cells.iter().find(found).unwrap();
                cell["received_bytes"].as_u64().unwrap() / cell["calls"].as_u64().unwrap()
            };
            assert!(received("off") > 4 << 20 && received("native") > 4 << 20);
            assert!(received("on") < 64 << 10, "{}", received("on"));
        }
        let svg = std::fs::read_to_string(plot).unwrap();
        for shown in ["wordcount", "1 Gbit/s", "unlimited", "near-data on"] {
            assert!(svg.contains(shown), "no {shown} in the plot");
        }
        assert!(!std::path::Path::new("/run/ganglion-bench-placement").exists());
    }
}
