//! The plan of the house is true: who may know whom, and what ARCHITECTURE.md names exists.

use crate::process::root;
use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

/// Crate by crate, the crates of the house that it may use. Downwards only.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("types", vec![]),
        ("wire", vec!["types"]),
        ("scheduler", vec!["types"]),
        ("snapshot", vec!["types"]),
        ("store", vec!["types"]),
        ("dev-ceph", vec!["types"]),
        ("transport", vec!["types", "wire", "store"]),
        ("membership", vec!["types", "wire"]),
        ("knowledge", vec!["types", "scheduler", "store"]),
        ("registry", vec!["types", "store"]),
        (
            "worker",
            vec![
                "types",
                "wire",
                "scheduler",
                "knowledge",
                "snapshot",
                "store",
                "registry",
            ],
        ),
        (
            "gateway",
            vec!["types", "scheduler", "knowledge", "registry", "store"],
        ),
        (
            "node",
            vec![
                "types",
                "wire",
                "scheduler",
                "knowledge",
                "snapshot",
                "store",
                "transport",
                "membership",
                "registry",
                "worker",
                "gateway",
            ],
        ),
        (
            "bench",
            vec![
                "types",
                "snapshot",
                "store",
                "transport",
                "dev-ceph",
                "registry",
                "worker",
                "gateway",
                "node",
            ],
        ),
        ("cli", vec!["types", "store", "node", "bench", "dev-ceph"]),
        ("tests", vec!["types", "node"]),
    ])
}

#[test]
fn crates_know_only_those_below_them() {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .unwrap();
    let allowed = allowed();
    let house = |name: &str| name.strip_prefix("ganglion-").map(str::to_owned);
    let mut seen = BTreeSet::new();
    for package in &metadata.packages {
        let name =
            house(&package.name).unwrap_or_else(|| panic!("{} is no ganglion-*", package.name));
        let may = allowed
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} is not in the plan"));
        for dependency in &package.dependencies {
            // Tests may look further: a gateway's use a store, this crate's use a cluster.
            if dependency.kind == DependencyKind::Development {
                continue;
            }
            if let Some(used) = house(&dependency.name) {
                assert!(
                    may.contains(&used.as_str()),
                    "{name} uses {used}, which the plan does not allow"
                );
            }
        }
        seen.insert(name);
    }
    assert_eq!(
        seen,
        allowed.keys().map(|name| (*name).to_owned()).collect()
    );
}

/// Every `path` in backticks of ARCHITECTURE.md that looks like one, and every row of its table of crates.
#[test]
fn what_the_architecture_page_names_exists() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut checked = 0;
    for quoted in page.split('`').skip(1).step_by(2) {
        let path = quoted.split("::").next().unwrap();
        let looks_like_one = path.contains('/')
            && !path.contains([' ', ':', '{', '<', '*', '('])
            && !path.starts_with('/');
        if looks_like_one {
            assert!(
                root().join(path).exists(),
                "ARCHITECTURE.md names `{path}`, which does not exist"
            );
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} paths were found to check");
    for name in allowed().keys() {
        assert!(
            page.contains(&format!("`{name}`")),
            "ARCHITECTURE.md does not tell of the crate `{name}`"
        );
    }
}

/// `unsafe` lives in named rooms.
#[test]
fn unsafe_code_stays_in_its_rooms() {
    let rooms = [
        "src/snapshot/",
        "src/worker/src/memory.rs",
        "src/worker/src/slice.rs",
        "src/registry/src/artefact.rs",
        "storage/store/src/rados/ffi/",
        "tests/house/plan.rs",
    ];
    let listed = std::process::Command::new("git")
        .args(["ls-files", "*.rs"])
        .current_dir(root())
        .output()
        .unwrap();
    for path in String::from_utf8(listed.stdout).unwrap().lines() {
        let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        let uses = text.lines().any(|line| {
            let code = line.trim_start();
            !code.starts_with("//")
                && (code.contains("unsafe {")
                    || code.contains("unsafe impl")
                    || code.contains("unsafe fn"))
        });
        let allowed = rooms.iter().any(|room| path.starts_with(room)) || path.starts_with("funcs/");
        assert!(
            allowed || !uses,
            "{path} has unsafe code outside of the rooms for it"
        );
    }
}

/// A setting that an error or a document names can be set: it stands in the file of defaults.
#[test]
fn every_setting_that_is_named_exists() {
    let settings = serde_json::to_value(ganglion_node::Settings::default()).unwrap();
    let listed = std::process::Command::new("git")
        .args(["ls-files", "src/*.rs", "storage/*.rs"])
        .current_dir(root())
        .output();
    let mut named = BTreeSet::new();
    for path in String::from_utf8(listed.unwrap().stdout).unwrap().lines() {
        let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        for (at, word) in text.match_indices("etting") {
            let behind = text[at + word.len()..].trim_start_matches('s');
            let Some(behind) = behind.strip_prefix(' ') else {
                continue;
            };
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
            let name = behind.trim_start_matches('`').split(|c| !is_name(c)).next();
            let name = name.unwrap_or_default().trim_end_matches('.');
            if name.contains('.') {
                named.insert(name.to_owned());
            }
        }
    }
    assert!(
        named.len() > 25,
        "only {} settings were found to check",
        named.len()
    );
    for name in named {
        let (section, key) = name.split_once('.').unwrap();
        assert!(
            settings[section].get(key).is_some(),
            "`{name}` is named as a setting and is none"
        );
    }
}
