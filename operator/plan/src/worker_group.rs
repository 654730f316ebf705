//! DaskWorkerGroup: the decisions in order.

mod check;
mod crashes;
mod decide;
mod desired;
mod events;
mod observed;
mod pods;
mod status;

use jiff::Timestamp;

use crate::plan::{Apply, Create, Delete, Kind, Plan};
use crate::{Settings, Suffixes};

pub use check::{CheckedGroup, check};
pub use events::events;
pub use observed::{Cluster, Ended, Observed, Stage, WorkerPod};
pub use status::{invalid, status};

/// What to write so that the group has the workers it should have.
///
/// `suffixes` gives each new pod its name; the same seed gives the same plan.
pub fn plan(
    group: &CheckedGroup,
    observed: &Observed,
    settings: &Settings,
    suffixes: Suffixes,
    now: Timestamp,
) -> Plan {
    let decision = decide::decide(group, observed, now);
    let Some(cluster) = &observed.cluster else { return Plan { wake: decision.wake, ..Plan::default() } };
    let workers = decision.create.iter().zip(suffixes).map(|(crashes, suffix)| {
        let name = group.name.worker(suffix);
        let object = desired::pod(group, cluster, settings, &name, *crashes);
        Apply::Create(Create { kind: Kind::Pod, name, object })
    });
    Plan {
        apply: decide::adopt(group, cluster).into_iter().chain(workers).collect(),
        events: events::of_decision(group, observed, &decision).into_iter().collect(),
        delete: decision.delete.into_iter().map(delete).collect(),
        wake: [decision.wake, pods::proven(group, observed, now)].into_iter().flatten().min(),
    }
}

fn delete(pod: &WorkerPod) -> Delete {
    Delete { kind: Kind::Pod, name: pod.name.clone(), uid: pod.uid.clone() }
}
