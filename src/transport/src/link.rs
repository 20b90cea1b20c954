//! One node's connection to another, kept up.

use crate::connection::{Ask, Connection, PING_STREAM, Pending};
use crate::estimate::Estimator;
use crate::failure::Failure;
use crate::reader::{FrameReader, Heard};
use crate::settings::{Identity, LinkSettings};
use crate::slots::Reply;
use bytes::Bytes;
use ganglion_types::{Ambient, Deadline, Error, LinkEstimate, Load, NodeId, Result};
use ganglion_wire::message::{answer::Outcome, request::Operation};
use ganglion_wire::{Kind, check_hello, message, put_frame};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What a [`Link`] is made of.
pub struct LinkParts {
    /// Where the other node listens: `host:port`, looked up anew for each connection.
    pub address: String,
    /// The name that it has to have; `None` takes any.
    pub expected: Option<NodeId>,
    /// Who is calling.
    pub identity: Identity,
    /// Limits and times.
    pub settings: LinkSettings,
    /// The clock.
    pub ambient: Arc<dyn Ambient>,
}

/// A connection to another node that is made when the link is, made again when it breaks, and shared by any number of
/// requests. Large payloads and small ones queue behind each other: give bulk transfers a link of their own where a call must
/// not wait for them.
pub struct Link {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

enum State {
    /// The first attempt, or the first one after a connection broke: worth waiting for.
    Connecting,
    Up(Arc<Connection>),
    Down(Error),
}

/// How a connection ended that did not break.
enum End {
    /// The other end said goodbye first.
    Announced,
    Closed,
}

struct Shared {
    parts: LinkParts,
    state: watch::Sender<State>,
    estimator: Estimator,
    /// The last load heard, and when.
    load: Mutex<Option<(Load, u64)>>,
}

impl Link {
    /// A link whose first connection is being made in the background; must be called within a tokio runtime. Dropping the
    /// link closes it.
    pub fn connect_lazy(parts: LinkParts) -> Arc<Self> {
        let shared = Arc::new(Shared {
            parts,
            state: watch::Sender::new(State::Connecting),
            estimator: Estimator::default(),
            load: Mutex::new(None),
        });
        let keeper = tokio::spawn(shared.clone().keep()).abort_handle();
        Arc::new(Self { shared, keeper })
    }

    /// Where the other node listens.
    pub fn address(&self) -> &str {
        &self.shared.parts.address
    }

    /// The other node's load, as last heard; `None` while there is no connection, it is draining, or nothing was heard for
    /// `link.heartbeats_missed` heartbeats.
    pub fn load(&self) -> Option<Load> {
        if !matches!(*self.shared.state.borrow(), State::Up(_)) {
            return None;
        }
        let (load, at_ns) = (*self.shared.load.lock())?;
        let age = Duration::from_nanos(self.shared.now_ns().saturating_sub(at_ns));
        (age < self.shared.silence_max()).then_some(load)
    }

    /// What was learned of the link; `None` before the first connection.
    pub fn estimate(&self) -> Option<LinkEstimate> {
        let assumed = self.settings().assumed_bytes_per_s;
        self.shared.estimator.estimate(assumed)
    }

    pub(crate) fn settings(&self) -> &LinkSettings {
        &self.shared.parts.settings
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.shared.now_ns()
    }

    /// The end of one object operation that begins now.
    pub(crate) fn request_deadline(&self) -> Deadline {
        Deadline::after(self.now_ns(), self.settings().request_time)
    }

    pub(crate) fn observe(&self, payload_bytes: u64, elapsed: Duration) {
        self.shared.estimator.observe(payload_bytes, elapsed);
    }

    /// The connection, waiting for an attempt that is under way.
    pub(crate) async fn connection(&self, until: Deadline) -> Result<Arc<Connection>, Failure> {
        let settled = |state: &State| match state {
            State::Connecting => None,
            State::Up(connection) => Some(Ok(connection.clone())),
            State::Down(error) => Some(Err(Failure::Told(error.clone()))),
        };
        if let Some(settled) = settled(&self.shared.state.borrow()) {
            return settled;
        }
        let mut states = self.shared.state.subscribe();
        let attempt = states.wait_for(|state| !matches!(state, State::Connecting));
        let remaining = until.remaining(self.now_ns());
        let state = match tokio::time::timeout(remaining, attempt).await {
            Ok(Ok(state)) => settled(&state),
            Ok(Err(_)) | Err(_) => None,
        };
        state.unwrap_or_else(|| {
            Err(Failure::Told(Error::unavailable(format!(
                "{} could not be reached in time",
                self.address()
            ))))
        })
    }

    /// Queues a request and gives its answer to come.
    pub(crate) async fn begin(&self, ask: Ask, until: Deadline) -> Result<Pending, Failure> {
        if until.remaining(self.now_ns()).is_zero() {
            return Err(Failure::Told(Error::deadline(format!(
                "the deadline had passed before the request to {} was sent",
                self.address()
            ))));
        }
        self.connection(until).await?.begin(ask, until).await
    }

