//! The cluster's OSDs, by name: which node stands for each, and where they are.

use super::monitors::{CrushTree, Monitors};
use arc_swap::ArcSwap;
use ganglion_types::{NodeId, Result};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Which node stands for which OSD: a table that its owner may replace at any time, read without a lock.
#[derive(Debug, Default)]
pub struct OsdNodes {
    nodes: ArcSwap<HashMap<i32, NodeId>>,
}

impl OsdNodes {
    /// From now on, this is the table.
    pub fn replace(&self, nodes: HashMap<i32, NodeId>) {
        self.nodes.store(Arc::new(nodes));
    }

    /// The node of an OSD; one without an entry is called `osd.N`.
    #[must_use]
    pub fn node(&self, osd: i32) -> NodeId {
        match self.nodes.load().get(&osd) {
            Some(node) => node.clone(),
            None => NodeId::new(format!("osd.{osd}")).expect("a number makes a good name"),
        }
    }
}

/// An OSD, as the monitors know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Osd {
    /// Its number.
    pub id: i32,
    /// The name of the host it runs on, as that host calls itself; `None` when it never ran.
    pub host: Option<String>,
    /// The address that clients reach it at; `None` when it never ran.
    pub address: Option<IpAddr>,
    /// The host that it belongs to in the CRUSH map, as in `crush_location`.
    pub crush_host: Option<String>,
    /// Whether it is up.
    pub up: bool,
}

/// Every OSD, by number. Blocks.
pub(super) fn list(monitors: &Monitors) -> Result<Vec<Osd>> {
    let map = monitors.map()?;
    let hosts: HashMap<i32, Option<String>> = monitors
        .metadata()?
        .into_iter()
        .map(|osd| (osd.id, osd.hostname))
        .collect();
    let tree = monitors.tree()?;
    let mut osds: Vec<Osd> = map
        .placement
        .osds
        .into_iter()
        .map(|osd| Osd {
            id: osd.osd,
            host: hosts.get(&osd.osd).cloned().flatten(),
            address: address(&osd.public_addr),
            crush_host: crush_host(&tree, osd.osd),
            up: osd.up == 1,
        })
        .collect();
    osds.sort_by_key(|osd| osd.id);
    Ok(osds)
}

/// The address in `IP:PORT/NONCE`; one that never ran has none.
fn address(text: &str) -> Option<IpAddr> {
    let (address, _) = text.rsplit_once('/')?;
    let address: SocketAddr = address.parse().ok()?;
    Some(address.ip()).filter(|ip| !ip.is_unspecified())
}

fn crush_host(tree: &CrushTree, osd: i32) -> Option<String> {
    let mut hosts = tree.nodes.iter().filter(|node| node.kind == "host");
    let host = hosts.find(|host| host.children.contains(&osd))?;
    Some(host.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_the_monitors_write_it() {
        for (text, ip) in [
            ("127.0.0.1:6808/24518", Some("127.0.0.1")),
            ("[2001:db8::7]:6808/1", Some("2001:db8::7")),
            (":/0", None),
            ("-", None),
            ("0.0.0.0:0/0", None),
        ] {
            assert_eq!(address(text), ip.map(|ip| ip.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_osd_without_an_entry_is_named_after_its_number() {
        let nodes = OsdNodes::default();
        assert_eq!(nodes.node(3).as_str(), "osd.3");
        let storage = NodeId::new("storage-1").unwrap();
        nodes.replace(HashMap::from([(3, storage.clone())]));
        assert_eq!(nodes.node(3), storage);
        assert_eq!(nodes.node(4).as_str(), "osd.4");
        nodes.replace(HashMap::new());
        assert_eq!(nodes.node(3).as_str(), "osd.3");
    }
}
