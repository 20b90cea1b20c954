//! What is known of one function, by the content of its module.

use crate::mean::{Line, Mean, YOUNG_CALLS};
use crate::{
    Because, Decision, EXPLORE_FIRST, EXPLORE_ONE_IN, PRIOR_BASE_NS, PRIOR_NS_PER_BYTE,
    PRIOR_READ_BYTES,
};
use ganglion_types::{Answer, End, Site, Start, Usage};

/// Knowledge of a site is worth 1/e after this many calls at the other one.
pub const FADE_CALLS: f64 = 256.0;

/// Relative standard deviation of a run time, before it is measured.
pub const PRIOR_DEVIATION: f64 = 0.5;

/// The most that calls at a site are believed to take longer, or shorter, than the model says, as a factor.
pub const SLIP_MAX: f64 = 4.0;

/// The most that one call speaks against what is believed of a site's slip, as a factor: a stall must not pass for it, since the same
/// stall has told in the run time already.
pub const SLIP_STEP: f64 = 1.25;

/// What past calls of a function say of the next. Small and `Copy`: read it out of its lock, decide, and drop the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Profile {
    sites: [SiteProfile; 2],
    /// Object bytes read by calls that named an object.
    read_bytes: Mean,
    /// Those bytes as a share of the object's size.
    read_share: Mean,
    output_bytes: Mean,
    /// Placements that had both sites to choose from.
    choices: u64,
    /// Of those, the ones made to learn.
    explored: u64,
    /// How many choices there must have been before the next is made to learn.
    explore_from: u64,
    /// The site of the last choice that was not made to learn.
    settled: Option<Site>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct SiteProfile {
    calls: u64,
    run: Line,
    /// Measured times as shares of the modelled ones.
    slip: Mean,
}

/// What a profile knows of one site, for people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knowledge {
    /// Calls observed there, ever.
    pub calls: u64,
    /// Predicted run time on no bytes, in nanoseconds.
    pub base_ns: f64,
    /// Predicted run time that each byte adds, in nanoseconds.
    pub ns_per_byte: f64,
    /// Standard error of a prediction, as a share of it.
    pub relative_error: f64,
}

/// What a call did that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where it ran.
    pub site: Site,
    /// Bytes of its input.
    pub input_bytes: u64,
    /// Whether it named an object.
    pub named_object: bool,
    /// That object's size, when it was known.
    pub object_size_bytes: Option<u64>,
    /// Bytes of its output and of what it printed; `None` where nothing is sent back to be measured.
    pub output_bytes: Option<u64>,
    /// What it used.
    pub usage: Usage,
    /// From the decision to the answer, and what the model had said of it ([`crate::Prediction::modelled_ns`]), in nanoseconds. `None`
    /// when it did not run as decided.
    pub took: Option<Took>,
}

/// A call's time beside the model's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// Measured by who placed it, in nanoseconds.
    pub measured_ns: u64,
    /// Said by the model, in nanoseconds.
    pub modelled_ns: u64,
}

impl Outcome {
    /// What there is to learn from the answer to a call that was so placed; nothing (`None`) when the guest failed or
    /// returned non-zero, because it then stopped early.
    /// `took_ns`: from the decision to the answer.
    pub fn of(decision: &Decision<'_>, answer: &Answer, took_ns: u64) -> Option<Self> {
        if answer.end != End::Exited(0) {
            return None;
        }
        let output = answer.output.as_ref().map_or(0, |output| output.len());
        let carried = output + answer.stdout.len() + answer.stderr.len();
        Some(Self {
            site: answer.site,
            input_bytes: decision.input_bytes,
            named_object: decision.object.is_some(),
            object_size_bytes: decision.object.and_then(|object| object.size_bytes),
            output_bytes: Some(u64::try_from(carried).unwrap_or(u64::MAX)),
            usage: answer.usage,
            took: (answer.site == decision.chosen.site && answer.usage.start == Start::Restored)
                .then_some(Took {
                    measured_ns: took_ns,
                    modelled_ns: decision.chosen.predicted.modelled_ns(),
                }),
        })
    }
}

