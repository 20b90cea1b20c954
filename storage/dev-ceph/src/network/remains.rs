//! What there is of a lab on this machine, whose it is, and how it goes away: also what a dead process left behind.

use super::firewall;
use crate::process;
use crate::program::{run, run_well};
use ganglion_types::{Error, Result};
use rustix::process::{Signal, geteuid};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Longest time for one call of `ip`, which takes milliseconds.
const STEP: Duration = Duration::from_secs(20);

/// What the alias of a lab's bridge begins with.
pub(crate) const TAG: &str = "ganglion:";

/// Whose a lab is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owned {
    /// There is none of that prefix.
    Nobody,
    /// It has no mark: its maker died in its first instant.
    Unknown,
    /// The cluster of that folder.
    By(PathBuf),
}

/// Whose the lab of that prefix is.
pub(crate) fn owner(prefix: &str) -> Result<Owned> {
    let bridge = bridge(prefix);
    if !Path::new("/sys/class/net").join(&bridge).exists() {
        let parts = parts(prefix)?;
        let none = parts.is_empty();
        return Ok(if none { Owned::Nobody } else { Owned::Unknown });
    }
    let shown = ip_json(&["link", "show", "dev", &bridge])?;
    let alias = shown.first().and_then(|link| link["ifalias"].as_str());
    Ok(match alias.and_then(|alias| alias.strip_prefix(TAG)) {
        Some(folder) => Owned::By(PathBuf::from(folder)),
        None => Owned::Unknown,
    })
}

/// Takes away every part of a lab; the bridge, which has the mark, goes last.
pub(crate) fn remove(prefix: &str) -> Result<()> {
    check_root()?;
    let parts = parts(prefix)?;
    for namespace in &parts.namespaces {
        end_processes_in(&namespace_file(namespace))?;
    }
    // A link goes with either of its ends; without this it would stay as long as its namespace is open anywhere.
    let links = parts.links.iter().map(|link| format!("link del {link}"));
    let namespaces = parts.namespaces.iter();
    let namespaces = namespaces.map(|namespace| format!("netns del {namespace}"));
    let lines: Vec<String> = links.chain(namespaces).collect();
    ip(&["-batch", "-"], &lines.join("\n"))?;
    let bridge = bridge(prefix);
    firewall::close(&bridge)?;
    if parts.has_bridge {
        ip(&["link", "del", &bridge], "")?;
    }
    Ok(())
}

/// What there is of a lab.
struct Parts {
    namespaces: Vec<String>,
    links: Vec<String>,
    has_bridge: bool,
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.namespaces.is_empty() && self.links.is_empty() && !self.has_bridge
    }
}

fn parts(prefix: &str) -> Result<Parts> {
    let of_lab = |name: &String, machines: &str, compute: &str| {
        let part = name.strip_prefix(prefix).and_then(|n| n.strip_prefix('-'));
        let index = part.and_then(|part| part.strip_prefix(machines));
        part == Some(compute) || index.is_some_and(|index| index.parse::<u32>().is_ok())
    };
    let mut namespaces = names_in("/run/netns")?;
    namespaces.retain(|name| of_lab(name, "st", "cmp"));
    let interfaces = names_in("/sys/class/net")?;
    let has_bridge = interfaces.contains(&bridge(prefix));
    let mut links = interfaces;
    links.retain(|name| of_lab(name, "s", "c"));
    Ok(Parts {
        namespaces,
        links,
        has_bridge,
    })
}

/// A folder that does not exist has no names.
fn names_in(folder: &str) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries,
    };
    let names = entries.and_then(|entries| {
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<std::io::Result<Vec<_>>>()
    });
    names.map_err(|error| Error::internal(format!("reading {folder}: {error}")))
}

fn end_processes_in(namespace: &Path) -> Result<()> {
    let inside = process::in_network_of(namespace)?;
    for process in &inside {
        process.signal(Signal::KILL)?;
    }
    inside
        .iter()
        .try_for_each(|process| process.wait_ended(STEP))
}

pub(crate) fn namespace_file(namespace: &str) -> PathBuf {
    Path::new("/run/netns").join(namespace)
}

pub(crate) fn bridge(prefix: &str) -> String {
    format!("{prefix}-br")
}

pub(crate) fn check_root() -> Result<()> {
    if geteuid().is_root() {
        return Ok(());
    }
    Err(Error::denied(
        "a network lab of namespaces needs root: run as root, or use loopback",
    ))
}

pub(crate) fn ip(words: &[&str], stdin: &str) -> Result<()> {
    run_well(Command::new("ip").args(words), stdin, STEP).map(drop)
}

pub(crate) fn ip_json(words: &[&str]) -> Result<Vec<Value>> {
    let ended = run(Command::new("ip").arg("-json").args(words), "", STEP)?;
    // Nothing to show is told in different ways, one of which is a failure.
    Ok(serde_json::from_str(&ended.stdout).unwrap_or_default())
}
