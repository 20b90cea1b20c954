//! What a node tells all others about itself.

use crate::{Error, Load, NodeId, Result, Site};

/// A node that is in the cluster: how to reach it, what it holds, how busy it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its name, of which there is one in a cluster.
    pub node: NodeId,
    /// What kind of node it is.
    pub site: Site,
    /// Where its server for other nodes listens: `host:port`.
    pub address: String,
    /// Numbers of the OSDs whose objects it can read without a network; none on a compute node.
    pub osds: Vec<u32>,
    /// Its load when it said so.
    pub load: Load,
    /// Tells this run of the node from all its others; drawn when the process starts.
    pub incarnation: u64,
    /// The machine that it runs on, for people.
    pub host: String,
    /// Its process there, for people.
    pub pid: u32,
}

impl Announcement {
    /// # Errors
    /// `Invalid` when the address is not `host:port`.
    pub fn check(&self) -> Result<()> {
        let parts = self.address.rsplit_once(':');
        match parts.map(|(host, port)| (host, port.parse::<u16>())) {
            Some((host, Ok(1..))) if !host.is_empty() => Ok(()),
            _ => Err(Error::invalid(format!(
                "node `{}` announces the address `{}`, which is not host:port",
                self.node,
                self.address.escape_debug()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_can_be_connected_to_is_one() {
        let announced = |address: &str| Announcement {
            node: NodeId::new("storage-1").unwrap(),
            site: Site::Storage,
            address: address.to_owned(),
            osds: vec![1],
            load: Load::default(),
            incarnation: 7,
            host: "rack-3".to_owned(),
            pid: 41,
        };
        for address in ["10.0.0.1:80", "storage-1.lan:65535", "[::1]:7000"] {
            announced(address).check().unwrap();
        }
        for address in ["", "host", ":80", "host:", "host:0", "host:65536", "host:x"] {
            let error = announced(address).check().unwrap_err();
            assert!(error.message().contains("storage-1"), "{error}");
        }
    }
}
