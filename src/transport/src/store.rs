//! The objects of a node on the other side of a link.

use crate::connection::Ask;
use crate::failure::Failure;
use crate::link::{Link, succeeded};
use crate::objects::{condition_to_wire, meta_from_wire, options_to_wire, page_from_wire};
use crate::parts::one;
use crate::peer::unexpected;
use crate::slots::Reply;
use crate::upload::RemoteUpload;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use ganglion_store::{
    ByteRange, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload, ObjectView,
    PutOptions, Version,
};
use ganglion_types::{Bucket, Error, ErrorKind, Key, NodeId, ObjectKey, Result};
use ganglion_wire::Payload;
use ganglion_wire::message::{self, answer::Outcome, request::Operation};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How often a whole read begins anew because the object was replaced meanwhile.
const REPLACED_MAX: usize = 3;
/// Longest listing, as the trait says.
const LIST_MAX: usize = 10_000;

/// A remote node's own objects.
///
/// Reads, looks and lists are repeated once when the connection breaks; so is a put with a commit id. Every other write is
/// `Indeterminate` then.
pub struct RemoteStore {
    link: Arc<Link>,
    node: NodeId,
}

impl RemoteStore {
    /// The objects of `node` over `link`.
    pub fn new(link: Arc<Link>, node: NodeId) -> Self {
        Self { link, node }
    }

    fn piece_bytes(&self) -> u64 {
        u64::from(self.link.settings().piece_bytes)
    }

    fn meta_of(&self, outcome: Option<Outcome>) -> Result<ObjectMeta> {
        match outcome {
            Some(Outcome::Meta(meta)) => Ok(meta_from_wire(&meta)),
            _ => Err(unexpected(&self.link)),
        }
    }

    fn read_of(&self, reply: Reply) -> Result<(ObjectMeta, Payload)> {
        Ok((self.meta_of(reply.answer.outcome)?, reply.payload))
    }

    async fn put_whole(
        &self,
        key: &ObjectKey,
        body: &Bytes,
        options: PutOptions,
    ) -> Result<ObjectMeta, Failure> {
        let ask = Ask {
            operation: Operation::Put(message::ObjectPut {
                object: Some(key.into()),
                options: Some(options_to_wire(options)),
            }),
            payload: one(body.clone()),
            place: None,
        };
        let until = self.link.request_deadline();
        let reply = self.link.ask(ask, until, Duration::ZERO).await?;
        self.meta_of(reply.answer.outcome).map_err(Failure::Told)
    }

    async fn put_in_pieces(
        &self,
        key: &ObjectKey,
        body: &Bytes,
        options: PutOptions,
    ) -> Result<ObjectMeta, Failure> {
        let begun_ns = self.link.now_ns();
        let mut upload = RemoteUpload::begin(self.link.clone(), key, options).await?;
        upload.append(body.clone()).await?;
        upload.settle().await?;
        let elapsed_ns = self.link.now_ns().saturating_sub(begun_ns);
        let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        self.link.observe(bytes, Duration::from_nanos(elapsed_ns));
        upload.finish().await
    }

    async fn put_once(
        &self,
        key: &ObjectKey,
        body: &Bytes,
        options: PutOptions,
    ) -> Result<ObjectMeta, Failure> {
        if u64::try_from(body.len()).is_ok_and(|bytes| bytes <= self.piece_bytes()) {
            self.put_whole(key, body, options).await
        } else {
            self.put_in_pieces(key, body, options).await
        }
    }