impl Profile {
    /// Notes that a call was placed so. Do it under the same lock as the decision: the share of exploration and the
    /// site to stay at follow from it.
    pub fn placed(&mut self, decision: &Decision<'_>) {
        if decision.alternative.is_none() {
            return;
        }
        self.choices += 1;
        match decision.because {
            Because::Exploring { .. } => {
                self.explored += 1;
                if self.explored >= EXPLORE_FIRST {
                    self.explore_from = self.choices + EXPLORE_ONE_IN;
                }
            }
            _ => self.settled = Some(decision.chosen.site),
        }
    }

    /// Learns from a call that ran, wherever it was meant to run.
    pub fn observe(&mut self, outcome: &Outcome) {
        let usage = &outcome.usage;
        let worked = outcome.input_bytes.saturating_add(usage.object_bytes) as f64;
        let run_ns = usage.run_ns.saturating_sub(usage.link_ns) as f64;
        let known = self.sites.iter().any(|site| site.calls > 0);
        let expected = known.then(|| self.run_ns(outcome.site, worked));
        let here = &mut self.sites[index(outcome.site)];
        // Before that the model is not wrong but young.
        let told = here.run.weight() >= YOUNG_CALLS;
        here.calls += 1;
        here.run.observe(worked, run_ns, expected);
        if let Some(took) = outcome.took.filter(|_| told) {
            let slip = took.measured_ns as f64 / took.modelled_ns.max(1) as f64;
            let believed = here.slip.blended(1.0);
            let near = slip.clamp(believed / SLIP_STEP, believed * SLIP_STEP);
            here.slip.observe(near.clamp(1.0 / SLIP_MAX, SLIP_MAX));
        }
        let there = &mut self.sites[1 - index(outcome.site)];
        there.run.fade(1.0 - 1.0 / FADE_CALLS);
        there.slip.fade(1.0 - 1.0 / FADE_CALLS);

        if let Some(output_bytes) = outcome.output_bytes {
            self.output_bytes.observe(output_bytes as f64);
        }
        if outcome.named_object {
            self.read_bytes.observe(usage.object_bytes as f64);
        }
        if let Some(size) = outcome.object_size_bytes.filter(|&size| size > 0) {
            self.read_share
                .observe(usage.object_bytes as f64 / size as f64);
        }
    }

    /// What is known of a site.
    pub fn knowledge(&self, site: Site) -> Knowledge {
        let base_ns = self.run_ns(site, 0.0);
        Knowledge {
            calls: self.sites[index(site)].calls,
            base_ns,
            ns_per_byte: (self.run_ns(site, 1e6) - base_ns) / 1e6,
            relative_error: self.relative_error(site),
        }
    }

    /// Placements that had both sites to choose from, and how many of them were made to learn.
    pub fn exploration(&self) -> (u64, u64) {
        (self.choices, self.explored)
    }

    /// Whether the next placement may be made to learn: trials are spaced, and not saved up.
    pub(crate) fn may_explore(&self) -> bool {
        self.choices >= self.explore_from
    }

    /// The site that the function stays at while the other is not clearly better.
    pub fn settled(&self) -> Option<Site> {
        self.settled
    }

    /// The calls that an estimate at this site stands for; it fades.
    pub(crate) fn weight(&self, site: Site) -> f64 {
        self.sites[index(site)].run.weight()
    }

    pub(crate) fn calls(&self, site: Site) -> u64 {
        self.sites[index(site)].calls
    }

    /// Run time on so many bytes: this site's own line, with the other site's for one more call, and of that in turn the
    /// prior. Against a site better known, one call testifies at most a twofold slowdown, two calls a threefold one.
    pub(crate) fn run_ns(&self, site: Site, bytes: f64) -> f64 {
        let (here, there) = (
            &self.sites[index(site)].run,
            &self.sites[1 - index(site)].run,
        );
        let blend = |weight: f64, own: f64, prior: f64| (weight * own + prior) / (weight + 1.0);
        let prior = PRIOR_BASE_NS + PRIOR_NS_PER_BYTE * bytes;
        let suggested = blend(there.weight(), there.at(bytes), prior);
        let own = if there.weight() > here.weight() {
            here.at(bytes).min(suggested * (1.0 + here.weight()))
        } else {
            here.at(bytes)
        };
        blend(here.weight(), own, suggested)
    }

