//! The server's end of one connection.
//!
//! One task reads frames, starts a task for each request, and writes; each request's task answers by itself. What the reader
//! alone touches needs no lock: the table of running requests, by the slot in the stream's number, is there to cancel them.

use crate::answering::Answering;
use crate::dispatch::run;
use crate::hosted::HostedUploads;
use crate::outbox::{Outbox, Outgoing};
use crate::reader::{FrameReader, Heard};
use crate::server::ServerParts;
use crate::slots::slot_of;
use bytes::Bytes;
use ganglion_types::{Deadline, Error, Result};
use ganglion_wire::message::{self, answer::Outcome, request::Operation};
use ganglion_wire::{Frame, Kind, check_hello};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) struct Session {
    pub(crate) parts: Arc<ServerParts>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) requests: TaskTracker,
    stop: CancellationToken,
}

/// What the reader keeps.
#[derive(Default)]
struct Running {
    by_slot: Vec<Option<(u64, AbortHandle)>>,
    uploads: HostedUploads,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The connection is gone: nobody waits for these any more.
        for (_, request) in self.by_slot.iter().flatten() {
            request.abort();
        }
    }
}

impl Session {
    /// Serves one connection until either end closes it, or it is drained.
    pub(crate) async fn serve(
        parts: Arc<ServerParts>,
        socket: TcpStream,
        stop: CancellationToken,
    ) -> Result<()> {
        let broken = |error: std::io::Error| Error::unavailable(error.to_string());
        socket.set_nodelay(true).map_err(broken)?;
        let (input, output) = socket.into_split();
        let limits = parts.limits.frames;
        let heard = Heard::now(parts.ambient.clone());
        let mut reader = FrameReader::new(input, limits, heard);

        let hello_time = parts.limits.hello_time;
        let theirs = tokio::time::timeout(hello_time, reader.hello()).await;
        let theirs = theirs.unwrap_or_else(|_| {
            Err(Error::unavailable(format!(
                "no hello within {hello_time:?} (setting `server.hello_time`)"
            )))
        })?;
        let accepted = check_hello(&theirs);
        let session = Self {
            outbox: Arc::new(Outbox::new(
                output,
                limits.agreed(&theirs),
                parts.limits.queue_bytes_max,
            )),
            requests: TaskTracker::new(),
            parts,
            stop,
        };
        session.say_hello()?;
        match accepted {
            Ok(_) => session.run(&mut reader).await,
            Err(error) => session.turn_away(error).await,
        }
    }

    fn say_hello(&self) -> Result<()> {
        let ServerParts {
            identity,
            limits,
            load,
            ..
        } = &*self.parts;
        let mut ours = identity.hello(limits.frames, limits.in_flight_max);
        ours.load = Some(load().into());
        let role = |offered: bool, name: &str| offered.then(|| name.to_owned());
        ours.roles
            .extend(role(self.parts.executor.is_some(), "execute"));
        ours.roles
            .extend(role(self.parts.store.is_some(), "objects"));
        self.outbox.push(&Outgoing {
            kind: Kind::Hello,
            stream: 0,
            message: &ours,
            payload: &[],
            alone: true,
        })?;
        Ok(())
    }

    /// Tells why there will be no conversation.
    async fn turn_away(&self, error: Error) -> Result<()> {
        let answer = message::Answer {
            outcome: Some(Outcome::Error((&error).into())),
            ..Default::default()
        };
        self.outbox.push(&Outgoing {
            kind: Kind::Answer,
            stream: 0,
            message: &answer,
            payload: &[],
            alone: true,
        })?;
        tokio::select! {
            _ = self.outbox.write() => {}
            _ = tokio::time::timeout(self.parts.limits.linger_time, self.outbox.flushed()) => {}
        }
        Err(error)
    }

    async fn run(&self, reader: &mut FrameReader) -> Result<()> {
        let mut running = Running::default();
        let heard = reader.heard.clone();
        let ended = tokio::select! {
            ended = self.read(reader, &mut running) => ended,
            error = self.outbox.write() => Err(Error::unavailable(error.to_string())),
            () = self.retire() => Ok(()),
            () = self.idle(&heard) => Err(Error::unavailable(format!(
                "nothing was heard for {:?} (setting `server.idle_time`)",
                self.parts.limits.idle_time
            ))),
        };
        self.outbox.close();
        ended
    }

