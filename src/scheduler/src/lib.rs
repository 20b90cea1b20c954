//! Where a call runs, and why: facts in, a [`Decision`] out.
//!
//! [`decide`] places a call for the gateway; [`admit`] lets a worker accept or refuse one. A [`Profile`] per function
//! content and the [`Links`] between nodes learn from what calls did. The same facts give the same decision and the
//! same words.
//!
//! Absent on purpose: clocks, randomness, input and output, async, locks, and any memory of its own. Whoever calls
//! keeps the profiles and the links and brings every fact.
//!
//! # The model
//!
//! A call runs where its predicted completion is least:
//!
//! ```text
//! total = (wait + run + move) * slip
//!
//! wait  = 0                                                 while a permit is free
//!         (running + queued - permits + 1) * service / permits     otherwise
//! run   = base + (input + read) * time per byte             learned per function and site
//! move  = way(caller - node, input + output) + way(node - object's home, read)
//!
//! way(link, bytes) = round trip + bytes / rate              0 inside one process or on the home itself
//! read  = object size * share of it that calls read         learned; mean of past reads when the size is not known
//! output                                                    learned mean
//! slip  = measured total / modelled one                     learned per function and site, 1 to begin with
//! ```
//!
//! *Who is asked.* Among compute nodes two are drawn with `spread`, and the sooner of them stands for compute; when they
//! are within [`HYSTERESIS_PERCENT`] of each other, the less loaded. For storage stands the object's home and no other
//! node: another storage node saves no bytes, and its budget belongs to the objects that it holds. So a call that names
//! no object never runs on storage, even when no compute node is left. Of two equal sites compute wins, because
//! storage has the scarcer budget.
//!
//! *`run`* is a line fitted to past calls, recent ones counting most. It is told apart from `move`: time that the guest
//! waited for a link is taken off before learning. While calls have all had one size the line goes through the origin.
//! An estimate counts the calls seen at its site and, as one more call, what the other site suggests: processors are
//! alike until proven different. Noise of run times is one-sided: stalls only lengthen. So a time far above what was
//! expected is cut, a time far below is believed, and against a site better known one call testifies at most a twofold
//! slowdown. Knowledge of a site fades while calls go elsewhere, so a change there is found again.
//!
//! *`slip`* stands for what the model leaves out, and what it leaves out differs between the sites: several calls that share a
//! link, a worker that shares its cores with an OSD. It is measured by whoever placed the call, from the decision to the answer, so the
//! sites are compared by what callers wait, and the terms tell why. One call
//! speaks at most [`SLIP_STEP`] against what is believed, and only once the run time is known from some calls.
//!
//! *Hysteresis.* A function stays at the site where it last settled unless the other is more than
//! [`HYSTERESIS_PERCENT`] better; two sites measured with 2 % of noise do not flap.
//!
//! *Exploration.* The other site is tried instead when not half as much is known of it, its optimistic total (run less
//! one standard error) beats the site that would be chosen, the predicted loss is at most half of that total and at most
//! [`EXPLORE_LOSS_MAX_NS`], and the last trial is long enough ago. [`Profile::placed`] counts when a call is placed, so
//! calls in flight cannot exceed the share together.
//!
//! *In the middle of a call* the same question is asked with better facts: `input_bytes` is then the delta that must
//! travel, the caller's own node is the compute candidate with [`Link::SameProcess`], and the object's size is known.
//!
//! # Priors and constants
//!
//! | constant | value | why |
//! |---|---|---|
//! | [`PRIOR_BYTES_PER_S`] | 1.25 GB/s | 10 Gbit/s. Rather too fast: a link thought fast is used and so measured, one thought slow is never corrected |
//! | [`PRIOR_ROUND_TRIP_NS`] | 200 us | a request between two machines of one room, through both kernels and a runtime |
//! | [`PRIOR_BASE_NS`] | 100 us | an instance restored and a short function |
//! | [`PRIOR_NS_PER_BYTE`] | 1 ns | a compiled loop that looks at every byte |
//! | [`PRIOR_READ_BYTES`] | 1 MiB | when neither the size is known nor any call has been seen |
//! | [`MEMORY_CALLS`] | 16 | averages hold about the last 16 calls: noise shrinks to a quarter, a change is half learned after 11 |
//! | [`FADE_CALLS`] | 256 | knowledge of a site is worth 1/e after as many calls elsewhere |
//! | [`OUTLIER`] | 2 | a stall then moves an average by 1/16, less than the hysteresis; a lasting slowdown is still followed, 6 % a call |
//! | [`PRIOR_DEVIATION`] | 0.5 | relative deviation of a run time before it is measured: sites seldom differ by more than twice |
//! | [`HYSTERESIS_PERCENT`] | 5 | above the noise of a mean of 16 calls; moving a function costs nothing but what the next call loses, so a wider band would only keep it at the worse site |
//! | [`SLIP_MAX`] | 4 | calls that share a link among four; beyond it the link's own estimate has to tell |
//! | [`SLIP_STEP`] | 1.25 | a stall has told in the run time already; four times is followed within some 45 calls |
//! | [`EXPLORE_FIRST`], [`EXPLORE_ONE_IN`] | 2, 16 | at most 2 trials, and then one in more than 16 of the calls that had a choice; with a predicted loss of at most a half that is 3 % of mean latency |
//! | [`EXPLORE_LOSS_MAX_NS`] | 100 ms | no call is slowed noticeably to learn from it |
//! | [`TRANSFER_SMALL_BYTES`] | 4 KiB | up to here a transfer's time is its round trip |
//! | [`TRANSFER_LARGE_BYTES`] | 256 KiB | from here on its time is mostly bytes, even at the prior rate |

mod admit;
mod decide;
mod decision;
mod facts;
mod links;
mod mean;
mod model;
mod profile;
mod text;

pub use admit::{AdmissionFacts, admit};
pub use decide::{EXPLORE_FIRST, EXPLORE_LOSS_MAX_NS, EXPLORE_ONE_IN, HYSTERESIS_PERCENT, decide};
pub use decision::{Because, Decision, Placement, Unfit};
pub use facts::{Candidate, Facts, Link, ObjectFacts};
pub use links::{Links, TRANSFER_LARGE_BYTES, TRANSFER_SMALL_BYTES};
pub use mean::{MEMORY_CALLS, OUTLIER};
pub use model::{
    PRIOR_BASE_NS, PRIOR_BYTES_PER_S, PRIOR_NS_PER_BYTE, PRIOR_READ_BYTES, PRIOR_ROUND_TRIP_NS,
    Prediction,
};
pub use profile::{
    FADE_CALLS, Knowledge, Outcome, PRIOR_DEVIATION, Profile, SLIP_MAX, SLIP_STEP, Took,
};

#[cfg(test)]
mod tests;
