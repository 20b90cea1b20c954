//! One call, placed and run: facts, decision, a node, and what was learned from it.
//!
//! ```text
//!   facts ──> decide ──> peer.execute ──> answer ──> learn
//!     ^                      │
//!     │   Busy, Unavailable: nothing ran; the node is crossed out and the rest decides again
//!     ├── Indeterminate:     it may have run; once more on compute, as the same call
//!     └── Conflict:          others wrote what it worked on; again, as the same call
//! ```
//!
//! The two ways back are kept apart (invariant 3 of the architecture): a call that may have run is never reported as
//! refused, whatever happens to its second attempt. That attempt is the same call: each of its writes carries the call's id and
//! its place among them, and one that the first attempt has made already is not made again (invariant 4). What it reads may be
//! what the first attempt wrote.

use crate::metrics::Metrics;
use crate::peers::{Member, Peers, find};
use crate::settings::GatewaySettings;
use bytes::{Bytes, BytesMut};
use ganglion_knowledge::{Knowledge, Way};
use ganglion_scheduler::{
    Candidate, Decision, Facts, Link, ObjectFacts, Outcome, Prediction, Profile, decide,
};
use ganglion_store::ObjectStore;
use ganglion_types::{
    Ambient, Answer, Call, ContentHash, Deadline, Entry, Error, ErrorKind, Ndp, NodeId, ObjectKey,
    Result, Site,
};
use std::fmt::Write;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::task::TaskTracker;

/// A call that ran.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) answer: Answer,
    /// Why it ran there: printable ASCII.
    pub(crate) reason: Bytes,
    /// What the scheduler expected of it.
    pub(crate) predicted: Prediction,
}

/// What profiles are of: a module, and where it is entered.
pub(crate) type Code = (ContentHash, Entry);

/// Places calls on nodes.
pub(crate) struct Dispatcher {
    pub(crate) peers: Arc<Peers>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) knowledge: Arc<Knowledge<Code>>,
    pub(crate) settings: Arc<GatewaySettings>,
    spread: AtomicU64,
    pub(crate) under_way: TaskTracker,
}

/// What is asked of the scheduler.
pub(crate) struct Question<'a> {
    pub(crate) code: Code,
    pub(crate) ndp: Ndp,
    /// It may have run already, and goes nowhere but to compute.
    pub(crate) may_have_run: bool,
    pub(crate) input_bytes: u64,
    pub(crate) object: Option<ObjectFacts<'a>>,
}

/// How often a call is begun again because others wrote what it worked on: with as many callers at one object the last of them has its
/// turn.
pub(crate) const OVERTAKEN_MAX: u32 = 16;

/// What has already become of a call.
#[derive(Default)]
struct Past {
    attempts: u32,
    /// How often others wrote what it worked on.
    overtaken: u32,
    /// The node that gave no answer: the call may have run there.
    lost: Option<(NodeId, Error)>,
}

impl Dispatcher {
    pub(crate) fn new(
        peers: Arc<Peers>,
        store: Arc<dyn ObjectStore>,
        ambient: Arc<dyn Ambient>,
        metrics: Arc<Metrics>,
        knowledge: Arc<Knowledge<Code>>,
        settings: Arc<GatewaySettings>,
    ) -> Self {
        let spread = AtomicU64::new(ambient.monotonic_ns());
        Self {
            peers,
            store,
            ambient,
            metrics,
            knowledge,
            settings,
            spread,
            under_way: TaskTracker::new(),
        }
    }

    /// Waits for the calls that are under way; those that begin meanwhile as well.
    pub(crate) async fn done(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }

    /// Runs a call on some node. Dropping the future cancels it.
    ///
    /// # Errors
    /// `Busy` and `Unavailable` when no node took it: nothing ran. `Indeterminate` when an answer was lost. Other kinds
    /// as the node said them.
    pub(crate) async fn run(&self, call: &Call) -> Result<Placed> {
        let (_in_flight, _under_way) = (self.metrics.begin_call(), self.under_way.token());
        let began_ns = self.ambient.monotonic_ns();
        let placed = self.place(call, began_ns).await;
        match &placed {
            Ok(placed) => {
                let time_ns = self.ambient.monotonic_ns().saturating_sub(began_ns);
                self.metrics.answered(&placed.answer, time_ns);
            }
            Err(error) => self.metrics.failed(error.kind()),
        }
        placed
    }

