//! Why a group gets no more workers on top of those that it has.

use jiff::{SignedDuration, Timestamp};

use super::observed::Group;
use crate::facts::Index;
use crate::worker_group::{Stage, WorkerPod};

/// A worker that is ready and has not registered after so long will not.
const REGISTERS_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// One crash may have been the work's fault; so many in a row are the group's.
const CRASHES: u32 = 2;

/// What ails a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The words of the API server, the kubelet, or our own.
    pub(super) words: String,
    /// Since when, if it may yet pass by itself.
    pub(super) since: Option<Timestamp>,
}

/// The first thing that ails it.
pub(super) fn of(group: &Group, index: &Index<'_>, now: Timestamp) -> Option<Trouble> {
    let refused = group.refused.clone().map(|words| Trouble { words, since: None });
    let staying = || group.pods.iter().filter(|pod| !pod.terminating);
    refused
        .or_else(|| staying().find_map(failing))
        .or_else(|| staying().filter_map(waiting).min_by_key(|trouble| trouble.since))
        .or_else(|| staying().find_map(|pod| unknown(pod, index, now)))
}

/// It ended with an error, like the one before it.
fn failing(pod: &WorkerPod) -> Option<Trouble> {
    let trouble = match &pod.stage {
        Stage::Ended(end) if end.failed && pod.crashes + 1 >= CRASHES => &end.trouble,
        _ => return None,
    };
    Some(Trouble { words: format!("{}: {}", trouble.reason, trouble.words), since: None })
}

/// It cannot start.
fn waiting(pod: &WorkerPod) -> Option<Trouble> {
    let trouble = pod.trouble.as_ref().filter(|_| pod.is_live())?;
    Some(Trouble { words: format!("{}: {}", trouble.reason, trouble.words), since: Some(pod.created) })
}

/// It took the place of some that crashed, or has been ready for long, and no scheduler knows it.
fn unknown(pod: &WorkerPod, index: &Index<'_>, now: Timestamp) -> Option<Trouble> {
    if !pod.is_live() || index.load(&pod.name, pod.ip).is_some() {
        return None;
    }
    // It may have waited long for a node, or for its image.
    let since = pod.ready_since.unwrap_or(pod.created);
    let is_late = pod.stage == Stage::Ready && since + REGISTERS_WITHIN <= now;
    let words = format!("pod {} has not registered", pod.name);
    (is_late || pod.crashes >= CRASHES).then_some(Trouble { words, since: None })
}
