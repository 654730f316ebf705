//! Whether what the caches show is new enough to decide by; where they may be late, the API server is asked.

use std::time::Duration;

use dask_operator_plan::sabotage::{self, Bug};
use dask_operator_plan::{Apply, Kind, Outcome, Plan};
use futures::future::join_all;
use kube::runtime::controller::Action;

use crate::cache::Key;
use crate::context::Context;
use crate::kubernetes::{Awaited, Reconciled, Settled, failed};

/// The watch normally shows a write within milliseconds, and triggers.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// Whether the object itself may be gone.
pub(crate) enum Presence {
    /// It is there, or nothing speaks against it.
    There,
    /// It is gone, or on its way.
    Gone,
    /// It may be gone, and nobody could be asked.
    Unknown(Box<Outcome>),
}

/// Whether an object may be gone for which something is to be made that was made just before: the watch that would show
/// it going may be late, while others show its children go as fast as they are made.
pub(crate) async fn presence(by: &Reconciled, plan: &Plan, context: &Context) -> Presence {
    let makes = plan.apply.iter().any(|apply| Apply::create(apply).is_some());
    if !makes || sabotage::is(Bug::MadeForTheGone) {
        return Presence::There;
    }
    if !context.ledger.made_in_vain(by) {
        return Presence::There;
    }
    match context.writer.caller.is_there(by).await {
        Ok(true) => Presence::There,
        Ok(false) => {
            context.ledger.note_gone(by);
            tracing::info!(namespace = by.key.namespace, name = by.key.name, "it is gone");
            Presence::Gone
        }
        Err(error) => Presence::Unknown(Box::new(failed(by.kind, &by.key.name, &error))),
    }
}

/// Whether the caches show this object's own writes; if not, when to look again.
pub(crate) async fn unsettled(by: &Reconciled, context: &Context) -> Option<Action> {
    match context.ledger.settled(by, &context.cache) {
        Settled::Yes => None,
        Settled::NotYet => Some(Action::requeue(SOON)),
        Settled::Overdue(_) if sabotage::is(Bug::NeverAsked) => Some(Action::requeue(SOON)),
        Settled::Overdue(writes) => {
            join_all(writes.into_iter().map(|write| ask(by, write, context))).await;
            Some(Action::requeue(SOON))
        }
    }
}

/// Asks what became of one write.
async fn ask(by: &Reconciled, (kind, key, awaited): (Kind, Key, Awaited), context: &Context) {
    let still = context.writer.caller.still_awaited(kind, &key, &awaited).await;
    if let Ok(still) = still
        && still.as_ref() != Some(&awaited)
    {
        context.ledger.replace(by, kind, &key, &awaited, still);
    }
}
