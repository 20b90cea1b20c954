//! The server that is measured, in a process of its own: what that process runs, and how the benchmark holds it.

use crate::processor::cpu_ns_of;
use crate::report::failed;
use crate::warm::no_answer;
use async_trait::async_trait;
use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use ganglion_gateway::{
    Drain, Gateway, GatewayParts, GatewaySettings, Peers, ServeSettings, serve,
};
use ganglion_node::{Frontend, ListenSettings, Process, Service, Settings, Topology};
use ganglion_types::{
    Answer, Call, CallIds, Error, Executor, LinkEstimate, Load, NodeId, Peer, Result, Site,
};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

/// The hidden subcommand that runs [`server`].
const SUBCOMMAND: &str = "bench-server";
/// Of [`Nodes::Cluster`].
const TOPOLOGY: Topology = Topology {
    compute: 2,
    storage: 3,
};

/// Which nodes a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nodes {
    /// One with every role: no socket behind the gateway.
    Single,
    /// Two compute nodes and three storage nodes, with sockets between them and the gateway.
    Cluster,
}

impl Nodes {
    pub(crate) const ALL: [Self; 2] = [Self::Single, Self::Cluster];

    /// As in the flag `--nodes`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Cluster => "cluster",
        }
    }
}

impl FromStr for Nodes {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|nodes| nodes.as_str() == name);
        found
            .ok_or_else(|| Error::invalid(format!("nodes are `single` or `cluster`, not `{name}`")))
    }
}

/// What `bench-server` is told: flags `--nodes single|cluster` and `--data FOLDER`, both of them always given.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Which nodes.
    pub nodes: Nodes,
    /// Their data; may hold an earlier server's.
    pub data: PathBuf,
}

/// The one line that a server prints.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// The gateway's routes and `/plain`.
    pub(crate) address: SocketAddr,
    /// A gateway whose only node answers at once, so that it is measured without one.
    pub(crate) stub: SocketAddr,
    /// The server's process.
    pub(crate) pid: u32,
}

/// Serves until stdin ends; says where in one line of JSON on stdout. Behind the hidden subcommand `bench-server`, which
/// [`call`](crate::call()) starts.
///
/// Has to run on [`ganglion_node::build_runtime`]'s runtime.
///
/// # Errors
/// As [`Service::cluster`] and [`Frontend::upload_bundled`].
pub async fn server(options: ServerOptions) -> Result<()> {
    let settings = Settings {
        data: options.data,
        listen: ListenSettings {
            http: Vec::new(),
            ..ListenSettings::default()
        },
        ..Settings::default()
    };
    let process = Process::new(settings)?;
    let service = match options.nodes {
        Nodes::Single => Service::start(process.clone()).await?,
        Nodes::Cluster => Service::cluster(process.clone(), TOPOLOGY).await?,
    };
    let frontend = service.frontend()?;
    frontend.upload_bundled().await?;
    let stop = CancellationToken::new();
    let routes = frontend.gateway().router().route("/plain", post(plain));
    let ready = Ready {
        address: listen(routes, &stop).await?,
        stub: listen(stub_gateway(frontend, &process)?.router(), &stop).await?,
        pid: std::process::id(),
    };
    let line = serde_json::to_string(&ready).map_err(|error| Error::internal(error.to_string()))?;
    println!("{line}");
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    stop.cancel();
    service.shutdown().await;
    match ended {
        Ok(read) => read.map(drop).map_err(failed("stdin")),
        Err(error) => Err(Error::internal(format!("reading stdin: {error}"))),
    }
}

/// As little as a server can do for a call: takes the body, and answers with as many bytes as the no-op does.
async fn plain(body: Bytes) -> Bytes {
    std::hint::black_box(body);
    Bytes::new()
}

async fn listen(router: Router, stop: &CancellationToken) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(failed("listening"))?;
    let address = listener.local_addr().map_err(failed("listening"))?;
    let stop = stop.clone();
    tokio::spawn(async move {
        serve(listener, router, ServeSettings::default(), stop.cancelled()).await
    });
    Ok(address)
}

fn stub_gateway(frontend: &Frontend, process: &Process) -> Result<Gateway> {
    let stub: Arc<dyn Peer> = Arc::new(Stub(NodeId::new("stub")?));
    Ok(Gateway::new(GatewayParts {
        catalog: frontend.catalog().clone(),
        store: frontend.objects().clone(),
        peers: Arc::new(Peers::new(vec![stub])),
        ambient: process.ambient(),
        call_ids: Arc::new(CallIds::new(0)),
        settings: GatewaySettings::default(),
        drain: Arc::new(Drain::default()),
    }))
}

/// A node that runs nothing.
struct Stub(NodeId);

#[async_trait]
impl Executor for Stub {
    async fn execute(&self, _call: Call) -> Result<Answer> {
        Ok(no_answer(&self.0))
    }
}

impl Peer for Stub {
    fn id(&self) -> &NodeId {
        &self.0
    }
    fn site(&self) -> Site {
        Site::Compute
    }
    fn load(&self) -> Option<Load> {
        Some(Load {
            permits: 1,
            ..Load::default()
        })
    }
    fn link(&self) -> Option<LinkEstimate> {
        None
    }
    fn address(&self) -> Option<String> {
        None
    }
}

/// A server that was started by this process, as a copy of its own program.
pub(crate) struct ServerProcess {
    pub(crate) ready: Ready,
    child: Child,
    stdin: ChildStdin,
}

impl ServerProcess {
    /// Returns when it serves.
    pub(crate) async fn start(nodes: Nodes, data: &Path) -> Result<Self> {
        let program = std::env::current_exe().map_err(failed("this program's own file"))?;
        let mut child = Command::new(&program)
            .args([SUBCOMMAND, "--nodes", nodes.as_str(), "--data"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed(program.display()))?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .await
            .map_err(failed("a server"))?;
        let ready = serde_json::from_str(&line).map_err(|error| {
            Error::unavailable(format!(
                "a server did not start, it said `{}` ({error})",
                line.trim()
            ))
        })?;
        Ok(Self {
            ready,
            child,
            stdin,
        })
    }

    /// Processor time that it has used, in nanoseconds, in steps of the kernel's tick (10 ms mostly).
    pub(crate) fn cpu_ns(&self) -> Result<u64> {
        cpu_ns_of(self.ready.pid)
    }

    /// Ends it and waits for its end.
    pub(crate) async fn stop(self) -> Result<()> {
        let Self {
            mut child, stdin, ..
        } = self;
        drop(stdin);
        let status = child.wait().await.map_err(failed("a server's end"))?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::internal(format!("a server ended with {status}")))
        }
    }
}