    async fn get_piece(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<(ObjectMeta, Payload)> {
        let make = || Ask::of(get_operation(key, range, if_version));
        let reply = self.link.ask_twice(make).await.map_err(Failure::of_read)?;
        self.read_of(reply)
    }

    /// The first piece tells how long the object is; the others are then read side by side, each straight into its place.
    async fn get_in_pieces(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<ObjectRead> {
        let first = ByteRange {
            length: range.length.min(self.piece_bytes()),
            ..range
        };
        let (meta, payload) = self.get_piece(key, first, if_version).await?;
        let wanted = range.within(meta.size_bytes);
        if wanted.length <= first.length {
            let bytes = payload.into_bytes();
            return Ok(ObjectRead { meta, bytes });
        }
        let total = usize::try_from(wanted.length).map_err(|_| {
            Error::invalid(format!("{key} has more bytes than this host can address"))
        })?;
        let mut whole = BytesMut::with_capacity(total);
        whole.extend_from_slice(&payload.into_bytes());
        let begun_ns = self.link.now_ns();
        let rest = whole.split_off(whole.len());
        let from = wanted.offset + first.length;
        let rest_bytes = wanted.length - first.length;
        let rest = self
            .get_rest(key, (from, rest_bytes), meta.version, rest)
            .await?;
        let elapsed_ns = self.link.now_ns().saturating_sub(begun_ns);
        self.link
            .observe(rest_bytes, Duration::from_nanos(elapsed_ns));
        whole.unsplit(rest);
        let bytes = whole.freeze();
        Ok(ObjectRead { meta, bytes })
    }

    /// Reads `length` bytes from `from` on into `space`, `link.pieces` pieces at a time.
    async fn get_rest(
        &self,
        key: &ObjectKey,
        (mut from, length): (u64, u64),
        version: Version,
        mut space: BytesMut,
    ) -> Result<BytesMut> {
        let end = from + length;
        let mut filled = space.split_to(0);
        let mut in_flight = VecDeque::new();
        loop {
            while from < end && in_flight.len() < self.link.settings().pieces_in_flight.max(1) {
                let length = self.piece_bytes().min(end - from);
                let bytes = usize::try_from(length).expect("a piece's length has 32 bits");
                let range = ByteRange {
                    offset: from,
                    length,
                };
                let later = space.split_off(bytes.min(space.capacity()));
                let place = std::mem::replace(&mut space, later);
                let ask = Ask {
                    place: Some(place),
                    ..Ask::of(get_operation(key, range, Some(version)))
                };
                let until = self.link.request_deadline();
                in_flight.push_back((range, until, self.link.begin(ask, until).await));
                from += length;
            }
            let Some((range, until, begun)) = in_flight.pop_front() else {
                return Ok(filled);
            };
            let reply = match begun {
                Ok(pending) => pending.wait(until).await.and_then(succeeded),
                Err(failure) => Err(failure),
            };
            let payload = match reply {
                Ok(reply) => self.read_of(reply)?.1,
                Err(Failure::Lost { .. }) => self.get_piece(key, range, Some(version)).await?.1,
                Err(failure) => return Err(failure.of_read()),
            };
            if u64::try_from(payload.len()) != Ok(range.length) {
                return Err(unexpected(&self.link));
            }
            join(&mut filled, payload);
        }
    }
}

/// Puts a piece behind the others: for nothing when it was read into its place.
fn join(filled: &mut BytesMut, payload: Payload) {
    match payload {
        Payload::Own(piece) => filled.unsplit(piece),
        Payload::Slice(piece) => filled.extend_from_slice(&piece),
    }
}

fn get_operation(key: &ObjectKey, range: ByteRange, if_version: Option<Version>) -> Operation {
    Operation::Get(message::ObjectGet {
        object: Some(key.into()),
        offset: range.offset,
        length: range.length,
        if_version: if_version.map(|version| version.0),
    })
}

#[async_trait]
impl ObjectStore for RemoteStore {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        let put = match self.put_once(key, &body, options).await {
            // The write carries its name: if the first one has taken place, the second finds it.
            Err(Failure::Lost { .. }) if options.commit.is_some() => {
                self.put_once(key, &body, options).await
            }
            done => done,
        };
        put.map_err(Failure::of_effect)
    }

    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        let begun = RemoteUpload::begin(self.link.clone(), key, options).await;
        Ok(Box::new(begun.map_err(Failure::of_read)?))
    }

    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<ObjectRead> {
        for _ in 1..REPLACED_MAX {
            match self.get_in_pieces(key, range, if_version).await {
                Err(error) if error.kind() == ErrorKind::Conflict && if_version.is_none() => {}
                done => return done,
            }
        }
        self.get_in_pieces(key, range, if_version).await
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        let object = || Some(key.into());
        let make = || Ask::of(Operation::Stat(message::ObjectStat { object: object() }));
        let reply = self.link.ask_twice(make).await.map_err(Failure::of_read)?;
        self.meta_of(reply.answer.outcome)
    }

    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        let ask = Ask::of(Operation::Delete(message::ObjectDelete {
            object: Some(key.into()),
            condition: condition_to_wire(condition),
        }));
        let until = self.link.request_deadline();
        let reply = self.link.ask(ask, until, Duration::ZERO).await;
        match reply.map_err(Failure::of_effect)?.answer.outcome {
            Some(Outcome::Done(_)) => Ok(()),
            _ => Err(unexpected(&self.link)),
        }
    }

    /// The other node gives as many keys as fit one message; this asks until there are `limit`.
    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        let limit = limit.min(LIST_MAX);
        let mut all = ListPage::default();
        loop {
            let behind = all.objects.last().map(|(key, _)| key).or(after);
            let operation = message::ObjectList {
                bucket: bucket.as_str().to_owned(),
                prefix: prefix.to_owned(),
                after: behind.map(|key| key.as_str().to_owned()),
                limit: u32::try_from(limit - all.objects.len()).unwrap_or(u32::MAX),
            };
            let make = || Ask::of(Operation::List(operation.clone()));
            let reply = self.link.ask_twice(make).await.map_err(Failure::of_read)?;
            let Some(Outcome::Page(page)) = reply.answer.outcome else {
                return Err(unexpected(&self.link));
            };
            let page = page_from_wire(page)?;
            if page.objects.is_empty() && page.more && limit > 0 {
                return Err(unexpected(&self.link));
            }
            all.objects.extend(page.objects);
            all.more = page.more;
            if !all.more || all.objects.len() >= limit {
                return Ok(all);
            }
        }
    }

    async fn buckets(&self) -> Result<Vec<Bucket>> {
        let make = || Ask::of(Operation::Buckets(message::Empty {}));
        let reply = self.link.ask_twice(make).await.map_err(Failure::of_read)?;
        match reply.answer.outcome {
            Some(Outcome::Buckets(page)) => page.buckets.iter().map(Bucket::new).collect(),
            _ => Err(unexpected(&self.link)),
        }
    }

    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        let meta = self.stat(key).await?;
        Ok(ObjectView::Remote { meta })
    }

    fn home(&self, _key: &ObjectKey) -> Option<NodeId> {
        Some(self.node.clone())
    }
}