    /// Once the server stops: says goodbye, waits for the requests in flight and their answers, and a little for the other
    /// end to close.
    async fn retire(&self) {
        self.stop.cancelled().await;
        self.outbox.signal(Kind::Goodbye, 0);
        let finish = async {
            self.requests.close();
            self.requests.wait().await;
            self.outbox.flushed().await;
        };
        let limits = &self.parts.limits;
        if tokio::time::timeout(limits.drain_time, finish)
            .await
            .is_err()
        {
            let left = self.requests.len();
            tracing::warn!(left, "requests were cut off (setting `drain.grace`)");
        }
        tokio::time::sleep(limits.linger_time).await;
    }

    /// Returns when nothing was heard for `server.idle_time` and nothing is being worked at.
    async fn idle(&self, heard: &Heard) {
        let idle_time = self.parts.limits.idle_time;
        loop {
            let silence = heard.silence();
            if silence >= idle_time && self.requests.is_empty() {
                return;
            }
            let pause = idle_time.saturating_sub(silence);
            tokio::time::sleep(pause.max(Duration::from_millis(100))).await;
        }
    }

    async fn read(&self, reader: &mut FrameReader, running: &mut Running) -> Result<()> {
        while let Some(frame) = reader.next(|_, _| None).await? {
            match frame.kind {
                Kind::Request => self.request(frame, running)?,
                Kind::Cancel => running.cancel(frame.stream),
                Kind::Hello | Kind::Answer | Kind::Goodbye => {
                    return Err(Error::corrupt("a frame that only a server sends"));
                }
            }
        }
        Ok(())
    }

    fn request(&self, frame: Frame, running: &mut Running) -> Result<()> {
        let now_ns = self.parts.ambient.monotonic_ns();
        let request: message::Request = frame.decode()?;
        let until = Deadline::after(now_ns, Duration::from_nanos(request.remaining_ns));
        let answering = Answering::new(self, frame.stream, now_ns);
        let payload = frame.payload.into_bytes();
        let uploads = &mut running.uploads;
        match request.operation {
            // These are part of what is already in flight, and are taken while draining too.
            Some(Operation::Ping(_)) => answering.now(Outcome::Done(message::Empty {})),
            Some(Operation::UploadPiece(to)) => uploads.piece(to.token, payload, answering),
            Some(Operation::UploadCommit(of)) => uploads.commit(of.token, answering),
            Some(Operation::UploadAbort(of)) => uploads.abort(of.token, answering),
            Some(operation) => match (self.refusal(), operation) {
                (Some(error), _) => answering.error(&error),
                (None, Operation::UploadBegin(begin)) => uploads.begin(self, begin, answering),
                (None, operation) => {
                    let ask = (payload, until, answering);
                    self.start(running, frame.stream, operation, ask)?;
                }
            },
            None => answering.error(&Error::invalid("an operation that this node does not know")),
        }
        Ok(())
    }

    /// Why no new request is taken now; nothing has run then.
    fn refusal(&self) -> Option<Error> {
        let limits = &self.parts.limits;
        if self.stop.is_cancelled() {
            let node = &self.parts.identity.node;
            return Some(Error::unavailable(format!(
                "node `{node}` is shutting down"
            )));
        }
        // A client takes a slot again as soon as it has the answer, which is a little before the task is gone.
        let limit = usize::try_from(limits.in_flight_max).expect("32 bits fit a usize") * 2;
        (self.requests.len() >= limit).then(|| {
            Error::busy(format!(
                "more than {} requests in flight on one connection (setting `server.in_flight`)",
                limits.in_flight_max
            ))
        })
    }

    fn start(
        &self,
        running: &mut Running,
        stream: u64,
        operation: Operation,
        (payload, until, answering): (Bytes, Deadline, Answering),
    ) -> Result<()> {
        let slot = slot_of(stream);
        if slot >= self.parts.limits.in_flight_max {
            return Err(Error::corrupt(format!(
                "stream {stream} is beyond the {} that were agreed (setting `server.in_flight`)",
                self.parts.limits.in_flight_max
            )));
        }
        let parts = self.parts.clone();
        let request = self.requests.spawn(async move {
            let outcome = run(&parts, operation, payload, until).await;
            answering.finish(outcome).await;
        });
        running.put(stream, request.abort_handle());
        Ok(())
    }
}

impl Running {
    fn put(&mut self, stream: u64, request: AbortHandle) {
        let slot = usize::try_from(slot_of(stream)).expect("32 bits fit a usize");
        if self.by_slot.len() <= slot {
            self.by_slot.resize_with(slot + 1, || None);
        }
        self.by_slot[slot] = Some((stream, request));
    }

    fn cancel(&mut self, stream: u64) {
        let slot = usize::try_from(slot_of(stream)).expect("32 bits fit a usize");
        if let Some(entry) = self.by_slot.get_mut(slot)
            && let Some((_, request)) = entry.take_if(|(running, _)| *running == stream)
        {
            request.abort();
        }
    }
}
