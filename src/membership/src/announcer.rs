//! Keeps one node's entry in the Redis.
//!
//! Redis holds one of four things under a node's name, and each claim learns which:
//!
//! - nothing: the claim has written the entry, and published it;
//! - what this announcer wrote last: the claim has replaced it, and the entry lives for another expiry;
//! - something else of this incarnation: a claim whose answer was lost has arrived after all, and the next goes on from there;
//! - another incarnation's: the name is in use. It may be this node's own from before a crash, which has at most one expiry
//!   to live; who outlives two is alive, and the newcomer gives up.

use crate::connection::Shared;
use crate::membership::Source;
use ganglion_types::{Announcement, Deadline, Error, ErrorKind, NodeId, Result};
use ganglion_wire::{open_announcement, seal_announcement};
use redis::aio::MultiplexedConnection;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Tries of one claim that finds its own entry to be another each time.
const TRIES_MAX: u32 = 3;

pub(crate) struct Announcer {
    shared: Arc<Shared>,
    source: Source,
    /// The record that Redis has of this incarnation, as far as is known; empty before the first.
    written: Vec<u8>,
    /// Whose claim was sent last, so that an entry may be there.
    said: Option<(NodeId, u64)>,
    /// When the name will have been in use for too long; `None` while it is not.
    patience: Option<Deadline>,
    /// Whether the log says that claims are refused.
    refusal_told: bool,
}

/// How Redis answered a claim.
enum Claim {
    Written,
    /// Somebody else has the name: who, in words.
    InUse(String),
}

impl Announcer {
    pub(crate) fn new(shared: Arc<Shared>, source: Source) -> Self {
        Self {
            shared,
            source,
            written: Vec::new(),
            said: None,
            patience: None,
            refusal_told: false,
        }
    }

    /// Joins, claims the entry each heartbeat, and takes it back when told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<()> {
        let mut connections = self.shared.connection.subscribe();
        loop {
            let connection = connections.borrow_and_update().clone();
            let wait = tokio::select! {
                wait = self.beat(connection) => wait?,
                () = stop.cancelled() => break,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = connections.changed() => changed.map_err(|_| self.shared.closed())?,
                () = stop.cancelled() => break,
            }
        }
        self.leave().await;
        Ok(())
    }

    /// One claim; gives the time until the next.
    async fn beat(&mut self, connection: Option<MultiplexedConnection>) -> Result<Duration> {
        let heartbeat = self.shared.options.heartbeat;
        let Some(mut redis) = connection else {
            self.patience = None;
            return Ok(heartbeat);
        };
        let announcement = (self.source)();
        let record = seal_announcement(&announcement)?;
        self.said = Some((announcement.node.clone(), announcement.incarnation));
        let shared = self.shared.clone();
        let claim = self.claim(&mut redis, &announcement, record);
        match claim.await {
            Ok(Claim::Written) => {
                self.patience = None;
                self.refusal_told = false;
                Ok(heartbeat)
            }
            Ok(Claim::InUse(by)) => {
                let now_ns = shared.ambient.monotonic_ns();
                self.wait_for_the_name(&announcement, &by, now_ns)?;
                Ok(heartbeat / 2)
            }
            Err(why) => {
                self.patience = None;
                self.tell(&announcement, &why);
                Ok(heartbeat / 2)
            }
        }
    }

    async fn claim(
        &mut self,
        redis: &mut MultiplexedConnection,
        announcement: &Announcement,
        record: Vec<u8>,
    ) -> Result<Claim> {
        let shared = self.shared.clone();
        let (commands, expiry) = (&shared.commands, shared.options.expiry);
        let what = format!("announcing node `{}`", announcement.node);
        let tries = async {
            for _ in 0..TRIES_MAX {
                let replaced = (&self.written[..], &record[..]);
                let claim = commands.claim(redis, &announcement.node, replaced, expiry);
                let Some(held) = claim.await? else {
                    self.written = record;
                    return Ok(Some(Claim::Written));
                };
                match holder(&held) {
                    Holder::Run(other) if other.incarnation == announcement.incarnation => {}
                    Holder::Run(other) => return Ok(Some(Claim::InUse(in_words(&other)))),
                    Holder::Unread(why) => return Ok(Some(Claim::InUse(why.to_string()))),
                    Holder::Nobody(why) => {
                        let key = commands.entry_key(announcement.node.as_str());
                        tracing::warn!(%key, %why, "an entry in Redis cannot be read; it is replaced");
                    }
                }
                self.written = held;
            }
            Ok(None)
        };
        shared.in_time(&what, tries).await?.ok_or_else(|| {
            Error::unavailable(format!(
                "{what}: its entry was another in each of {TRIES_MAX} tries"
            ))
        })
    }

    fn wait_for_the_name(
        &mut self,
        announcement: &Announcement,
        by: &str,
        now_ns: u64,
    ) -> Result<()> {
        let two_expiries = self.shared.options.expiry * 2;
        let patience = *self.patience.get_or_insert_with(|| {
            tracing::info!(
                node = %announcement.node,
                by,
                "the name is in use; waiting for it to expire"
            );
            Deadline::after(now_ns, two_expiries)
        });
        if !patience.remaining(now_ns).is_zero() {
            return Ok(());
        }
        Err(Error::conflict(format!(
            "node name `{}` is in use by {by}, still after {two_expiries:?} (twice redis.expiry): give this node another name, or stop that one",
            announcement.node
        )))
    }

    /// Says once that Redis refuses claims. That it does not answer is the watcher's to tell.
    fn tell(&mut self, announcement: &Announcement, why: &Error) {
        if why.kind() == ErrorKind::Denied && !self.refusal_told {
            self.refusal_told = true;
            tracing::error!(
                node = %announcement.node,
                %why,
                "Redis refuses this node's announcement; others will not see it"
            );
        }
    }

    /// Takes the entry back. When that fails it expires by itself.
    async fn leave(mut self) {
        let Some((node, incarnation)) = self.said.take() else {
            return;
        };
        let connection = self.shared.connection.borrow().clone();
        let left = match connection {
            Some(redis) => self.take_back(redis, &node, incarnation).await,
            None => Err(self.shared.away()),
        };
        if let Err(why) = left {
            let expiry = self.shared.options.expiry;
            tracing::warn!(%node, %why, ?expiry, "left without a word; the entry in Redis will expire");
        }
    }

    async fn take_back(
        &mut self,
        mut redis: MultiplexedConnection,
        node: &NodeId,
        incarnation: u64,
    ) -> Result<()> {
        let shared = self.shared.clone();
        let what = format!("taking back the announcement of node `{node}`");
        let tries = async {
            for _ in 0..TRIES_MAX {
                let leave = shared.commands.leave(&mut redis, node, &self.written);
                match leave.await?.map(|held| (holder(&held), held)) {
                    Some((Holder::Run(run), held)) if run.incarnation == incarnation => {
                        self.written = held;
                    }
                    _ => break,
                }
            }
            Ok(())
        };
        shared.in_time(&what, tries).await
    }
}

/// Who has written an entry.
enum Holder {
    Run(Announcement),
    /// A node of another release.
    Unread(Error),
    /// No node.
    Nobody(Error),
}

fn holder(record: &[u8]) -> Holder {
    match open_announcement(record) {
        Ok(announcement) => Holder::Run(announcement),
        Err(why) if why.kind() == ErrorKind::Corrupt => Holder::Nobody(why),
        Err(why) => Holder::Unread(why),
    }
}

fn in_words(other: &Announcement) -> String {
    format!(
        "process {} on host `{}`, which listens on {}",
        other.pid, other.host, other.address
    )
}
