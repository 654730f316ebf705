//! Tests that need the operator or the machine for themselves: one after the other.
#![cfg(feature = "cluster")]

#[path = "exclusive/chart.rs"]
mod chart;
#[path = "exclusive/conformance.rs"]
mod conformance;
#[path = "exclusive/killed.rs"]
mod killed;
#[path = "exclusive/killed_at_random.rs"]
mod killed_at_random;
#[path = "exclusive/threads_or_processes.rs"]
mod threads_or_processes;
