//! Whether a scheduler, or its Service, was made from an earlier spec.

use dask_operator_api::conditions::{Reason, Verdict};
use dask_operator_api::labels;

use super::check::CheckedCluster;
use super::desired;
use super::observed::Observed;
use super::suspend;
use crate::troubles;

/// What differs from the spec by now, and how to apply it.
pub(super) fn outdated(cluster: &CheckedCluster, observed: &Observed) -> Option<Verdict> {
    let service = observed.service.as_ref().map(|service| &service.child);
    let scheduler = observed
        .deployment
        .as_ref()
        .is_some_and(|child| child.is_outdated(&desired::scheduler_hash(cluster)));
    let service = service.is_some_and(|child| child.is_outdated(&desired::service_hash(cluster)));
    let what = match (scheduler, service) {
        // What is stopped is about to be brought up to date.
        _ if cluster.deleting || suspend::is_stopped(cluster, observed) => return None,
        (false, false) => return None,
        (true, false) => "what the scheduler is made from has",
        (false, true) => "the spec of the scheduler's Service has",
        (true, true) => "what the scheduler and its Service are made from has",
    };
    let message = format!(
        "{what} changed since; to restart the scheduler with it, which loses what the cluster holds: \
         kubectl annotate daskcluster {} --namespace {} {}=$(date +%s) --overwrite",
        cluster.name.as_str(),
        cluster.namespace,
        labels::RESTART_SCHEDULER,
    );
    Some(troubles::trouble(Reason::SpecChanged, message))
}
