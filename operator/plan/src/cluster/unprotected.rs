//! Whether workers could not say anything before they end.

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};

use super::check::CheckedCluster;
use super::desired;
use super::observed::Observed;
use crate::facts::{Link, STALE, cut};
use crate::troubles::{still, trouble};

/// That the hook of some workers finds no interpreter. It is news while pods come, as versions are, and stays said until
/// the scheduler says otherwise.
pub(super) fn unprotected(cluster: &CheckedCluster, observed: &Observed) -> Option<Verdict> {
    observed.live_scheduler().filter(|_| desired::stock_because(cluster).is_none())?;
    let told = || still(&cluster.status.conditions, ConditionType::DrainUnprotected);
    let facts = match &observed.link {
        Link::Stock | Link::Rpc(_) => return None,
        Link::Preload(facts) if observed.link_age < STALE && !facts.workers.is_empty() => facts,
        _ => return told(),
    };
    let mute = || facts.workers.iter().filter(|worker| worker.mute).map(|worker| verdict(&worker.name));
    // Whoever was named is so for as long as it is there, so that the words stay the same while others come and go.
    let said = told().filter(|said| mute().any(|verdict| verdict.message == said.message));
    said.or_else(|| mute().next())
}

fn verdict(worker: &str) -> Verdict {
    let message = format!(
        "workers such as {} find no python3 in their PATH: those that are evicted or deleted ask nobody first",
        cut(worker)
    );
    trouble(Reason::PythonMissing, message)
}
