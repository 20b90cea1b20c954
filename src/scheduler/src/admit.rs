//! A worker's answer to a call that arrives: yes, or why not.

use crate::model::wait_ns;
use crate::text::Nanos;
use ganglion_types::{Error, Load, Ndp, NodeId, Result, Site};
use std::time::Duration;

/// All that a worker looks at before it takes a call.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionFacts<'a> {
    /// The worker's node, for the sentence.
    pub node: &'a NodeId,
    /// What kind of node it is; decides whether the settings are called `storage.…` or `compute.…`.
    pub site: Site,
    /// Whether the call may run on storage.
    pub ndp: Ndp,
    /// The node's load without this call.
    pub load: Load,
    /// Calls that may wait for a permit. Setting `storage.queue` or `compute.queue`.
    pub queue_max: u32,
    /// What is left of the call's deadline.
    pub remaining: Duration,
}

/// Accepts a call, to run at once or to wait in the queue, or refuses it. Nothing has run when it refuses.
///
/// # Errors
/// In this order: `Denied` when the call forbids storage and this is storage; `Unavailable` when the node is draining or
/// has no permits at all; `Deadline` when no time is left; `Busy` when the queue is full or would outlast the deadline.
pub fn admit(facts: &AdmissionFacts<'_>) -> Result<()> {
    let AdmissionFacts {
        node, site, load, ..
    } = facts;
    if facts.ndp == Ndp::Forbidden && *site == Site::Storage {
        return Err(Error::denied(format!(
            "{node} is a storage node and the call says forbid_ndp"
        )));
    }
    if load.draining {
        return Err(Error::unavailable(format!(
            "{node} is draining and takes no new calls"
        )));
    }
    if load.permits == 0 {
        return Err(Error::unavailable(format!(
            "{node} runs no calls ({site}.permits is 0)"
        )));
    }
    if facts.remaining.is_zero() {
        return Err(Error::deadline(format!(
            "nothing was left of the call's deadline when it reached {node}"
        )));
    }
    admit_to_queue(facts)
}

fn admit_to_queue(facts: &AdmissionFacts<'_>) -> Result<()> {
    let AdmissionFacts {
        node, site, load, ..
    } = facts;
    let present = u64::from(load.running) + u64::from(load.queued);
    if present < u64::from(load.permits) {
        return Ok(());
    }
    if load.queued >= facts.queue_max {
        return Err(Error::busy(format!(
            "{node} is busy: {} of {} permits in use, {} of {} queued ({site}.permits, {site}.queue)",
            load.running, load.permits, load.queued, facts.queue_max
        )));
    }
    let wait_ns = wait_ns(load, load.service_ns);
    let remaining_ns = u64::try_from(facts.remaining.as_nanos()).unwrap_or(u64::MAX);
    if wait_ns > remaining_ns {
        return Err(Error::busy(format!(
            "{node} is busy: a permit is expected in {}, the call's deadline has {} left ({site}.permits is {})",
            Nanos(wait_ns),
            Nanos(remaining_ns),
            load.permits
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::ErrorKind;

    fn answer(site: Site, ndp: Ndp, load: Load, queue_max: u32, ms: u64) -> (ErrorKind, String) {
        let error = refusal(site, ndp, load, queue_max, ms).unwrap_err();
        (error.kind(), error.to_string())
    }

    fn refusal(site: Site, ndp: Ndp, load: Load, queue_max: u32, ms: u64) -> Result<()> {
        let node = NodeId::new(format!("{site}-1")).unwrap();
        admit(&AdmissionFacts {
            node: &node,
            site,
            ndp,
            load,
            queue_max,
            remaining: Duration::from_millis(ms),
        })
    }

    fn load(running: u32, queued: u32) -> Load {
        Load {
            permits: 2,
            running,
            queued,
            service_ns: 10_000_000,
            draining: false,
        }
    }

    #[test]
    fn a_free_permit_admits_whatever_the_queue_allows() {
        assert_eq!(
            refusal(Site::Storage, Ndp::Allowed, load(1, 0), 0, 1),
            Ok(())
        );
    }

    #[test]
    fn a_full_storage_node_refuses_and_names_its_settings() {
        let (kind, text) = answer(Site::Storage, Ndp::Allowed, load(2, 3), 3, 1000);
        assert_eq!(kind, ErrorKind::Busy);
        assert_eq!(
            text,
            "storage-1 is busy: 2 of 2 permits in use, 3 of 3 queued (storage.permits, storage.queue)"
        );
    }

    #[test]
    fn a_compute_node_queues_up_to_its_limit() {
        assert_eq!(
            refusal(Site::Compute, Ndp::Forbidden, load(2, 63), 64, 1000),
            Ok(())
        );
        let (kind, text) = answer(Site::Compute, Ndp::Allowed, load(2, 64), 64, 1000);
        assert_eq!(kind, ErrorKind::Busy);
        assert!(text.ends_with("(compute.permits, compute.queue)"), "{text}");
    }

    #[test]
    fn a_wait_that_outlasts_the_deadline_is_refused_before_it_begins() {
        let (kind, text) = answer(Site::Compute, Ndp::Allowed, load(2, 9), 64, 49);
        assert_eq!(kind, ErrorKind::Busy);
        assert_eq!(
            text,
            "compute-1 is busy: a permit is expected in 50 ms, the call's deadline has 49 ms left (compute.permits is 2)"
        );
        assert_eq!(
            refusal(Site::Compute, Ndp::Allowed, load(2, 9), 64, 50),
            Ok(())
        );
    }

    #[test]
    fn forbidden_at_storage_is_denied_even_by_an_idle_or_draining_node() {
        let draining = Load {
            draining: true,
            ..load(0, 0)
        };
        for load in [load(0, 0), draining] {
            let (kind, text) = answer(Site::Storage, Ndp::Forbidden, load, 9, 1000);
            assert_eq!(kind, ErrorKind::Denied);
            assert!(text.contains("forbid_ndp"), "{text}");
        }
        let (kind, _) = answer(Site::Storage, Ndp::Allowed, draining, 9, 1000);
        assert_eq!(kind, ErrorKind::Unavailable);
    }

    #[test]
    fn a_call_without_time_or_a_node_without_permits_is_told_so() {
        let (kind, _) = answer(Site::Compute, Ndp::Allowed, load(0, 0), 9, 0);
        assert_eq!(kind, ErrorKind::Deadline);
        let closed = Load {
            permits: 0,
            ..load(0, 0)
        };
        let (kind, text) = answer(Site::Storage, Ndp::Allowed, closed, 9, 1000);
        assert_eq!(kind, ErrorKind::Unavailable);
        assert!(text.contains("storage.permits is 0"), "{text}");
    }
}
