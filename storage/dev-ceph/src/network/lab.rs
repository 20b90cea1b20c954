//! Machines of their own for OSDs and for compute: network namespaces on one bridge, which has a namespace too.
//!
//! ```text
//!   outside of the lab, the monitor     P-st0            P-st1            P-cmp
//!   P-lab, SUBNET.1                     eth0 .10         eth0 .11         eth0 .100
//!     | out                               | s0             | s1             | c   <- limited at both of its ends
//!   --+-----------------------------------+----------------+----------------+----   P-net, its bridge
//! ```
//!
//! What crosses the bridge is never forwarded by this machine's own network, whose firewall may drop it: Docker, for one, lets
//! bridges be filtered. P-lab carries the cluster's folder as its alias, so that nobody else's lab is ever taken away.

use super::remains::{self, Owned, TAG, check_root, ip, ip_json, namespace_file};
use super::{Addresses, Place};
use crate::program::run_well;
use ganglion_types::{Error, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Longest time for one call of `tc`, which takes milliseconds.
const STEP: Duration = Duration::from_secs(20);

/// Bytes that may pass at once at a limited link. Less than a large packet of the kernel's own, 64 KiB, would throttle it
/// far below its rate.
const BURST_BYTES: u32 = 512 * 1024;

/// The network of one cluster.
#[derive(Debug)]
pub(crate) struct Lab {
    prefix: String,
    addresses: Addresses,
    osds: u32,
    /// The alias of the lab's end outside.
    tag: String,
}

impl Lab {
    pub(crate) fn new(prefix: &str, addresses: Addresses, osds: u32, folder: &Path) -> Self {
        Self {
            prefix: prefix.to_owned(),
            addresses,
            osds,
            tag: format!("{TAG}{}", folder.display()),
        }
    }

    /// # Errors
    /// `Denied` without root, `Conflict` when the subnet is in use.
    pub(crate) fn up(&self) -> Result<()> {
        check_root()?;
        self.check_subnet()?;
        let (outside, between) = (
            remains::outside(&self.prefix),
            remains::between(&self.prefix),
        );
        let monitor = self.addresses.monitor();
        let mut lines = vec![
            format!("netns add {between}"),
            format!("link add {outside} type veth peer name out netns {between}"),
            format!("link set {outside} alias {}", self.tag),
            format!("addr add {monitor}/24 dev {outside}"),
            format!("link set {outside} up"),
        ];
        let mut joined = vec![
            "link add bridge type bridge".to_owned(),
            "link set bridge up".to_owned(),
            "link set out master bridge up".to_owned(),
        ];
        for place in self.places() {
            let (namespace, link) = (self.namespace(place), link(place));
            lines.push(format!("netns add {namespace}"));
            lines.push(format!(
                "link add {link} netns {between} type veth peer name eth0 netns {namespace}"
            ));
            joined.push(format!("link set {link} master bridge up"));
        }
        ip(&["-batch", "-"], &lines.join("\n"))?;
        ip(&["-n", &between, "-batch", "-"], &joined.join("\n"))?;
        for place in self.places() {
            let inside = format!(
                "link set lo up\naddr add {}/24 dev eth0\nlink set eth0 up\nroute add default via {monitor}",
                self.addresses.of(place)
            );
            ip(&["-n", &self.namespace(place), "-batch", "-"], &inside)?;
        }
        Ok(())
    }

    /// Takes the lab away if it is ours, with every process in it.
    pub(crate) fn down(&self) -> Result<()> {
        match remains::owner(&self.prefix)? {
            Owned::Nobody => Ok(()),
            Owned::By(folder) if !self.is_ours(&folder) => Ok(()),
            Owned::By(_) | Owned::Unknown => remains::remove(&self.prefix),
        }
    }

    pub(crate) fn is_ours(&self, folder: &Path) -> bool {
        self.tag.strip_prefix(TAG) == Some(&*folder.to_string_lossy())
    }

    /// `program`, to run at `place`.
    pub(crate) fn command_in(&self, place: Place, program: &str) -> Command {
        if place == Place::Root {
            return Command::new(program);
        }
        let mut command = Command::new("nsenter");
        let namespace = namespace_file(&self.namespace(place));
        command
            .arg(format!("--net={}", namespace.display()))
            .args(["--", program]);
        command
    }

    /// Limits what goes out at both ends of the compute machine's link, or no longer.
    pub(crate) fn limit_compute(&self, bits_per_second: Option<u64>) -> Result<()> {
        let shape = match bits_per_second {
            Some(0) => return Err(Error::invalid("a link of 0 bit/s carries nothing")),
            Some(rate) => format!("tbf rate {rate}bit burst {BURST_BYTES} latency 50ms"),
            None => "noqueue".to_owned(),
        };
        let ends = [
            (remains::between(&self.prefix), link(Place::Compute)),
            (self.namespace(Place::Compute), "eth0".to_owned()),
        ];
        ends.iter().try_for_each(|(namespace, device)| {
            let line = format!("qdisc replace dev {device} root {shape}");
            tc(&["-n", namespace, "-batch", "-"], &line)
        })
    }

    /// What the compute machine has received and sent, in bytes. Its end's sending is the other end's receiving.
    pub(crate) fn link_bytes(&self) -> Result<(u64, u64)> {
        let (between, link) = (remains::between(&self.prefix), link(Place::Compute));
        let shown = ip_json(&["-n", &between, "-statistics", "link", "show", "dev", &link])?;
        let counter = |way: &str| {
            let shown = shown.first().map(|link| &link["stats64"][way]["bytes"]);
            let uncounted = || Error::unavailable(format!("no counter of {link} in {between}"));
            shown.and_then(Value::as_u64).ok_or_else(uncounted)
        };
        Ok((counter("tx")?, counter("rx")?))
    }

    fn places(&self) -> Vec<Place> {
        let storage = (0..self.osds).map(Place::Storage);
        storage.chain([Place::Compute]).collect()
    }

    fn namespace(&self, place: Place) -> String {
        match place {
            Place::Storage(index) => format!("{}-st{index}", self.prefix),
            Place::Compute | Place::Root => format!("{}-cmp", self.prefix),
        }
    }

    fn check_subnet(&self) -> Result<()> {
        let subnet = format!("{}/24", self.addresses.subnet());
        let routes = ip_json(&["route", "show", "root", &subnet])?;
        let Some(route) = routes.first() else {
            return Ok(());
        };
        Err(Error::conflict(format!(
            "the subnet {subnet} of the network lab `{}` is in use by the interface {}",
            self.prefix,
            route["dev"].as_str().unwrap_or("of a route")
        )))
    }
}

/// The end of a machine's link that is on the bridge.
fn link(place: Place) -> String {
    match place {
        Place::Storage(index) => format!("s{index}"),
        Place::Compute | Place::Root => "c".to_owned(),
    }
}

fn tc(words: &[&str], stdin: &str) -> Result<()> {
    run_well(Command::new("tc").args(words), stdin, STEP).map(drop)
}

#[cfg(all(test, feature = "servers"))]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_cluster_takes_a_lab_away() {
        let lab = |folder: &str| {
            let addresses = Addresses::new([10, 201, 78]);
            Lab::new("gunit", addresses, 1, Path::new(folder))
        };
        let (ours, theirs) = (lab("/tmp/ours"), lab("/tmp/theirs"));
        ours.up().unwrap();
        theirs.down().unwrap();
        let still = remains::owner("gunit");
        ours.down().unwrap();
        assert_eq!(still, Ok(Owned::By("/tmp/ours".into())));
        assert_eq!(remains::owner("gunit"), Ok(Owned::Nobody));
    }
}
