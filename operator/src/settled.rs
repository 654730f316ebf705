//! Whether what the caches show is new enough to decide by; where they may be late, the API server is asked.

use std::time::Duration;

use dask_operator_plan::sabotage::{self, Bug};
use dask_operator_plan::{Apply, Plan};
use kube::runtime::controller::Action;

use crate::context::Context;
use crate::kubernetes::{Reconciled, Settled};

/// The watch normally shows a write within milliseconds, and triggers.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// When to look again, if what is to be made once more is for an object of which it is not known that it is there: the
/// watch that would show it going may be late, while others show its children go as fast as they are made.
pub(crate) async fn vanished(
    by: &Reconciled,
    generation: Option<i64>,
    plan: &Plan,
    context: &Context,
) -> Option<Action> {
    let makes = plan.apply.iter().any(|apply| Apply::create(apply).is_some());
    let waits = context.backoff.held(by, generation).is_some();
    if !makes || waits || !context.ledger.made_lately(by) || sabotage::is(Bug::MadeForTheGone) {
        return None;
    }
    let is_there = context.writer.caller.is_there(by).await;
    (!matches!(is_there, Ok(true))).then(|| Action::requeue(SOON))
}

/// Whether the caches show this object's own writes; if not, when to look again.
pub(crate) async fn unsettled(by: &Reconciled, context: &Context) -> Option<Action> {
    match context.ledger.settled(by, &context.cache) {
        Settled::Yes => None,
        Settled::NotYet => Some(Action::requeue(SOON)),
        Settled::Overdue(_) if sabotage::is(Bug::NeverAsked) => Some(Action::requeue(SOON)),
        Settled::Overdue(writes) => {
            for (kind, key, awaited) in writes {
                if let Ok(false) = context.writer.caller.is_to_be_shown(kind, &key, &awaited).await {
                    context.ledger.strike(by, kind, &key);
                }
            }
            Some(Action::requeue(SOON))
        }
    }
}
