//! DaskCluster: the decisions in order.

mod check;
mod decide;
mod desired;
mod events;
mod idle;
mod observed;
mod status;

use jiff::Timestamp;

use crate::Settings;
use crate::facts::FOLLOWED;
use crate::plan::Plan;

pub use check::{CheckedCluster, check};
pub use events::events;
pub use observed::{Child, DefaultGroup, Observed, Ownership, SchedulerPod, Service};
pub use status::{invalid, status};

/// What to write so that the cluster becomes what it should be.
///
/// The objects depend on each other only through names, so all are made at once; a running scheduler is touched only
/// when somebody asks for its restart.
pub fn plan(cluster: &CheckedCluster, observed: &Observed, settings: &Settings, now: Timestamp) -> Plan {
    if cluster.deleting {
        return Plan::default();
    }
    let idle = idle::idle(cluster, observed, now);
    if let Some(idle) = idle.as_ref().filter(|idle| idle.goes) {
        return Plan { delete: vec![idle::delete(cluster, idle)], ..Plan::default() };
    }
    let apply = [
        decide::config(cluster, observed),
        decide::service(cluster, observed),
        decide::deployment(cluster, observed, settings),
        decide::default_group(cluster, observed),
        decide::budget(cluster, observed),
    ];
    let delete = decide::budget_no_more(cluster, observed);
    Plan {
        apply: apply.into_iter().flatten().collect(),
        delete: delete.into_iter().collect(),
        needs_facts: idle.is_some(),
        wake: idle.map(|idle| idle.wake.map_or(now + FOLLOWED, |wake| wake.min(now + FOLLOWED))),
        ..Plan::default()
    }
}
