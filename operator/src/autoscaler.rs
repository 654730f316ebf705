//! DaskAutoscaler: its rooms of the plan, and what it is planned with.

mod courses;
mod observe;

pub(crate) use courses::Courses;

use dask_operator_api::DaskAutoscaler;
use dask_operator_api::autoscaler::DaskAutoscalerStatus;
use dask_operator_plan::autoscaler::{self, CheckedAutoscaler, Observed};
use dask_operator_plan::{Event, Outcome, Plan, Problem};
use jiff::Timestamp;

use crate::cache::{Cache, Guarded, Key, Objects};
use crate::cluster::scheduler_place;
use crate::context::Context;
use crate::reconcile::Reconcile;
use crate::triggers::Follower;

impl Reconcile for DaskAutoscaler {
    const KIND: dask_operator_plan::Kind = dask_operator_plan::Kind::DaskAutoscaler;
    type Checked = CheckedAutoscaler;
    type Observed = Observed;
    type Status = DaskAutoscalerStatus;

    fn objects(cache: &Cache) -> &Objects<Self> {
        &cache.autoscalers
    }

    fn check(object: &Self) -> Result<CheckedAutoscaler, Vec<Problem>> {
        autoscaler::check(object)
    }

    fn observe(context: &Context, object: &Self, key: &Key) -> Option<Observed> {
        observe::observe(context, object, key)
    }

    fn ask(context: &Context, key: &Key, observed: &Observed, plan: &Plan) {
        let Some(cluster) = observed.cluster.as_ref().filter(|_| plan.needs_facts) else { return };
        let of = Key::new(&key.namespace, &cluster.name);
        if let Some(place) = scheduler_place(&context.cache, &of, &cluster.uid) {
            context.links.need(&Follower::Autoscaler(key.clone()), &of, place, &[]);
        }
    }

    fn plan(context: &Context, checked: &CheckedAutoscaler, observed: &Observed, now: Timestamp) -> Plan {
        let (namespace, name, uid) = checked.identity();
        let key = Key::new(namespace, name);
        let plan = context.courses.with(&key, uid, |course| autoscaler::plan(checked, observed, course, now));
        record(context, &key, checked, observed, &plan, now);
        plan
    }

    fn status(object: &Self) -> Option<&DaskAutoscalerStatus> {
        object.status.as_ref()
    }

    fn next(
        checked: &CheckedAutoscaler,
        observed: &Observed,
        outcome: &Outcome,
        now: Timestamp,
    ) -> DaskAutoscalerStatus {
        autoscaler::status(checked, observed, outcome, now)
    }

    fn invalid(
        previous: &DaskAutoscalerStatus,
        problems: &[Problem],
        generation: Option<i64>,
        now: Timestamp,
    ) -> DaskAutoscalerStatus {
        autoscaler::invalid(previous, problems, generation, now)
    }

    fn events(previous: &DaskAutoscalerStatus, next: &DaskAutoscalerStatus) -> Vec<Event> {
        autoscaler::events(previous, next)
    }
}

/// The spec is the cache's, unless that has a newer one by now: then it is that one's look which is recorded.
fn record(
    context: &Context,
    key: &Key,
    checked: &CheckedAutoscaler,
    observed: &Observed,
    plan: &Plan,
    now: Timestamp,
) {
    let (Some(record), Some(object)) = (&context.record, context.cache.autoscalers.get(key)) else { return };
    if let Guarded::Good(object) = &*object
        && autoscaler::check(object).is_ok_and(|again| again == *checked)
    {
        record.look(checked, &object.spec, observed, plan, now);
    }
}
