//! Request bodies, with a limit: whole for calls and modules, in pieces for objects.

use crate::app::App;
use crate::problem::Problem;
use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use ganglion_store::{CommitId, ObjectMeta, ObjectStore, PutOptions};
use ganglion_types::{Error, ObjectKey};
use hyper::body::Body as _;

/// Pieces in which objects cross the gateway: large enough for large pages, small enough for a thousand at once.
pub(crate) const PIECE_BYTES: usize = 2 << 20;

/// The most that a body may have, and the setting that says so.
#[derive(Clone, Copy)]
pub(crate) struct BodyLimit {
    pub(crate) bytes_max: u64,
    pub(crate) setting: &'static str,
}

impl BodyLimit {
    fn refusal(self) -> Problem {
        Problem::too_large(Error::invalid(format!(
            "the request body is larger than {} bytes (setting {})",
            self.bytes_max, self.setting
        )))
    }

    fn check(self, bytes: u64) -> Result<(), Problem> {
        if bytes > self.bytes_max {
            Err(self.refusal())
        } else {
            Ok(())
        }
    }
}

impl App {
    /// A name for a write that is no guest's: by it a store that got no answer finds out whether the write took place, and it
    /// keeps the names of effects that were there before.
    pub(crate) fn own_effect(&self) -> CommitId {
        CommitId {
            call: self.call_ids.next(),
            sequence: 0,
        }
    }

    /// The limit of an uploaded module.
    pub(crate) fn module_limit(&self) -> BodyLimit {
        BodyLimit {
            bytes_max: self.settings.module_bytes_max,
            setting: "limits.module",
        }
    }

    /// The limit of an object.
    pub(crate) fn object_limit(&self) -> BodyLimit {
        BodyLimit {
            bytes_max: self.settings.object_bytes_max,
            setting: "limits.object",
        }
    }

    /// The limit of a call's input.
    pub(crate) fn input_limit(&self) -> BodyLimit {
        BodyLimit {
            bytes_max: self.settings.input_bytes_max,
            setting: "limits.input",
        }
    }
}

/// A body that came apart on its way.
fn broken(error: &axum::Error) -> Problem {
    Problem::from(Error::invalid(format!(
        "the request body broke off: {error}"
    )))
}

/// The whole body. One that announces too many bytes is refused unread; one that comes in a single frame is not copied.
pub(crate) async fn collect(body: Body, limit: BodyLimit) -> Result<Bytes, Problem> {
    let announced = body.size_hint().lower();
    limit.check(announced)?;
    let mut frames = body.into_data_stream();
    let Some(first) = next(&mut frames).await? else {
        return Ok(Bytes::new());
    };
    limit.check(first.len() as u64)?;
    if first.len() as u64 == announced {
        return Ok(first);
    }
    let capacity = usize::try_from(announced).unwrap_or(0).max(first.len());
    let mut whole = BytesMut::with_capacity(capacity);
    whole.extend_from_slice(&first);
    while let Some(frame) = next(&mut frames).await? {
        limit.check(whole.len() as u64 + frame.len() as u64)?;
        whole.extend_from_slice(&frame);
    }
    Ok(whole.freeze())
}

async fn next(frames: &mut BodyDataStream) -> Result<Option<Bytes>, Problem> {
    frames.next().await.transpose().map_err(|e| broken(&e))
}

/// Writes a body as an object, holding at most two pieces of it. A body that breaks off leaves no trace.
pub(crate) async fn store(
    body: Body,
    limit: BodyLimit,
    store: &dyn ObjectStore,
    key: &ObjectKey,
    options: PutOptions,
) -> Result<ObjectMeta, Problem> {
    let announced = body.size_hint().exact();
    limit.check(announced.unwrap_or(0))?;
    if announced.is_some_and(|bytes| bytes <= PIECE_BYTES as u64) {
        let whole = collect(body, limit).await?;
        return Ok(store.put(key, whole, options).await?);
    }
    let mut upload = store.upload(key, options).await?;
    let mut frames = body.into_data_stream();
    let (mut piece, mut total) = (BytesMut::new(), 0);
    while let Some(frame) = next(&mut frames).await? {
        total += frame.len() as u64;
        limit.check(total)?;
        if piece.capacity() == 0 {
            // A frame more than a piece, so that filling it never moves what it holds.
            piece.reserve(PIECE_BYTES + frame.len());
        }
        piece.extend_from_slice(&frame);
        if piece.len() >= PIECE_BYTES {
            upload.write(piece.split().freeze()).await?;
            piece = BytesMut::new();
        }
    }
    if !piece.is_empty() {
        upload.write(piece.freeze()).await?;
    }
    Ok(upload.commit().await?)
}
