//! What there is of a lab on this machine, whose it is, and how it goes away: also what a dead process left behind.

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

/// What the alias of a lab's end outside begins with.
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
    let outside = outside(prefix);
    if !is_there(&outside) {
        let none = namespaces(prefix)?.is_empty();
        return Ok(if none { Owned::Nobody } else { Owned::Unknown });
    }
    let shown = ip_json(&["link", "show", "dev", &outside])?;
    let alias = shown.first().and_then(|link| link["ifalias"].as_str());
    Ok(match alias.and_then(|alias| alias.strip_prefix(TAG)) {
        Some(folder) => Owned::By(PathBuf::from(folder)),
        None => Owned::Unknown,
    })
}

/// Takes away every part of a lab; its end outside, which has the mark, goes last.
pub(crate) fn remove(prefix: &str) -> Result<()> {
    check_root()?;
    let namespaces = namespaces(prefix)?;
    for namespace in &namespaces {
        end_processes_in(&namespace_file(namespace))?;
    }
    let lines = namespaces.iter().map(|name| format!("netns del {name}"));
    ip(&["-batch", "-"], &lines.collect::<Vec<_>>().join("\n"))?;
    let outside = outside(prefix);
    // It may go by itself at any moment, with the other end of its link.
    let removed = ip(&["link", "del", &outside], "");
    match is_there(&outside) {
        true => removed,
        false => Ok(()),
    }
}

/// The namespaces that there are of a lab.
fn namespaces(prefix: &str) -> Result<Vec<String>> {
    let of_lab = |name: &String| {
        let part = name.strip_prefix(prefix).and_then(|n| n.strip_prefix('-'));
        let index = part.and_then(|part| part.strip_prefix("st"));
        matches!(part, Some("cmp" | "net"))
            || index.is_some_and(|index| index.parse::<u32>().is_ok())
    };
    let mut namespaces = names_in("/run/netns")?;
    namespaces.retain(of_lab);
    Ok(namespaces)
}

fn is_there(interface: &str) -> bool {
    Path::new("/sys/class/net").join(interface).exists()
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

/// The lab's end outside of it.
pub(crate) fn outside(prefix: &str) -> String {
    format!("{prefix}-lab")
}

/// The namespace of the bridge.
pub(crate) fn between(prefix: &str) -> String {
    format!("{prefix}-net")
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
