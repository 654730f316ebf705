//! How long the place of a worker that crashed stays empty.

use jiff::{SignedDuration, Timestamp};

use super::observed::{Ended, WorkerPod};

/// After a worker that ran this long, a crash counts as its group's first.
const HEALTHY_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// A slot whose workers keep crashing is filled again at least this often.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// Crashes in a row, up to and with this end.
pub(super) fn crashes(pod: &WorkerPod, end: &Ended) -> u32 {
    match (end.failed, end.at.duration_since(pod.created) >= HEALTHY_AFTER) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => pod.crashes.saturating_add(1),
    }
}

/// When the place of an ended pod may be filled: at once after a clean exit and after a first crash, then after
/// 5 s, 10 s, 20 s and so on.
pub(super) fn due(pod: &WorkerPod, end: &Ended) -> Timestamp {
    let crashes = crashes(pod, end);
    if crashes <= 1 {
        return end.at;
    }
    let doublings = (crashes - 2).min(10);
    let wait = SignedDuration::from_secs(5 << doublings).min(LONGEST_WAIT);
    end.at.checked_add(wait).unwrap_or(end.at)
}