    async fn place(&self, call: &Call, now_ns: u64) -> Result<Placed> {
        let members = self.peers.current();
        let home = call.object.as_ref().and_then(|key| self.store.home(key));
        let object = self
            .object_facts(call, home.as_ref(), &members, now_ns)
            .await;
        let mut refused = vec![false; members.len()];
        let mut past = Past::default();
        loop {
            let candidates = self.candidates(&members, &refused, home.as_ref());
            let mut known = Profile::default();
            let question = Question {
                code: (call.module, call.entry),
                ndp: call.ndp,
                may_have_run: past.lost.is_some(),
                input_bytes: call.input.len() as u64,
                object,
            };
            let chosen = self.decide(&question, &candidates, &mut known);
            let decision = chosen.map_err(|error| past.final_error(error))?;
            let member = &members[decision.chosen.index];
            let decided_ns = self.ambient.monotonic_ns();
            let error = match self.execute(member, call).await {
                Ok(answer) => {
                    let took_ns = self.ambient.monotonic_ns().saturating_sub(decided_ns);
                    let outcome = Outcome::of(&decision, &answer, took_ns);
                    self.knowledge.learn(
                        &question.code,
                        outcome.as_ref(),
                        (&answer.node, &answer.usage),
                        home.as_ref(),
                    );
                    return Ok(Placed {
                        reason: past.reason(&decision, call.ndp),
                        predicted: decision.chosen.predicted,
                        answer,
                    });
                }
                Err(error) => error,
            };
            self.metrics.refused(decision.chosen.site, error.kind());
            if error.kind() == ErrorKind::Conflict {
                past.overtaken(error)?;
                continue;
            }
            refused[decision.chosen.index] = true;
            past.take(decision.chosen.node, error, self.settings.attempts_max)?;
        }
    }

    async fn object_facts<'a>(
        &self,
        call: &'a Call,
        home: Option<&'a NodeId>,
        members: &[Member],
        now_ns: u64,
    ) -> Option<ObjectFacts<'a>> {
        let key = call.object.as_ref()?;
        let size_bytes = match home {
            Some(home) if call.ndp != Ndp::Forbidden => {
                let choice = find(members, home).is_some_and(|home| {
                    home.peer.site() == Site::Storage && home.peer.load().is_some()
                });
                self.knowledge.size_of(key, choice, now_ns).await
            }
            _ => None,
        };
        Some(ObjectFacts {
            key,
            size_bytes,
            home,
        })
    }

    /// All members, as the scheduler sees them.
    pub(crate) fn candidates<'a>(
        &self,
        members: &'a [Member],
        refused: &[bool],
        home: Option<&NodeId>,
    ) -> Vec<Candidate<'a>> {
        let home = home.and_then(|home| find(members, home));
        let candidate = |(member, refused): (&'a Member, &bool)| Candidate {
            node: member.peer.id(),
            site: member.peer.site(),
            load: member.peer.load(),
            link: way_to(member).link,
            object_link: home.map_or(Link::Unmeasured, |home| {
                self.knowledge.between(way_to(member), way_to(home))
            }),
            refused: *refused,
        };
        members.iter().zip(refused).map(candidate).collect()
    }

    /// Asks the scheduler, and notes what it says.
    pub(crate) fn decide<'a>(
        &self,
        question: &Question<'a>,
        candidates: &'a [Candidate<'a>],
        known: &'a mut Profile,
    ) -> Result<Decision<'a>> {
        let mut profiles = self.knowledge.profiles();
        let profile = profiles.get_or_default(&question.code);
        *known = *profile;
        let mut decision = decide(&Facts {
            ndp: match question.may_have_run {
                true => Ndp::Forbidden,
                false => question.ndp,
            },
            input_bytes: question.input_bytes,
            object: question.object,
            candidates,
            profile: known,
            spread: self
                .spread
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_mul(SPREAD),
        })?;
        let is_preferred = question.ndp == Ndp::Preferred;
        match decision.alternative {
            Some(storage) if is_preferred && storage.site == Site::Storage => {
                decision.alternative = Some(decision.chosen);
                decision.chosen = storage;
            }
            _ if is_preferred => {}
            _ => profile.placed(&decision),
        }
        Ok(decision)
    }

    /// Runs the call there, and gives up waiting a while after its deadline. A worker of this process ends its guests itself
    /// and cannot be lost on the way, which saves every such call a timer.
    pub(crate) async fn execute(&self, member: &Member, call: &Call) -> Result<Answer> {
        if member.local {
            return member.peer.execute(call.clone()).await;
        }
        let answer = member.peer.execute(call.clone());
        self.in_time(call.deadline, member.peer.id(), answer).await
    }

    /// Gives up waiting for a node's answer a while after the deadline.
    pub(crate) async fn in_time<T>(
        &self,
        deadline: Deadline,
        node: &NodeId,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let now_ns = self.ambient.monotonic_ns();
        let patience = deadline.remaining(now_ns) + self.settings.answer_grace;
        match tokio::time::timeout(patience, answer).await {
            Ok(result) => result,
            Err(_) => Err(Error::indeterminate(format!(
                "{node} gave no answer within the deadline and {:?} (setting gateway.answer_grace)",
                self.settings.answer_grace
            ))),
        }
    }
}

