//! Uploads that other nodes have begun on one connection.
//!
//! Each has a task that takes its pieces in the order of their frames, so that a client may send the next before the last is
//! acknowledged. The uploads end with the connection: an upload whose client has gone leaves no trace.

use crate::answering::{Answering, Done};
use crate::dispatch::store;
use crate::objects::{meta_to_wire, object_from_wire, options_from_wire};
use crate::server::ServerParts;
use crate::session::Session;
use bytes::Bytes;
use ganglion_store::ObjectUpload;
use ganglion_types::{Error, Result};
use ganglion_wire::message::{self, answer::Outcome};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc::{self, error::TrySendError};

/// Pieces of one upload that may wait here; a client keeps fewer in flight (`link.pieces`).
const PIECES_WAITING_MAX: usize = 16;

enum Step {
    Piece(Bytes, Answering),
    Commit(Answering),
}

#[derive(Default)]
pub(crate) struct HostedUploads {
    last_token: u64,
    steps: HashMap<u64, mpsc::Sender<Step>>,
}

impl HostedUploads {
    /// Starts an upload; its task answers with the token.
    pub(crate) fn begin(
        &mut self,
        session: &Session,
        begin: message::UploadBegin,
        answering: Answering,
    ) {
        self.steps.retain(|_, steps| !steps.is_closed());
        let limit = session.parts.limits.uploads_max;
        if self.steps.len() >= limit {
            answering.error(&Error::busy(format!(
                "{limit} uploads are open on this connection, the limit (setting `server.uploads`)"
            )));
            return;
        }
        self.last_token += 1;
        let (sender, steps) = mpsc::channel(PIECES_WAITING_MAX);
        self.steps.insert(self.last_token, sender);
        let token = self.last_token;
        let parts = session.parts.clone();
        session
            .requests
            .spawn(host(parts, begin, token, (answering, steps)));
    }

    /// Passes a piece on.
    pub(crate) fn piece(&mut self, token: u64, piece: Bytes, answering: Answering) {
        self.pass(token, Step::Piece(piece, answering));
    }

    /// Ends an upload by making it visible.
    pub(crate) fn commit(&mut self, token: u64, answering: Answering) {
        self.pass(token, Step::Commit(answering));
        self.steps.remove(&token);
    }

    /// Ends an upload by forgetting it.
    pub(crate) fn abort(&mut self, token: u64, answering: Answering) {
        self.steps.remove(&token);
        answering.now(Outcome::Done(message::Empty {}));
    }

    fn pass(&mut self, token: u64, step: Step) {
        let unknown = || Error::not_found(format!("there is no upload {token} on this connection"));
        let (step, error) = match self.steps.get(&token) {
            None => (step, unknown()),
            Some(steps) => match steps.try_send(step) {
                Ok(()) => return,
                Err(TrySendError::Closed(step)) => (step, unknown()),
                Err(TrySendError::Full(step)) => {
                    // A piece is missing now: nothing may be committed behind it.
                    self.steps.remove(&token);
                    (
                        step,
                        Error::invalid(format!(
                            "more than {PIECES_WAITING_MAX} pieces of one upload in flight"
                        )),
                    )
                }
            },
        };
        let (Step::Piece(_, answering) | Step::Commit(answering)) = step;
        answering.error(&error);
    }
}

/// The task of one upload.
async fn host(
    parts: Arc<ServerParts>,
    begin: message::UploadBegin,
    token: u64,
    (answering, mut steps): (Answering, mpsc::Receiver<Step>),
) {
    let mut upload = match start(&parts, begin).await {
        Ok(upload) => {
            answering
                .finish(Ok(Done::of(Outcome::UploadToken(token))))
                .await;
            upload
        }
        Err(error) => return answering.finish(Err(error)).await,
    };
    let mut failed = None;
    while let Some(step) = steps.recv().await {
        match step {
            Step::Piece(piece, answering) => {
                // After a piece that failed there is a hole: the rest, and the commit, fail with it.
                let written = match failed.clone() {
                    None => upload.write(piece).await,
                    Some(error) => Err(error),
                };
                failed = written.as_ref().err().cloned();
                let done = written.map(|()| Done::of(Outcome::Done(message::Empty {})));
                answering.finish(done).await;
            }
            Step::Commit(answering) => {
                let committed = match failed {
                    None => upload.commit().await,
                    Some(error) => Err(error),
                };
                let done = committed.map(|meta| Done::of(Outcome::Meta(meta_to_wire(&meta))));
                return answering.finish(done).await;
            }
        }
    }
}

async fn start(parts: &ServerParts, begin: message::UploadBegin) -> Result<Box<dyn ObjectUpload>> {
    let key = object_from_wire(begin.object)?;
    let options = options_from_wire(begin.options)?;
    store(parts)?.upload(&key, options).await
}
