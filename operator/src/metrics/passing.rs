//! What is counted anew for each scrape, so that no series outlives its object.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// A trouble, as objects are counted by.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct TroubleLabels {
    pub(crate) kind: String,
    pub(crate) condition: String,
    pub(crate) reason: String,
}

/// A group that an autoscaler scales.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct GroupLabels {
    pub(crate) namespace: String,
    pub(crate) group: String,
}

/// A cluster whose scheduler is followed.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct ClusterLabels {
    pub(crate) namespace: String,
    pub(crate) cluster: String,
}

/// The workers of a group that is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Workers {
    pub(crate) wanted: usize,
    pub(crate) granted: usize,
    pub(crate) ready: usize,
}

/// What there is to tell just now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passing {
    pub(crate) troubles: Vec<TroubleLabels>,
    pub(crate) groups: Vec<(GroupLabels, Workers)>,
    /// How old the facts of schedulers are, in seconds.
    pub(crate) ages: Vec<(ClusterLabels, f64)>,
}

impl Passing {
    pub(super) fn register(self, registry: &mut Registry) {
        let troubles: Family<TroubleLabels, Gauge> = Family::default();
        for labels in self.troubles {
            troubles.get_or_create(&labels).inc();
        }
        registry.register("troubles", "Objects in trouble, by condition and reason", troubles);
        let groups = &self.groups;
        let help = "Workers that the work asks for, whatever the bounds";
        registry.register("scaling_wanted_workers", help, gauges(groups, |workers| workers.wanted));
        let help = "Workers that the autoscaler decided on";
        registry.register("scaling_granted_workers", help, gauges(groups, |workers| workers.granted));
        let help = "Workers whose pods are ready";
        registry.register("scaling_ready_workers", help, gauges(groups, |workers| workers.ready));
        let ages: Family<ClusterLabels, Gauge<f64, AtomicU64>> = Family::default();
        for (labels, age) in self.ages {
            ages.get_or_create(&labels).set(age);
        }
        let help = "How long ago a scheduler that is followed told facts";
        registry.register_with_unit("facts_age", help, Unit::Seconds, ages);
    }
}

fn gauges(
    groups: &[(GroupLabels, Workers)],
    count: impl Fn(&Workers) -> usize,
) -> Family<GroupLabels, Gauge> {
    let family: Family<GroupLabels, Gauge> = Family::default();
    for (labels, workers) in groups {
        family.get_or_create(labels).set(i64::try_from(count(workers)).unwrap_or(i64::MAX));
    }
    family
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn a_trouble_is_counted_by_object_and_gone_when_it_is_over() {
        let metrics = Metrics::new();
        let trouble = || TroubleLabels {
            kind: "DaskCluster".to_owned(),
            condition: "Refused".to_owned(),
            reason: "QuotaExceeded".to_owned(),
        };
        let counted =
            r#"dask_operator_troubles{kind="DaskCluster",condition="Refused",reason="QuotaExceeded"} 2"#;
        let passing = Passing { troubles: vec![trouble(), trouble()], ..Passing::default() };
        assert!(metrics.text(passing).contains(counted));
        let after = metrics.text(Passing::default());
        assert!(!after.contains("QuotaExceeded") && after.ends_with("# EOF\n"), "{after}");
    }

    #[test]
    fn groups_and_clusters_are_told_while_they_are_there() {
        let metrics = Metrics::new();
        let group = GroupLabels { namespace: "team".to_owned(), group: "demo-default".to_owned() };
        let cluster = ClusterLabels { namespace: "team".to_owned(), cluster: "demo".to_owned() };
        let passing = Passing {
            groups: vec![(group, Workers { wanted: 100, granted: 8, ready: 5 })],
            ages: vec![(cluster, 1.5)],
            ..Passing::default()
        };
        let text = metrics.text(passing);
        for line in [
            r#"dask_operator_scaling_wanted_workers{namespace="team",group="demo-default"} 100"#,
            r#"dask_operator_scaling_granted_workers{namespace="team",group="demo-default"} 8"#,
            r#"dask_operator_scaling_ready_workers{namespace="team",group="demo-default"} 5"#,
            r#"dask_operator_facts_age_seconds{namespace="team",cluster="demo"} 1.5"#,
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!metrics.text(Passing::default()).contains("team"));
    }
}
