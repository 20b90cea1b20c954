//! What a node knows when it places work, and how it came to know: a gateway that places calls, and a worker that places the middle of
//! one.
//!
//! Profiles of functions and measured links are plain data of `scheduler`; here they are kept, bounded, behind locks that
//! are held for a few instructions. Sizes of objects come from what passes through (`PUT`, `HEAD`) and, where a choice of
//! sites depends on one, from a look at the store that is made at most once in `gateway.object_size_age`.

mod recent;

pub use recent::Recent;

use ganglion_scheduler::{Link, Links, Outcome, Profile};
use ganglion_store::ObjectStore;
use ganglion_types::{ErrorKind, NodeId, ObjectKey, Usage};
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

/// Functions whose profiles are kept, at least.
const PROFILES: usize = 4_096;
/// Objects whose sizes are kept, at least.
const SIZES: usize = 16_384;
/// How long a call waits for its object's size; without it the scheduler goes by what calls have read.
const STAT_WAIT: Duration = Duration::from_millis(20);
/// From here on what a call moved tells the rate of the link.
const TELLING_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy)]
struct Size {
    /// `None`: there was no such object.
    bytes: Option<u64>,
    seen_ns: u64,
}

/// Profiles, links and sizes. `F` names what is placed: a function's content, or one of its functions.
pub struct Knowledge<F> {
    store: Arc<dyn ObjectStore>,
    profiles: Mutex<Recent<F, Profile>>,
    links: RwLock<Links>,
    sizes: Mutex<Recent<ObjectKey, Size>>,
    size_age_ns: u64,
}

/// A node, and the way to it from here.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Its name.
    pub node: &'a NodeId,
    /// [`Link::SameProcess`] when it is in this process.
    pub link: Link,
}

impl<F: Eq + Hash + Clone> Knowledge<F> {
    /// `size_age`: how long a size is believed (setting `gateway.object_size_age`).
    pub fn new(store: Arc<dyn ObjectStore>, size_age: Duration) -> Self {
        Self {
            store,
            profiles: Mutex::new(Recent::new(PROFILES)),
            links: RwLock::new(Links::default()),
            sizes: Mutex::new(Recent::new(SIZES)),
            size_age_ns: u64::try_from(size_age.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// The profiles, locked: a decision is noted under the same lock under which it was made.
    pub fn profiles(&self) -> MutexGuard<'_, Recent<F, Profile>> {
        self.profiles.lock()
    }

    /// Learns from work that ran on `node`; `outcome` is `None` where its time tells nothing. `home` is its object's.
    pub fn learn(
        &self,
        function: &F,
        outcome: Option<&Outcome>,
        (node, usage): (&NodeId, &Usage),
        home: Option<&NodeId>,
    ) {
        if let Some(outcome) = outcome {
            self.profiles
                .lock()
                .get_or_default(function)
                .observe(outcome);
        }
        let away = home.filter(|home| *home != node && usage.moved_bytes >= TELLING_BYTES);
        if let Some(home) = away {
            let mut links = self.links.write();
            links.observe(node, home, usage.moved_bytes, usage.link_ns);
        }
    }

    /// The link between a node and the object's home. Measured where it was used; otherwise the way from here to whichever of the
    /// two is further stands for it.
    pub fn between(&self, from: Way<'_>, home: Way<'_>) -> Link {
        if from.link == Link::SameProcess && home.link == Link::SameProcess {
            return Link::SameProcess;
        }
        match self.links.read().between(from.node, home.node) {
            Link::Unmeasured if home.link == Link::SameProcess => from.link,
            Link::Unmeasured => home.link,
            measured => measured,
        }
    }

    /// The size of the object, when it is known or is worth a look: `choice`, where there is a storage node to choose.
    pub async fn size_of(&self, object: &ObjectKey, choice: bool, now_ns: u64) -> Option<u64> {
        let known = self.sizes.lock().get(object).copied();
        if let Some(size) = known
            && now_ns.saturating_sub(size.seen_ns) < self.size_age_ns
        {
            return size.bytes;
        }
        if !choice {
            return None;
        }
        match tokio::time::timeout(STAT_WAIT, self.store.stat(object)).await {
            Ok(Ok(meta)) => self.note_size(object, Some(meta.size_bytes), now_ns),
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
                self.note_size(object, None, now_ns);
            }
            Ok(Err(error)) => {
                tracing::debug!(%object, %error, "size unknown");
                return None;
            }
            Err(_) => {
                tracing::debug!(%object, "size unknown: the store took too long");
                // Not asked again for a while: the next call must not wait as long.
                self.note_size(object, None, now_ns);
            }
        }
        self.sizes.lock().get(object).and_then(|size| size.bytes)
    }

    /// An object was seen to have this size, or not to be there.
    pub fn note_size(&self, object: &ObjectKey, bytes: Option<u64>, now_ns: u64) {
        let size = Size {
            bytes,
            seen_ns: now_ns,
        };
        self.sizes.lock().insert(object.clone(), size);
    }

    /// An object has changed in an unknown way.
    pub fn forget_size(&self, object: &ObjectKey) {
        self.sizes.lock().remove(object);
    }

    /// Every size is asked for again.
    pub fn forget_sizes(&self) {
        self.sizes.lock().clear();
    }
}
