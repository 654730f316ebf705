//! What is next for one pod that is to leave.

use dask_operator_api::parts::OnTimeout;
use jiff::{SignedDuration, Timestamp};

use super::super::check::CheckedGroup;
use super::super::observed::WorkerPod;
use crate::facts::{Drain, DrainState, Link, Load};
use crate::plan::Order;
use crate::sabotage::{self, Bug};

/// How long a worker may take to leave unless its group says otherwise, in seconds.
const TIMEOUT: u32 = 120;
/// A scheduler that has not said by then that time is over, or does not do as it is told, is waited for no longer.
pub(super) const LATE: SignedDuration = SignedDuration::from_secs(10);

/// What is known of one pod.
pub(super) struct Step<'a> {
    pub(super) link: &'a Link,
    pub(super) drain: Option<&'a Drain>,
    /// What its workers have; None when none has registered.
    pub(super) load: Option<Load>,
    /// One may have registered since.
    pub(super) may_have_come: bool,
    pub(super) deadline: Timestamp,
    pub(super) on_timeout: OnTimeout,
    pub(super) now: Timestamp,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The pod goes as pods go; what it has, it hands over by itself.
    Delete,
    /// The pod goes at once: it has nothing any more.
    DeleteDrained,
    Ask(Order),
    Wait(Timestamp),
    /// It could not leave in time, and is not to.
    Stay,
}

/// The decision. Where the scheduler can be asked, nothing is deleted that it has not let go before the deadline.
pub(super) fn next(step: &Step) -> Next {
    match step.link {
        Link::Stock => Next::Delete,
        Link::Preload(_) | Link::Rpc(_) => by_facts(step),
        Link::Unasked | Link::Unreachable(_) => unknowing(step),
    }
}

fn unknowing(step: &Step) -> Next {
    if step.now < step.deadline {
        Next::Wait(step.deadline)
    } else if *step.link == Link::Unasked && step.now < step.deadline + LATE {
        // Whoever has just begun to ask waits for the first answer.
        Next::Wait(step.deadline + LATE)
    } else if step.on_timeout == OnTimeout::Keep {
        Next::Wait(step.now + LATE)
    } else {
        Next::Delete
    }
}

fn by_facts(step: &Step) -> Next {
    let over = step.now >= step.deadline;
    // A record may be about a worker that was in the pod before.
    let runs = step.load.is_some_and(|load| load.runs);
    match step.drain.map(|drain| drain.state) {
        Some(DrainState::Ready | DrainState::Lost) if !runs => Next::DeleteDrained,
        Some(DrainState::Forgotten) if over || !runs => Next::DeleteDrained,
        // That a pod is not known may stand among the facts for a moment, as a drain in a state of its own.
        None | Some(DrainState::Other) if step.load.is_none() && (over || !step.may_have_come) => {
            Next::Delete
        }
        Some(DrainState::Waiting) if sabotage::is(Bug::NotWaitedFor) => Next::DeleteDrained,
        Some(DrainState::Waiting) if step.now < step.deadline + LATE => Next::Wait(step.deadline + LATE),
        _ if !over => Next::Ask(Order::Retire { seconds: seconds_until(step.deadline, step.now) }),
        _ if step.on_timeout == OnTimeout::Keep => Next::Stay,
        _ if step.now < step.deadline + LATE * 2 => Next::Ask(Order::Forget),
        _ => Next::Delete,
    }
}

/// Until when a pod may take to leave.
pub(super) fn deadline(group: &CheckedGroup, pod: &WorkerPod) -> Timestamp {
    let seconds = group.worker.drain.unwrap_or_default().timeout_seconds.unwrap_or(TIMEOUT);
    let since = pod.leaves_since().unwrap_or(Timestamp::MIN);
    since.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(since)
}

/// Rounded up, so that the scheduler's clock does not end before ours.
fn seconds_until(deadline: Timestamp, now: Timestamp) -> u32 {
    u32::try_from((deadline.duration_since(now).as_millis() + 999) / 1000).unwrap_or(1).max(1)
}

/// Whether a drain has left the pod's workers paused.
pub(super) fn is_paused(drain: &Drain) -> bool {
    is_done(drain) || matches!(drain.state, DrainState::Waiting | DrainState::Interrupted)
}

