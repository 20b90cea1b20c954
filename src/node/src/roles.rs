//! What a process is in its cluster: its roles, its name, the other nodes, and the engines beside it.

use crate::duration;
use bytesize::ByteSize;
use ganglion_membership::MembershipOptions;
use ganglion_types::{Error, NodeId, Result, Site};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Work that a process does; several may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Takes calls over HTTP and places them.
    Gateway,
    /// Runs calls away from the objects.
    Compute,
    /// Runs calls beside the objects; without Ceph it also keeps them.
    Storage,
}

impl FromStr for Role {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "gateway" => Ok(Self::Gateway),
            "compute" => Ok(Self::Compute),
            "storage" => Ok(Self::Storage),
            _ => Err(Error::invalid(format!(
                "`{text}` is no role: gateway, compute or storage"
            ))),
        }
    }
}

/// A process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeSettings {
    /// What it does.
    pub roles: Vec<Role>,
    /// What its nodes are called: `compute-NAME`, `storage-NAME`. Empty: the host's name.
    pub name: String,
    /// How long a start waits for what is not there yet: Redis's host, Ceph's monitor, the pool, the OSDs of this host.
    #[serde(with = "duration")]
    pub wait_for: Duration,
}

/// The other nodes, by hand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSettings {
    /// Each as `NODE=HOST:PORT`, where NODE begins with `compute-` or `storage-`; behind a storage node's may stand `/` and the
    /// ids of the OSDs beside it, as in `storage-a=10.0.0.1:7461/0,1`.
    pub nodes: Vec<String>,
}

/// The Redis through which nodes find each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSettings {
    /// `redis://HOST:PORT`; empty: none.
    pub url: String,
    /// A file with the password that it asks for, in place of one in the URL; empty: none.
    pub password_file: PathBuf,
    /// What its keys begin with: clusters that share a Redis have different ones.
    pub cluster: String,
    /// How often a node says that it lives.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// After how long without a word it is gone.
    #[serde(with = "duration")]
    pub expiry: Duration,
    /// Time of connecting, and of one command.
    #[serde(with = "duration")]
    pub command_time: Duration,
    /// First pause before connecting again; doubled each time.
    #[serde(with = "duration")]
    pub backoff_min: Duration,
    /// Longest pause.
    #[serde(with = "duration")]
    pub backoff_max: Duration,
}

/// The Ceph cluster that keeps the objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CephSettings {
    /// Its `ceph.conf`; empty: objects are kept as files in the data folder.
    pub conf: PathBuf,
    /// The user's keyring; empty: where `ceph.conf` says.
    pub keyring: PathBuf,
    /// Who the process is to Ceph.
    pub user: String,
    /// The pool of all objects; a bucket is a namespace in it.
    pub pool: String,
    /// Time to connect to a monitor.
    #[serde(with = "duration")]
    pub connect_time: Duration,
    /// Time of one question to a monitor.
    #[serde(with = "duration")]
    pub mon_time: Duration,
    /// Time of one operation on an object.
    #[serde(with = "duration")]
    pub op_time: Duration,
    /// How often the cluster's map is looked at for a new epoch.
    #[serde(with = "duration")]
    pub map_age: Duration,
    /// The largest object that is stored as one RADOS object.
    pub object: ByteSize,
    /// The OSDs that a storage node works beside; empty: those of this host.
    pub osds: Vec<u32>,
    /// Where this host is in the CRUSH map, as `host=NAME`; empty: where its OSDs are.
    pub crush_location: String,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            roles: vec![Role::Gateway, Role::Compute, Role::Storage],
            name: String::new(),
            wait_for: Duration::ZERO,
        }
    }
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            password_file: PathBuf::new(),
            cluster: "ganglion".into(),
            heartbeat: Duration::from_secs(1),
            expiry: Duration::from_secs(3),
            command_time: Duration::from_secs(1),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_millis(500),
        }
    }
}

impl Default for CephSettings {
    fn default() -> Self {
        Self {
            conf: PathBuf::new(),
            keyring: PathBuf::new(),
            user: "client.ganglion".into(),
            pool: "ganglion".into(),
            connect_time: Duration::from_secs(5),
            mon_time: Duration::from_secs(5),
            op_time: Duration::from_secs(15),
            map_age: Duration::from_secs(1),
            object: ByteSize::mib(90),
            osds: Vec::new(),
            crush_location: String::new(),
        }
    }
}

impl NodeSettings {
    /// Whether the process has that role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The name of the process among its kind.
    pub(crate) fn name(&self) -> String {
        if self.name.is_empty() {
            host_name()
        } else {
            self.name.clone()
        }
    }
}

impl RedisSettings {
    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        !self.url.is_empty()
    }

    /// # Errors
    /// `Invalid` when there is no password in `redis.password_file`.
    pub(crate) fn options(&self) -> Result<MembershipOptions> {
        Ok(MembershipOptions {
            url: self.url.clone(),
            password: self.password()?,
            cluster: self.cluster.clone(),
            heartbeat: self.heartbeat,
            expiry: self.expiry,
            command_time: self.command_time,
            backoff_min: self.backoff_min,
            backoff_max: self.backoff_max,
        })
    }

    /// The file's first line.
    fn password(&self) -> Result<Option<String>> {
        if self.password_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let unread = |why: &dyn std::fmt::Display| {
            Error::invalid(format!(
                "no password in {} (setting redis.password_file): {why}",
                self.password_file.display()
            ))
        };
        let text = std::fs::read_to_string(&self.password_file).map_err(|error| unread(&error))?;
        match text.lines().next() {
            Some(password) if !password.is_empty() => Ok(Some(password.to_owned())),
            _ => Err(unread(&"its first line is empty")),
        }
    }
}

