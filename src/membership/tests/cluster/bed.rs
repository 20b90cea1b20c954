//! What the tests stand on: a Redis, nodes that announce themselves, and what the log says.

use ganglion_membership::server::RedisServer;
use ganglion_membership::{Announcement, Membership, MembershipOptions, Roster, Source};
use ganglion_types::{Ambient, Load, NodeId, Result, Site};
use std::io::Write;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::subscriber::DefaultGuard;

/// Beyond every time that is promised, on a machine that is busy with other things.
pub(crate) const SLACK: Duration = Duration::from_secs(1);

pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Ambient for Clock {
    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap()
    }
    fn unix_ns(&self) -> u64 {
        1_700_000_000_000_000_000 + self.monotonic_ns()
    }
    fn fill_random(&self, buffer: &mut [u8]) {
        buffer.fill(128);
    }
}

/// Quicker than an operator would have it.
pub(crate) fn options(url: String) -> MembershipOptions {
    MembershipOptions {
        url,
        heartbeat: Duration::from_millis(200),
        expiry: Duration::from_millis(1200),
        command_time: Duration::from_millis(400),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(100),
        ..MembershipOptions::default()
    }
}

pub(crate) fn open(options: MembershipOptions) -> Membership {
    Membership::open(options, Arc::new(Clock::new())).unwrap()
}

/// A node: its own membership, announcing itself.
pub(crate) struct Node {
    pub(crate) membership: Membership,
    pub(crate) running: Arc<AtomicU32>,
    pub(crate) task: JoinHandle<Result<()>>,
    pub(crate) stop: CancellationToken,
}

pub(crate) fn announcement(name: &str) -> Announcement {
    static INCARNATIONS: AtomicU64 = AtomicU64::new(1);
    Announcement {
        node: NodeId::new(name).unwrap(),
        site: Site::Storage,
        address: "10.0.0.7:7400".to_owned(),
        osds: vec![3, 5],
        load: Load::default(),
        incarnation: INCARNATIONS.fetch_add(1, Ordering::Relaxed),
        host: "rack-3".to_owned(),
        pid: 4711,
    }
}

impl Node {
    pub(crate) fn join(name: &str, options: MembershipOptions) -> Self {
        Self::announce(announcement(name), options)
    }

    pub(crate) fn announce(announcement: Announcement, options: MembershipOptions) -> Self {
        Self::through(open(options), announcement)
    }

    /// Announces a node through a membership that others may announce themselves through too.
    pub(crate) fn through(membership: Membership, announcement: Announcement) -> Self {
        let running = Arc::new(AtomicU32::new(0));
        let load = running.clone();
        let source: Source = Arc::new(move || {
            let mut announcement = announcement.clone();
            announcement.load.running = load.load(Ordering::Relaxed);
            announcement
        });
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(membership.announce(source, stop.clone())),
            membership,
            running,
            stop,
        }
    }

    /// Ends it as a crash would: nothing more is said, and nothing is taken back.
    pub(crate) async fn die(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn leave(self) {
        self.stop.cancel();
        self.ended().await.unwrap();
    }

    /// How its announcing ended.
    pub(crate) async fn ended(self) -> Result<()> {
        let ended = tokio::time::timeout(10 * SLACK, self.task).await;
        ended.expect("it ends").unwrap()
    }
}

/// The nodes of a roster, by name.
pub(crate) fn names(roster: &Roster) -> Vec<String> {
    roster.iter().map(|one| one.node.to_string()).collect()
}

/// Waits until a roster is as wanted, and gives how long that took.
pub(crate) async fn until(
    roster: &mut Receiver<Roster>,
    within: Duration,
    wanted: impl FnMut(&Roster) -> bool,
) -> Duration {
    let begun = Instant::now();
    let met = tokio::time::timeout(within, roster.wait_for(wanted)).await;
    let met = met.map(|seen| drop(seen.unwrap()));
    if met.is_err() {
        panic!("after {within:?} the roster is {:?}", *roster.borrow());
    }
    begun.elapsed()
}

/// Waits until a roster has exactly these nodes.
pub(crate) async fn until_named(membership: &Membership, wanted: &[&str]) {
    let mut roster = membership.roster();
    until(&mut roster, 10 * SLACK, |roster| names(roster) == wanted).await;
}

pub(crate) async fn until_reachable(membership: &Membership, wanted: bool) {
    let begun = Instant::now();
    while membership.health().reachable != wanted {
        let health = membership.health();
        assert!(begun.elapsed() < 10 * SLACK, "still {health:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A client that looks over everybody's shoulder.
pub(crate) async fn redis(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// What is logged on this thread, which with tokio's runtime for tests is the whole of one test.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Lines that have this in them.
    pub(crate) fn lines(&self, part: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(part));
        lines.map(str::to_owned).collect()
    }
}
