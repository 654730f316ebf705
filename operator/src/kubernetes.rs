//! The edge towards the API server: every write goes through here.

mod backoff;
mod call;
mod deadline;
mod gate;
mod lease;
mod ledger;
mod report;
mod request;
mod tenure;
#[cfg(test)]
mod testing;
mod write;

pub(crate) use backoff::Backoff;
pub(crate) use call::{CallError, Caller, LONGEST_CALL};
pub(crate) use deadline::with_deadline;
pub(crate) use gate::Gate;
pub(crate) use lease::{Lease, LeaseError};
pub(crate) use ledger::{Awaited, Ledger, Reconciled, Settled};
pub(crate) use report::{Report, Reporter};
pub(crate) use tenure::Tenure;
pub(crate) use write::{Writer, failed};
