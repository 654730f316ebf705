//! What should be: pure functions from checked objects and the observed world to a [`Plan`].
//!
//! For each kind the same rooms: `check` (raw object → checked, or problems), `observed` (what may be known),
//! `decide` (how many, which, when, each with a reason), `desired` (objects), `status`, `events`.

pub mod autoscaler;
pub mod cluster;
mod command;
mod container;
mod facts;
mod hash;
mod merge;
pub mod metadata;
pub mod offers;
mod plan;
pub mod pod_spec;
mod pod_status;
mod preload_token;
mod problem;
mod refusal;
pub mod sabotage;
mod settings;
mod suffix;
mod troubles;
pub mod worker_group;

pub use facts::{Count, Demand, Drain, DrainState, Facts, Link, StockFacts, Tasks, Versions, Worker};
pub use hash::hash;
pub use plan::{
    Apply, Ask, Create, Delete, Event, EventKind, Failure, FailureKind, Kind, Order, Outcome, Patch, Plan,
    Premise, WORKER_POD, called,
};
pub use pod_status::{PodStatus, Trouble};
pub use preload_token::token;
pub use problem::Problem;
pub use refusal::refusal;
pub use settings::{Batch, Settings};
pub use suffix::Suffixes;
