//! An object written in pieces: gathered in memory, and put by one write at the commit.

use super::Shared;
use super::object::Object;
use crate::{ObjectMeta, ObjectUpload, PutOptions};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use ganglion_types::{ObjectKey, Result};
use std::sync::Arc;

pub(super) struct RadosUpload {
    shared: Arc<Shared>,
    key: ObjectKey,
    options: PutOptions,
    pieces: Vec<Bytes>,
    size_bytes: u64,
}

impl RadosUpload {
    pub(super) fn new(shared: Arc<Shared>, key: ObjectKey, options: PutOptions) -> Self {
        Self {
            shared,
            key,
            options,
            pieces: Vec::new(),
            size_bytes: 0,
        }
    }
}

#[async_trait]
impl ObjectUpload for RadosUpload {
    async fn write(&mut self, piece: Bytes) -> Result<()> {
        let size_bytes = self.size_bytes + piece.len() as u64;
        let limit = self.shared.options.size_limit();
        limit.check(&self.key, size_bytes)?;
        self.size_bytes = size_bytes;
        self.pieces.push(piece);
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<ObjectMeta> {
        let body = joined(std::mem::take(&mut self.pieces));
        let object = Object::new(&self.shared, &self.key)?;
        object.put(body, self.options).await
    }
}

/// The pieces as one; a single one is not copied.
fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() == 1 {
        return pieces.remove(0);
    }
    let mut body = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces
        .iter()
        .for_each(|piece| body.extend_from_slice(piece));
    body.freeze()
}
