//! What is said of what a group's workers offer.

use dask_operator_api::conditions::{Reason, Verdict};
use dask_operator_api::worker_group::Offers;

use super::check::CheckedGroup;
use super::desired;
use super::observed::{Observed, WorkerPod};
use crate::facts::Index;
use crate::offers::{declared, seen};
use crate::troubles;

/// What a worker of the present template has told, now or before; until then, what the template says.
pub(super) fn offers(group: &CheckedGroup, observed: &Observed) -> Option<Offers> {
    let kept = group.status.offers.clone();
    let Some(cluster) = &observed.cluster else { return kept };
    let template = desired::template(group, cluster);
    // One that has told is enough: all are alike, and the words stay the same.
    if let Some(kept) = kept.filter(|kept| kept.template.as_ref() == Some(&template)) {
        return Some(kept);
    }
    let declared = declared(&group.worker);
    let alike = observed.pods.iter().filter(|pod| pod.template.as_ref() == Some(&template));
    let told = observed.link.facts().and_then(|facts| seen(alike, &Index::of(facts)));
    // Not all of its processes may have registered yet; how many there will be, its flags say, or nobody.
    let told = told.map(|told| Offers { processes: declared.processes, template: Some(template), ..told });
    Some(told.unwrap_or(declared))
}

/// That there are no workers, and that nobody can know which resources they will offer. Threads that are not known are
/// thought to be few, which the first worker corrects; for a resource that nobody knows of there is no first one.
pub(super) fn unknown(group: &CheckedGroup, observed: &Observed, offers: Option<&Offers>) -> Option<Verdict> {
    let is_empty = group.wanted == 0 && !observed.pods.iter().any(WorkerPod::is_live);
    let is_told = observed.cluster.is_some() && !observed.is_suspended();
    let is_known = offers.is_some_and(|offers| offers.resources.is_some());
    let message =
        "its workers are not started by \"dask worker\", so nobody can know which resources they will offer";
    (is_empty && is_told && !is_known).then(|| troubles::trouble(Reason::CommandTellsNothing, message))
}
