//! DaskWorkerGroup: its rooms of the plan, and what it is planned with.

mod observe;

use dask_operator_api::DaskWorkerGroup;
use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use dask_operator_plan::worker_group::{self, CheckedGroup, Observed};
use dask_operator_plan::{Event, Outcome, Plan, Problem, Suffixes};
use jiff::Timestamp;

use crate::cache::{Cache, Key, Objects};
use crate::cluster::scheduler_place;
use crate::context::Context;
use crate::reconcile::Reconcile;
use crate::triggers::Follower;

impl Reconcile for DaskWorkerGroup {
    const KIND: dask_operator_plan::Kind = dask_operator_plan::Kind::DaskWorkerGroup;
    type Checked = CheckedGroup;
    type Observed = Observed;
    type Status = DaskWorkerGroupStatus;

    fn objects(cache: &Cache) -> &Objects<Self> {
        &cache.groups
    }

    fn check(object: &Self) -> Result<CheckedGroup, Vec<Problem>> {
        worker_group::check(object)
    }

    fn observe(context: &Context, object: &Self, key: &Key) -> Option<Observed> {
        observe::observe(context, object, key)
    }

    fn ask(context: &Context, key: &Key, observed: &Observed, plan: &Plan) {
        let cluster = observed.cluster.as_ref().filter(|_| plan.needs_facts || !plan.asks.is_empty());
        let Some(cluster) = cluster else { return };
        let of = Key::new(&key.namespace, &cluster.name);
        if let Some(place) = scheduler_place(&context.cache, &of, &cluster.uid) {
            context.links.need(&Follower::Group(key.clone()), &of, place, &plan.asks);
        }
    }

    fn plan(context: &Context, checked: &CheckedGroup, observed: &Observed, now: Timestamp) -> Plan {
        worker_group::plan(
            checked,
            observed,
            &context.settings,
            Suffixes::from_seed(context.chance.draw()),
            now,
        )
    }

    fn status(object: &Self) -> Option<&DaskWorkerGroupStatus> {
        object.status.as_ref()
    }

    fn next(
        checked: &CheckedGroup,
        observed: &Observed,
        outcome: &Outcome,
        now: Timestamp,
    ) -> DaskWorkerGroupStatus {
        worker_group::status(checked, observed, outcome, now)
    }

    fn invalid(
        previous: &DaskWorkerGroupStatus,
        problems: &[Problem],
        generation: Option<i64>,
        now: Timestamp,
    ) -> DaskWorkerGroupStatus {
        worker_group::invalid(previous, problems, generation, now)
    }

    fn events(previous: &DaskWorkerGroupStatus, next: &DaskWorkerGroupStatus) -> Vec<Event> {
        worker_group::events(previous, next)
    }
}
