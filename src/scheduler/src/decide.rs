//! Placing a call.

use crate::model::predict;
use crate::{Because, Candidate, Decision, Facts, Placement, Profile, Unfit};
use ganglion_types::{Error, Load, Ndp, Result, Site};

/// How much better the other site must be, in percent, before a function moves there.
pub const HYSTERESIS_PERCENT: u64 = 5;
/// How many placements of a function may be made to learn before they have to be spaced.
pub const EXPLORE_FIRST: u64 = 2;
/// How many placements with a choice of sites come between two that are made to learn.
pub const EXPLORE_ONE_IN: u64 = 16;
/// The most that a placement made to learn may be predicted to lose, in nanoseconds.
pub const EXPLORE_LOSS_MAX_NS: u64 = 100_000_000;

/// Places a call where it is predicted to be over soonest; the crate page has the model and the rules.
///
/// Allocates nothing unless it fails. Tell [`Profile::placed`] of a decision that is followed.
///
/// # Errors
/// `Unavailable` when no node can take the call; with `Ndp::Forbidden`, or without an object, when no *compute* node can.
/// `Busy` when nodes could, but have all refused this call.
pub fn decide<'a>(facts: &Facts<'a>) -> Result<Decision<'a>> {
    let (chosen, alternative, because) = match (on_compute(facts), beside_object(facts)) {
        (Some(compute), Ok(storage)) => choose(facts.profile, compute, storage),
        (Some(compute), Err(because)) => (compute, None, because),
        (None, Ok(storage)) => (storage, None, Because::NoCompute),
        (None, Err(because)) => return Err(nowhere(facts, because)),
    };
    Ok(Decision {
        chosen,
        alternative,
        because,
        object: facts.object,
        input_bytes: facts.input_bytes,
    })
}

/// The compute nodes that can take the call, with their positions.
fn compute_nodes<'f, 'a>(
    facts: &'f Facts<'a>,
) -> impl Iterator<Item = (usize, &'a Candidate<'a>, Load)> + use<'f, 'a> {
    facts
        .candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| candidate.site == Site::Compute)
        .filter_map(|(index, candidate)| Some((index, candidate, candidate.fit().ok()?)))
}

fn place<'a>(
    facts: &Facts<'a>,
    (index, candidate, load): (usize, &'a Candidate<'a>, Load),
) -> Placement<'a> {
    Placement {
        index,
        node: candidate.node,
        site: candidate.site,
        load,
        predicted: predict(facts, candidate, &load),
    }
}

/// The better of two compute nodes that `spread` draws: this balances nearly as well as asking all, and does not send
/// every caller to the one node that looked idle (Mitzenmacher, "The Power of Two Choices", 2001).
fn on_compute<'a>(facts: &Facts<'a>) -> Option<Placement<'a>> {
    let count = compute_nodes(facts).count() as u64;
    if count == 0 {
        return None;
    }
    let first = facts.spread % count;
    let mut drawn = [first, first];
    if count > 1 {
        drawn[1] = (first + 1 + facts.spread / count % (count - 1)) % count;
    }
    let [one, two] = drawn.map(|nth| {
        let nth = usize::try_from(nth).expect("less than the number of candidates");
        let node = compute_nodes(facts).nth(nth);
        place(facts, node.expect("counted above"))
    });
    Some(if prefers_second(&one, &two) { two } else { one })
}

fn prefers_second(one: &Placement<'_>, two: &Placement<'_>) -> bool {
    let (one_ns, two_ns) = (one.predicted.total_ns(), two.predicted.total_ns());
    if clearly_less(two_ns, one_ns) || clearly_less(one_ns, two_ns) {
        return two_ns < one_ns;
    }
    let present = |load: &Load| u64::from(load.running) + u64::from(load.queued);
    let (one, two) = (&one.load, &two.load);
    present(two) * u64::from(one.permits) < present(one) * u64::from(two.permits)
}

