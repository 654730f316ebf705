//! DaskCluster: observe → check → plan → apply → report.

mod observe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dask_operator_api::DaskCluster;
use dask_operator_plan::{Kind, Outcome, Plan, Problem, cluster};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use crate::cache::{Guarded, Key};
use crate::context::Context;
use crate::kubernetes::Reconciled;
use crate::reconcile::{self, Never};

/// One look at one cluster.
pub(crate) async fn reconcile(
    object: Arc<Guarded<DaskCluster>>,
    context: Arc<Context>,
) -> Result<Action, Never> {
    let started = Instant::now();
    let by = (Kind::DaskCluster, Key::of(object.meta()));
    if let Some(action) = reconcile::unsettled(&by, &context).await {
        return Ok(action);
    }
    let now = Timestamp::now();
    let action = match check(&object) {
        Ok(checked) => follow(&by, &object, &checked, &context, now).await,
        Err(problems) => refuse(&by, &object, &problems, &context, now).await,
    };
    context.writer.caller.metrics.reconciled(Kind::DaskCluster, started.elapsed());
    Ok(action)
}

/// Never called: reconciles return when to try again instead of failing.
pub(crate) fn on_error(_: Arc<Guarded<DaskCluster>>, _: &Never, _: Arc<Context>) -> Action {
    Action::requeue(Duration::from_mins(1))
}

/// The cluster as it can be planned for. What does not decode is a problem like any other.
fn check(object: &Guarded<DaskCluster>) -> Result<cluster::CheckedCluster, Vec<Problem>> {
    match object {
        Guarded::Good(object) => cluster::check(object),
        Guarded::Bad { error, .. } => {
            Err(vec![Problem::template(format!("the object cannot be read: {error}"))])
        }
    }
}

async fn follow(
    by: &Reconciled,
    object: &Guarded<DaskCluster>,
    checked: &cluster::CheckedCluster,
    context: &Context,
    now: Timestamp,
) -> Action {
    let observed = observe::observe(&context.cache, object, &by.1);
    let plan = cluster::plan(checked, &observed, &context.settings, now);
    let uid = object.uid().unwrap_or_default();
    let (plan, outcome) = reconcile::apply(by, &uid, object.meta().generation, plan, context).await;
    let next = cluster::status(checked, &observed, &outcome, now);
    report(by, object, &plan, &outcome, &next, context, now).await
}

async fn refuse(
    by: &Reconciled,
    object: &Guarded<DaskCluster>,
    problems: &[Problem],
    context: &Context,
    now: Timestamp,
) -> Action {
    let next = cluster::invalid(&status(object), problems, object.meta().generation, now);
    report(by, object, &Plan::default(), &Outcome::default(), &next, context, now).await
}

async fn report(
    by: &Reconciled,
    object: &Guarded<DaskCluster>,
    plan: &Plan,
    outcome: &Outcome,
    next: &dask_operator_api::cluster::DaskClusterStatus,
    context: &Context,
    now: Timestamp,
) -> Action {
    let (uid, previous) = (object.uid().unwrap_or_default(), status(object));
    let reported = context.reporter.status(by, &uid, &previous, next, &context.ledger).await;
    if matches!(reported, Ok(crate::kubernetes::Report::Written)) {
        let events = cluster::events(&previous, next);
        context.reporter.events(&object.object_ref(&()), &events).await;
    }
    context.reporter.events(&object.object_ref(&()), &plan.events).await;
    reconcile::next(by, object.meta().generation, context, plan, outcome, &reported, now)
}

fn status(object: &Guarded<DaskCluster>) -> dask_operator_api::cluster::DaskClusterStatus {
    match object {
        Guarded::Good(object) => object.status.clone().unwrap_or_default(),
        Guarded::Bad { .. } => dask_operator_api::cluster::DaskClusterStatus::default(),
    }
}
