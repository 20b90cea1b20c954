//! Counters and times, for Prometheus. Every series of the call path is made at the start, so that counting is one atomic
//! addition.

use crate::peers::Member;
use ganglion_types::{Answer, End, ErrorKind, Site};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SiteOutcome {
    site: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SiteReason {
    site: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SiteOnly {
    site: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeOnly {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Placement {
    placement: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeState {
    node: String,
    site: &'static str,
    state: &'static str,
}

/// Upper bounds of the buckets of a call's time, in microseconds.
const CALL_BOUNDS_US: [u64; 15] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    1_000_000,
    5_000_000,
    30_000_000,
    120_000_000,
];

/// How long calls took, counted without a lock.
#[derive(Debug, Default)]
struct Times {
    buckets: [AtomicU64; CALL_BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
}

impl Times {
    fn observe(&self, time_ns: u64) {
        let bucket = CALL_BOUNDS_US.partition_point(|bound_us| bound_us * 1_000 < time_ns);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(time_ns, Ordering::Relaxed);
    }
}

#[derive(Clone, Debug, Default)]
struct CallSeconds(Arc<Times>);

impl TypedMetric for CallSeconds {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for CallSeconds {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        let counts = self.0.buckets.each_ref().map(|b| b.load(Ordering::Relaxed));
        let bounds = CALL_BOUNDS_US.iter().map(|us| *us as f64 / 1e6);
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::MAX]).zip(counts).collect();
        let sum = self.0.sum_ns.load(Ordering::Relaxed) as f64 / 1e9;
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// The series of one site.
#[derive(Debug)]
struct SiteSeries {
    ok: Counter,
    nonzero: Counter,
    trapped: Counter,
    deadline: Counter,
    busy: Counter,
    unavailable: Counter,
    lost: Counter,
    moved_bytes: Counter,
    seconds: CallSeconds,
}

/// The series of storage calls.
#[derive(Debug)]
struct StorageCallSeries {
    offloaded: Counter,
    in_place: Counter,
    not_taken: Counter,
    delta_bytes: Counter,
}

/// What an object request did.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ObjectOperation {
    Put,
    Append,
    Get,
    Stat,
    Delete,
    List,
}

/// What became of a part of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PartOutcome {
    Ok,
    Failed,
}

/// What became of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum JobOutcome {
    Done,
    Failed,
    Cancelled,
}

/// The series of jobs.
struct JobSeries {
    ended: [Counter; 3],
    running: Gauge,
    /// Of each site, those that ended so.
    parts: [[Counter; 2]; 2],
    repeated: Counter,
}

impl JobSeries {
    fn new(registry: &mut Registry) -> Self {
        let jobs = Family::<OutcomeOnly, Counter>::default();
        let parts = Family::<SiteOutcome, Counter>::default();
        let (running, repeated) = (Gauge::default(), Counter::default());
        registry.register("jobs", "Jobs by how they ended", jobs.clone());
        registry.register("jobs_running", "Jobs under way", running.clone());
        registry.register(
            "job_parts",
            "Calls of jobs by where they ran and how they ended",
            parts.clone(),
        );
        registry.register(
            "job_parts_repeated",
            "Calls of jobs that were placed again",
            repeated.clone(),
        );
        let outcomes = ["done", "failed", "cancelled"];
        Self {
            ended: outcomes.map(|outcome| jobs.get_or_create_owned(&OutcomeOnly { outcome })),
            running,
            parts: [Site::Compute, Site::Storage].map(|site| {
                let site = site.as_str();
                let part = |outcome| parts.get_or_create_owned(&SiteOutcome { site, outcome });
                ["ok", "failed"].map(part)
            }),
            repeated,
        }
    }
}

/// A job under way; dropping it ends it.
pub(crate) struct RunningJob(Gauge);

impl Drop for RunningJob {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Everything that this gateway counts.
pub(crate) struct Metrics {
    registry: Registry,
    sites: [SiteSeries; 2],
    storage_calls: StorageCallSeries,
    failed: [Counter; ErrorKind::ALL.len()],
    objects: [[Counter; 2]; 6],
    uploads: [Counter; 2],
    jobs: JobSeries,
    in_flight: Gauge,
    nodes: Family<NodeState, Gauge>,
}

/// One call under way; dropping it ends it.
pub(crate) struct InFlight<'m>(&'m Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("ganglion");
        let calls = Family::<SiteOutcome, Counter>::default();
        let refusals = Family::<SiteReason, Counter>::default();
        let moved = Family::<SiteOnly, Counter>::default();
        let seconds = Family::<SiteOnly, CallSeconds>::default();
        let storage_calls = Family::<Placement, Counter>::default();
        let (not_taken, delta_bytes) = (Counter::default(), Counter::default());
        let objects = Family::<Operation, Counter>::default();
        let uploads = Family::<OutcomeOnly, Counter>::default();
        let (in_flight, nodes) = (Gauge::default(), Family::default());
        registry.register(
            "calls",
            "Calls by where they ran and how they ended",
            calls.clone(),
        );
        registry.register(
            "refusals",
            "Nodes that did not answer a call with a result, by reason",
            refusals.clone(),
        );
        registry.register(
            "moved_bytes",
            "Object bytes that crossed a link for calls",
            moved.clone(),
        );
        registry.register(
            "call_seconds",
            "Time from a call's arrival to its answer",
            seconds.clone(),
        );
        registry.register(
            "storage_calls",
            "Storage calls of answered calls by where they ran",
            storage_calls.clone(),
        );
        registry.register(
            "storage_calls_not_taken",
            "Storage calls that ran in place since another node had refused them, or gave no answer",
            not_taken.clone(),
        );
        registry.register(
            "storage_call_bytes",
            "Bytes of guests' memory that crossed a link for storage calls, both ways",
            delta_bytes.clone(),
        );
        registry.register(
            "object_operations",
            "Requests for objects over HTTP",
            objects.clone(),
        );
        registry.register("uploads", "Functions uploaded", uploads.clone());
        registry.register("calls_in_flight", "Calls under way", in_flight.clone());
        registry.register("node_load", "Load of each node as last told", nodes.clone());

        let sites = [Site::Compute, Site::Storage].map(|site| {
            let site = site.as_str();
            let call = |outcome| calls.get_or_create_owned(&SiteOutcome { site, outcome });
            let refusal = |reason| refusals.get_or_create_owned(&SiteReason { site, reason });
            SiteSeries {
                ok: call("ok"),
                nonzero: call("nonzero"),
                trapped: call("trapped"),
                deadline: call("deadline"),
                busy: refusal("busy"),
                unavailable: refusal("unavailable"),
                lost: refusal("indeterminate"),
                moved_bytes: moved.get_or_create_owned(&SiteOnly { site }),
                seconds: seconds.get_or_create_owned(&SiteOnly { site }),
            }
        });
        let placed = |placement| storage_calls.get_or_create_owned(&Placement { placement });
        let storage_calls = StorageCallSeries {
            offloaded: placed("offloaded"),
            in_place: placed("in_place"),
            not_taken,
            delta_bytes,
        };
        let failed = ErrorKind::ALL.map(|kind| {
            let outcome = kind.as_str();
            calls.get_or_create_owned(&SiteOutcome {
                site: "none",
                outcome,
            })
        });
        let objects = ["put", "append", "get", "stat", "delete", "list"].map(|operation| {
            ["ok", "failed"]
                .map(|outcome| objects.get_or_create_owned(&Operation { operation, outcome }))
        });
        let uploads =
            ["ok", "refused"].map(|outcome| uploads.get_or_create_owned(&OutcomeOnly { outcome }));
        Self {
            jobs: JobSeries::new(&mut registry),
            registry,
            sites,
            storage_calls,
            failed,
            objects,
            uploads,
            in_flight,
            nodes,
        }
    }

    pub(crate) fn begin_call(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(self)
    }

    pub(crate) fn begin_job(&self) -> RunningJob {
        self.jobs.running.inc();
        RunningJob(self.jobs.running.clone())
    }

    /// A job ended.
    pub(crate) fn job_ended(&self, outcome: JobOutcome) {
        self.jobs.ended[outcome as usize].inc();
    }

    /// A part of a job ran.
    pub(crate) fn job_part(&self, site: Site, outcome: PartOutcome) {
        self.jobs.parts[usize::from(site == Site::Storage)][outcome as usize].inc();
    }

    /// A part of a job is placed again.
    pub(crate) fn job_part_repeated(&self) {
        self.jobs.repeated.inc();
    }

    /// A call was answered, `time_ns` after it came.
    pub(crate) fn answered(&self, answer: &Answer, time_ns: u64) {
        let series = self.site(answer.site);
        match &answer.end {
            End::Exited(0) => series.ok.inc(),
            End::Exited(_) => series.nonzero.inc(),
            End::Failed(error) if error.kind() == ErrorKind::Deadline => series.deadline.inc(),
            End::Failed(_) => series.trapped.inc(),
        };
        series.moved_bytes.inc_by(answer.usage.moved_bytes);
        series.seconds.0.observe(time_ns);
        let (counted, series) = (&answer.storage_calls, &self.storage_calls);
        series.offloaded.inc_by(counted.offloaded.into());
        series.in_place.inc_by(counted.in_place.into());
        series.not_taken.inc_by(counted.not_taken.into());
        series.delta_bytes.inc_by(counted.delta_bytes);
    }

    /// A node had no result for a call; another may. What is no refusal and no loss is not counted.
    pub(crate) fn refused(&self, site: Site, kind: ErrorKind) {
        let series = self.site(site);
        match kind {
            ErrorKind::Busy => series.busy.inc(),
            ErrorKind::Unavailable => series.unavailable.inc(),
            ErrorKind::Indeterminate => series.lost.inc(),
            _ => return,
        };
    }

    /// A call came to nothing.
    pub(crate) fn failed(&self, kind: ErrorKind) {
        let index = ErrorKind::ALL.iter().position(|known| *known == kind);
        self.failed[index.expect("ALL holds every kind")].inc();
    }

    /// An object request ended.
    pub(crate) fn object(&self, operation: ObjectOperation, succeeded: bool) {
        self.objects[operation as usize][usize::from(!succeeded)].inc();
    }

    /// A function was uploaded, or refused.
    pub(crate) fn uploaded(&self, accepted: bool) {
        self.uploads[usize::from(!accepted)].inc();
    }

    fn site(&self, site: Site) -> &SiteSeries {
        match site {
            Site::Compute => &self.sites[0],
            Site::Storage => &self.sites[1],
        }
    }

    /// All of it as text (OpenMetrics), with the nodes' loads as they are now.
    pub(crate) fn text(&self, members: &[Member]) -> Result<String, fmt::Error> {
        self.nodes.clear();
        for member in members {
            let load = member.peer.load();
            let set = |state, value: u32| {
                let labels = NodeState {
                    node: member.peer.id().to_string(),
                    site: member.peer.site().as_str(),
                    state,
                };
                self.nodes.get_or_create(&labels).set(i64::from(value));
            };
            set("reachable", u32::from(load.is_some()));
            let load = load.unwrap_or_default();
            set("permits", load.permits);
            set("running", load.running);
            set("queued", load.queued);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_in_the_first_bucket_that_holds_it() {
        let times = Times::default();
        for time_ns in [0, 100_000, 100_001, u64::MAX / 2] {
            times.observe(time_ns);
        }
        let counts = times.buckets.each_ref().map(|b| b.load(Ordering::Relaxed));
        assert_eq!((counts[0], counts[1], counts[15]), (2, 1, 1));
    }

    #[test]
    fn every_series_of_the_call_path_is_there_before_the_first_call() {
        let text = Metrics::new().text(&[]).unwrap();
        for series in [
            r#"ganglion_calls_total{site="storage",outcome="ok"} 0"#,
            r#"ganglion_calls_total{site="none",outcome="Busy"} 0"#,
            r#"ganglion_refusals_total{site="storage",reason="busy"} 0"#,
            r#"ganglion_object_operations_total{operation="get",outcome="ok"} 0"#,
            r#"ganglion_call_seconds_bucket{le="0.0001",site="compute"} 0"#,
            r#"ganglion_storage_calls_total{placement="offloaded"} 0"#,
            "ganglion_storage_calls_not_taken_total 0",
            "ganglion_calls_in_flight 0",
            r#"ganglion_jobs_total{outcome="cancelled"} 0"#,
            r#"ganglion_job_parts_total{site="storage",outcome="ok"} 0"#,
        ] {
            assert!(text.contains(series), "{series} in\n{text}");
        }
    }
}
