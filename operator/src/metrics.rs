//! What can be counted.

mod passing;
pub(crate) mod scrape;

pub(crate) use passing::{ClusterLabels, GroupLabels, Passing, TroubleLabels, Workers};

use std::sync::Arc;
use std::time::Duration;

use dask_operator_api::autoscaler::LastDecision;
use dask_operator_plan::{Drain, DrainState, Kind};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

const PREFIX: &str = "dask_operator";
/// Upper bounds of the histogram of reconcile times.
const SECONDS: [f64; 7] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0];

/// The same of the times that workers take to leave.
const DRAIN_SECONDS: [f64; 7] = [0.1, 0.5, 2.0, 10.0, 30.0, 120.0, 600.0];

/// The same of the times from news to what follows.
const REACTION_SECONDS: [f64; 7] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// What a scheduler tells is its own affair: nobody's numbers drown all others.
const LONGEST_DRAIN: f64 = 86_400.0;
const MOST_TOLD: u64 = 1 << 50;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    verb: &'static str,
    kind: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DrainLabels {
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DecisionLabels {
    reason: String,
}

/// What came of the drains of workers that we let go.
#[derive(Clone)]
struct Drains {
    seconds: Family<DrainLabels, Histogram>,
    interrupted: Counter,
    moved: Counter,
    lost: Counter,
}

impl Drains {
    fn register(registry: &mut Registry) -> Self {
        let bounds = (|| Histogram::new(DRAIN_SECONDS)) as fn() -> Histogram;
        let drains = Self {
            seconds: Family::new_with_constructor(bounds),
            interrupted: Counter::default(),
            moved: Counter::default(),
            lost: Counter::default(),
        };
        registry.register("drain_seconds", "How long workers took to leave", drains.seconds.clone());
        registry.register(
            "drain_interrupted_tasks",
            "Tasks that did not end in time",
            drains.interrupted.clone(),
        );
        registry.register("drain_moved_bytes", "Data handed over to other workers", drains.moved.clone());
        registry.register("drain_lost_bytes", "Data that went with a worker", drains.lost.clone());
        drains
    }
}

/// Every metric of the operator.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    calls: Family<CallLabels, Counter>,
    seconds: Family<KindLabels, Histogram>,
    watch_failures: Family<KindLabels, Counter>,
    objects: Family<KindLabels, Gauge>,
    leader: Gauge,
    drains: Drains,
    decisions: Family<DecisionLabels, Counter>,
    reactions: Histogram,
}

impl Metrics {
    /// Registers them all.
    pub(crate) fn new() -> Self {
        let calls = Family::default();
        let seconds = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        let watch_failures = Family::default();
        let objects = Family::default();
        let leader = Gauge::default();
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register("api_calls", "Calls about the objects of clusters", calls.clone());
        registry.register("reconcile_seconds", "How long one look takes, writes included", seconds.clone());
        registry.register(
            "watch_failures",
            "Watches that failed and were begun again",
            watch_failures.clone(),
        );
        registry.register("objects", "Objects in the caches", objects.clone());
        registry.register("leader", "1 while this replica holds the lease", leader.clone());
        let drains = Drains::register(&mut registry);
        let decisions = Family::default();
        let help = "Decisions of autoscalers that changed a group, or in advisory mode would have";
        registry.register("scaling_decisions", help, decisions.clone());
        let reactions = Histogram::new(REACTION_SECONDS);
        let help = "From a scheduler's news to the number of workers that follows from it";
        registry.register("scaling_reaction_seconds", help, reactions.clone());
        Self {
            registry: Arc::new(registry),
            calls,
            seconds,
            watch_failures,
            objects,
            leader,
            drains,
            decisions,
            reactions,
        }
    }

    /// One call to the API server was answered.
    pub(crate) fn called(&self, verb: &'static str, kind: Kind, ok: bool) {
        let labels = CallLabels { verb, kind: format!("{kind:?}"), outcome: outcome(ok) };
        self.calls.get_or_create(&labels).inc();
    }

    /// One look at one object ended.
    pub(crate) fn reconciled(&self, kind: Kind, took: Duration) {
        let labels = KindLabels { kind: format!("{kind:?}") };
        self.seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A watch has to begin again.
    pub(crate) fn watch_failed(&self, kind: &str) {
        self.watch_failures.get_or_create(&KindLabels { kind: kind.to_owned() }).inc();
    }

    /// How many objects of a kind are cached.
    pub(crate) fn cached(&self, kind: &str, count: usize) {
        let gauge = self.objects.get_or_create(&KindLabels { kind: kind.to_owned() });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Whether this replica leads.
    pub(crate) fn leading(&self, leading: bool) {
        self.leader.set(i64::from(leading));
    }

    /// What an autoscaler decided has been told.
    pub(crate) fn decided<'a>(&self, decisions: impl Iterator<Item = &'a LastDecision>) {
        for decision in decisions {
            let labels = DecisionLabels { reason: decision.reason.clone() };
            self.decisions.get_or_create(&labels).inc();
        }
    }

    /// Workers have left.
    pub(crate) fn drained(&self, drained: &[Drain]) {
        for drain in drained {
            let labels = DrainLabels { outcome: format!("{:?}", drain.state) };
            self.drains.seconds.get_or_create(&labels).observe(drain.seconds.clamp(0.0, LONGEST_DRAIN));
            if drain.state == DrainState::Forgotten {
                self.drains.interrupted.inc_by(drain.tasks.min(MOST_TOLD));
            }
            self.drains.moved.inc_by(drain.moved_bytes.min(MOST_TOLD));
            self.drains.lost.inc_by(drain.lost_bytes.min(MOST_TOLD));
        }
    }

    /// So long after a scheduler had told news a group had another number of workers.
    pub(crate) fn reacted(&self, took: Duration) {
        self.reactions.observe(took.as_secs_f64());
    }

    /// The text that Prometheus scrapes.
    pub(crate) fn text(&self, passing: Passing) -> String {
        let mut anew = Registry::with_prefix(PREFIX);
        passing.register(&mut anew);
        let mut text = String::new();
        let _ = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &anew))
            .and_then(|()| encode_eof(&mut text));
        text
    }
}

fn outcome(ok: bool) -> &'static str {
    if ok { "ok" } else { "failed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drains_are_counted_by_their_outcomes_with_what_they_moved_and_lost() {
        let metrics = Metrics::new();
        let drain = |state, seconds, tasks, moved_bytes, lost_bytes| Drain {
            state,
            seconds,
            tasks,
            moved_bytes,
            lost_bytes,
            ..Drain::default()
        };
        metrics.drained(&[
            drain(DrainState::Ready, 1.0, 0, 100, 0),
            drain(DrainState::Ready, 3.0, 0, 50, 0),
            drain(DrainState::Forgotten, f64::INFINITY, 7, 0, u64::MAX),
        ]);
        let text = metrics.text(Passing::default());
        for line in [
            r#"dask_operator_drain_seconds_count{outcome="Ready"} 2"#.to_owned(),
            r#"dask_operator_drain_seconds_sum{outcome="Ready"} 4.0"#.to_owned(),
            r#"dask_operator_drain_seconds_sum{outcome="Forgotten"} 86400.0"#.to_owned(),
            "dask_operator_drain_interrupted_tasks_total 7".to_owned(),
            "dask_operator_drain_moved_bytes_total 150".to_owned(),
            format!("dask_operator_drain_lost_bytes_total {MOST_TOLD}"),
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in {text}");
        }
    }
}
