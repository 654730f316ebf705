//! How long the place of a worker that crashed stays empty.

use jiff::{SignedDuration, Timestamp};

use super::observed::{Ended, WorkerPod};

/// After a worker that ran this long, a crash counts as its group's first.
pub(super) const HEALTHY_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// A worker that exits cleanly before this time has done nothing.
const HARDLY: SignedDuration = SignedDuration::from_secs(10);
/// A slot whose workers keep crashing is filled again at least this often.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);
/// The same when they end without an error.
const LONGEST_CLEAN_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// Ends in a row that came too soon, up to and with this one: any crash of a worker that did not run for long, and
/// even a clean exit of one that hardly ran at all.
pub(super) fn crashes(pod: &WorkerPod, end: &Ended) -> u32 {
    let lived = end.at.duration_since(pod.created);
    match end.failed {
        false if lived >= HARDLY => 0,
        true if lived >= HEALTHY_AFTER => 1,
        _ => pod.crashes.saturating_add(1),
    }
}

/// When the place of a pod may be filled that was the last of so many: at once after a first end, then after 5 s, 10 s,
/// 20 s and so on. Clean exits wait less: workers exit so when their scheduler is gone, and are wanted as soon as it is
/// back.
pub(super) fn due(end: &Ended, crashes: u32) -> Timestamp {
    if crashes <= 1 {
        return end.at;
    }
    let doublings = (crashes - 2).min(10);
    let longest = if end.failed { LONGEST_WAIT } else { LONGEST_CLEAN_WAIT };
    let wait = SignedDuration::from_secs(5 << doublings).min(longest);
    end.at.checked_add(wait).unwrap_or(end.at)
}

#[cfg(test)]
mod tests {
    use super::super::observed::Stage;
    use super::*;
    use crate::Trouble;
    use dask_operator_api::conditions::Reason;

    fn no_words() -> Trouble {
        Trouble { reason: Reason::ContainerFailed, words: String::new() }
    }

    /// How long the place of a worker stays empty that lived so many seconds, after so many crashes before it.
    fn wait(lived: i64, failed: bool, crashes: u32) -> i64 {
        let created = Timestamp::UNIX_EPOCH;
        let end = Ended { at: created + SignedDuration::from_secs(lived), failed, trouble: no_words() };
        let stage = Stage::Ended(end.clone());
        let pod = WorkerPod { stage, crashes, ..WorkerPod::ready("", created) };
        due(&end, super::crashes(&pod, &end)).duration_since(end.at).as_secs()
    }

    #[test]
    fn crashes_in_a_row_wait_ever_longer() {
        let waits: Vec<_> = (0..9).map(|crashes| wait(1, true, crashes)).collect();
        assert_eq!(waits, [0, 5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_worker_that_ran_for_long_is_replaced_at_once() {
        assert_eq!(wait(600, true, 8), 0);
        assert_eq!(wait(10, false, 8), 0);
    }

    #[test]
    fn a_command_that_ends_at_once_does_not_go_round_and_round() {
        assert_eq!(wait(0, false, 1), 5);
        assert_eq!(wait(0, false, 8), 30);
    }
}
