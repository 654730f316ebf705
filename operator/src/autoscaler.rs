//! DaskAutoscaler: its rooms of the plan, and what it is planned with.

mod courses;
mod observe;

pub(crate) use courses::Courses;

use dask_operator_api::DaskAutoscaler;
use dask_operator_api::autoscaler::DaskAutoscalerStatus;
use dask_operator_plan::autoscaler::{self, CheckedAutoscaler, Observed};
use dask_operator_plan::{Event, Outcome, Plan, Problem};
use jiff::Timestamp;

use crate::cache::{Cache, Key, Objects};
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
        let course = context.courses.of(&Key::new(namespace, name), uid);
        autoscaler::plan(checked, observed, &course, now)
    }

    fn done(context: &Context, checked: &CheckedAutoscaler, _: &Observed, outcome: &Outcome) {
        let (namespace, name, uid) = checked.identity();
        if let Some(course) = autoscaler::course(outcome) {
            context.courses.go_on(&Key::new(namespace, name), uid, course);
        }
    }

    fn told(context: &Context, previous: &DaskAutoscalerStatus, next: &DaskAutoscalerStatus) {
        context.writer.caller.metrics.decided(autoscaler::news(previous, next));
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
