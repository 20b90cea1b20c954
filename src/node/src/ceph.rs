//! Objects in Ceph: a node's connection, the OSDs that it works beside, and which nodes are beside the others.

use crate::process::Process;
use crate::roles::{CephSettings, Entry, host_name};
use ganglion_store::{ObjectStore, Osd, RadosOptions, RadosStore};
use ganglion_types::{Error, NodeId, Result, Site};
use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;

/// A connection. Clones are the same.
#[derive(Clone)]
pub(crate) struct Ceph(RadosStore);

impl Ceph {
    /// A connection that reads every object from its primary, or, with a place in the CRUSH map (`host=NAME`), from the copy
    /// that is nearest.
    ///
    /// # Errors
    /// As [`RadosStore::connect`].
    pub(crate) async fn connect(process: &Process, crush_location: Option<&str>) -> Result<Self> {
        let options = options(process, crush_location);
        RadosStore::connect(options, process.ambient())
            .await
            .map(Self)
    }

    /// A storage node's connection, which reads from its own OSDs where they have a copy.
    ///
    /// # Errors
    /// As [`Ceph::connect`]; `NotFound` for an OSD that the cluster has not.
    pub(crate) async fn beside(process: &Process, osds: &[u32]) -> Result<Self> {
        let far = Self::connect(process, None).await?;
        let location = far.location(&process.settings.ceph, osds).await?;
        Self::connect(process, location.as_deref()).await
    }

    /// As [`Ceph::beside`], for the OSDs that the settings name, or those of this host.
    ///
    /// # Errors
    /// `NotFound` when this host has none.
    pub(crate) async fn beside_neighbours(process: &Process) -> Result<(Self, Vec<u32>)> {
        let far = Self::connect(process, None).await?;
        let set = &process.settings.ceph;
        let osds = match set.osds.is_empty() {
            true => neighbours(&far.0.osds().await?)?,
            false => set.osds.clone(),
        };
        let location = far.location(set, &osds).await?;
        tracing::info!(?osds, ?location, "beside");
        Ok((Self::connect(process, location.as_deref()).await?, osds))
    }

    /// Where in the CRUSH map a node beside these OSDs is.
    async fn location(&self, set: &CephSettings, osds: &[u32]) -> Result<Option<String>> {
        if !set.crush_location.is_empty() {
            return Ok(Some(set.crush_location.clone()));
        }
        let known = self.0.osds().await?;
        let mut host = None;
        for osd in osds {
            let found = known
                .iter()
                .find(|known| number(known) == *osd)
                .ok_or_else(|| {
                    Error::not_found(format!("the cluster has no osd.{osd} (setting ceph.osds)"))
                })?;
            host = host.or(found.crush_host.clone());
        }
        Ok(host.map(|host| format!("host={host}")))
    }

    pub(crate) fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.0.clone())
    }

    /// The numbers of all OSDs.
    ///
    /// # Errors
    /// `Unavailable` when no monitor answers.
    pub(crate) async fn osds(&self) -> Result<Vec<u32>> {
        Ok(self.0.osds().await?.iter().map(number).collect())
    }

    /// Enters the OSDs of listed storage nodes that name none: those of their address.
    ///
    /// # Errors
    /// `Invalid` when two such nodes have one address; `Unavailable` when no monitor answers or an address has no number.
    pub(crate) async fn find_osds(&self, entries: &mut [Entry]) -> Result<()> {
        let unnamed = |entry: &&mut Entry| entry.site == Site::Storage && entry.osds.is_empty();
        let mut taken: HashMap<u32, NodeId> = HashMap::new();
        let osds = self.0.osds().await?;
        for entry in entries.iter_mut().filter(unnamed) {
            let addresses = addresses_of(entry).await?;
            for osd in &osds {
                if osd
                    .address
                    .is_some_and(|address| addresses.contains(&address))
                {
                    if let Some(other) = taken.insert(number(osd), entry.node.clone()) {
                        return Err(Error::invalid(format!(
                            "{other} and {} are both at the address of osd.{}: name their OSDs in cluster.nodes, as in {}={}/{}",
                            entry.node, osd.id, entry.node, entry.address, osd.id
                        )));
                    }
                    entry.osds.push(number(osd));
                }
            }
        }
        Ok(())
    }

    /// Which node is beside which OSD, from now on.
    pub(crate) fn set_homes(&self, homes: HashMap<u32, NodeId>) {
        let homes = homes
            .into_iter()
            .filter_map(|(osd, node)| Some((i32::try_from(osd).ok()?, node)));
        self.0.osd_nodes().replace(homes.collect());
    }
}