/// Whether there is nothing more to wait for.
pub(super) fn is_done(drain: &Drain) -> bool {
    matches!(drain.state, DrainState::Ready | DrainState::Lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn drain(state: DrainState) -> Drain {
        Drain { state, ..Drain::default() }
    }

    /// What is next so many seconds after a mark, with a deadline of 100.
    fn at(seconds: i64, link: &Link, state: Option<DrainState>, on_timeout: OnTimeout) -> Next {
        let drain = state.map(drain);
        let (deadline, now) = (after(100), after(seconds));
        next(&Step {
            link,
            drain: drain.as_ref(),
            load: Some(Load::default()),
            may_have_come: false,
            deadline,
            on_timeout,
            now,
        })
    }

    fn answering() -> Link {
        Link::Preload(std::sync::Arc::default())
    }

    #[test]
    fn a_pod_is_asked_until_it_has_nothing_and_goes_then() {
        let told = |seconds, state| at(seconds, &answering(), state, OnTimeout::Delete);
        assert_eq!(told(10, None), Next::Ask(Order::Retire { seconds: 90 }));
        assert_eq!(told(10, Some(DrainState::Refused)), Next::Ask(Order::Retire { seconds: 90 }));
        assert_eq!(told(10, Some(DrainState::Waiting)), Next::Wait(after(110)));
        assert_eq!(told(10, Some(DrainState::Ready)), Next::DeleteDrained);
        assert_eq!(told(10, Some(DrainState::Lost)), Next::DeleteDrained);
    }

    #[test]
    fn when_time_is_over_its_workers_are_forgotten_before_it_goes() {
        let told = |seconds, state| at(seconds, &answering(), state, OnTimeout::Delete);
        assert_eq!(told(100, Some(DrainState::Interrupted)), Next::Ask(Order::Forget));
        assert_eq!(told(100, Some(DrainState::Refused)), Next::Ask(Order::Forget));
        assert_eq!(told(101, Some(DrainState::Forgotten)), Next::DeleteDrained);
        assert_eq!(told(109, Some(DrainState::Waiting)), Next::Wait(after(110)));
        assert_eq!(told(110, Some(DrainState::Waiting)), Next::Ask(Order::Forget));
        assert_eq!(told(120, Some(DrainState::Waiting)), Next::Delete);
    }

    #[test]
    fn a_pod_that_is_to_be_kept_stays_when_time_is_over() {
        let told = |seconds, state| at(seconds, &answering(), state, OnTimeout::Keep);
        assert_eq!(told(100, Some(DrainState::Interrupted)), Next::Stay);
        assert_eq!(told(99, Some(DrainState::Refused)), Next::Ask(Order::Retire { seconds: 1 }));
        assert_eq!(told(100, Some(DrainState::Ready)), Next::DeleteDrained);
        let silent = Link::Unreachable(String::new());
        assert_eq!(at(100, &silent, None, OnTimeout::Keep), Next::Wait(after(110)));
    }

    #[test]
    fn who_cannot_be_asked_is_waited_for_until_time_is_over() {
        let silent = Link::Unreachable(String::new());
        assert_eq!(at(99, &silent, None, OnTimeout::Delete), Next::Wait(after(100)));
        assert_eq!(at(100, &silent, None, OnTimeout::Delete), Next::Delete);
        assert_eq!(at(1, &Link::Stock, None, OnTimeout::Delete), Next::Delete);
    }

    #[test]
    fn a_pod_of_which_nothing_has_registered_goes_as_pods_go() {
        let link = answering();
        let step = Step {
            link: &link,
            drain: None,
            load: None,
            may_have_come: false,
            deadline: after(100),
            on_timeout: OnTimeout::Keep,
            now: after(1),
        };
        assert_eq!(next(&step), Next::Delete);
        let unsure = Step { may_have_come: true, ..step };
        assert_eq!(
            next(&unsure),
            Next::Ask(Order::Retire { seconds: 99 }),
            "its scheduler may know more by now"
        );
        assert_eq!(next(&Step { now: after(100), ..unsure }), Next::Delete);
        let unknown = drain(DrainState::Other);
        let told = Step { drain: Some(&unknown), may_have_come: false, ..unsure };
        assert_eq!(next(&told), Next::Delete);
    }

    #[test]
    fn a_pod_with_a_worker_that_takes_work_is_asked_again_whatever_was_said_before() {
        let (link, ready) = (answering(), drain(DrainState::Ready));
        let load = Some(Load { runs: true, ..Load::default() });
        let (deadline, on_timeout, now) = (after(100), OnTimeout::Delete, after(10));
        let step =
            Step { link: &link, drain: Some(&ready), load, may_have_come: false, deadline, on_timeout, now };
        assert_eq!(next(&step), Next::Ask(Order::Retire { seconds: 90 }));
    }

    #[test]
    fn whoever_asks_anew_when_time_is_over_waits_for_the_first_answer() {
        assert_eq!(at(105, &Link::Unasked, None, OnTimeout::Delete), Next::Wait(after(110)));
        assert_eq!(at(110, &Link::Unasked, None, OnTimeout::Delete), Next::Delete);
    }
}
