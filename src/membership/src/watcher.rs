//! Keeps one connection to the Redis, and with it the roster.

use crate::connection::{Heard, MESSAGES_MAX, Shared};
use crate::entry::Entry;
use crate::known::Known;
use ganglion_types::{Announcement, Error, Result};
use ganglion_wire::open_announcement;
use redis::aio::MultiplexedConnection;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Connects, looks until that fails, pauses, and again. A pause doubles until a look has succeeded.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut watcher = Watcher {
        known: Known::nobody(shared.options.expiry),
        shared,
    };
    let options = watcher.shared.options.clone();
    let mut pause = options.backoff_min;
    loop {
        let Err(why) = watcher.follow().await;
        let shared = &watcher.shared;
        if shared.connection.send_replace(None).is_some() {
            pause = options.backoff_min;
        }
        shared.health.lost(&why);
        tokio::time::sleep(shared.spread(pause)).await;
        pause = (pause * 2).min(options.backoff_max);
    }
}

struct Watcher {
    shared: Arc<Shared>,
    known: Known,
}

impl Watcher {
    /// One connection, from its beginning to its end.
    async fn follow(&mut self) -> Result<Infallible> {
        let shared = self.shared.clone();
        let (mut redis, mut heard) = shared.connect().await?;
        let entries = shared.look(&mut redis).await?;
        shared.health.reached();
        self.known.reached(shared.ambient.monotonic_ns());
        self.see(&entries);
        shared.connection.send_replace(Some(redis.clone()));

        let mut looks = interval(shared.options.heartbeat / 2);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.reset();
        // When many join at once, those who listen wake for all of them together.
        let mut messages = Vec::new();
        loop {
            self.publish();
            tokio::select! {
                count = heard.recv_many(&mut messages, MESSAGES_MAX) => {
                    if count == 0 {
                        return Err(shared.closed());
                    }
                    messages.drain(..).try_for_each(|message| self.hear(message))?;
                }
                _ = looks.tick() => {
                    let entries = shared.look(&mut redis).await?;
                    self.see(&entries);
                }
            }
        }
    }

    fn see(&mut self, entries: &[Entry]) {
        let now_ns = self.shared.ambient.monotonic_ns();
        for (name, why) in self.known.seen(entries, now_ns) {
            let key = self.shared.commands.entry_key(&name);
            tracing::warn!(%key, %why, "an entry in Redis cannot be read; it is left out of the roster");
        }
    }

    fn hear(&mut self, message: Heard) -> Result<()> {
        match message {
            Heard::Joined(record) => {
                if let Some(announcement) = heard_of(&record) {
                    self.known.joined(announcement);
                }
            }
            Heard::Left(record) => {
                if let Some(announcement) = heard_of(&record) {
                    self.known.left(&announcement);
                }
            }
            Heard::Closed => return Err(self.shared.closed()),
        }
        Ok(())
    }

    /// Wakes those who watch the roster, if it is another.
    fn publish(&self) {
        let roster = self.known.roster();
        self.shared.roster.send_if_modified(|last| {
            let changed = *last != roster;
            if changed {
                *last = roster;
            }
            changed
        });
    }
}

fn heard_of(record: &[u8]) -> Option<Announcement> {
    open_announcement(record)
        .inspect_err(|why: &Error| tracing::warn!(%why, "a message about a node cannot be read"))
        .ok()
}

impl Shared {
    async fn look(&self, redis: &mut MultiplexedConnection) -> Result<Vec<Entry>> {
        self.in_time("looking at all nodes", self.commands.look(redis))
            .await
    }

    /// From a half to one and a half of `pause`, so that nodes that lost the same Redis do not come back as one.
    fn spread(&self, pause: Duration) -> Duration {
        let mut chance = [0];
        self.ambient.fill_random(&mut chance);
        pause * (128 + u32::from(chance[0])) / 256
    }
}