fn number(osd: &Osd) -> u32 {
    u32::try_from(osd.id).expect("no OSD has a negative number")
}

fn options(process: &Process, crush_location: Option<&str>) -> RadosOptions {
    let set = &process.settings.ceph;
    let given = |path: &PathBuf| Some(path.clone()).filter(|path| !path.as_os_str().is_empty());
    RadosOptions {
        conf: set.conf.clone(),
        keyring: given(&set.keyring),
        user: set.user.trim_start_matches("client.").to_owned(),
        pool: set.pool.clone(),
        connect_time: set.connect_time,
        mon_time: set.mon_time,
        op_time: set.op_time,
        map_age: set.map_age,
        object_bytes_max: process.settings.limits.object.as_u64(),
        ceph_object_bytes_max: object_bytes_max(set.object.as_u64()),
        crush_location: crush_location.map(str::to_owned),
    }
}

/// What Ceph takes in one write by its default, 90 MiB, is the object and what stands beside it.
fn object_bytes_max(set: u64) -> u64 {
    const CEPH_WRITE_BYTES_MAX: u64 = 90 << 20;
    if set > CEPH_WRITE_BYTES_MAX {
        return set;
    }
    set.min(RadosOptions::CEPH_OBJECT_BYTES_MAX)
}

/// The OSDs of this host: those that have one of its addresses, or else those that say its name.
fn neighbours(osds: &[Osd]) -> Result<Vec<u32>> {
    let ids = |is_here: &dyn Fn(&Osd) -> bool| -> Vec<u32> {
        let here = osds.iter().filter(|osd| is_here(osd));
        here.map(number).collect()
    };
    let host = host_name();
    let by_address = ids(&|osd| osd.address.is_some_and(is_of_this_host));
    let found = match by_address.is_empty() {
        true => ids(&|osd| osd.host.as_deref() == Some(&*host)),
        false => by_address,
    };
    if found.is_empty() {
        return Err(Error::not_found(format!(
            "no OSD has an address of this host or its name, {host}: name those that this storage node is beside (setting ceph.osds, flag --osd)"
        )));
    }
    Ok(found)
}

/// A socket can be bound to the host's own addresses only.
fn is_of_this_host(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

async fn addresses_of(entry: &Entry) -> Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host(&entry.address).await;
    let found = found.map_err(|error| {
        Error::unavailable(format!(
            "the address of {} in cluster.nodes, {}: {error}",
            entry.node, entry.address
        ))
    })?;
    Ok(found.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn osd(id: i32, host: &str, address: &str) -> Osd {
        Osd {
            id,
            host: Some(host.into()),
            address: Some(address.parse().unwrap()),
            crush_host: None,
            up: true,
        }
    }

    /// 198.51.100.0/24 is for documentation: no host has an address of it.
    #[test]
    fn neighbours_have_an_address_of_this_host_or_else_its_name() {
        let host = host_name();
        let elsewhere = osd(1, "elsewhere", "198.51.100.1");
        let by_name = osd(2, &host, "198.51.100.2");
        let by_address = osd(3, "another-name", "127.0.0.1");
        let all = [elsewhere.clone(), by_name.clone(), by_address];
        assert_eq!(neighbours(&all).unwrap(), [3]);
        assert_eq!(neighbours(&[elsewhere.clone(), by_name]).unwrap(), [2]);
        let error = neighbours(&[elsewhere]).unwrap_err();
        assert!(error.message().contains("--osd"), "{error}");
        assert!(error.message().contains(&host), "{error}");
    }
}
