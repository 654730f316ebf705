//! DaskCluster: the decisions in order.

mod check;
mod decide;
mod desired;
mod events;
mod follow;
mod idle;
mod link;
mod observed;
mod outdated;
mod skew;
mod status;
mod suspend;
mod taken;
mod unprotected;

use dask_operator_api::cluster::IdleAction;
use jiff::Timestamp;

use crate::Settings;
use crate::facts::FOLLOWED;
use crate::plan::Plan;
use suspend::Suspension;

pub use check::{CheckedCluster, check};
pub use events::events;
pub use observed::{Child, DefaultGroup, Observed, Ownership, SchedulerPod, Service};
pub use status::{invalid, status};
pub use suspend::is_suspended;

/// What to write so that the cluster becomes what it should be.
///
/// The objects depend on each other only through names, so all are made at once; a running scheduler is touched only
/// when somebody asks for its restart.
pub fn plan(cluster: &CheckedCluster, observed: &Observed, settings: &Settings, now: Timestamp) -> Plan {
    if cluster.deleting {
        return Plan::default();
    }
    let mut suspension = suspend::wanted(cluster, observed);
    let idle = idle::idle(cluster, observed, now).filter(|_| suspension.is_none());
    // Whoever has just said that it is to go on is heard first.
    if let Some(idle) = idle.as_ref().filter(|idle| idle.goes && !suspend::resume_is_due(cluster)) {
        match cluster.idle_action {
            IdleAction::Delete => {
                return Plan { delete: vec![idle::delete(cluster, idle)], ..Plan::default() };
            }
            IdleAction::Suspend => suspension = Some(Suspension::idle(now)),
        }
    }
    let apply: Vec<_> = [
        decide::config(cluster, observed),
        decide::service(cluster, observed),
        decide::deployment(cluster, observed, suspension, settings),
        decide::default_group(cluster, observed),
        decide::budget(cluster, observed),
    ]
    .into_iter()
    .flatten()
    .collect();
    let delete = decide::budget_no_more(cluster, observed);
    let follow = follow::next(cluster, observed, now);
    let needs_facts = idle.is_some() || follow.is_some();
    let idle = idle.map(|idle| idle.wake.map_or(now + FOLLOWED, |wake| wake.min(now + FOLLOWED)));
    Plan {
        premises: decide::premise(cluster, &apply).into_iter().collect(),
        apply,
        delete: delete.into_iter().collect(),
        needs_facts,
        wake: [idle, follow].into_iter().flatten().min(),
        ..Plan::default()
    }
}
