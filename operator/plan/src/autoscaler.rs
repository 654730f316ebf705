//! DaskAutoscaler: the decisions in order.

mod assign;
mod check;
mod contest;
mod course;
mod decide;
mod demand;
mod events;
mod look;
mod need;
mod observed;
mod offer;
mod pace;
mod seen;
mod share;
mod status;
mod trouble;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::json;

use crate::facts::FOLLOWED;
use crate::metadata::{self, Owner};
use crate::plan::{Apply, Kind, Outcome, Patch, Plan, Premise};

pub use check::{CheckedAutoscaler, check};
pub use course::Course;
pub use decide::{Decision, Scaling};
pub use events::{events, news};
pub use look::{Decided, GroupSeen, Look};
pub use observed::{Cluster, Group, Observed};
pub use offer::Offer;
pub use status::{invalid, status};

/// How many workers each group is to have by now; `course` is what led here.
pub fn plan(autoscaler: &CheckedAutoscaler, observed: &Observed, course: &Course, now: Timestamp) -> Plan {
    let Some(cluster) = observed.cluster.as_ref().filter(|one| !one.deleting && !autoscaler.deleting) else {
        return Plan::default();
    };
    let adopted = adopt(autoscaler, cluster);
    let joined = adopted.iter().map(|_| Premise::is_there(Kind::DaskCluster, &cluster.name, &cluster.uid));
    let joined: Vec<_> = joined.collect();
    if observed.older.is_some() || cluster.suspended {
        return Plan { premises: joined, apply: adopted.into_iter().collect(), ..Plan::default() };
    }
    let scaling = decide::decide(autoscaler, observed, course, now);
    let changes = scaling.decisions.iter().filter(|one| one.changes() && !autoscaler.advisory);
    let writes: Vec<_> = changes.filter_map(|one| scale(observed, one)).collect();
    let next = now + FOLLOWED;
    // Who deletes an autoscaler and then says how many workers there are to be means that.
    let own = writes
        .iter()
        .take(1)
        .map(|_| Premise::is_there(Kind::DaskAutoscaler, &autoscaler.name, &autoscaler.uid));
    Plan {
        premises: joined.into_iter().chain(own).collect(),
        apply: adopted.into_iter().chain(writes).collect(),
        needs_facts: true,
        wake: Some(scaling.wake.map_or(next, |wake| wake.min(next))),
        scaling: Some(scaling),
        ..Plan::default()
    }
}

/// The course as it goes on from a look, by what came of its writes.
pub fn course(outcome: &Outcome, now: Timestamp) -> Option<Course> {
    let scaling = outcome.scaling.as_ref()?;
    let mut course = scaling.course.clone();
    for decision in scaling.decisions.iter().filter(|one| one.changes()) {
        if outcome.has_changed(Kind::DaskWorkerGroup, &decision.group) {
            course.wrote(&decision.group, decision.to, now);
        } else if outcome.may_have_changed(Kind::DaskWorkerGroup, &decision.group) {
            course.tried(&decision.group, decision.to);
        }
    }
    Some(course)
}

/// An autoscaler goes with its cluster, and with another one when it names that. What somebody else controls stays theirs.
fn adopt(autoscaler: &CheckedAutoscaler, cluster: &Cluster) -> Option<Apply> {
    let owner = Owner { kind: "DaskCluster", name: cluster.name.clone(), uid: cluster.uid.clone() };
    let controls = |one: &&OwnerReference| one.controller == Some(true);
    let controller = autoscaler.owners.iter().find(controls);
    if controller.is_some_and(|one| one.uid == cluster.uid || one.kind != owner.kind) {
        return None;
    }
    let others: Vec<_> = autoscaler.owners.iter().filter(|one| !controls(one)).cloned().collect();
    let body = json!({"metadata": {
        "uid": autoscaler.uid,
        "resourceVersion": autoscaler.resource_version,
        "ownerReferences": metadata::beside(&others, owner.references()),
    }});
    Some(Apply::Patch(Patch::of(Kind::DaskAutoscaler, &autoscaler.name, body)))
}

fn scale(observed: &Observed, decision: &Decision) -> Option<Apply> {
    let group = observed.groups.iter().find(|group| group.name == decision.group)?;
    let body = json!({
        "metadata": {"uid": group.uid, "resourceVersion": group.resource_version},
        "spec": {"worker": {"replicas": decision.to}},
    });
    Some(Apply::Patch(Patch::of(Kind::DaskWorkerGroup, &group.name, body)))
}
