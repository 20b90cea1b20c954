//! Where daemons and clients are, and how to run a program there.

pub(crate) mod lab;
pub(crate) mod remains;

use std::net::Ipv4Addr;

/// A place of the cluster's network, at which programs can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A compute machine: all that it reads crosses the link that can be limited.
    Compute,
    /// The machine of the OSD with this number.
    Storage(u32),
    /// The machine outside of the lab, where the monitor is.
    Root,
}

/// The addresses of a cluster: all in one subnet of 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    subnet: [u8; 3],
}

impl Addresses {
    /// The port that monitors have. It is free, as no other cluster has the address.
    pub(crate) const MONITOR_PORT: u16 = 6789;

    pub(crate) fn new(subnet: [u8; 3]) -> Self {
        Self { subnet }
    }

    /// The subnet of a cluster on loopback, from the random bytes that name the cluster: 127.0.x.y is left to others.
    pub(crate) fn on_loopback(fsid: &str) -> Self {
        let byte = |at: usize| {
            fsid.get(at..at + 2)
                .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        };
        let [a, b] = [byte(0), byte(2)].map(Option::unwrap_or_default);
        Self::new([127, a.clamp(1, 254), b])
    }

    fn at(&self, last: u8) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, last)
    }

    pub(crate) fn subnet(&self) -> Ipv4Addr {
        self.at(0)
    }

    pub(crate) fn monitor(&self) -> Ipv4Addr {
        self.at(1)
    }

    /// OSDs have 10 to 73.
    pub(crate) fn osd(&self, index: u32) -> Ipv4Addr {
        self.at(u8::try_from(10 + index).unwrap_or(u8::MAX))
    }

    pub(crate) fn compute(&self) -> Ipv4Addr {
        self.at(100)
    }

    pub(crate) fn of(&self, place: Place) -> Ipv4Addr {
        match place {
            Place::Compute => self.compute(),
            Place::Storage(index) => self.osd(index),
            Place::Root => self.monitor(),
        }
    }
}
