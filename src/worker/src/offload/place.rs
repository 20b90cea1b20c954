//! Where a storage call runs: the scheduler's question again, with better facts.
//!
//! What has to travel is known here, the dirtied pages of the guest, and the object's size is looked up. The guest's own node stands
//! for compute: the function would go on there at once.

use super::state::globals;
use crate::guest::Guest;
use crate::worker::WorkerSettings;
use ganglion_knowledge::{Knowledge, Way};
use ganglion_scheduler::{Candidate, Decision, Facts, Link, ObjectFacts, Outcome, Took, decide};
use ganglion_store::ObjectStore;
use ganglion_types::{
    ContentHash, Delta, Error, Load, Ndp, Neighbours, NodeId, ObjectKey, Peer, Site, Usage,
};
use std::sync::Arc;
use wasmtime::{Result, StoreContextMut};

/// One function of a module's table.
type Function = (ContentHash, u32);

/// What a worker knows about where storage calls run best.
pub(crate) struct Offloads {
    node: NodeId,
    neighbours: Arc<dyn Neighbours>,
    knowledge: Knowledge<Function>,
    /// Setting `limits.delta`.
    pub(super) delta_bytes_max: usize,
}

/// Where a storage call runs.
pub(crate) enum Placed {
    Here(Here),
    There(There),
}

/// In place, and why.
pub(crate) struct Here {
    reason: String,
    /// What the scheduler said, where it was asked.
    chosen: Option<Chosen>,
}

/// At the object's home.
pub(crate) struct There {
    pub(super) peer: Arc<dyn Peer>,
    pub(super) memory: Delta,
    pub(super) chosen: Chosen,
}

/// A decision, as far as it is needed once the call is under way.
pub(crate) struct Chosen {
    offloads: Arc<Offloads>,
    function: Function,
    home: NodeId,
    site: Site,
    reason: String,
    modelled_ns: u64,
    input_bytes: u64,
    size_bytes: Option<u64>,
}

/// Decides where a function of the guest's table runs on that object.
///
/// # Errors
/// The guest is stopped: its time is up.
pub(super) fn place(
    context: &mut StoreContextMut<'_, Guest>,
    object: &ObjectKey,
    function: u32,
) -> Result<Placed> {
    let here = |reason: String| {
        Ok(Placed::Here(Here {
            reason,
            chosen: None,
        }))
    };
    let guest = context.data();
    let Some(reach) = &guest.reach else {
        return here("start-up code runs where it is".into());
    };
    let offloads = reach.offloads.clone();
    let node = &offloads.node;
    if guest.call.ndp == Ndp::Forbidden {
        return here(format!("{node}: forbid_ndp"));
    }
    let Some(home) = reach.store.home(object) else {
        return here(format!("{node}: the home of the object is not known"));
    };
    if home == *node {
        return here(format!("{node} holds the object itself"));
    }
    let Some(peer) = offloads.neighbours.find(&home) else {
        return here(format!(
            "{node}: {home}, which holds the object, is no other process that is known here"
        ));
    };
    if peer.site() != Site::Storage || peer.load().is_none() {
        return here(format!(
            "{node}: {home}, which holds the object, cannot be reached"
        ));
    }
    let now_ns = guest.ambient.monotonic_ns();
    let size = offloads.knowledge.size_of(object, true, now_ns);
    let size_bytes = reach.waiting.wait(size)?;
    let globals = globals(context)?;
    let memory = match context.data().slot.delta(globals, offloads.delta_bytes_max) {
        Ok(memory) => memory,
        Err(error) => return here(format!("{node}: {error}")),
    };
    let call = &context.data().call;
    let input_bytes = memory.pages_bytes() + call.input.len() as u64;
    let question = Question {
        ndp: call.ndp,
        function: (call.module, function),
        object: ObjectFacts {
            key: object,
            size_bytes,
            home: Some(&home),
        },
        peer: &*peer,
        input_bytes,
    };
    let chosen = match offloads.choose(&question) {
        Ok(chosen) => chosen,
        Err(error) => return here(format!("{node}: {error}")),
    };
    Ok(match chosen.site {
        Site::Storage => Placed::There(There {
            peer,
            memory,
            chosen,
        }),
        Site::Compute => Placed::Here(Here {
            reason: chosen.reason.clone(),
            chosen: Some(chosen),
        }),
    })
}

struct Question<'a> {
    ndp: Ndp,
    function: Function,
    object: ObjectFacts<'a>,
    peer: &'a dyn Peer,
    input_bytes: u64,
}