impl CephSettings {
    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        !self.conf.as_os_str().is_empty()
    }
}

/// A node that listens somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) node: NodeId,
    pub(crate) site: Site,
    /// `HOST:PORT`.
    pub(crate) address: String,
    /// The OSDs that a storage node works beside, where Ceph keeps the objects.
    pub(crate) osds: Vec<u32>,
}

impl ClusterSettings {
    /// The nodes of the list.
    ///
    /// # Errors
    /// `Invalid`, naming the entry, for one that cannot be read or stands there twice.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries: Vec<Entry> = Vec::new();
        for text in &self.nodes {
            let entry = read_entry(text)?;
            if entries.iter().any(|other| other.node == entry.node) {
                return Err(Error::invalid(format!(
                    "cluster.nodes names {} twice",
                    entry.node
                )));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

fn read_entry(text: &str) -> Result<Entry> {
    let unread = || {
        Error::invalid(format!(
            "cluster.nodes: `{text}` is not compute-NAME=HOST:PORT or storage-NAME=HOST:PORT[/OSD,OSD]"
        ))
    };
    let (node, address) = text.split_once('=').ok_or_else(unread)?;
    let site = match node.split_once('-') {
        Some(("compute", _)) => Site::Compute,
        Some(("storage", _)) => Site::Storage,
        _ => return Err(unread()),
    };
    let (address, osds) = address.split_once('/').unwrap_or((address, ""));
    let osds = osds.split(',').filter(|osd| !osd.is_empty());
    let osds: Result<Vec<u32>> = osds.map(|osd| osd.parse().map_err(|_| unread())).collect();
    let port = address.rsplit_once(':').map(|(_, port)| port);
    if port.and_then(|port| port.parse::<u16>().ok()).is_none() {
        return Err(unread());
    }
    Ok(Entry {
        node: NodeId::new(node).map_err(|_| unread())?,
        site,
        address: address.to_owned(),
        osds: osds?,
    })
}

/// The address that others are told: the one that is set, or the one that was bound; of all of them the one from which Redis is reached,
/// `cluster`.
///
/// # Errors
/// `Invalid` when every address of the host was bound, and Redis is reached over loopback, where no other host finds this one.
pub(crate) fn advertised(
    site: Site,
    set: &str,
    bound: SocketAddr,
    cluster: IpAddr,
) -> Result<String> {
    if !set.is_empty() {
        return Ok(set.to_owned());
    }
    if !bound.ip().is_unspecified() {
        return Ok(bound.to_string());
    }
    if cluster.is_loopback() {
        return Err(Error::invalid(format!(
            "{site}.listen = {bound} is every address of this host, and Redis is reached over loopback: set {site}.advertise to the address that other nodes reach"
        )));
    }
    Ok(SocketAddr::new(cluster, bound.port()).to_string())
}

pub(crate) fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_nodes_reads_back_and_says_what_it_cannot_read() {
        let list = |nodes: &[&str]| {
            let nodes = nodes.iter().map(|&node| node.to_owned()).collect();
            ClusterSettings { nodes }.entries()
        };
        let entries = list(&["storage-a=10.0.0.1:7461/0,3", "compute-b=box:1"]).unwrap();
        assert_eq!(entries[0].address, "10.0.0.1:7461");
        assert_eq!(entries[0].osds, [0, 3]);
        assert_eq!(
            (entries[0].site, entries[1].site),
            (Site::Storage, Site::Compute)
        );
        assert_eq!(entries[1].address, "box:1");
        for bad in [
            "storage-a",
            "a=b:1",
            "storage-a=b",
            "storage-a=b:x",
            "storage-a b=c:1",
            "storage-a=b:1/x",
        ] {
            let error = list(&[bad]).unwrap_err();
            assert!(error.message().contains(bad), "{error}");
        }
        let twice = list(&["storage-a=b:1", "storage-a=b:2"]).unwrap_err();
        assert!(twice.message().contains("storage-a"), "{twice}");
    }

    #[test]
    fn of_every_address_others_are_told_the_one_from_which_redis_is_reached() {
        let told = |set: &str, bound: &str, cluster: &str| {
            let (bound, cluster) = (bound.parse().unwrap(), cluster.parse().unwrap());
            advertised(Site::Storage, set, bound, cluster)
        };
        assert_eq!(told("box:1", "0.0.0.0:7461", "10.0.0.1").unwrap(), "box:1");
        assert_eq!(told("", "10.0.0.2:7", "10.0.0.1").unwrap(), "10.0.0.2:7");
        assert_eq!(
            told("", "0.0.0.0:7461", "10.0.0.1").unwrap(),
            "10.0.0.1:7461"
        );
        assert_eq!(told("", "[::]:7461", "fd00::1").unwrap(), "[fd00::1]:7461");
        let refused = told("", "0.0.0.0:7461", "127.0.0.1").unwrap_err();
        assert!(refused.message().contains("storage.advertise"), "{refused}");
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file_and_no_password_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let redis = RedisSettings {
            password_file: file.clone(),
            ..RedisSettings::default()
        };
        for (text, found) in [
            ("secret\n", Some("secret")),
            ("se cret", Some("se cret")),
            ("\n", None),
        ] {
            std::fs::write(&file, text).unwrap();
            let password = redis.password();
            assert_eq!(
                password.as_ref().ok().and_then(|read| read.as_deref()),
                found,
                "{password:?}"
            );
        }
        std::fs::remove_file(&file).unwrap();
        let error = redis.password().unwrap_err();
        assert!(error.message().contains("redis.password_file"), "{error}");
        assert_eq!(RedisSettings::default().password().unwrap(), None);
    }
}
