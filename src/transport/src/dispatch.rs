//! What each request does.

use crate::answering::Done;
use crate::objects::{
    condition_from_wire, meta_to_wire, object_from_wire, options_from_wire, page_to_wire,
};
use crate::parts::one;
use crate::server::ServerParts;
use bytes::Bytes;
use ganglion_store::{ByteRange, ObjectStore, Version};
use ganglion_types::{Bucket, Deadline, Error, Executor, Key, Result};
use ganglion_wire::message::{self, answer::Outcome, request::Operation};
use ganglion_wire::{batched_parts, executed_parts, offloaded_parts};
use std::sync::Arc;

/// Keys in one answer: with the longest keys they fill half of the default `link.message`.
const LIST_PAGE_MAX: u32 = 512;

pub(crate) fn store(parts: &ServerParts) -> Result<&Arc<dyn ObjectStore>> {
    let node = &parts.identity.node;
    let none = || Error::unavailable(format!("node `{node}` holds no objects"));
    parts.store.as_ref().ok_or_else(none)
}

pub(crate) async fn run(
    parts: &ServerParts,
    operation: Operation,
    payload: Bytes,
    until: Deadline,
) -> Result<Done> {
    let outcome = match operation {
        Operation::Execute(execute) => return run_call(parts, execute, payload, until).await,
        Operation::Offload(offload) => return go_on(parts, *offload, payload, until).await,
        Operation::Batch(batch) => return run_batch(parts, *batch, payload, until).await,
        Operation::Get(get) => return read(parts, get).await,
        Operation::Put(put) => {
            let key = object_from_wire(put.object)?;
            let options = options_from_wire(put.options)?;
            let meta = store(parts)?.put(&key, payload, options).await?;
            Outcome::Meta(meta_to_wire(&meta))
        }
        Operation::Stat(stat) => {
            let meta = store(parts)?.stat(&object_from_wire(stat.object)?).await?;
            Outcome::Meta(meta_to_wire(&meta))
        }
        Operation::Delete(delete) => {
            let key = object_from_wire(delete.object)?;
            let condition = condition_from_wire(delete.condition)?;
            store(parts)?.delete(&key, condition).await?;
            Outcome::Done(message::Empty {})
        }
        Operation::List(list) => Outcome::Page(page(parts, list).await?),
        Operation::Buckets(_) => {
            let buckets = store(parts)?.buckets().await?;
            let names = buckets.iter().map(|bucket| bucket.as_str().to_owned());
            Outcome::Buckets(message::BucketPage {
                buckets: names.collect(),
            })
        }
        Operation::Ping(_)
        | Operation::UploadBegin(_)
        | Operation::UploadPiece(_)
        | Operation::UploadCommit(_)
        | Operation::UploadAbort(_) => {
            return Err(Error::internal("an operation of the connection itself"));
        }
    };
    Ok(Done::of(outcome))
}

fn executor(parts: &ServerParts) -> Result<&Arc<dyn Executor>> {
    let node = &parts.identity.node;
    let none = || Error::unavailable(format!("node `{node}` runs no calls"));
    parts.executor.as_ref().ok_or_else(none)
}

async fn run_call(
    parts: &ServerParts,
    execute: message::Execute,
    input: Bytes,
    until: Deadline,
) -> Result<Done> {
    let call = execute.into_call(input, until)?;
    let answer = executed_parts(executor(parts)?.execute(call).await?);
    Ok(Done {
        outcome: Outcome::Executed(answer.executed),
        payload: answer.payload.into(),
        load: Some(answer.load),
    })
}

async fn run_batch(
    parts: &ServerParts,
    batch: message::Batch,
    input: Bytes,
    until: Deadline,
) -> Result<Done> {
    let batch = batch.into_batch(input, until)?;
    let answer = batched_parts(executor(parts)?.batch(batch).await?);
    Ok(Done {
        outcome: Outcome::Batched(answer.batched),
        payload: answer.payload.into(),
        load: Some(answer.load),
    })
}

async fn go_on(
    parts: &ServerParts,
    offload: message::Offload,
    payload: Bytes,
    until: Deadline,
) -> Result<Done> {
    // The caller knows the link; this end does not.
    let packing = offload.packing();
    let offload = offload.into_offload(payload, until)?;
    let answer = offloaded_parts(executor(parts)?.offload(offload).await?, packing)?;
    let payload = answer.payload.into_iter().chain(answer.pages);
    Ok(Done {
        outcome: Outcome::Offloaded(Box::new(answer.offloaded)),
        payload: payload.collect(),
        load: Some(answer.load),
    })
}

async fn read(parts: &ServerParts, get: message::ObjectGet) -> Result<Done> {
    let key = object_from_wire(get.object)?;
    let range = ByteRange {
        offset: get.offset,
        length: get.length,
    };
    let read = store(parts)?
        .get(&key, range, get.if_version.map(Version))
        .await?;
    Ok(Done {
        outcome: Outcome::Meta(meta_to_wire(&read.meta)),
        payload: one(read.bytes),
        load: None,
    })
}

async fn page(parts: &ServerParts, list: message::ObjectList) -> Result<message::ListPage> {
    let bucket = Bucket::new(list.bucket)?;
    let after = list.after.map(Key::new).transpose()?;
    let limit = usize::try_from(list.limit.min(LIST_PAGE_MAX)).expect("32 bits fit a usize");
    let page = store(parts)?
        .list(&bucket, &list.prefix, after.as_ref(), limit)
        .await?;
    Ok(page_to_wire(&page))
}
