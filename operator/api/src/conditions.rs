//! Conditions: their types as an enum, and the one way to set one.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

pub use crate::reasons::{Advice, Reason};

/// What a condition speaks of. `Ready` and `SchedulerReady` are always present, `SchedulerLink` once somebody has asked or
/// the spec says it; the others only while they are true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// Everything that was asked for is there.
    Ready,
    /// The scheduler's pod is ready.
    SchedulerReady,
    /// The cluster that a group names does not exist.
    ClusterNotFound,
    /// A group belongs to another cluster than the one it names.
    ClusterMismatch,
    /// An object of a name that we need belongs to somebody else.
    NameTaken,
    /// The API server does not know some fields of a pod template; they were dropped.
    UnknownFields,
    /// The API server refused an object that we tried to create.
    Refused,
    /// The user's own `DASK_CONFIG` stands; the cluster's configuration is mounted at `/etc/dask` instead.
    ConfigFallback,
    /// True once the scheduler that runs has answered; False where it does not, or has loaded nothing that could.
    SchedulerLink,
    /// Workers that are evicted or deleted ask nobody first.
    DrainUnprotected,
    /// Workers ended on their own, and those that took their places have yet to prove themselves.
    WorkersFailing,
    /// Pods of workers exist and cannot start.
    WorkersCannotStart,
    /// Workers that are to leave cannot yet, or stay.
    DrainDelayed,
    /// Workers left with something that nobody else has.
    WorkLost,
    /// Some workers were made from an earlier version of the group's template.
    WorkersOutdated,
    /// Another autoscaler scales the same cluster.
    NotInCharge,
    /// A group that an autoscaler names does not exist.
    GroupNotFound,
    /// It has neither scheduler nor workers, until it is resumed.
    Suspended,
    /// It has nothing to do, and goes if that lasts.
    Idle,
    /// What is known of the work is too old to act by, or nothing is.
    FactsStale,
    /// Somebody else writes the number of workers, too.
    ReplicasContested,
    /// Tasks need what no group offers.
    WorkUnrunnable,
    /// There are fewer workers than the work asks for, or still more.
    ScalingLimited,
    /// The scheduler or its Service is not what the spec says by now; it goes on until a restart is asked for.
    SchedulerOutdated,
    /// Workers or clients have other versions of dask, distributed or Python than the scheduler.
    VersionSkew,
    /// A group without workers, of which nobody can know what they will offer.
    OffersUnknown,
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One condition as decided, without the time of its last flip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it speaks of.
    pub type_: ConditionType,
    /// Whether it is so.
    pub status: bool,
    /// Why.
    pub reason: Reason,
    /// The same for people, with the API server's or the kubelet's own words where there are some.
    pub message: String,
}

/// The conditions that follow from `verdicts`: a flip moves `lastTransitionTime`, anything else keeps it. A type
/// without a verdict goes.
pub fn set(
    previous: &[Condition],
    verdicts: &[Verdict],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    verdicts.iter().map(|verdict| condition(previous, verdict, generation, now)).collect()
}

/// The conditions that tell of trouble. `Ready` does where no other condition has the same reason.
pub fn troubles(conditions: &[Condition]) -> impl Iterator<Item = &Condition> {
    let ready = ConditionType::Ready.to_string();
    conditions.iter().filter(move |one| {
        let borrowed = || conditions.iter().any(|other| other.type_ != ready && other.reason == one.reason);
        let trouble = Reason::named(&one.reason).is_some_and(Reason::is_trouble);
        trouble && !(one.type_ == ready && borrowed())
    })
}

fn condition(
    previous: &[Condition],
    verdict: &Verdict,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let type_ = verdict.type_.to_string();
    let status = if verdict.status { "True" } else { "False" }.to_owned();
    let unflipped = previous.iter().find(|old| old.type_ == type_ && old.status == status);
    Condition {
        last_transition_time: unflipped.map_or(Time(now), |old| old.last_transition_time.clone()),
        message: verdict.message.clone(),
        observed_generation: generation,
        reason: verdict.reason.to_string(),
        status,
        type_,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: bool, message: &str) -> Vec<Verdict> {
        let reason = if status { Reason::AllReady } else { Reason::WorkersNotReady };
        vec![Verdict { type_: ConditionType::Ready, status, reason, message: message.to_owned() }]
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn only_a_flip_moves_the_transition_time() {
        let first = set(&[], &ready(false, "0 of 2"), Some(1), at(10));
        let second = set(&first, &ready(false, "1 of 2"), Some(1), at(20));
        assert_eq!(second[0].last_transition_time, Time(at(10)));
        assert_eq!(second[0].message, "1 of 2");
        let third = set(&second, &ready(true, "2 of 2"), Some(1), at(30));
        assert_eq!(third[0].last_transition_time, Time(at(30)));
    }

    #[test]
    fn a_trouble_is_found_once_and_none_where_all_is_well() {
        let verdict = |type_, reason| Verdict { type_, status: false, reason, message: String::new() };
        let full = [
            verdict(ConditionType::Ready, Reason::QuotaExceeded),
            verdict(ConditionType::Refused, Reason::QuotaExceeded),
        ];
        let found = |verdicts: &[Verdict]| -> Vec<_> {
            troubles(&set(&[], verdicts, None, at(10))).map(|one| one.type_.clone()).collect()
        };
        assert_eq!(found(&full), ["Refused"]);
        assert_eq!(found(&full[..1]), ["Ready"]);
        assert_eq!(found(&[verdict(ConditionType::Ready, Reason::WorkersNotReady)]), [""; 0]);
    }

    #[test]
    fn a_condition_without_a_verdict_goes() {
        let first = set(&[], &ready(false, ""), None, at(10));
        assert_eq!(set(&first, &[], None, at(20)), vec![]);
    }
}
