//! What keeps workers from leaving, as a condition.

use dask_operator_api::conditions::{Reason, Verdict};
use dask_operator_api::parts::OnTimeout;
use jiff::Timestamp;

use super::next::{LATE, deadline};
use crate::facts::{DrainState, Index, Link};
use crate::troubles::trouble;
use crate::worker_group::check::CheckedGroup;
use crate::worker_group::observed::{Mark, Observed, WorkerPod};
use crate::worker_group::roll::is_outdated;

/// The first of these that is so: nobody can be asked, the scheduler refuses, it lets nobody go although time is over,
/// or a worker stays.
pub(in crate::worker_group) fn delayed(
    group: &CheckedGroup,
    observed: &Observed,
    now: Timestamp,
) -> Option<Verdict> {
    unreachable(observed)
        .or_else(|| refused(observed))
        .or_else(|| overdue(group, observed, now))
        .or_else(|| kept(group, observed))
}

fn live(observed: &Observed) -> impl Iterator<Item = &WorkerPod> {
    observed.pods.iter().filter(|pod| pod.is_live())
}

fn leaving(observed: &Observed) -> impl Iterator<Item = &WorkerPod> {
    live(observed).filter(|pod| pod.leaves_since().is_some())
}

fn unreachable(observed: &Observed) -> Option<Verdict> {
    let Link::Unreachable(why) = &observed.link else { return None };
    let count = leaving(observed).count();
    let message = format!("{count} workers are to leave, and the scheduler cannot be asked: {why}");
    (count > 0).then(|| trouble(Reason::SchedulerUnreachable, message))
}

fn refused(observed: &Observed) -> Option<Verdict> {
    let index = Index::of(observed.link.facts()?);
    let refused =
        |pod: &&WorkerPod| index.drain(&pod.name).is_some_and(|one| one.state == DrainState::Refused);
    let first = leaving(observed).filter(refused).min_by_key(|pod| &pod.name)?;
    let drain = index.drain(&first.name)?;
    Some(trouble(Reason::DrainRefused, format!("pod {} cannot leave: {}", drain.name, drain.reason)))
}

/// A scheduler that answers and does not do as it is told.
fn overdue(group: &CheckedGroup, observed: &Observed, now: Timestamp) -> Option<Verdict> {
    let keeps = group.worker.drain.unwrap_or_default().on_timeout == Some(OnTimeout::Keep);
    observed.link.facts().filter(|_| !keeps)?;
    let overdue: Vec<_> = leaving(observed).filter(|pod| now >= deadline(group, pod) + LATE).collect();
    let longest = overdue.iter().min_by_key(|pod| (pod.leaves_since(), &pod.name))?;
    let message = format!(
        "{} workers are to have left by now, and the scheduler neither lets them go nor says why; the first is {}",
        overdue.len(),
        longest.name
    );
    Some(trouble(Reason::NotLetGo, message))
}

fn kept(group: &CheckedGroup, observed: &Observed) -> Option<Verdict> {
    let stays = Some(Mark::Stays(group.generation.unwrap_or(0)));
    let kept: Vec<_> = live(observed).filter(|pod| pod.mark == stays).map(|pod| pod.name.as_str()).collect();
    let outdated = is_outdated(group, observed);
    let is_due =
        live(observed).count() > group.wanted || live(observed).any(|pod| pod.mark == stays && outdated(pod));
    let first = kept.iter().min().filter(|_| is_due)?;
    let message = format!("{} workers stay that could not leave in time; the first is {first}", kept.len());
    Some(trouble(Reason::WorkersKept, message))
}
