//! What a cluster shall be like.

use ganglion_types::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a cluster shall be like. [`Options::new`] gives the defaults, for `..` in a literal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Holds everything the cluster writes; made if it is missing. At most [`Options::FOLDER_BYTES_MAX`] bytes long,
    /// since Unix sockets lie in it. Two clusters never share one.
    pub folder: PathBuf,
    /// OSDs, each on a CRUSH host of its own: `host0`, `host1`, ... 1 to [`Options::OSDS_MAX`].
    pub osds: u32,
    /// Copies of each object, each on another host. `None`: two, or one where there is one OSD.
    pub replicas: Option<u32>,
    /// What the OSDs keep objects in.
    pub store: Store,
    /// Whether clients and daemons prove who they are (cephx).
    pub auth: bool,
    /// Replicated pools to begin with.
    pub pools: Vec<String>,
    /// Placement groups of each pool; a power of two spreads objects evenly.
    pub placement_groups: u32,
    /// What lies between clients and daemons.
    pub network: Network,
    /// Notice a hung OSD within seconds instead of half a minute. A machine that is very busy may then take an OSD for
    /// dead that is only slow.
    pub quick_failover: bool,
    /// Lines for the section `[global]` of ceph.conf, after ours: `osd max write size = 10`.
    pub extra: Vec<String>,
}

/// What an OSD keeps objects in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// The daemon's memory: the quickest to start. An OSD that is killed loses everything, and is filled again from the
    /// other copies when it starts.
    Memory,
    /// Ceph's own store, in a file below the cluster's folder; survives the daemon. A folder in `/dev/shm` keeps the
    /// disk out of measurements.
    BlueStore {
        /// Size of each OSD's file in bytes, which is sparse; at least [`Store::BLUESTORE_BYTES_MIN`].
        bytes: u64,
    },
}

/// What lies between clients and daemons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Addresses of 127.0.0.0/8 that no other cluster of the machine has: the monitor's, and one for each OSD.
    Loopback,
    /// A network namespace for each OSD and one for compute, joined by a bridge, where the monitor is. Needs root.
    Namespaces {
        /// Begins the name of every namespace and interface: 1 to 8 of `a-z 0-9`.
        prefix: String,
        /// The first three bytes of all addresses: `[10, 77, 0]` for 10.77.0.0/24.
        subnet: [u8; 3],
    },
}

impl Store {
    /// Smallest file of BlueStore, in bytes: below it an OSD fails before it says that it is full.
    pub const BLUESTORE_BYTES_MIN: u64 = 1 << 30;

    /// What BlueStore is given where nothing is said: 4 GiB.
    pub const BLUESTORE_BYTES: u64 = 4 << 30;
}

impl Network {
    /// Namespaces whose prefix and subnet follow from the folder's name, so that clusters in different folders hardly
    /// ever meet (and are told so if they do).
    pub fn namespaces_of(folder: &Path) -> Self {
        // FNV-1a: the same in every process, which the standard library does not promise of its hasher.
        let hash = folder
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let [a, b, c, d, ..] = hash.to_be_bytes();
        Self::Namespaces {
            prefix: format!("g{a:02x}{b:02x}{c:02x}"),
            subnet: [10, 64 + c % 128, d],
        }
    }
}

impl Options {
    /// Most OSDs of one cluster.
    pub const OSDS_MAX: u32 = 64;

    /// Longest path of a folder in bytes; a Unix socket's may have 107.
    pub const FOLDER_BYTES_MAX: usize = 90;

    /// Three OSDs in memory on loopback, two copies, no cephx, and the pool `ganglion` of 16 placement groups.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            osds: 3,
            replicas: None,
            store: Store::Memory,
            auth: false,
            pools: vec!["ganglion".to_owned()],
            placement_groups: 16,
            network: Network::Loopback,
            quick_failover: false,
            extra: Vec::new(),
        }
    }

    /// Copies of each object.
    pub fn copies(&self) -> u32 {
        self.replicas.unwrap_or(self.osds.min(2))
    }

    /// # Errors
    /// `Invalid`, naming the first field that cannot be had.
    pub(crate) fn check(&self) -> Result<()> {
        check_count("osds", self.osds, Self::OSDS_MAX)?;
        check_count("replicas", self.copies(), self.osds)?;
        check_count("placement_groups", self.placement_groups, 256)?;
        if let Store::BlueStore { bytes } = self.store
            && bytes < Store::BLUESTORE_BYTES_MIN
        {
            return Err(Error::invalid(format!(
                "a BlueStore file of {bytes} bytes is too small: at least {}",
                Store::BLUESTORE_BYTES_MIN
            )));
        }
        for pool in &self.pools {
            check_name("pool", pool)?;
        }
        if let Some(line) = self.extra.iter().find(|line| line.contains(['\n', '['])) {
            return Err(Error::invalid(format!(
                "`{line}` is not one line of ceph.conf's section [global]"
            )));
        }
        match &self.network {
            Network::Loopback => Ok(()),
            Network::Namespaces { prefix, .. } => check_prefix(prefix),
        }
    }
}

fn check_count(what: &str, value: u32, most: u32) -> Result<()> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{value} is out of range for `{what}`: 1 to {most}"
    )))
}

/// A name that Ceph takes and that needs no quotes in a command.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.is_empty() && name.len() <= 64 && name.chars().all(fits) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{name}` is not a name of a {what}: 1 to 64 of `A-Z a-z 0-9 . _ -`"
    )))
}

fn check_prefix(prefix: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if (1..=8).contains(&prefix.len()) && prefix.chars().all(fits) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{prefix}` is not a prefix of namespaces: 1 to 8 of `a-z 0-9`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_refused_by_name() {
        let good = Options::new("/tmp/x");
        assert!(good.check().is_ok());
        let refused = |options: Options| options.check().unwrap_err().to_string();
        let bad = |change: fn(&mut Options)| {
            let mut options = Options::new("/tmp/x");
            change(&mut options);
            refused(options)
        };
        assert!(bad(|o| o.osds = 0).contains("osds"));
        assert!(bad(|o| o.replicas = Some(4)).contains("replicas"));
        assert!(bad(|o| o.placement_groups = 0).contains("placement_groups"));
        assert!(bad(|o| o.pools = vec!["a b".to_owned()]).contains("`a b`"));
        assert!(bad(|o| o.extra = vec!["[osd]".to_owned()]).contains("[osd]"));
        assert!(bad(|o| o.store = Store::BlueStore { bytes: 1 }).contains("1 bytes"));
        for prefix in ["", "UP", "ninechars", "has-dash"] {
            let network = Network::Namespaces {
                prefix: prefix.to_owned(),
                subnet: [10, 77, 0],
            };
            let text = refused(Options {
                network,
                ..good.clone()
            });
            assert!(text.contains(&format!("`{prefix}`")), "{text}");
        }
    }

    #[test]
    fn a_folder_gives_a_valid_prefix_and_always_the_same() {
        let of = |folder: &str| Network::namespaces_of(Path::new(folder));
        assert_eq!(of("/tmp/a"), of("/tmp/a"));
        assert_ne!(of("/tmp/a"), of("/tmp/b"));
        let options = Options {
            network: of("/tmp/a"),
            ..Options::new("/tmp/a")
        };
        assert!(options.check().is_ok());
    }
}
