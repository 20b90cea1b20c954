//! An object on its way to another node in pieces.

use crate::connection::{Ask, Connection, Pending};
use crate::failure::Failure;
use crate::link::{Link, succeeded};
use crate::objects::{meta_from_wire, options_to_wire};
use crate::parts::one;
use crate::peer::unexpected;
use async_trait::async_trait;
use bytes::Bytes;
use ganglion_store::{ObjectMeta, ObjectUpload, PutOptions};
use ganglion_types::{Deadline, ObjectKey, Result};
use ganglion_wire::message::{self, answer::Outcome, request::Operation};
use std::collections::VecDeque;
use std::sync::Arc;

/// An upload belongs to the connection that it began on: when that is lost, the other node forgets it.
pub(crate) struct RemoteUpload {
    link: Arc<Link>,
    connection: Arc<Connection>,
    token: u64,
    /// Pieces that are not yet acknowledged, `link.pieces` at most.
    in_flight: VecDeque<(Pending, Deadline)>,
    committed: bool,
}

impl RemoteUpload {
    pub(crate) async fn begin(
        link: Arc<Link>,
        key: &ObjectKey,
        options: PutOptions,
    ) -> Result<Self, Failure> {
        let until = link.request_deadline();
        let connection = link.connection(until).await?;
        let ask = Ask::of(Operation::UploadBegin(message::UploadBegin {
            object: Some(key.into()),
            options: Some(options_to_wire(options)),
        }));
        let pending = connection.begin(ask, until).await?;
        match succeeded(pending.wait(until).await?)?.answer.outcome {
            Some(Outcome::UploadToken(token)) => Ok(Self {
                link,
                connection,
                token,
                in_flight: VecDeque::new(),
                committed: false,
            }),
            _ => Err(Failure::Told(unexpected(&link))),
        }
    }

    /// Sends `body` in pieces of at most `link.piece`.
    pub(crate) async fn append(&mut self, mut body: Bytes) -> Result<(), Failure> {
        let settings = self.link.settings();
        let piece_bytes = usize::try_from(settings.piece_bytes).expect("32 bits fit a usize");
        let window = settings.pieces_in_flight.max(1);
        while !body.is_empty() {
            while self.in_flight.len() >= window {
                self.acknowledged().await?;
            }
            let piece = body.split_to(piece_bytes.clamp(1, body.len()));
            let until = self.link.request_deadline();
            let token = self.token;
            let ask = Ask {
                operation: Operation::UploadPiece(message::UploadPiece { token }),
                payload: one(piece),
                place: None,
            };
            let pending = self.connection.begin(ask, until).await?;
            self.in_flight.push_back((pending, until));
        }
        Ok(())
    }

    /// Waits for the oldest piece.
    async fn acknowledged(&mut self) -> Result<(), Failure> {
        if let Some((pending, until)) = self.in_flight.pop_front() {
            succeeded(pending.wait(until).await?)?;
        }
        Ok(())
    }

    /// Waits for all pieces.
    pub(crate) async fn settle(&mut self) -> Result<(), Failure> {
        while !self.in_flight.is_empty() {
            self.acknowledged().await?;
        }
        Ok(())
    }

    /// Makes the object visible.
    pub(crate) async fn finish(&mut self) -> Result<ObjectMeta, Failure> {
        self.settle().await?;
        let until = self.link.request_deadline();
        let token = self.token;
        let ask = Ask::of(Operation::UploadCommit(message::UploadCommit { token }));
        let pending = self.connection.begin(ask, until).await?;
        self.committed = true;
        match succeeded(pending.wait(until).await?)?.answer.outcome {
            Some(Outcome::Meta(meta)) => Ok(meta_from_wire(&meta)),
            _ => Err(Failure::Told(unexpected(&self.link))),
        }
    }
}

#[async_trait]
impl ObjectUpload for RemoteUpload {
    async fn write(&mut self, piece: Bytes) -> Result<()> {
        // Nothing is visible before the commit: a piece that is lost has had no effect.
        self.append(piece).await.map_err(Failure::of_read)
    }

    async fn commit(mut self: Box<Self>) -> Result<ObjectMeta> {
        self.settle().await.map_err(Failure::of_read)?;
        self.finish().await.map_err(Failure::of_effect)
    }
}

impl Drop for RemoteUpload {
    fn drop(&mut self) {
        if !self.committed {
            let token = self.token;
            let abort = Operation::UploadAbort(message::UploadAbort { token });
            self.connection.tell(0, abort);
        }
    }
}
