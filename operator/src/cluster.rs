//! DaskCluster: its rooms of the plan, and what it is planned with.

mod observe;

pub(crate) use observe::{is_suspended, scheduler_place, scheduler_pods, scheduler_uid, told_by_scheduler};

use dask_operator_api::DaskCluster;
use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_plan::cluster::{self, CheckedCluster, Observed};
use dask_operator_plan::{Event, Outcome, Plan, Problem};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::cache::{Cache, Key, Objects};
use crate::context::Context;
use crate::reconcile::Reconcile;
use crate::triggers::Follower;

impl Reconcile for DaskCluster {
    const KIND: dask_operator_plan::Kind = dask_operator_plan::Kind::DaskCluster;
    type Checked = CheckedCluster;
    type Observed = Observed;
    type Status = DaskClusterStatus;

    fn objects(cache: &Cache) -> &Objects<Self> {
        &cache.clusters
    }

    fn check(object: &Self) -> Result<CheckedCluster, Vec<Problem>> {
        cluster::check(object)
    }

    fn observe(context: &Context, object: &Self, key: &Key) -> Option<Observed> {
        Some(observe::observe(context, object, key))
    }

    fn ask(context: &Context, key: &Key, _: &Observed, plan: &Plan) {
        // A look that was under way may have begun to follow one that has gone since.
        context.scheduler_changed(key);
        let uid =
            context.cache.clusters.get(key).and_then(|cluster| cluster.uid()).filter(|_| plan.needs_facts);
        let place = uid.and_then(|uid| scheduler_place(&context.cache, key, &uid));
        if let Some(place) = place {
            context.links.need(&Follower::Cluster(key.clone()), key, place, &[]);
        }
    }

    fn plan(context: &Context, checked: &CheckedCluster, observed: &Observed, now: Timestamp) -> Plan {
        cluster::plan(checked, observed, &context.settings, now)
    }

    fn status(object: &Self) -> Option<&DaskClusterStatus> {
        object.status.as_ref()
    }

    fn next(
        checked: &CheckedCluster,
        observed: &Observed,
        outcome: &Outcome,
        now: Timestamp,
    ) -> DaskClusterStatus {
        cluster::status(checked, observed, outcome, now)
    }

    fn invalid(
        previous: &DaskClusterStatus,
        problems: &[Problem],
        generation: Option<i64>,
        now: Timestamp,
    ) -> DaskClusterStatus {
        cluster::invalid(previous, problems, generation, now)
    }

    fn events(previous: &DaskClusterStatus, next: &DaskClusterStatus) -> Vec<Event> {
        cluster::events(previous, next)
    }
}
