//! The lab: a Ceph cluster whose OSDs have machines of their own, a storage worker beside each, and a gateway with a compute
//! worker behind the link that is limited.

use super::loader::Loader;
use super::node::Node;
use super::{IN_FLIGHT, OBJECT_BYTES, POOL, PlacementOptions, SATURATING, TRANSPORT_POOL};
use crate::bed::TENANT;
use crate::http::{Connection, Target};
use crate::native::compile;
use crate::placement_options::GeneratorOptions;
use crate::processor::cpu_ns_of;
use crate::report::failed;
use bytes::Bytes;
use ganglion_dev_ceph::{LinkBytes, MiniCeph, Network, Options, Place};
use ganglion_node::HostAmbient;
use ganglion_store::{ObjectStore, PutOptions, RadosOptions, RadosStore};
use ganglion_types::{Error, ObjectKey, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// OSDs, each with a machine and a storage worker of its own.
pub(super) const OSDS: u32 = 3;
/// Where nodes of the lab listen for each other, and the gateway for HTTP. Nobody else is in their namespaces.
const NODE_PORT: u16 = 7461;
const HTTP_PORT: u16 = 8080;
/// Guests at once of each storage worker: what near-data work may take of a storage machine.
pub(super) const STORAGE_PERMITS: u32 = 1;
/// How long the storage workers may take to be seen by the gateway.
const JOIN_LIMIT: Duration = Duration::from_secs(20);
/// Of the runtime directory, which only root can write: a run that was killed is cleared away by the next one.
const FOLDER: &str = "/run/ganglion-bench-placement";

/// Starts the cluster; a blocking call of some seconds, which leaves nothing behind when it fails.
pub(super) fn up() -> Result<MiniCeph> {
    MiniCeph::up(&Options {
        osds: OSDS,
        replicas: Some(1),
        pools: vec![POOL.into(), TRANSPORT_POOL.into()],
        placement_groups: 64,
        network: Network::namespaces_of(Path::new(FOLDER)),
        // `cls_lua` is not among the classes that an OSD loads by itself.
        extra: vec![
            "osd class load list = *".into(),
            "osd class default list = *".into(),
        ],
        ..Options::new(FOLDER)
    })
}

/// Ends it, with all that runs in its namespaces, and takes its logs away.
pub(super) fn down(ceph: MiniCeph) -> Result<()> {
    ceph.down()?;
    std::fs::remove_dir_all(FOLDER).map_err(failed(FOLDER))
}

/// Everything that runs in it. Dropping it ends all but the cluster.
pub(super) struct Lab {
    pub(super) ceph: Arc<MiniCeph>,
    pub(super) generator: Loader,
    pub(super) saturating: Loader,
    pub(super) native: Loader,
    /// The compiler of the native program, and its flags.
    pub(super) compiler: String,
    storage: Vec<Node>,
    gateway: Node,
    osds: Vec<u32>,
    daemons: Vec<u32>,
}

/// Where the lab keeps what is not the cluster's.
pub(super) struct Folders {
    pub(super) root: PathBuf,
    /// The answers that are to come.
    pub(super) answers: PathBuf,
}

impl Lab {
    /// Starts all nodes and loaders.
    pub(super) async fn start(
        ceph: Arc<MiniCeph>,
        folders: &Folders,
        options: &PlacementOptions,
    ) -> Result<Self> {
        let mut storage = Vec::new();
        for osd in 0..OSDS {
            storage.push(storage_worker(&ceph, &folders.root, osd).await?);
        }
        let gateway = gateway(&ceph, &folders.root).await?;
        let http = gateway_address(&ceph);
        until_joined(http).await?;
        let loader = |in_flight| {
            let options = GeneratorOptions {
                gateway: http,
                answers: folders.answers.clone(),
                objects: options.objects,
                in_flight,
            };
            Loader::start("the load generator", generator_command(&ceph, &options)?)
        };
        let (generator, saturating) = (loader(IN_FLIGHT)?, loader(SATURATING)?);
        let (native, compiler) = native(&ceph, folders, options.objects).await?;
        let daemons = ceph.pids()?;
        let osds = daemons.iter();
        let osds = osds.filter_map(|(name, pid)| name.starts_with("osd.").then_some(*pid));
        Ok(Self {
            osds: osds.collect(),
            daemons: daemons.into_values().collect(),
            ceph,
            generator,
            saturating,
            native,
            compiler,
            storage,
            gateway,
        })
    }

    /// The processes of the cluster, which are not this one's children.
    pub(super) fn cluster(&self) -> &[u32] {
        &self.daemons
    }

    /// What has been used up to now.
    pub(super) fn used(&self) -> Result<Used> {
        let storage = self.storage.iter().filter_map(Node::pid);
        let loaders = [&self.generator, &self.saturating, &self.native];
        let compute = loaders.into_iter().filter_map(Loader::pid);
        let own = [std::process::id()];
        Ok(Used {
            link: self.ceph.link_bytes()?,
            storage_cpu_ns: cpu_ns(self.osds.iter().copied().chain(storage))?,
            compute_cpu_ns: cpu_ns(self.gateway.pid().into_iter().chain(compute).chain(own))?,
        })
    }
}

fn cpu_ns(pids: impl Iterator<Item = u32>) -> Result<u64> {
    pids.map(cpu_ns_of).sum()
}

/// What the lab has used since it was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) link: LinkBytes,
    /// Of the OSDs and the storage workers.
    pub(super) storage_cpu_ns: u64,
    /// Of the gateway with its compute worker, and of whoever loads: also of this process, which runs the guests over memory.
    pub(super) compute_cpu_ns: u64,
}