impl Offloads {
    pub(crate) fn new(
        node: NodeId,
        neighbours: Arc<dyn Neighbours>,
        store: Arc<dyn ObjectStore>,
        settings: &WorkerSettings,
    ) -> Self {
        Self {
            node,
            neighbours,
            knowledge: Knowledge::new(store, settings.size_age),
            delta_bytes_max: settings.delta_bytes_max,
        }
    }

    fn choose(self: &Arc<Self>, question: &Question<'_>) -> std::result::Result<Chosen, Error> {
        let home = question.peer.id();
        let link = question
            .peer
            .link()
            .map_or(Link::Unmeasured, Link::Measured);
        let here = Way {
            node: &self.node,
            link: Link::SameProcess,
        };
        let there = Way { node: home, link };
        // The guest has its permit here: it waits for nobody.
        let own = Load {
            permits: 1,
            ..Load::default()
        };
        let candidates = [
            Candidate {
                node: &self.node,
                site: Site::Compute,
                load: Some(own),
                link: Link::SameProcess,
                object_link: self.knowledge.between(here, there),
                refused: false,
            },
            Candidate {
                node: home,
                site: Site::Storage,
                load: question.peer.load(),
                link,
                object_link: Link::SameProcess,
                refused: false,
            },
        ];
        let mut profiles = self.knowledge.profiles();
        let profile = profiles.get_or_default(&question.function);
        let known = *profile;
        let mut decision = decide(&Facts {
            ndp: question.ndp,
            input_bytes: question.input_bytes,
            object: Some(question.object),
            candidates: &candidates,
            profile: &known,
            spread: 0,
        })?;
        let preferred = question.ndp == Ndp::Preferred;
        match decision.alternative {
            Some(storage) if preferred && storage.site == Site::Storage => {
                decision.alternative = Some(decision.chosen);
                decision.chosen = storage;
            }
            _ if preferred => {}
            _ => profile.placed(&decision),
        }
        drop(profiles);
        Ok(self.chosen(question, &decision))
    }

    fn chosen(self: &Arc<Self>, question: &Question<'_>, decision: &Decision<'_>) -> Chosen {
        Chosen {
            offloads: self.clone(),
            function: question.function,
            home: question.peer.id().clone(),
            site: decision.chosen.site,
            reason: match question.ndp {
                Ndp::Preferred => {
                    format!("{}: the object's node is asked for", decision.chosen.node)
                }
                _ => decision.to_string(),
            },
            modelled_ns: decision.chosen.predicted.modelled_ns(),
            input_bytes: question.input_bytes,
            size_bytes: question.object.size_bytes,
        }
    }
}

impl Chosen {
    /// Learns from a function that ran, and gives the reason why it ran where it did. `output_bytes`: what came back over the link.
    pub(super) fn learn(
        self,
        guest: &Guest,
        usage: &Usage,
        took_ns: u64,
        output_bytes: u64,
    ) -> String {
        let node = match self.site {
            Site::Storage => &self.home,
            Site::Compute => &self.offloads.node,
        };
        let outcome = Outcome {
            site: self.site,
            input_bytes: self.input_bytes,
            named_object: true,
            object_size_bytes: self.size_bytes,
            output_bytes: (self.site == Site::Storage).then_some(output_bytes),
            usage: *usage,
            took: Some(Took {
                measured_ns: took_ns,
                modelled_ns: self.modelled_ns,
            }),
        };
        let knowledge = &self.offloads.knowledge;
        let tells = usage.start == ganglion_types::Start::Restored;
        let outcome = tells.then_some(&outcome);
        knowledge.learn(&self.function, outcome, (node, usage), Some(&self.home));
        tracing::trace!(call = %guest.call.id, reason = %self.reason, "storage call");
        self.reason
    }

    /// The home has not taken it.
    pub(super) fn not_taken(self, home: &NodeId, error: &Error) -> Here {
        let said: String = error
            .to_string()
            .chars()
            .filter(|c| (' '..='~').contains(c))
            .collect();
        Here {
            reason: format!("{}: {home} did not take it ({said})", self.offloads.node),
            chosen: None,
        }
    }
}

impl Here {
    /// Learns from the function that ran in place, and gives the reason why it did.
    pub(super) fn learn(self, guest: &Guest, usage: &Usage) -> String {
        match self.chosen {
            Some(chosen) => chosen.learn(guest, usage, usage.run_ns, 0),
            None => self.reason,
        }
    }
}
