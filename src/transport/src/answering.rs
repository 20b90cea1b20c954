//! The duty to answer one request.

use crate::outbox::{Outbox, Outgoing, Refusal};
use crate::parts::Parts;
use crate::server::ServerParts;
use crate::session::Session;
use bytes::Bytes;
use ganglion_types::{Error, Load, Result};
use ganglion_wire::Kind;
use ganglion_wire::message::{self, answer::Outcome};
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// What came of a request: the outcome, its payload, and the load where the outcome brings its own.
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) payload: Parts,
    pub(crate) load: Option<Load>,
}

impl Done {
    pub(crate) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            payload: Parts::new(),
            load: None,
        }
    }
}

/// Answers once. When it is dropped in a panic, it answers that.
pub(crate) struct Answering {
    parts: Arc<ServerParts>,
    outbox: Arc<Outbox>,
    requests: TaskTracker,
    stream: u64,
    begun_ns: u64,
}

impl Answering {
    pub(crate) fn new(session: &Session, stream: u64, begun_ns: u64) -> Self {
        Self {
            parts: session.parts.clone(),
            outbox: session.outbox.clone(),
            requests: session.requests.clone(),
            stream,
            begun_ns,
        }
    }

    fn message(&self, outcome: Outcome, load: Option<Load>) -> message::Answer {
        let load = load.unwrap_or_else(|| (self.parts.load)());
        let busy_ns = self
            .parts
            .ambient
            .monotonic_ns()
            .saturating_sub(self.begun_ns);
        message::Answer {
            load: Some(load.into()),
            busy_ns,
            outcome: Some(outcome),
        }
    }

    fn frame<'a>(
        &self,
        message: &'a message::Answer,
        payload: &'a [Bytes],
    ) -> Outgoing<'a, message::Answer> {
        Outgoing {
            kind: Kind::Answer,
            stream: self.stream,
            message,
            payload,
            alone: self.requests.len() <= 1,
        }
    }

    /// Answers with what came of it, after waiting for room.
    pub(crate) async fn finish(self, done: Result<Done>) {
        let done = done.unwrap_or_else(|error| Done::of(Outcome::Error((&error).into())));
        if self.stream == 0 {
            return;
        }
        let answer = self.message(done.outcome, done.load);
        let sent = self.outbox.send(&self.frame(&answer, &done.payload)).await;
        if let Err(Refusal::Frame(error)) = sent {
            // It ran, but what came of it cannot be told: this must not look like a refusal.
            let error = Error::internal(format!("the answer does not fit a frame: {error}"));
            self.error(&error);
        }
    }

    /// Answers with an error, at once.
    pub(crate) fn error(self, error: &Error) {
        self.now(Outcome::Error(error.into()));
    }

    /// Answers with a small outcome, at once; when not even that finds room the other end does not read, and will not miss it.
    pub(crate) fn now(self, outcome: Outcome) {
        self.push(outcome);
    }

    fn push(&self, outcome: Outcome) {
        let answer = self.message(outcome, None);
        if self.stream != 0
            && let Err(refusal) = self.outbox.push(&self.frame(&answer, &[]))
        {
            tracing::debug!(stream = self.stream, ?refusal, "an answer was not sent");
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = Error::internal("the request's task panicked");
            self.push(Outcome::Error((&error).into()));
        }
    }
}