    /// The factor by which calls at this site take longer than the model says; that it says the truth counts as one call.
    pub(crate) fn slip(&self, site: Site) -> f64 {
        self.sites[index(site)].slip.blended(1.0)
    }

    /// Standard error of [`Profile::run_ns`], as a share of it: the prior deviation counts as one call.
    pub(crate) fn relative_error(&self, site: Site) -> f64 {
        let line = &self.sites[index(site)].run;
        let calls = line.weight() + 1.0;
        let prior = PRIOR_DEVIATION * PRIOR_DEVIATION;
        let variance = (line.weight() * line.error_square() + prior) / calls;
        (variance / calls).sqrt()
    }

    /// Bytes that a call will read of an object of that size.
    pub(crate) fn read_bytes(&self, size_bytes: Option<u64>) -> f64 {
        match size_bytes {
            Some(size) => size as f64 * self.read_share.get().unwrap_or(1.0),
            None => self.read_bytes.get().unwrap_or(PRIOR_READ_BYTES),
        }
    }

    pub(crate) fn output_bytes(&self) -> f64 {
        self.output_bytes.get().unwrap_or(0.0)
    }
}

fn index(site: Site) -> usize {
    match site {
        Site::Compute => 0,
        Site::Storage => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Placement, Prediction};
    use ganglion_types::{Error, Load, NodeId, StorageCalls};

    fn answer(end: End, usage: Usage) -> Answer {
        Answer {
            end,
            storage_calls: StorageCalls::default(),
            output: Some("four".into()),
            stdout: "two".into(),
            stderr: Default::default(),
            node: NodeId::new("compute-0").unwrap(),
            site: Site::Compute,
            usage,
            load: Load::default(),
        }
    }

    const USAGE: Usage = Usage {
        wait_ns: 5_000,
        run_ns: 9_000_000,
        cpu_ns: 1_000_000,
        object_bytes: 1_000_000,
        moved_bytes: 1_000_000,
        link_ns: 7_000_000,
        store_failures: 0,
        start: Start::Restored,
    };

    fn outcome(end: End) -> Option<Outcome> {
        let node = NodeId::new("storage-1").unwrap();
        let decision = Decision {
            chosen: Placement {
                index: 0,
                node: &node,
                site: Site::Storage,
                load: Load::default(),
                predicted: Prediction::default(),
            },
            alternative: None,
            because: Because::NoCompute,
            object: None,
            input_bytes: 3,
        };
        Outcome::of(&decision, &answer(end, USAGE), 10_000_000)
    }

    #[test]
    fn a_guest_that_failed_teaches_nothing() {
        assert_eq!(outcome(End::Exited(1)), None);
        assert_eq!(outcome(End::Failed(Error::guest("unreachable"))), None);
        let learned = outcome(End::Exited(0)).unwrap();
        assert_eq!(learned.site, Site::Compute, "where it ran counts");
        assert_eq!(
            (learned.input_bytes, learned.output_bytes),
            (3, Some(4 + 3))
        );
    }

    #[test]
    fn waiting_for_a_link_is_not_learned_as_run_time() {
        let mut profile = Profile::default();
        for _ in 0..64 {
            profile.observe(&outcome(End::Exited(0)).unwrap());
        }
        let run_ns = profile.run_ns(Site::Compute, 1e6);
        assert!((1.9e6..2.1e6).contains(&run_ns), "{run_ns}");
        let Knowledge {
            calls,
            ns_per_byte,
            relative_error,
            ..
        } = profile.knowledge(Site::Compute);
        assert_eq!(calls, 64);
        assert!((1.9..2.1).contains(&ns_per_byte), "{ns_per_byte}");
        assert!(relative_error < 0.05, "{relative_error}");
    }
}
