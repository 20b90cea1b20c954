//! The places of a cluster's network: programs at them, and the link between compute and the rest.

use crate::cluster::MiniCeph;
use crate::network::Place;
use crate::network::lab::Lab;
use crate::program::of_cluster;
use ganglion_types::{Error, Result};
use std::net::Ipv4Addr;
use std::process::Command;

/// What has crossed a link, in bytes, seen from the compute machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkBytes {
    /// To the compute machine.
    pub received: u64,
    /// From the compute machine.
    pub sent: u64,
}

impl MiniCeph {
    /// The address of a place: servers that stand for a machine of the lab listen on it.
    pub fn address_of(&self, place: Place) -> Ipv4Addr {
        self.addresses().of(place)
    }

    /// `program`, to run at a place, where it is a client of this cluster (`CEPH_CONF`). Without namespaces every place is
    /// here.
    pub fn command_in(&self, place: Place, program: &str) -> Command {
        let command = match self.lab() {
            Some(lab) => lab.command_in(place, program),
            None => Command::new(program),
        };
        of_cluster(command, &self.conf())
    }

    /// Limits the compute machine's link to so many bits per second each way, or no longer. What OSDs send each other, and
    /// what a program reads at the OSD's own place, never crosses it.
    ///
    /// # Errors
    /// `Invalid` without namespaces or for a rate of 0.
    pub fn limit_compute(&self, bits_per_second: Option<u64>) -> Result<()> {
        self.needed_lab()?.limit_compute(bits_per_second)
    }

    /// What the compute machine has received and sent over its link since the cluster came up.
    ///
    /// # Errors
    /// `Invalid` without namespaces.
    pub fn link_bytes(&self) -> Result<LinkBytes> {
        let (received, sent) = self.needed_lab()?.link_bytes()?;
        Ok(LinkBytes { received, sent })
    }

    fn needed_lab(&self) -> Result<&Lab> {
        self.lab().ok_or_else(|| {
            Error::invalid(format!(
                "the cluster in {} is on loopback: it has no link of a compute machine",
                self.folder().display()
            ))
        })
    }
}
