//! Pods that have ended before they were deleted, and what went with them.

use jiff::Timestamp;

use super::super::observed::{Ended, Observed, WorkerPod};
use super::delete;
use super::next::LATE;
use crate::facts::{Drain, DrainState, Index};
use crate::plan::Delete;

/// Those that have ended go. Of one that ended while it was leaving it is told what was lost.
pub(in super::super) fn ended(observed: &Observed, pods: Vec<&WorkerPod>) -> Vec<Delete> {
    let index = observed.link.facts().filter(|_| !pods.is_empty()).map(Index::of);
    let lost = |pod: &WorkerPod| {
        let drain = index.as_ref()?.drain(&pod.name)?;
        matches!(drain.state, DrainState::Lost | DrainState::Forgotten).then(|| drain.clone())
    };
    let deletes =
        pods.into_iter().map(|pod| Delete { replaced: true, drained: lost(pod), ..delete(pod, None) });
    deletes.collect()
}

/// Until when a pod that was leaving is kept for its scheduler to say what went with it: its node may be faster. None
/// when that is known, or nobody can say.
pub(in super::super) fn untold(
    observed: &Observed,
    pod: &WorkerPod,
    end: &Ended,
    now: Timestamp,
) -> Option<Timestamp> {
    pod.leaves_since()?;
    let until = end.at.checked_add(LATE).ok().filter(|until| *until > now)?;
    let index = Index::of(observed.link.facts()?);
    index.drain(&pod.name).filter(|drain| !is_final(drain)).map(|_| until)
}

fn is_final(drain: &Drain) -> bool {
    matches!(drain.state, DrainState::Ready | DrainState::Lost | DrainState::Forgotten)
}