/// The way from this gateway to a node.
fn way_to(member: &Member) -> Way<'_> {
    let link = match member.peer.link() {
        _ if member.local => Link::SameProcess,
        Some(estimate) => Link::Measured(estimate),
        None => Link::Unmeasured,
    };
    Way {
        node: member.peer.id(),
        link,
    }
}

/// Spreads a counter over all 64 bits (the golden ratio, as in Knuth's multiplicative hashing).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Past {
    /// Others were sooner: begins again (`Ok`), or ends the call.
    fn overtaken(&mut self, error: Error) -> Result<()> {
        self.overtaken += 1;
        if self.overtaken < OVERTAKEN_MAX {
            return Ok(());
        }
        Err(error.within(format!("given up after {OVERTAKEN_MAX} attempts")))
    }

    /// A node has not answered with a result: goes on (`Ok`) or ends the call.
    fn take(&mut self, node: &NodeId, error: Error, attempts_max: u32) -> Result<()> {
        self.attempts += 1;
        let again = self.attempts < attempts_max;
        match error.kind() {
            kind if kind.nothing_ran() && again => Ok(()),
            ErrorKind::Indeterminate if again && self.lost.is_none() => {
                self.lost = Some((node.clone(), error));
                Ok(())
            }
            _ => Err(self.final_error(error)),
        }
    }

    /// What the user is told at the end. A refusal of a second attempt does not undo that the first may have run.
    fn final_error(&self, error: Error) -> Error {
        match &self.lost {
            Some((_, lost)) if error.kind().nothing_ran() => not_run_again(lost, &error),
            _ => error,
        }
    }

    fn reason(&self, decision: &Decision<'_>, ndp: Ndp) -> Bytes {
        let mut reason = BytesMut::with_capacity(160);
        let node = decision.chosen.node;
        let written = match &self.lost {
            Some((lost, _)) => write!(
                reason,
                "{node}: {lost} gave no answer, and a repeat writes nothing twice"
            ),
            None if ndp != Ndp::Preferred => write!(reason, "{decision}"),
            None if decision.chosen.site == Site::Storage => {
                write!(reason, "{node}: the object's node is asked for")
            }
            None => write!(
                reason,
                "{decision}; the object's node is asked for, and there is none"
            ),
        };
        written.expect("writing to memory does not fail");
        reason.freeze()
    }
}

/// What is told of a call that may have run when `lost` was said, and that nobody takes now.
pub(crate) fn not_run_again(lost: &Error, refused: &Error) -> Error {
    lost.clone().within(format!("not run again ({refused})"))
}

/// Refuses an object of Ganglion's own.
pub(crate) fn check_public(object: &ObjectKey) -> Result<()> {
    if object.bucket.is_internal() {
        Err(Error::denied(format!(
            "bucket {} belongs to Ganglion itself",
            object.bucket
        )))
    } else {
        Ok(())
    }
}