/// The pool of the objects.
pub(super) async fn connect(ceph: &MiniCeph) -> Result<RadosStore> {
    let options = RadosOptions {
        conf: ceph.conf(),
        pool: POOL.into(),
        ..RadosOptions::default()
    };
    RadosStore::connect(options, Arc::new(HostAmbient::new())).await
}

/// Objects as any other program would write them, but for their attribute.
pub(super) async fn store_objects(store: &RadosStore, texts: &[Bytes]) -> Result<()> {
    for (object, text) in texts.iter().enumerate() {
        let key = ObjectKey::new(TENANT, super::kernel::key(object))?;
        store.put(&key, text.clone(), PutOptions::default()).await?;
    }
    Ok(())
}

fn node_address(ceph: &MiniCeph, osd: u32) -> SocketAddr {
    (ceph.address_of(Place::Storage(osd)), NODE_PORT).into()
}

fn gateway_address(ceph: &MiniCeph) -> SocketAddr {
    (ceph.address_of(Place::Compute), HTTP_PORT).into()
}

/// This very program, at a place of the lab, deaf to settings of the environment.
fn program(ceph: &MiniCeph, place: Place) -> Result<Command> {
    let program = std::env::current_exe().map_err(failed("this program's own file"))?;
    let mut command = ceph.command_in(place, &program.to_string_lossy());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GANGLION_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

fn node_command(ceph: &MiniCeph, place: Place, data: &Path) -> Result<Command> {
    let mut command = program(ceph, place)?;
    std::fs::create_dir_all(data).map_err(failed(data.display()))?;
    command
        .current_dir(data)
        .args(["serve", "--data"])
        .arg(data);
    command.arg("--ceph").arg(ceph.conf());
    Ok(command)
}

async fn storage_worker(ceph: &MiniCeph, folder: &Path, osd: u32) -> Result<Node> {
    let data = folder.join(format!("storage-{osd}"));
    let mut command = node_command(ceph, Place::Storage(osd), &data)?;
    let (name, address) = (osd.to_string(), node_address(ceph, osd).to_string());
    command
        .env("GANGLION_STORAGE_PERMITS", STORAGE_PERMITS.to_string())
        .args(["--role", "storage", "--name", &name, "--osd", &name])
        .args(["--listen", &address]);
    Node::start(command, &data, "listening for other nodes on").await
}

async fn gateway(ceph: &MiniCeph, folder: &Path) -> Result<Node> {
    let data = folder.join("gateway");
    let mut command = node_command(ceph, Place::Compute, &data)?;
    command
        .args(["--role", "gateway,compute", "--name", "0", "--functions"])
        .args(["--http", &gateway_address(ceph).to_string()]);
    for osd in 0..OSDS {
        let peer = format!("storage-{osd}={}/{osd}", node_address(ceph, osd));
        command.args(["--peer", &peer]);
    }
    Node::start(command, &data, "listening on http://").await
}

/// Waits until the gateway has heard of every storage worker's load.
async fn until_joined(gateway: SocketAddr) -> Result<()> {
    let request = Target::new(gateway, "GET", "/v1/nodes", b"").request;
    let mut connection = Connection::open(gateway).await?;
    let joined = async {
        loop {
            connection.ask(&request).await?;
            let nodes: serde_json::Value = serde_json::from_slice(connection.body())
                .map_err(|error| Error::internal(format!("the list of nodes: {error}")))?;
            let nodes = nodes["nodes"].as_array().cloned().unwrap_or_default();
            let seen = nodes.iter().filter(|node| !node["load"].is_null()).count();
            // The compute worker is one as well.
            if seen > OSDS as usize {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(JOIN_LIMIT, joined).await;
    waited.unwrap_or_else(|_| {
        Err(Error::deadline(format!(
            "the gateway has not heard of its {OSDS} storage workers within {JOIN_LIMIT:?}"
        )))
    })
}

fn generator_command(ceph: &MiniCeph, options: &GeneratorOptions) -> Result<Command> {
    let mut command = program(ceph, Place::Compute)?;
    command
        .args(["bench-load", "--gateway", &options.gateway.to_string()])
        .args(["--objects", &options.objects.to_string()])
        .args(["--in-flight", &options.in_flight.to_string()])
        .arg("--answers")
        .arg(&options.answers);
    Ok(command)
}

/// Compiles and starts the native program, which also asks for the script in the OSD.
async fn native(ceph: &MiniCeph, folders: &Folders, objects: usize) -> Result<(Loader, String)> {
    const MAIN: &str = include_str!("native_rados.cpp");
    const SCRIPT: &str = include_str!("wordcount.lua");
    let compiled = compile(&folders.root, MAIN, &["-lrados", "-pthread"]).await?;
    let compiled = compiled.ok_or_else(|| Error::unavailable("no C++ compiler (c++) here"))?;
    let script = serde_json::json!({"script": SCRIPT, "handler": "wordcount", "input": ""});
    let script_file = folders.root.join("wordcount.lua.json");
    std::fs::write(&script_file, script.to_string()).map_err(failed(script_file.display()))?;
    let mut command = ceph.command_in(Place::Compute, &compiled.program.to_string_lossy());
    command
        .arg(ceph.conf())
        .args([POOL, TENANT])
        .arg(&folders.answers)
        .args([objects, OBJECT_BYTES, IN_FLIGHT].map(|number| number.to_string()))
        .arg(script_file);
    let loader = Loader::start("the native program", command)?;
    Ok((loader, compiled.compiler))
}