    /// Asks and waits, learning of the link meanwhile. The answer is waited for `grace` longer than `until`.
    pub(crate) async fn ask(
        &self,
        ask: Ask,
        until: Deadline,
        grace: Duration,
    ) -> Result<Reply, Failure> {
        let sent_bytes: usize = ask.payload.iter().map(Bytes::len).sum();
        let pending = self.begin(ask, until).await?;
        let begun_ns = self.now_ns();
        let patience = Deadline::after(begun_ns, until.remaining(begun_ns) + grace);
        let reply = pending.wait(patience).await?;
        let elapsed_ns = self.now_ns().saturating_sub(begun_ns);
        let link_ns = elapsed_ns.saturating_sub(reply.answer.busy_ns);
        let bytes = u64::try_from(sent_bytes + reply.payload.len()).unwrap_or(u64::MAX);
        self.observe(bytes, Duration::from_nanos(link_ns));
        succeeded(reply)
    }

    /// An empty message there and its answer back: the least that a request costs on this connection.
    ///
    /// # Errors
    /// `Unavailable` when there is no connection or it is lost meanwhile, `Deadline` when no answer comes in `link.request_time`.
    pub async fn round_trip(&self) -> Result<()> {
        let until = self.request_deadline();
        let ask = Ask::of(Operation::Ping(message::Empty {}));
        let pending = self.begin(ask, until).await.map_err(Failure::of_read)?;
        let reply = pending.wait(until).await;
        reply.map(drop).map_err(Failure::of_read)
    }

    /// As [`Link::ask`] for what may be done twice: once more on a new connection when the first is lost.
    pub(crate) async fn ask_twice(&self, make: impl Fn() -> Ask) -> Result<Reply, Failure> {
        let until = self.request_deadline();
        match self.ask(make(), until, Duration::ZERO).await {
            Err(Failure::Lost { .. }) => self.ask(make(), until, Duration::ZERO).await,
            done => done,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Turns an answer that tells of a failure into one.
pub(crate) fn succeeded(mut reply: Reply) -> Result<Reply, Failure> {
    match reply.answer.outcome.take() {
        Some(Outcome::Error(error)) => Err(Failure::Told(error.into())),
        outcome => {
            reply.answer.outcome = outcome;
            Ok(reply)
        }
    }
}

/// A connection that has ended, told to everybody: first that another is being made, then that this one is over, so that
/// whoever asks again does not meet it a second time.
struct Ending<'a>(&'a Shared, Arc<Connection>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.state.send_replace(State::Connecting);
        self.1.close();
    }
}

impl Shared {
    fn now_ns(&self) -> u64 {
        self.parts.ambient.monotonic_ns()
    }

    fn silence_max(&self) -> Duration {
        self.parts.settings.heartbeat * self.parts.settings.heartbeats_missed_max
    }

    /// Connects, serves the connection until it ends, pauses, and again. A connection that has lived is replaced at once; one
    /// that broke early, or was never made, after a pause that doubles.
    async fn keep(self: Arc<Self>) {
        let settings = &self.parts.settings;
        let mut pause = Duration::ZERO;
        loop {
            let begun_ns = self.now_ns();
            let why = match self.connect().await {
                Ok((connection, reader)) => {
                    let why = self.serve(connection, reader).await;
                    let lived = Duration::from_nanos(self.now_ns().saturating_sub(begun_ns));
                    if lived >= settings.heartbeat {
                        pause = Duration::ZERO;
                    }
                    if pause.is_zero() {
                        pause = settings.backoff_min;
                        continue;
                    }
                    why
                }
                Err(why) => {
                    tracing::debug!(address = self.parts.address, %why, "link not made");
                    why
                }
            };
            pause = pause.clamp(settings.backoff_min, settings.backoff_max);
            let down = Error::unavailable(format!("{}: {why}", self.parts.address));
            self.state.send_replace(State::Down(down));
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause *= 2;
        }
    }

