//! What went with workers that left, which cannot be mended and is told for a while.

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use jiff::{SignedDuration, Timestamp};

use super::check::CheckedGroup;
use crate::facts::{Drain, DrainState};
use crate::plan::{Event, EventKind, Outcome};
use crate::troubles::{find, still, trouble};

/// Long enough for somebody who is called to see it, and for a scrape: from the first of several on.
const STANDS: SignedDuration = SignedDuration::from_mins(10);

/// The Event of a pod that has gone with something that nobody else has.
pub fn losses(drain: &Drain) -> Option<Event> {
    words(drain).map(|note| Event {
        kind: EventKind::Warning,
        reason: Reason::WorkInterrupted.to_string(),
        action: "Drain",
        note,
    })
}

/// The same as a condition. Its words are of one of several, for a change of words may wait, and what went is known once;
/// each has an Event.
pub(super) fn lost(group: &CheckedGroup, outcome: &Outcome, now: Timestamp) -> Option<Verdict> {
    let news = outcome.drained.iter().filter_map(words).next_back();
    let told = || still(&group.status.conditions, ConditionType::WorkLost);
    news.map(|words| trouble(Reason::WorkInterrupted, words))
        .or_else(|| told().filter(|_| stands(group, now).is_some()))
}

/// Until when it is told; None when that is past, or when nothing is.
pub(super) fn stands(group: &CheckedGroup, now: Timestamp) -> Option<Timestamp> {
    let told = find(&group.status.conditions, ConditionType::WorkLost)?;
    told.last_transition_time.0.checked_add(STANDS).ok().filter(|until| *until > now)
}

fn words(drain: &Drain) -> Option<String> {
    let lost = matches!(drain.state, DrainState::Forgotten | DrainState::Lost);
    (lost && (drain.tasks, drain.lost_keys) != (0, 0)).then(|| {
        format!(
            "pod {} left after {:.0} s: {} tasks interrupted, {} results ({} bytes) lost",
            drain.name, drain.seconds, drain.tasks, drain.lost_keys, drain.lost_bytes
        )
    })
}
