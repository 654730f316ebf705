//! DaskWorkerGroup: observe → check → plan → apply → report.

mod observe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dask_operator_api::DaskWorkerGroup;
use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use dask_operator_plan::{Kind, Outcome, Plan, Problem, Suffixes, worker_group};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use crate::cache::{Guarded, Key};
use crate::context::Context;
use crate::kubernetes::{Reconciled, Report};
use crate::reconcile::{self, Never};

/// One look at one group.
pub(crate) async fn reconcile(
    object: Arc<Guarded<DaskWorkerGroup>>,
    context: Arc<Context>,
) -> Result<Action, Never> {
    let started = Instant::now();
    let by = (Kind::DaskWorkerGroup, Key::of(object.meta()));
    if let Some(action) = reconcile::unsettled(&by, &context).await {
        return Ok(action);
    }
    let now = Timestamp::now();
    let action = match check(&object) {
        Ok(checked) => follow(&by, &object, &checked, &context, now).await,
        Err(problems) => refuse(&by, &object, &problems, &context, now).await,
    };
    context.writer.caller.metrics.reconciled(Kind::DaskWorkerGroup, started.elapsed());
    Ok(action)
}

/// Never called: reconciles return when to try again instead of failing.
pub(crate) fn on_error(_: Arc<Guarded<DaskWorkerGroup>>, _: &Never, _: Arc<Context>) -> Action {
    Action::requeue(Duration::from_mins(1))
}

fn check(object: &Guarded<DaskWorkerGroup>) -> Result<worker_group::CheckedGroup, Vec<Problem>> {
    match object {
        Guarded::Good(object) => worker_group::check(object),
        Guarded::Bad { error, .. } => {
            Err(vec![Problem::template(format!("the object cannot be read: {error}"))])
        }
    }
}

async fn follow(
    by: &Reconciled,
    object: &Guarded<DaskWorkerGroup>,
    checked: &worker_group::CheckedGroup,
    context: &Context,
    now: Timestamp,
) -> Action {
    let Some(observed) = observe::observe(&context.cache, object, by) else { return Action::await_change() };
    let suffixes = Suffixes::from_seed(seed());
    let plan = worker_group::plan(checked, &observed, &context.settings, suffixes, now);
    let uid = object.uid().unwrap_or_default();
    let (plan, outcome) = reconcile::apply(by, &uid, object.meta().generation, plan, context).await;
    let next = worker_group::status(checked, &observed, &outcome, now);
    report(by, object, &plan, &outcome, &next, context, now).await
}

async fn refuse(
    by: &Reconciled,
    object: &Guarded<DaskWorkerGroup>,
    problems: &[Problem],
    context: &Context,
    now: Timestamp,
) -> Action {
    let next = worker_group::invalid(&status(object), problems, object.meta().generation, now);
    report(by, object, &Plan::default(), &Outcome::default(), &next, context, now).await
}

async fn report(
    by: &Reconciled,
    object: &Guarded<DaskWorkerGroup>,
    plan: &Plan,
    outcome: &Outcome,
    next: &DaskWorkerGroupStatus,
    context: &Context,
    now: Timestamp,
) -> Action {
    let (uid, previous) = (object.uid().unwrap_or_default(), status(object));
    let reported = context.reporter.status(by, &uid, &previous, next, &context.ledger).await;
    if matches!(reported, Ok(Report::Written)) {
        let events = worker_group::events(&previous, next);
        context.reporter.events(&object.object_ref(&()), &events).await;
    }
    context.reporter.events(&object.object_ref(&()), &plan.events).await;
    reconcile::next(by, object.meta().generation, context, plan, outcome, &reported, now)
}

fn status(object: &Guarded<DaskWorkerGroup>) -> DaskWorkerGroupStatus {
    match object {
        Guarded::Good(object) => object.status.clone().unwrap_or_default(),
        Guarded::Bad { .. } => DaskWorkerGroupStatus::default(),
    }
}

/// The one place where chance enters: names of new pods.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}
