//! When the scheduler is asked for the sake of what the cluster's status tells.

use dask_operator_api::conditions::ConditionType;
use jiff::{SignedDuration, Timestamp};

use super::check::CheckedCluster;
use super::observed::Observed;
use super::{desired, link, skew};
use crate::facts::FOLLOWED;
use crate::troubles::find;

/// A worker whose pod has become ready registers within this time, and a client of a new scheduler comes.
const JOINS_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// When to look again at what the scheduler tells; None if it need not be asked. It is asked while there may be news:
/// when pods have become ready, and for as long as it does not answer, or somebody is said to differ or to find no
/// interpreter.
pub(super) fn next(cluster: &CheckedCluster, observed: &Observed, now: Timestamp) -> Option<Timestamp> {
    observed.live_scheduler().filter(|_| desired::stock_because(cluster).is_none())?;
    if let Some(pause) = link::looks_again_in(cluster, observed, now) {
        return Some(now + pause);
    }
    let (again, until) = (now + FOLLOWED, skew::stands_until(cluster).filter(|until| *until > now));
    let is_told = |type_| find(&cluster.status.conditions, type_).is_some();
    if is_told(ConditionType::VersionSkew) || is_told(ConditionType::DrainUnprotected) {
        return Some(until.map_or(again, |until| until.min(again)));
    }
    let joined = observed.youngest?.checked_add(JOINS_WITHIN).ok()?;
    (joined > now).then(|| joined.min(again))
}
