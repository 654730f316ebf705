//! Tests on a cluster that leave the operator alone, so that several run at once.
#![cfg(feature = "cluster")]

#[path = "shared/bad_input.rs"]
mod bad_input;
#[path = "shared/examples.rs"]
mod examples;
#[path = "shared/losses.rs"]
mod losses;
#[path = "shared/scaling.rs"]
mod scaling;
#[path = "shared/seen.rs"]
mod seen;
#[path = "shared/workloads.rs"]
mod workloads;
