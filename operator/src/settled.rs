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

/// Whether a plan still stands.
pub(crate) enum Standing {
    /// Nothing speaks against it.
    Stands,
    /// The object is gone, or what the plan rests on is not so.
    Falls,
    /// It may fall, and nobody could be asked.
    Unknown(Box<Outcome>),
}

/// Whether what a plan says may be written.
pub(crate) async fn standing(by: &Reconciled, plan: &Plan, context: &Context) -> Standing {
    match presence(by, plan, context).await {
        Standing::Stands => premises(by, plan, context).await,
        falls_or_unknown => falls_or_unknown,
    }
}

/// Whether what it rests on is so, in the API server's own words: a watch may be late.
async fn premises(by: &Reconciled, plan: &Plan, context: &Context) -> Standing {
    for premise in plan.premises.iter().filter(|_| !sabotage::is(Bug::PremisesUnasked)) {
        match context.writer.caller.holds(&by.key.namespace, premise).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::info!(namespace = by.key.namespace, name = by.key.name, ?premise, "that is not so");
                return Standing::Falls;
            }
            Err(error) => return Standing::Unknown(Box::new(failed(premise.kind, &premise.name, &error))),
        }
    }
    Standing::Stands
}

/// Whether an object may be gone for which something is to be made that was made just before: the watch that would show
/// it going may be late, while others show its children go as fast as they are made.
async fn presence(by: &Reconciled, plan: &Plan, context: &Context) -> Standing {
    let makes = plan.apply.iter().any(|apply| Apply::create(apply).is_some());
    if !makes || sabotage::is(Bug::MadeForTheGone) {
        return Standing::Stands;
    }
    if !context.ledger.made_in_vain(by) {
        return Standing::Stands;
    }
    match context.writer.caller.is_there(by).await {
        Ok(true) => Standing::Stands,
        Ok(false) => {
            context.ledger.note_gone(by);
            tracing::info!(namespace = by.key.namespace, name = by.key.name, "it is gone");
            Standing::Falls
        }
        Err(error) => Standing::Unknown(Box::new(failed(by.kind, &by.key.name, &error))),
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
