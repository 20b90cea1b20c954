//! The client's end of one connection: requests go out, answers find whoever waits.

use crate::failure::Failure;
use crate::outbox::{Outbox, Outgoing, Refusal};
use crate::parts::Parts;
use crate::slots::{Reply, Slots};
use bytes::BytesMut;
use ganglion_types::{Ambient, Deadline, Error};
use ganglion_wire::message::{self, request::Operation};
use ganglion_wire::{FrameLimits, Kind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{Semaphore, TryAcquireError, oneshot};

/// The stream of heartbeats; no slot has this number.
pub(crate) const PING_STREAM: u64 = u64::MAX;

/// What is asked of the other end.
pub(crate) struct Ask {
    pub(crate) operation: Operation,
    pub(crate) payload: Parts,
    /// Where a large payload of the answer is to be read to.
    pub(crate) place: Option<BytesMut>,
}

impl Ask {
    /// With nothing but the message.
    pub(crate) fn of(operation: Operation) -> Self {
        Self {
            operation,
            payload: Parts::new(),
            place: None,
        }
    }
}

pub(crate) struct Connection {
    /// "storage-1 at 10.0.0.1:7000".
    pub(crate) name: String,
    pub(crate) outbox: Outbox,
    pub(crate) slots: Slots,
    permits: Semaphore,
    in_flight_max: u32,
    ambient: Arc<dyn Ambient>,
    pub(crate) pinged_ns: AtomicU64,
}

impl Connection {
    pub(crate) fn new(
        name: String,
        (socket, limits, queue_bytes_max): (OwnedWriteHalf, FrameLimits, usize),
        in_flight_max: u32,
        ambient: Arc<dyn Ambient>,
    ) -> Self {
        Self {
            name,
            outbox: Outbox::new(socket, limits, queue_bytes_max),
            slots: Slots::default(),
            permits: Semaphore::new(usize::try_from(in_flight_max).expect("32 bits fit a usize")),
            in_flight_max,
            ambient,
            pinged_ns: AtomicU64::new(0),
        }
    }

    /// Queues a request, after waiting for its turn (`link.in_flight`) and for room (`link.queue`), at most until `until`.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        ask: Ask,
        until: Deadline,
    ) -> Result<Pending, Failure> {
        self.take_permit(until).await?;
        // From here on the permit and the slot are the pending request's to give back, also when this future is dropped.
        let Some((stream, told)) = self.slots.insert(ask.place) else {
            self.permits.add_permits(1);
            return Err(self.lost(false));
        };
        let mut pending = Pending {
            connection: self.clone(),
            stream,
            told,
            end: None,
        };
        let remaining = until.remaining(self.ambient.monotonic_ns());
        let request = message::Request {
            remaining_ns: u64::try_from(remaining.as_nanos()).unwrap_or(u64::MAX),
            operation: Some(ask.operation),
        };
        let frame = Outgoing {
            kind: Kind::Request,
            stream,
            message: &request,
            payload: &ask.payload,
            alone: self.is_alone(),
        };
        let pushed = match self.outbox.push(&frame) {
            Err(Refusal::Full) => tokio::time::timeout(remaining, self.outbox.send(&frame))
                .await
                .unwrap_or(Err(Refusal::Full)),
            done => done,
        };
        match pushed {
            Ok(end) => pending.end = Some(end),
            Err(Refusal::Closed) => return Err(self.lost(false)),
            Err(refusal) => return Err(Failure::Told(Error::from(refusal).within(&self.name))),
        }
        Ok(pending)
    }

    async fn take_permit(&self, until: Deadline) -> Result<(), Failure> {
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => return Err(self.lost(false)),
            Err(TryAcquireError::NoPermits) => {
                let remaining = until.remaining(self.ambient.monotonic_ns());
                match tokio::time::timeout(remaining, self.permits.acquire()).await {
                    Ok(permit) => permit.map_err(|_| self.lost(false))?,
                    Err(_) => {
                        return Err(Failure::Told(Error::busy(format!(
                            "{} requests are in flight to {}, the limit (setting `link.in_flight`)",
                            self.in_flight_max, self.name
                        ))));
                    }
                }
            }
        };
        permit.forget();
        Ok(())
    }

    /// Whether the request that has just taken its permit is the only one.
    fn is_alone(&self) -> bool {
        let max = usize::try_from(self.in_flight_max).expect("32 bits fit a usize");
        self.permits.available_permits() + 1 >= max
    }

    /// Sends a heartbeat; one that finds no room is not needed, for then there is traffic.
    pub(crate) fn ping(&self) {
        self.pinged_ns
            .store(self.ambient.monotonic_ns(), Ordering::Relaxed);
        self.tell(PING_STREAM, Operation::Ping(message::Empty {}));
    }

    /// Sends a request whose answer nobody waits for. It is dropped when there is no room or no connection.
    pub(crate) fn tell(&self, stream: u64, operation: Operation) {
        let request = message::Request {
            remaining_ns: 0,
            operation: Some(operation),
        };
        let frame = Outgoing {
            kind: Kind::Request,
            stream,
            message: &request,
            payload: &[],
            alone: false,
        };
        if let Err(refusal) = self.outbox.push(&frame) {
            tracing::debug!(peer = %self.name, ?refusal, "a notice was not sent");
        }
    }

    /// Ends everything that waits on this connection. The writer has to be gone: what it has written is final then.
    pub(crate) fn close(&self) {
        self.outbox.close();
        self.permits.close();
        self.slots.close();
    }

    fn lost(&self, left: bool) -> Failure {
        Failure::Lost {
            why: format!("the connection to {} was lost", self.name),
            left,
        }
    }
}

/// A request on its way. Dropping it takes the request back.
pub(crate) struct Pending {
    connection: Arc<Connection>,
    stream: u64,
    told: oneshot::Receiver<Reply>,
    /// Where the request ends in the stream of bytes, once it is queued.
    end: Option<u64>,
}

impl Pending {
    /// The answer, whatever it says, if it comes by `until`.
    pub(crate) async fn wait(mut self, until: Deadline) -> Result<Reply, Failure> {
        let remaining = until.remaining(self.connection.ambient.monotonic_ns());
        match tokio::time::timeout(remaining, &mut self.told).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => {
                let written = self.connection.outbox.written();
                Err(self
                    .connection
                    .lost(self.end.is_some_and(|end| end <= written)))
            }
            Err(_) => Err(Failure::Late(format!(
                "no answer from {} in time",
                self.connection.name
            ))),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.connection.slots.forget(self.stream) && self.end.is_some() {
            self.connection.outbox.signal(Kind::Cancel, self.stream);
        }
        self.connection.permits.add_permits(1);
    }
}
