//! What one call costs on a link: calls per second and processor time per call, with 1 and with 64 in flight, over loopback in
//! one process (both ends' time is counted), beside a bare TCP ping-pong of the same sizes on the same runtime.
//!
//! `cargo run --release -p ganglion-transport --example echo_bench [seconds]`

use async_trait::async_trait;
use bytes::Bytes;
use ganglion_transport::{
    Identity, Link, LinkParts, LinkSettings, RemotePeer, Server, ServerLimits, ServerParts,
};
use ganglion_types::{
    Ambient, Answer, Call, CallId, CallLimits, ContentHash, Deadline, End, Entry, Error, Executor,
    FunctionRef, Load, Ndp, NodeId, Result, Site, Start, Usage,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A request and an answer of 64 payload bytes, with header and message, are about this long on the wire.
const RAW_BYTES: usize = 200;
const PAYLOAD_BYTES: usize = 64;

struct Clock(Instant);

impl Ambient for Clock {
    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
    fn unix_ns(&self) -> u64 {
        0
    }
    fn fill_random(&self, buffer: &mut [u8]) {
        buffer.fill_with(|| fastrand::u8(..));
    }
}

struct Echo(NodeId);

#[async_trait]
impl Executor for Echo {
    async fn execute(&self, call: Call) -> Result<Answer> {
        Ok(Answer {
            end: End::Exited(0),
            output: Some(call.input),
            stdout: Bytes::new(),
            stderr: Bytes::new(),
            node: self.0.clone(),
            site: Site::Storage,
            storage_calls: ganglion_types::StorageCalls::default(),
            usage: Usage {
                wait_ns: 0,
                run_ns: 0,
                cpu_ns: 0,
                object_bytes: 0,
                moved_bytes: 0,
                link_ns: 0,
                store_failures: 0,
                start: Start::Restored,
            },
            load: Load::default(),
        })
    }
}

/// Processor time of this process so far, user and system, in microseconds; the kernel counts in ticks of 10 ms.
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let after_name = stat.rsplit(") ").next().expect("the format of proc(5)");
    let field = |n: usize| after_name.split(' ').nth(n - 3).map(str::parse::<u64>);
    let ticks = [14, 15].map(|n| field(n).expect("the format of proc(5)").expect("a number"));
    ticks.iter().sum::<u64>() * 10_000
}

/// Runs `tasks` loops of `one` for `time`, and prints what each round cost.
async fn measure<F, Fut>(name: &str, tasks: usize, time: Duration, one: F)
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = u64> + Send + 'static,
{
    let (begun, cpu) = (Instant::now(), cpu_us());
    let running: Vec<_> = (0..tasks).map(|task| tokio::spawn(one(task))).collect();
    let mut rounds = 0;
    for task in running {
        rounds += task.await.expect("a round does not panic");
    }
    let elapsed_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let cpu_ns_each = (cpu_us() - cpu) * 1000 / rounds.max(1);
    println!(
        "{name:<28} {tasks:>3} in flight  {:>8} /s  {:>4}.{:01} us CPU each  ({time:?})",
        rounds * 1_000_000 / elapsed_us.max(1),
        cpu_ns_each / 1000,
        cpu_ns_each % 1000 / 100,
    );
}

async fn raw_server() -> std::io::Result<std::net::SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            socket.set_nodelay(true).ok();
            tokio::spawn(async move {
                let mut buffer = [0; RAW_BYTES];
                while socket.read_exact(&mut buffer).await.is_ok() {
                    if socket.write_all(&buffer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

async fn raw(address: std::net::SocketAddr, time: Duration) -> u64 {
    let mut socket = TcpStream::connect(address).await.expect("it listens");
    socket.set_nodelay(true).ok();
    let mut buffer = [7; RAW_BYTES];
    let (begun, mut rounds) = (Instant::now(), 0);
    while begun.elapsed() < time {
        socket.write_all(&buffer).await.expect("it reads");
        socket.read_exact(&mut buffer).await.expect("it answers");
        rounds += 1;
    }
    rounds
}

async fn calls(peer: Arc<RemotePeer>, call: Call, clock: Arc<Clock>, time: Duration) -> u64 {
    let (begun, mut rounds) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let mut call = call.clone();
        call.deadline = Deadline::after(clock.monotonic_ns(), Duration::from_secs(60));
        peer.execute(call).await.expect("an echo cannot fail");
        rounds += 1;
    }
    rounds
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(3));
    let clock = Arc::new(Clock(Instant::now()));
    let node = NodeId::new("server")?;
    let identity = |node: &NodeId, site| Identity {
        node: node.clone(),
        site,
    };
    let server = Server::bind(
        "127.0.0.1:0",
        ServerParts {
            identity: identity(&node, Site::Storage),
            executor: Some(Arc::new(Echo(node.clone()))),
            load: Arc::new(Load::default),
            store: None,
            ambient: clock.clone(),
            limits: ServerLimits::default(),
        },
    )
    .await?;
    let link = Link::connect_lazy(LinkParts {
        address: server.address().to_string(),
        expected: None,
        identity: identity(&NodeId::new("client")?, Site::Compute),
        settings: LinkSettings::default(),
        ambient: clock.clone(),
    });
    tokio::spawn(server.serve(CancellationToken::new()));
    let peer = Arc::new(RemotePeer::new(link, node, Site::Storage));
    let call = Call {
        id: CallId(1),
        function: FunctionRef::new("ndp", "echo")?,
        module: ContentHash([1; 32]),
        entry: Entry::Main,
        input: Bytes::from_static(&[7; PAYLOAD_BYTES]),
        args: Vec::new(),
        object: None,
        ndp: Ndp::Allowed,
        deadline: Deadline::after(0, Duration::ZERO),
        limits: CallLimits::default(),
        trace: None,
    };
    let raw_address = raw_server()
        .await
        .map_err(|error| Error::unavailable(error.to_string()))?;
    for in_flight in [1, 64] {
        let name = "raw TCP, a socket each";
        measure(name, in_flight, time, |_| raw(raw_address, time)).await;
        measure("calls, one link", in_flight, time, |_| {
            calls(peer.clone(), call.clone(), clock.clone(), time)
        })
        .await;
    }
    Ok(())
}
