//! The kernel, its limits, and the disk.

use super::check::Check;
use crate::units;
use rustix::fs::{Access, access, statvfs};
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::{Path, PathBuf};

/// All of them.
pub(super) fn checks(data: &Path) -> Vec<Check> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    vec![
        kernel(read("/proc/sys/kernel/osrelease").trim()),
        overcommit(read("/proc/sys/vm/overcommit_memory").trim()),
        mappings(read("/proc/sys/vm/max_map_count").trim()),
        open_files(getrlimit(Resource::Nofile).current),
        disk(data),
    ]
}

fn kernel(release: &str) -> Check {
    const NAME: &str = "kernel";
    const PURPOSE: &str = "finding the pages that a function dirtied (PAGEMAP_SCAN, Linux 6.7)";
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (6, 7) => {
            Check::ok(NAME, format!("Linux {release}, with PAGEMAP_SCAN"), PURPOSE)
        }
        _ => Check::warn(
            NAME,
            format!("Linux {release}, without PAGEMAP_SCAN"),
            PURPOSE,
            "nothing must be done: everything works; with Linux 6.7 or later functions restart faster",
        ),
    }
}

fn overcommit(mode: &str) -> Check {
    const NAME: &str = "memory";
    const PURPOSE: &str = "reserving 4 GiB of addresses (not of memory) for each function";
    match mode {
        "2" => Check::warn(
            NAME,
            "strict accounting (vm.overcommit_memory = 2)",
            PURPOSE,
            "sysctl -w vm.overcommit_memory=0",
        ),
        mode => Check::ok(NAME, format!("vm.overcommit_memory = {mode}"), PURPOSE),
    }
}

fn mappings(count: &str) -> Check {
    /// The kernel's own default.
    const MAPPINGS_MIN: u64 = 65_530;
    const NAME: &str = "mappings";
    const PURPOSE: &str = "memory images of many functions at once";
    let found = format!("vm.max_map_count = {count}");
    match count.parse::<u64>() {
        Ok(count) if count < MAPPINGS_MIN => {
            Check::warn(NAME, found, PURPOSE, "sysctl -w vm.max_map_count=262144")
        }
        _ => Check::ok(NAME, found, PURPOSE),
    }
}

/// `limit` is the soft one; none is no limit.
fn open_files(limit: Option<u64>) -> Check {
    /// Connections that a gateway takes (`http.connections`), and as many objects.
    const FILES_MIN: u64 = 8_192;
    /// Below this not even an idle cluster of one machine starts.
    const FILES_REQUIRED: u64 = 256;
    const NAME: &str = "open files";
    const PURPOSE: &str = "a file for each connection and each object that is read";
    let remedy = format!("ulimit -n {FILES_MIN} (systemd: LimitNOFILE={FILES_MIN})");
    let found = limit.map_or("no limit".to_owned(), |limit| format!("at most {limit}"));
    match limit {
        Some(limit) if limit < FILES_REQUIRED => Check::missing(NAME, found, PURPOSE, remedy),
        Some(limit) if limit < FILES_MIN => Check::warn(NAME, found, PURPOSE, remedy),
        _ => Check::ok(NAME, found, PURPOSE),
    }
    .required()
}

fn disk(data: &Path) -> Check {
    const FREE_MIN: u64 = 5 << 30;
    const FREE_REQUIRED: u64 = 64 << 20;
    const NAME: &str = "disk";
    const PURPOSE: &str = "keeping objects and compiled functions";
    let remedy = || "name a folder on another disk: ganglion up --data DIR".to_owned();
    let folder = existing(data);
    let shown = folder.display();
    let looked = access(&folder, Access::WRITE_OK).and_then(|()| statvfs(&folder));
    match looked {
        Err(error) => Check::missing(NAME, format!("{shown}: {error}"), PURPOSE, remedy()),
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{} free in {shown}", units::bytes(free));
            match free {
                0..FREE_REQUIRED => Check::missing(NAME, found, PURPOSE, remedy()),
                FREE_REQUIRED..FREE_MIN => Check::warn(NAME, found, PURPOSE, remedy()),
                _ => Check::ok(NAME, found, PURPOSE),
            }
        }
    }
    .required()
}

/// The folder, or the nearest one above it that is there already.
fn existing(folder: &Path) -> PathBuf {
    let is_there = |folder: &&Path| !folder.as_os_str().is_empty() && folder.exists();
    let found = folder.ancestors().find(is_there);
    found.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn an_older_kernel_is_slower_and_never_missing() {
        for (release, status) in [
            ("6.7.0", Status::Ok),
            ("6.18.44-fc", Status::Ok),
            ("10.0", Status::Ok),
            ("6.6.99", Status::Warn),
            ("5.15.0-100-generic", Status::Warn),
            ("", Status::Warn),
        ] {
            assert_eq!(kernel(release).status, status, "{release}");
        }
    }

    #[test]
    fn limits_are_read_in_steps() {
        for (limit, status) in [
            (None, Status::Ok),
            (Some(65_536), Status::Ok),
            (Some(1_024), Status::Warn),
            (Some(64), Status::Missing),
        ] {
            assert_eq!(open_files(limit).status, status, "{limit:?}");
        }
        assert_eq!(overcommit("2").status, Status::Warn);
        assert_eq!(overcommit("1").status, Status::Ok);
        assert_eq!(mappings("1000").status, Status::Warn);
    }

    #[test]
    fn a_folder_to_be_made_is_judged_by_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")), folder.path());
        assert_eq!(existing(Path::new("surely-absent")), Path::new("."));
    }
}
