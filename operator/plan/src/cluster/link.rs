//! How the scheduler that runs can be asked, as far as anybody has tried.

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use jiff::{SignedDuration, Timestamp};

use super::check::CheckedCluster;
use super::desired;
use super::observed::{Observed, SchedulerPod};
use crate::facts::{FOLLOWED, Link, STALE};
use crate::troubles::find;

const OTHERWISE: &str =
    "is asked by Dask's own protocol, and workers that are evicted or deleted do not ask it";

const NOTHING: &str = "it has loaded nothing of ours";

/// What is known of it, or was said of the same pod.
pub(super) fn link(cluster: &CheckedCluster, observed: &Observed, now: Timestamp) -> Option<Verdict> {
    if let Some(why) = desired::stock_because(cluster) {
        return Some(stock(&format!("the scheduler {OTHERWISE}: {why}")));
    }
    let pod = observed.live_scheduler().filter(|pod| pod.ready)?;
    let told = told(cluster, pod);
    match &observed.link {
        Link::Preload(_) => Some(answers(pod)),
        Link::Rpc(_) => Some(stock(&format!("pod {} {OTHERWISE}: {NOTHING}", pod.name))),
        Link::Stock => Some(stock(&format!(
            "pod {} cannot be asked, and its workers leave at once: {NOTHING}, and listens to TLS alone",
            pod.name
        ))),
        // The words may be others each time: the first ones stay.
        Link::Unreachable(why) if !is_unreachable(told.as_ref()) && !cluster.deleting => {
            patience(observed, pod, now).is_zero().then(|| unreachable(pod, why)).or(told)
        }
        Link::Unasked | Link::Unreachable(_) => told,
    }
}

/// Whether it is worth no write of its own: it goes with the next.
pub(super) fn can_wait(cluster: &CheckedCluster, verdict: Option<&Verdict>) -> bool {
    let is_news = find(&cluster.status.conditions, ConditionType::SchedulerLink).is_none();
    is_news && verdict.is_some_and(|verdict| verdict.reason == Reason::Preload)
}

/// In how long to look again at one that does not answer; None if it does, or if nobody has asked.
pub(super) fn looks_again_in(
    cluster: &CheckedCluster,
    observed: &Observed,
    now: Timestamp,
) -> Option<SignedDuration> {
    let pod = observed.live_scheduler().filter(|pod| pod.ready)?;
    if is_unreachable(told(cluster, pod).as_ref()) {
        return Some(FOLLOWED);
    }
    let fails = matches!(observed.link, Link::Unreachable(_));
    fails.then(|| patience(observed, pod, now).max(SignedDuration::from_secs(1)))
}

/// How much longer one is waited for that does not answer: it may have become ready just now, or be busy for a moment.
fn patience(observed: &Observed, pod: &SchedulerPod, now: Timestamp) -> SignedDuration {
    let ready = pod.ready_since.map_or(STALE, |since| now.duration_since(since));
    (STALE - ready.min(observed.silence)).max(SignedDuration::ZERO)
}

fn is_unreachable(told: Option<&Verdict>) -> bool {
    told.is_some_and(|told| told.reason == Reason::Unreachable)
}

fn stock(message: &str) -> Verdict {
    verdict(false, Reason::Stock, message.to_owned())
}

fn answers(pod: &SchedulerPod) -> Verdict {
    verdict(true, Reason::Preload, format!("pod {} answers, and lets workers go without a loss", pod.name))
}

fn unreachable(pod: &SchedulerPod, why: &str) -> Verdict {
    verdict(false, Reason::Unreachable, format!("pod {} cannot be asked: {why}", pod.name))
}

fn verdict(status: bool, reason: Reason, message: String) -> Verdict {
    Verdict { type_: ConditionType::SchedulerLink, status, reason, message }
}

/// What was said of this very pod.
fn told(cluster: &CheckedCluster, pod: &SchedulerPod) -> Option<Verdict> {
    let told = find(&cluster.status.conditions, ConditionType::SchedulerLink)?;
    let is_its = told.message.starts_with(&format!("pod {} ", pod.name));
    let reason = Reason::named(&told.reason).filter(|_| is_its)?;
    Some(verdict(told.status == "True", reason, told.message.clone()))
}
