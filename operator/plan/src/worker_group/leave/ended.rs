//! Pods that have ended before they were deleted, and what went with them.

use jiff::Timestamp;

use super::delete;
use super::next::LATE;
use crate::facts::{Drain, DrainState, Index, Link};
use crate::plan::Delete;
use crate::worker_group::observed::{Ended, Observed, WorkerPod};

/// Those that have ended go. Of one that ended while it was leaving it is told what was lost.
pub(in crate::worker_group) fn ended(observed: &Observed, pods: Vec<&WorkerPod>) -> Vec<Delete> {
    let index = observed.link.facts().filter(|_| !pods.is_empty()).map(Index::of);
    let lost = |pod: &WorkerPod| {
        let drain = index.as_ref()?.drain(&pod.name)?;
        matches!(drain.state, DrainState::Lost | DrainState::Forgotten).then(|| drain.clone())
    };
    let deletes =
        pods.into_iter().map(|pod| Delete { replaced: true, drained: lost(pod), ..delete(pod, None) });
    deletes.collect()
}

/// Pods that were leaving when they ended, and of which their scheduler has not said yet what went with them: their node
/// may be faster.
pub(in crate::worker_group) struct Untold<'a> {
    index: Option<Index<'a>>,
    /// Whether what it says of a drain changes when its workers have gone.
    says_what_went: bool,
    now: Timestamp,
}

impl<'a> Untold<'a> {
    /// `any` says whether there are any that ended while they were leaving.
    pub(in crate::worker_group) fn of(observed: &'a Observed, any: bool, now: Timestamp) -> Self {
        let index = observed.link.facts().filter(|_| any).map(Index::of);
        Self { index, says_what_went: matches!(observed.link, Link::Preload(_)), now }
    }

    /// Until when one is kept for that. Not at all where the clock of its node is ahead of ours.
    pub(in crate::worker_group) fn until(&self, pod: &WorkerPod, end: &Ended) -> Option<Timestamp> {
        pod.leaves_since()?;
        let drain = self.index.as_ref()?.drain(&pod.name)?;
        let until = end.at.checked_add(LATE).ok()?;
        (self.is_awaited(drain) && until > self.now && end.at <= self.now).then_some(until)
    }

    fn is_awaited(&self, drain: &Drain) -> bool {
        match drain.state {
            DrainState::Waiting => true,
            DrainState::Refused | DrainState::Interrupted => self.says_what_went,
            DrainState::Ready | DrainState::Lost | DrainState::Forgotten | DrainState::Other => false,
        }
    }
}
