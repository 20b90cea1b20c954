//! A decision and its sentence.

use crate::text::{Ascii, Bytes, Nanos};
use crate::{HYSTERESIS_PERCENT, ObjectFacts, Prediction};
use ganglion_types::{Load, NodeId, Site};
use std::fmt;

/// Where the call goes. Its `Display` is the reason: one sentence that begins with the node's name, in printable ASCII
/// (so that it fits an HTTP header), formatted only when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision<'a> {
    /// The place.
    pub chosen: Placement<'a>,
    /// The best place at the other site, when there was a choice of sites.
    pub alternative: Option<Placement<'a>>,
    /// What decided.
    pub because: Because<'a>,
    /// The object, as the facts had it.
    pub object: Option<ObjectFacts<'a>>,
    /// The bytes of input, as the facts had them.
    pub input_bytes: u64,
}

/// A place that was considered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement<'a> {
    /// Its position among the candidates.
    pub index: usize,
    /// The node's name.
    pub node: &'a NodeId,
    /// What kind of node it is.
    pub site: Site,
    /// Its load, as the facts had it.
    pub load: Load,
    /// What would come of running there.
    pub predicted: Prediction,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because<'a> {
    /// Storage is forbidden to this call.
    Forbidden,
    /// The call names no object, so only compute was considered.
    NoObject {
        /// How many nodes could take it.
        compute_nodes: usize,
    },
    /// It is not known which node holds the object.
    HomeUnknown,
    /// The node that holds the object cannot take the call.
    HomeUnfit {
        /// That node.
        home: &'a NodeId,
        /// Why not.
        unfit: Unfit,
    },
    /// No compute node can take the call; the object's home can.
    NoCompute,
    /// The least predicted completion.
    Sooner,
    /// The other site is better, by too little to move the function.
    Settled,
    /// To learn: less is known of this site, and it may be better.
    Exploring {
        /// Calls observed at this site so far.
        calls: u64,
    },
}

/// Why a node cannot take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no storage node among the candidates.
    Absent,
    /// It has no load to tell.
    Unreachable,
    /// It is being shut down.
    Draining,
    /// It runs no calls at all (setting `storage.permits` or `compute.permits`).
    NoPermits,
    /// It refused this very call.
    Refused,
}

impl Because<'_> {
    /// A short name, for metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::NoObject { .. } => "no_object",
            Self::HomeUnknown => "home_unknown",
            Self::HomeUnfit { .. } => "home_unfit",
            Self::NoCompute => "no_compute",
            Self::Sooner => "sooner",
            Self::Settled => "settled",
            Self::Exploring { .. } => "exploring",
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "is no storage node of the cluster",
            Self::Unreachable => "cannot be reached",
            Self::Draining => "is draining",
            Self::NoPermits => "has no permits",
            Self::Refused => "refused the call",
        })
    }
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.chosen.node;
        match (self.because, self.alternative) {
            (Because::Sooner, Some(other)) => self.fmt_sooner(&other, f),
            (Because::Settled, Some(other)) => self.fmt_settled(&other, f),
            (Because::Exploring { calls }, Some(other)) => self.fmt_exploring(calls, &other, f),
            (Because::Forbidden, _) => write!(f, "{node}: forbid_ndp"),
            (Because::NoObject { compute_nodes: 1 }, _) => {
                write!(f, "{node}: no object named, the only compute node")
            }
            (Because::NoObject { .. }, _) => {
                write!(f, "{node}: no object named, least loaded of two")
            }
            (Because::HomeUnknown, _) => {
                write!(f, "{node}: the home of {} is not known", self.object_name())
            }
            (Because::HomeUnfit { home, unfit }, _) => {
                let object = self.object_name();
                write!(f, "{node}: {home}, which holds {object}, {unfit}")
            }
            (Because::NoCompute, _) => {
                let object = self.object_name();
                write!(
                    f,
                    "{node} holds {object}: no compute node can take the call"
                )
            }
            (Because::Sooner | Because::Settled | Because::Exploring { .. }, None) => {
                write!(f, "{node}: the only place")
            }
        }
    }
}

/// The part of a prediction that speaks most for the chosen place.
enum Term {
    Wait,
    Run,
    Move,
}

impl<'a> Decision<'a> {
    fn object_name(&self) -> impl fmt::Display + 'a {
        Ascii(self.object.map(|object| object.key))
    }

    /// The term in which the chosen place gains most on the other, and how much in nanoseconds; `None` when it gains in
    /// none.
    fn deciding_term(&self, other: &Placement<'_>) -> Option<(Term, u64)> {
        let (here, there) = (&self.chosen.predicted, &other.predicted);
        [
            (Term::Move, there.move_ns.saturating_sub(here.move_ns)),
            (Term::Wait, there.wait_ns.saturating_sub(here.wait_ns)),
            (Term::Run, there.run_ns.saturating_sub(here.run_ns)),
        ]
        .into_iter()
        .filter(|&(_, gain_ns)| gain_ns > 0)
        .max_by_key(|&(_, gain_ns)| gain_ns)
    }

    fn fmt_sooner(&self, other: &Placement<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.chosen.node)?;
        if self.chosen.site == Site::Storage {
            write!(f, " holds {}", self.object_name())?;
        }
        let there = other.node;
        match self.deciding_term(other) {
            Some((Term::Move, gain_ns)) => match more_moved(&self.chosen, other) {
                0 => write!(f, ": reaching {there} would add {}", Nanos(gain_ns)),
                moved => write!(
                    f,
                    ": moving {} more to {there} would add {}",
                    Bytes(moved),
                    Nanos(gain_ns)
                ),
            },
            Some((Term::Wait, gain_ns)) => {
                let Load {
                    permits,
                    running,
                    queued,
                    ..
                } = other.load;
                write!(
                    f,
                    ": {there} is busy ({running} of {permits} permits, {queued} queued), waiting there would add {}",
                    Nanos(gain_ns)
                )
            }
            Some((Term::Run, _)) => write!(
                f,
                ": the function runs {} here and {} on {there}",
                Nanos(self.chosen.predicted.run_ns),
                Nanos(other.predicted.run_ns)
            ),
            None => write!(
                f,
                ": {there} would be no sooner than {}",
                Nanos(self.chosen.predicted.total_ns())
            ),
        }
    }

    fn fmt_settled(&self, other: &Placement<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: the function stays, {} in place of {} on {} is not {HYSTERESIS_PERCENT} % better",
            self.chosen.node,
            Nanos(other.predicted.total_ns()),
            Nanos(self.chosen.predicted.total_ns()),
            other.node,
        )
    }

    fn fmt_exploring(
        &self,
        calls: u64,
        other: &Placement<'_>,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let (here_ns, there_ns) = (self.chosen.predicted.total_ns(), other.predicted.total_ns());
        write!(
            f,
            "{}: tried to learn, {calls} calls seen on {}; predicted to add {}",
            self.chosen.node,
            self.chosen.site,
            Nanos(here_ns.saturating_sub(there_ns)),
        )
    }
}
/// What would cross links there and not here.
fn more_moved(here: &Placement<'_>, there: &Placement<'_>) -> u64 {
    let bytes = there.predicted.moved_bytes;
    bytes.saturating_sub(here.predicted.moved_bytes)
}
