//! Which of a cluster's names belong to somebody else's objects.

use dask_operator_api::cluster::DisruptionProtection;
use dask_operator_api::conditions::{Reason, Verdict};

use super::check::CheckedCluster;
use super::observed::{Child, Observed, Ownership};
use crate::troubles;

/// What exists under the names that this cluster needs, and whose it is not.
pub(super) fn taken(cluster: &CheckedCluster, observed: &Observed) -> Option<Verdict> {
    // Whoever does not ask for our disruption budget may have one of that name.
    let budget = observed.budget.as_ref().filter(|_| cluster.protection != DisruptionProtection::None);
    let children = [
        ("Service", cluster.name.scheduler(), observed.service.as_ref().map(|service| &service.child)),
        ("Deployment", cluster.name.scheduler(), observed.deployment.as_ref()),
        ("ConfigMap", cluster.name.config(), observed.config.as_ref()),
        ("DaskWorkerGroup", cluster.name.default_group(), observed.group.as_ref().map(|group| &group.child)),
        ("PodDisruptionBudget", cluster.name.scheduler(), budget),
    ];
    let taken = children.into_iter().filter(|(_, _, child)| child.is_some_and(is_foreign));
    let taken: Vec<_> = taken.map(|(kind, name, _)| format!("{kind} {name}")).collect();
    let message = || format!("of another owner, and left as it is: {}", taken.join(", "));
    (!taken.is_empty()).then(|| troubles::trouble(Reason::OwnedByAnother, message()))
}

fn is_foreign(child: &Child) -> bool {
    child.ownership == Ownership::Foreign
}
