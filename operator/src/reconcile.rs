//! What both reconciles share: settle first, then report, then say when to look again.

use std::convert::Infallible;
use std::time::Duration;

use dask_operator_plan::{Outcome, Plan};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use thiserror::Error;

use crate::cache::Key;
use crate::context::Context;
use crate::kubernetes::{CallError, Reconciled, Report, Settled};

/// Nothing but a change is waited for; yet once in a while everything is looked at again.
const IDLE: Duration = Duration::from_hours(1);
/// A timer may fire early, and a look just before the time would find nothing to do.
const TIMER: Duration = Duration::from_millis(10);
/// The watch normally shows a write within milliseconds, and triggers.
const UNSETTLED: Duration = Duration::from_secs(2);

/// Reconciles do not fail: what fails is data, with a time to try again.
#[derive(Debug, Error)]
#[error("never")]
pub(crate) struct Never(#[from] Infallible);

/// Whether the caches show this object's own writes; if not, when to look again.
pub(crate) async fn unsettled(by: &Reconciled, context: &Context) -> Option<Action> {
    match context.ledger.settled(by, &context.cache) {
        Settled::Yes => None,
        Settled::NotYet => Some(Action::requeue(UNSETTLED)),
        Settled::Overdue(writes) => {
            for (kind, key) in writes {
                if let Ok(false) = context.writer.caller.is_to_be_shown(kind, &key).await {
                    context.ledger.strike(by, kind, &key);
                }
            }
            Some(Action::requeue(UNSETTLED))
        }
    }
}

/// Writes what the plan says. After failures nothing new is tried before their wait is over, whatever triggers a
/// look; until then they stand as they were told.
pub(crate) async fn apply(
    by: &Reconciled,
    uid: &str,
    generation: Option<i64>,
    mut plan: Plan,
    context: &Context,
) -> (Plan, Outcome) {
    let held = context.backoff.held(by, generation).filter(|_| !plan.apply.is_empty());
    if held.is_some() {
        // What is deleted beside a create is what that was to replace.
        plan = Plan { wake: plan.wake, ..Plan::default() };
    }
    let mut outcome = context.writer.apply(by, uid, &plan, &context.ledger).await;
    if let Some((wait, failures)) = held {
        outcome.failures.extend(failures);
        outcome.held = Some(wait);
    }
    (plan, outcome)
}

/// When to look again.
pub(crate) fn next(
    by: &Reconciled,
    generation: Option<i64>,
    context: &Context,
    plan: &Plan,
    outcome: &Outcome,
    reported: &Result<Report, CallError>,
    now: Timestamp,
) -> Action {
    let retry = outcome.held.or_else(|| retry(by, generation, context, outcome, reported));
    let wake = plan.wake.map(|wake| Duration::try_from(wake.duration_since(now)).unwrap_or_default());
    let later = match reported {
        Ok(Report::Later(wait)) => Some(*wait),
        _ => None,
    };
    let soonest = [retry, wake, later].into_iter().flatten().min().unwrap_or(IDLE);
    Action::requeue(soonest + TIMER)
}

/// Counts failures, and says how long to wait after one.
fn retry(
    by: &Reconciled,
    generation: Option<i64>,
    context: &Context,
    outcome: &Outcome,
    reported: &Result<Report, CallError>,
) -> Option<Duration> {
    for failure in &outcome.failures {
        log(by, &failure.object, &failure.message);
    }
    if let Err(error) = reported {
        log(by, "its status", &error.to_string());
    }
    if outcome.failures.is_empty() && reported.is_ok() {
        context.backoff.succeeded(by);
        return None;
    }
    Some(context.backoff.failed(by, generation, &outcome.failures))
}

fn log(by: &Reconciled, object: &str, message: &str) {
    let Key { namespace, name } = &by.1;
    tracing::warn!(namespace, name, object, message, "a write failed");
}
