//! DaskAutoscaler: its rooms of the plan, and what it is planned with.

mod courses;
mod observe;

pub(crate) use courses::Courses;

use std::sync::Arc;

use dask_operator_api::DaskAutoscaler;
use dask_operator_api::autoscaler::DaskAutoscalerStatus;
use dask_operator_plan::autoscaler::{self, CheckedAutoscaler, Observed};
use dask_operator_plan::{Event, Kind, Link, Outcome, Plan, Problem};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::cache::{Cache, Guarded, Key, Objects};
use crate::cluster::{scheduler_place, told_by_scheduler};
use crate::context::Context;
use crate::reconcile::Reconcile;
use crate::triggers::Follower;

impl Reconcile for DaskAutoscaler {
    const KIND: Kind = Kind::DaskAutoscaler;
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
        let plan = autoscaler::plan(checked, observed, &context.courses.of(&key, uid), now);
        record(context, &key, checked, observed, &plan, now);
        plan
    }

    fn done(
        context: &Context,
        checked: &CheckedAutoscaler,
        observed: &Observed,
        outcome: &Outcome,
        now: Timestamp,
    ) {
        let (namespace, name, uid) = checked.identity();
        let (key, course) = (Key::new(namespace, name), autoscaler::course(outcome, now));
        let news = news(context, &key, observed);
        let is_first = context.courses.go_on((&key, uid), course, outcome.scaling.clone(), news);
        let has_scaled = outcome.patched.iter().any(|(kind, _)| *kind == Kind::DaskWorkerGroup);
        if let Some(news) = news.filter(|_| is_first && has_scaled) {
            context.writer.caller.metrics.reacted(news.elapsed());
        }
    }

    fn told(context: &Context, previous: &DaskAutoscalerStatus, next: &DaskAutoscalerStatus) {
        context.writer.caller.metrics.decided(autoscaler::news(previous, next));
    }

    fn refused(context: &Context, key: &Key) {
        context.courses.rest(key);
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

/// When the facts that were looked at came, unless there are others by now.
fn news(context: &Context, key: &Key, observed: &Observed) -> Option<Instant> {
    let cluster = observed.cluster.as_ref()?;
    let known = told_by_scheduler(context, &Key::new(&key.namespace, &cluster.name), &cluster.uid);
    let (Link::Preload(then), Link::Preload(now)) = (&observed.link, &known.link) else { return None };
    known.news.filter(|_| Arc::ptr_eq(then, now))
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
