//! DaskWorkerGroup: the decisions in order.

mod ailing;
mod batch;
mod check;
mod crashes;
mod decide;
mod desired;
mod events;
mod leave;
mod losses;
mod observed;
mod offers;
mod roll;
mod status;

use jiff::Timestamp;

use crate::plan::{Apply, Create, Kind, Plan, Premise};
use crate::sabotage::{self, Bug};
use crate::{Settings, Suffixes};

pub use check::{CheckedGroup, check};
pub use events::events;
pub use losses::losses;
pub use observed::{Cluster, Ended, Mark, Observed, Stage, WorkerPod};
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
    let (step, next) = batch::step(group, observed, settings.worker_batch, now);
    let decision = decide::decide(&step, observed, now);
    let told = [ailing::proven(group, observed, now), losses::stands(group, now)];
    let wakes = [decision.wake, next].into_iter().chain(told).flatten();
    let Some(cluster) = &observed.cluster else { return Plan { wake: wakes.min(), ..Plan::default() } };
    let workers = decision.create.iter().zip(suffixes).map(|(crashes, suffix)| {
        let name = group.name.worker(suffix);
        let object = desired::pod(group, cluster, settings, &name, *crashes);
        Apply::Create(Create { kind: Kind::Pod, name, object })
    });
    let leaving = leave::leave(group, observed, now);
    let scaled = events::of_decision(group, observed, &decision, &leaving);
    let adopted = decide::adopt(group, cluster);
    Plan {
        premises: adopted
            .iter()
            .map(|_| Premise::is_there(Kind::DaskCluster, &cluster.name, &cluster.uid))
            .collect(),
        apply: adopted.into_iter().chain(workers).chain(leaving.marks).collect(),
        events: scaled.into_iter().chain(leaving.events).collect(),
        delete: leave::ended(observed, decision.delete).into_iter().chain(leaving.delete).collect(),
        asks: leaving.asks,
        needs_facts: leaving.needs_facts,
        wake: wakes.chain(leaving.wake).filter(|_| !sabotage::is(Bug::NoWake)).min(),
        scaling: None,
    }
}
