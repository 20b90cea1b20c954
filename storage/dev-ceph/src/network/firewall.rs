//! A firewall between the machines of a lab: Docker, for one, drops all that is forwarded and lets bridges be filtered.

use crate::program::{run, run_well};
use ganglion_types::{ErrorKind, Result};
use std::process::Command;
use std::time::Duration;

/// Longest time for one call of `iptables`.
const STEP: Duration = Duration::from_secs(20);

/// Lets pass what goes over `bridge`, if `iptables` may see it. Where the program is not installed nobody has rules in it.
pub(crate) fn open(bridge: &str) -> Result<()> {
    if !is_filtered() || has_rule(bridge)? != Some(false) {
        return Ok(());
    }
    run_well(&mut rule("--insert", bridge), "", STEP).map(drop)
}

/// Takes back what [`open`] did.
pub(crate) fn close(bridge: &str) -> Result<()> {
    while has_rule(bridge)? == Some(true) {
        run_well(&mut rule("--delete", bridge), "", STEP)?;
    }
    Ok(())
}

/// Whether the kernel shows `iptables` what crosses a bridge.
pub(crate) fn is_filtered() -> bool {
    std::fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables")
        .is_ok_and(|value| value.trim() != "0")
}

/// `None` where `iptables` is not installed.
fn has_rule(bridge: &str) -> Result<Option<bool>> {
    match run(&mut rule("--check", bridge), "", STEP) {
        Err(error) if error.kind() == ErrorKind::Unavailable => Ok(None),
        ended => Ok(Some(ended?.status.success())),
    }
}

fn rule(action: &str, bridge: &str) -> Command {
    let mut command = Command::new("iptables");
    command
        .args(["--wait", action, "FORWARD"])
        .args(["--in-interface", bridge, "--out-interface", bridge])
        .args(["--jump", "ACCEPT"]);
    command
}
