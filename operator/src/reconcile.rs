//! One look at one object of any kind: check → observe → plan → apply → report.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use dask_operator_plan::sabotage::{self, Bug};
use dask_operator_plan::{Event, Outcome, Plan, Problem, worker_group};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::Instant;

use crate::cache::{Cache, Guarded, Key, Objects};
use crate::context::Context;
use crate::kubernetes::{CallError, Reconciled, Report};
use crate::settled::{self, Standing};

/// Nothing but a change is waited for; yet once in a while everything is looked at again.
const IDLE: Duration = Duration::from_hours(1);
/// A timer may fire early, and a look just before the time would find nothing to do.
const TIMER: Duration = Duration::from_millis(10);

/// A kind that is reconciled: what its rooms of the plan are called with.
pub(crate) trait Reconcile:
    Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static
{
    /// Which it is.
    const KIND: dask_operator_plan::Kind;
    /// The object once it is known to make sense.
    type Checked: Send + Sync;
    /// What may be known of its world.
    type Observed: Send + Sync;
    /// Its status.
    type Status: Serialize + DeserializeOwned + Clone + Default + Send + Sync;

    /// Where the cache keeps its objects.
    fn objects(cache: &Cache) -> &Objects<Self>;
    /// Checks everything that does not depend on the world.
    fn check(object: &Self) -> Result<Self::Checked, Vec<Problem>>;
    /// Reads caches only. None when the object is about to be garbage-collected.
    fn observe(context: &Context, object: &Self, key: &Key) -> Option<Self::Observed>;
    /// Has the scheduler asked what the plan says.
    fn ask(_: &Context, _: &Key, _: &Self::Observed, _: &Plan) {}
    /// What to write.
    fn plan(context: &Context, checked: &Self::Checked, observed: &Self::Observed, now: Timestamp) -> Plan;
    /// It makes no sense any more, so nothing is decided.
    fn refused(_: &Context, _: &Key) {}
    /// The status it has.
    fn status(object: &Self) -> Option<&Self::Status>;
    /// The status it should have.
    fn next(
        checked: &Self::Checked,
        observed: &Self::Observed,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Self::Status;
    /// What came of the writes is known.
    fn done(_: &Context, _: &Self::Checked, _: &Self::Observed, _: &Outcome, _: Timestamp) {}
    /// A change of status has been written.
    fn told(_: &Context, _: &Self::Status, _: &Self::Status) {}
    /// The status it should have when it makes no sense.
    fn invalid(
        previous: &Self::Status,
        problems: &[Problem],
        generation: Option<i64>,
        now: Timestamp,
    ) -> Self::Status;
    /// What a change of status is worth telling.
    fn events(previous: &Self::Status, next: &Self::Status) -> Vec<Event>;
}

/// Reconciles do not fail: what fails is data, with a time to try again.
#[derive(Debug, Error)]
#[error("never")]
pub(crate) struct Never(#[from] Infallible);

/// One look.
pub(crate) async fn reconcile<K: Reconcile>(
    object: Arc<Guarded<K>>,
    context: Arc<Context>,
) -> Result<Action, Never> {
    let began = Instant::now();
    let (key, uid) = (Key::of(object.meta()), object.uid().unwrap_or_default());
    let by = Reconciled { kind: K::KIND, key, uid };
    if let Some(action) = settled::unsettled(&by, &context).await {
        return Ok(action);
    }
    // The one that came with the call may be older than what the caches were just found to show.
    let Some(object) = current::<K>(&by, &context) else {
        context.forget(&by);
        return Ok(Action::await_change());
    };
    let look = Look { by: &by, object: &object, context: &context, now: context.clock.now() };
    let action = match look.check() {
        Ok((object, checked)) => look.follow(object, &checked).await,
        Err(problems) => look.refuse(&problems).await,
    };
    context.writer.caller.metrics.reconciled(K::KIND, began.elapsed());
    if current::<K>(&by, &context).is_none() {
        context.forget(&by);
    }
    Ok(action)
}

/// The object as the cache shows it now, unless it is gone.
fn current<K: Reconcile>(by: &Reconciled, context: &Context) -> Option<Arc<Guarded<K>>> {
    let object = K::objects(&context.cache).get(&by.key)?;
    Some(object).filter(|object| object.uid().as_deref() == Some(&by.uid))
}

/// Never called: reconciles return when to try again instead of failing.
pub(crate) fn on_error<K>(_: Arc<Guarded<K>>, _: &Never, _: Arc<Context>) -> Action {
    Action::requeue(settled::SOON)
}

struct Look<'a, K> {
    by: &'a Reconciled,
    object: &'a Guarded<K>,
    context: &'a Context,
    now: Timestamp,
}

impl<'a, K: Reconcile> Look<'a, K> {
    /// What does not decode is a problem like any other.
    fn check(&self) -> Result<(&'a K, K::Checked), Vec<Problem>> {
        match self.object {
            Guarded::Good(object) => K::check(object).map(|checked| (object, checked)),
            Guarded::Bad { error, .. } => {
                Err(vec![Problem::template(format!("the object cannot be read: {error}"))])
            }
        }
    }

    async fn follow(&self, object: &K, checked: &K::Checked) -> Action {
        let Some(observed) = K::observe(self.context, object, &self.by.key) else {
            return Action::await_change();
        };
        let plan = K::plan(self.context, checked, &observed, self.now);
        K::ask(self.context, &self.by.key, &observed, &plan);
        let Some((plan, outcome)) = self.apply(plan).await else { return Action::requeue(settled::SOON) };
        K::done(self.context, checked, &observed, &outcome, self.now);
        let next = K::next(checked, &observed, &outcome, self.now);
        self.report(&plan, &outcome, &next).await
    }

    async fn refuse(&self, problems: &[Problem]) -> Action {
        K::refused(self.context, &self.by.key);
        let next = K::invalid(&self.status(), problems, self.object.meta().generation, self.now);
        self.report(&Plan::default(), &Outcome::default(), &next).await
    }

    /// Writes what the plan says. After failures nothing new is tried before their wait is over, whatever triggers a
    /// look; until then they stand as they were told. None when it does not stand.
    async fn apply(&self, mut plan: Plan) -> Option<(Plan, Outcome)> {
        let scaling = plan.scaling.clone();
        let held = self.context.backoff.held(self.by, self.object.meta().generation);
        let held = held.filter(|_| !plan.apply.is_empty());
        let standing = match held {
            Some(_) => Standing::Stands,
            None => settled::standing(self.by, &plan, self.context).await,
        };
        let unknown = match standing {
            Standing::Stands => None,
            Standing::Falls => return None,
            Standing::Unknown(failed) => Some(failed.failures),
        };
        if held.is_some() || unknown.is_some() {
            plan.delete.retain(|delete| !delete.replaced);
            plan = Plan { delete: plan.delete, wake: plan.wake, ..Plan::default() };
        }
        let mut outcome = self.context.writer.apply(self.by, &plan, &self.context.ledger).await;
        outcome.scaling = scaling;
        outcome.failures.extend(unknown.into_iter().flatten());
        if let Some((wait, failures)) = held {
            outcome.failures.extend(failures);
            outcome.held = Some(wait);
        }
        Some((plan, outcome))
    }

    async fn report(&self, plan: &Plan, outcome: &Outcome, next: &K::Status) -> Action {
        let previous = self.status();
        let Context { reporter, ledger, .. } = self.context;
        let written = reporter.status(self.by, &previous, next, ledger).await;
        let about = self.object.object_ref(&());
        if matches!(written, Ok(Report::Written)) {
            reporter.events(&about, &K::events(&previous, next)).await;
            K::told(self.context, &previous, next);
        }
        let losses: Vec<_> = outcome.drained.iter().filter_map(worker_group::losses).collect();
        reporter.events(&about, &[plan.events.as_slice(), &outcome.events, &losses].concat()).await;
        self.context.writer.caller.metrics.drained(&outcome.drained);
        self.next(plan, outcome, &written)
    }

    /// When to look again.
    fn next(&self, plan: &Plan, outcome: &Outcome, reported: &Result<Report, CallError>) -> Action {
        let retry = outcome.held.or_else(|| self.retry(outcome, reported));
        let wake =
            plan.wake.map(|wake| Duration::try_from(wake.duration_since(self.now)).unwrap_or_default());
        let later = match reported {
            Ok(Report::Later(wait)) => Some(*wait),
            _ => None,
        };
        let soonest = [retry, wake, later].into_iter().flatten().min().unwrap_or(IDLE);
        Action::requeue(soonest + TIMER)
    }

    /// Counts failures, and says how long to wait after one.
    fn retry(&self, outcome: &Outcome, reported: &Result<Report, CallError>) -> Option<Duration> {
        if let (Some(first), None) = (outcome.failures.first(), outcome.held) {
            self.log(&first.object, &first.message);
        }
        if let Err(error) = reported {
            self.log("its status", &error.to_string());
        }
        if (outcome.failures.is_empty() && reported.is_ok()) || sabotage::is(Bug::NoRetry) {
            self.context.backoff.succeeded(self.by);
            return None;
        }
        Some(self.context.backoff.failed(self.by, self.object.meta().generation, &outcome.failures))
    }

    fn log(&self, object: &str, message: &str) {
        let Key { namespace, name } = &self.by.key;
        tracing::warn!(namespace, name, object, message, "a write failed");
    }

    fn status(&self) -> K::Status {
        match self.object {
            Guarded::Good(object) => K::status(object).cloned().unwrap_or_default(),
            Guarded::Bad { status, .. } => serde_json::from_value(status.clone()).unwrap_or_default(),
        }
    }
}