    async fn connect(&self) -> Result<(Arc<Connection>, FrameReader)> {
        let time = self.parts.settings.connect_time;
        let late = || {
            Error::unavailable(format!(
                "no connection within {time:?} (setting `link.connect_time`)"
            ))
        };
        tokio::time::timeout(time, self.shake_hands())
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    async fn shake_hands(&self) -> Result<(Arc<Connection>, FrameReader)> {
        let LinkParts {
            identity,
            settings,
            ambient,
            ..
        } = &self.parts;
        let broken = |error: std::io::Error| Error::unavailable(error.to_string());
        let socket = TcpStream::connect(&self.parts.address)
            .await
            .map_err(broken)?;
        socket.set_nodelay(true).map_err(broken)?;
        let (input, mut output) = socket.into_split();
        let mut reader = FrameReader::new(input, settings.frames, Heard::now(ambient.clone()));

        let begun_ns = self.now_ns();
        let ours = identity.hello(settings.frames, settings.in_flight_max);
        let mut bytes = bytes::BytesMut::new();
        put_frame(&mut bytes, settings.frames, (Kind::Hello, 0), &ours, 0)?;
        output.write_all(&bytes).await.map_err(broken)?;
        let theirs = reader.hello().await?;
        let elapsed_ns = self.now_ns().saturating_sub(begun_ns);

        let (node, _) = check_hello(&theirs)?;
        if let Some(expected) = self.parts.expected.as_ref().filter(|name| **name != node) {
            return Err(Error::unavailable(format!(
                "node `{node}` answers where `{expected}` was expected"
            )));
        }
        self.estimator.observe(0, Duration::from_nanos(elapsed_ns));
        self.heard_load(theirs.load);
        let connection = Connection::new(
            format!("{node} at {}", self.parts.address),
            (
                output,
                settings.frames.agreed(&theirs),
                settings.queue_bytes_max,
            ),
            settings.in_flight_max.min(theirs.in_flight_max).max(1),
            ambient.clone(),
        );
        Ok((Arc::new(connection), reader))
    }

    /// Serves a connection until it ends, and says why it did.
    async fn serve(&self, connection: Arc<Connection>, mut reader: FrameReader) -> Error {
        self.state.send_replace(State::Up(connection.clone()));
        let ending = Ending(self, connection);
        let heard = reader.heard.clone();
        let why = tokio::select! {
            end = self.read(&ending.1, &mut reader) => match end {
                Ok(End::Announced) => {
                    tracing::debug!(address = self.parts.address, "the other end is shutting down");
                    return Error::unavailable("the other end has shut down");
                }
                Ok(End::Closed) => Error::unavailable("the other end closed the connection"),
                Err(why) => why,
            },
            error = ending.1.outbox.write() => Error::unavailable(error.to_string()),
            () = self.beat(&ending.1, &heard) => Error::unavailable(format!(
                "no heartbeat was answered for {:?} (settings `link.heartbeat`, `link.heartbeats_missed`)",
                self.silence_max()
            )),
        };
        tracing::info!(address = self.parts.address, %why, "link lost");
        why
    }

    async fn read(&self, connection: &Connection, reader: &mut FrameReader) -> Result<End> {
        let mut leaving = false;
        while !(leaving && connection.slots.is_empty()) {
            let place = |stream, _| connection.slots.place(stream);
            let Some(frame) = reader.next(place).await? else {
                return Ok(if leaving { End::Announced } else { End::Closed });
            };
            match frame.kind {
                Kind::Answer => {
                    let answer: message::Answer = frame.decode()?;
                    self.heard_load(answer.load);
                    if frame.stream == PING_STREAM {
                        self.heard_ping(connection, answer.busy_ns);
                    } else {
                        let payload = frame.payload;
                        connection
                            .slots
                            .answer(frame.stream, Reply { answer, payload });
                    }
                }
                Kind::Goodbye => {
                    leaving = true;
                    let down = Error::unavailable(format!("{} is shutting down", connection.name));
                    self.state.send_replace(State::Down(down));
                }
                Kind::Hello | Kind::Request | Kind::Cancel => {
                    return Err(Error::corrupt("a frame that only a client sends"));
                }
            }
        }
        Ok(End::Announced)
    }

    /// Pings whenever nothing was heard for a heartbeat; ends when so many pings in a row brought nothing. It counts pings and
    /// not time: a process that was stalled must read what has arrived meanwhile before it gives a connection up.
    async fn beat(&self, connection: &Connection, heard: &Heard) {
        let heartbeat = self.parts.settings.heartbeat;
        let mut unanswered = 0;
        while unanswered < self.parts.settings.heartbeats_missed_max {
            let silence = heard.silence();
            if silence < heartbeat {
                tokio::time::sleep(heartbeat - silence).await;
                continue;
            }
            let pinged_ns = self.now_ns();
            connection.ping();
            tokio::time::sleep(heartbeat).await;
            unanswered = match heard.since(pinged_ns) {
                true => 0,
                false => unanswered + 1,
            };
        }
    }

    fn heard_load(&self, load: Option<message::Load>) {
        if let Some(load) = load {
            *self.load.lock() = Some((load.into(), self.now_ns()));
        }
    }

    fn heard_ping(&self, connection: &Connection, busy_ns: u64) {
        let sent_ns = connection.pinged_ns.load(Ordering::Relaxed);
        let elapsed_ns = self.now_ns().saturating_sub(sent_ns + busy_ns);
        self.estimator.observe(0, Duration::from_nanos(elapsed_ns));
    }
}
