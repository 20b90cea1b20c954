//! The handle of a node on the cluster's membership.

use crate::announcer::Announcer;
use crate::connection::Shared;
use crate::health::MembershipHealth;
use crate::known::Roster;
use crate::options::MembershipOptions;
use crate::watcher::watch;
use ganglion_types::{Ambient, Announcement, Result};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Says what a node announces now. Its name and incarnation are the same each time.
pub type Source = Arc<dyn Fn() -> Announcement + Send + Sync>;

/// Watches who is in the cluster, and announces who joins through it. Cheap to clone; when the last clone and the last
/// announcement are gone, the watching ends.
#[derive(Clone)]
pub struct Membership {
    shared: Arc<Shared>,
    watcher: Arc<AbortOnDropHandle<()>>,
}

impl Membership {
    /// Begins to watch, in the background; must be called within a tokio runtime. A Redis that cannot be reached is no error:
    /// it is tried for ever, and [`Membership::health`] tells.
    ///
    /// # Errors
    /// `Invalid` with the name of the option, when one cannot be meant.
    pub fn open(options: MembershipOptions, ambient: Arc<dyn Ambient>) -> Result<Self> {
        let shared = Arc::new(Shared::new(options, ambient)?);
        let watcher = tokio::spawn(watch(shared.clone()));
        Ok(Self {
            shared,
            watcher: Arc::new(AbortOnDropHandle::new(watcher)),
        })
    }

    /// Joins the cluster as what `source` says, says it anew each heartbeat, and leaves when `stop` is cancelled. The node has
    /// joined when the roster has it in this incarnation.
    ///
    /// It waits for a Redis that is away, and makes its entry again in one that has lost it. Stopping takes one
    /// `redis.command_time` at most. When the future is dropped instead, the entry expires by itself.
    ///
    /// # Errors
    /// `Conflict` when another incarnation has the name and outlives two expiries; `Invalid` when the announcement has no
    /// address or is too long. Nobody announces the node then.
    pub fn announce(
        &self,
        source: Source,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let (announcer, watcher) = (
            Announcer::new(self.shared.clone(), source),
            self.watcher.clone(),
        );
        async move {
            let left = announcer.run(stop).await;
            drop(watcher);
            left
        }
    }

    /// The address of this host from which the Redis is reached, which is on the network of the cluster whatever other networks the
    /// host has. Nothing is sent.
    ///
    /// # Errors
    /// `Unavailable` when the name of its host is not known, within `redis.command_time`, or no route leads there; `Invalid` for a
    /// Redis on a Unix socket.
    pub async fn address_towards(&self) -> Result<IpAddr> {
        self.shared.address_towards().await
    }

    /// All nodes, as last seen; empty before the first look. The receiver wakes when anything about anybody has changed, a
    /// load included. It ends with the last [`Membership`].
    pub fn roster(&self) -> Receiver<Roster> {
        self.shared.roster.subscribe()
    }

    /// Whether the Redis answers.
    pub fn health(&self) -> MembershipHealth {
        self.shared.health.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::ErrorKind;

    struct Stopped;

    impl Ambient for Stopped {
        fn monotonic_ns(&self) -> u64 {
            1
        }
        fn unix_ns(&self) -> u64 {
            1
        }
        fn fill_random(&self, buffer: &mut [u8]) {
            buffer.fill(1);
        }
    }

    #[test]
    fn a_url_that_is_none_is_refused_by_the_option_s_name_and_its_password_is_not_told() {
        for url in [
            "",
            "redis",
            "redis://",
            "http://:secret@host",
            "redis://:secret@host/x",
            "rediss://:secret@host",
        ] {
            let options = MembershipOptions {
                url: url.to_owned(),
                ..MembershipOptions::default()
            };
            let opened = Membership::open(options, Arc::new(Stopped));
            let Err(error) = opened else {
                panic!("`{url}` was taken");
            };
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().starts_with("redis.url "), "{error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }
}
