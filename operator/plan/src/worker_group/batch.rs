//! New workers in batches, where hundreds of pods at once are too much for what they start with.

use std::borrow::Cow;

use jiff::Timestamp;

use super::check::CheckedGroup;
use super::observed::Observed;
use crate::settings::Batch;

/// The group as far as it may have grown by now, and when it may grow on. A pod that ended keeps its place, so that
/// its replacement is not held up.
pub(super) fn step<'a>(
    group: &'a CheckedGroup,
    observed: &Observed,
    batch: Option<Batch>,
    now: Timestamp,
) -> (Cow<'a, CheckedGroup>, Option<Timestamp>) {
    let Some(Batch { size, delay }) = batch else { return (Cow::Borrowed(group), None) };
    let over: Vec<_> =
        observed.pods.iter().map(|pod| pod.created + delay).filter(|over| *over > now).collect();
    let kept = observed.pods.iter().filter(|pod| !pod.terminating).count();
    let reach = kept + size.saturating_sub(over.len());
    if group.wanted <= reach {
        return (Cow::Borrowed(group), None);
    }
    (Cow::Owned(CheckedGroup { wanted: reach, ..group.clone() }), over.into_iter().min())
}