/// The object's home, or why it is not considered. The only place where storage enters a decision.
fn beside_object<'a>(facts: &Facts<'a>) -> Result<Placement<'a>, Because<'a>> {
    if facts.ndp == Ndp::Forbidden {
        return Err(Because::Forbidden);
    }
    if facts.object.is_none() {
        let compute_nodes = compute_nodes(facts).count();
        return Err(Because::NoObject { compute_nodes });
    }
    let home = facts.home().ok_or(Because::HomeUnknown)?;
    let unfit = |unfit| Because::HomeUnfit { home, unfit };
    let (index, candidate) = facts
        .candidates
        .iter()
        .enumerate()
        .find(|(_, candidate)| candidate.site == Site::Storage && candidate.node == home)
        .ok_or(unfit(Unfit::Absent))?;
    let load = candidate.fit().map_err(unfit)?;
    Ok(place(facts, (index, candidate, load)))
}

/// Whether `this` is better than `that` by more than the hysteresis.
fn clearly_less(this_ns: u64, that_ns: u64) -> bool {
    u128::from(this_ns) * 100 < u128::from(that_ns) * u128::from(100 - HYSTERESIS_PERCENT)
}

fn choose<'a>(
    profile: &Profile,
    compute: Placement<'a>,
    storage: Placement<'a>,
) -> (Placement<'a>, Option<Placement<'a>>, Because<'a>) {
    let (best, other) = if storage.predicted.total_ns() < compute.predicted.total_ns() {
        (storage, compute)
    } else {
        (compute, storage)
    };
    let stays = profile.settled() == Some(other.site)
        && !clearly_less(best.predicted.total_ns(), other.predicted.total_ns());
    let (chosen, other, because) = if stays {
        (other, best, Because::Settled)
    } else {
        (best, other, Because::Sooner)
    };
    if worth_exploring(profile, &chosen, &other) {
        let calls = profile.calls(other.site);
        (other, Some(chosen), Because::Exploring { calls })
    } else {
        (chosen, Some(other), because)
    }
}

/// Whether to try `other` to learn, where `chosen` would be chosen.
fn worth_exploring(profile: &Profile, chosen: &Placement<'_>, other: &Placement<'_>) -> bool {
    if !profile.may_explore() || 2.0 * profile.weight(other.site) >= profile.weight(chosen.site) {
        return false;
    }
    let (chosen_ns, other_ns) = (chosen.predicted.total_ns(), other.predicted.total_ns());
    let luck_ns =
        crate::model::whole(profile.relative_error(other.site) * other.predicted.run_ns as f64);
    other_ns.saturating_sub(luck_ns) < chosen_ns
        && other_ns.saturating_sub(chosen_ns) <= EXPLORE_LOSS_MAX_NS.min(chosen_ns / 2)
}

/// The error that says which nodes there are and why none of them takes the call.
#[cold]
fn nowhere(facts: &Facts<'_>, because: Because<'_>) -> Error {
    let of_state = |unfit| {
        let state = |candidate: &&Candidate<'_>| candidate.fit().err() == Some(unfit);
        let compute = |candidate: &&Candidate<'_>| candidate.site == Site::Compute;
        facts
            .candidates
            .iter()
            .filter(compute)
            .filter(state)
            .count()
    };
    let refused = of_state(Unfit::Refused);
    let mut message = format!(
        "no compute node can take the call ({} unreachable, {} draining, {} without permits, {refused} refused)",
        of_state(Unfit::Unreachable),
        of_state(Unfit::Draining),
        of_state(Unfit::NoPermits),
    );
    message += &match because {
        Because::Forbidden => " and forbid_ndp keeps it from storage".to_owned(),
        Because::NoObject { .. } => {
            " and it names no object that a storage node could hold".to_owned()
        }
        Because::HomeUnfit { home, unfit } => {
            format!(" and {home}, which holds its object, {unfit}")
        }
        _ => " and the home of its object is not known".to_owned(),
    };
    let home_refused = matches!(
        because,
        Because::HomeUnfit {
            unfit: Unfit::Refused,
            ..
        }
    );
    if refused > 0 || home_refused {
        Error::busy(message)
    } else {
        Error::unavailable(message)
    }
}
