//! Tests that need the operator for themselves, or more of the machine than others leave: one after the other.

mod chart;
mod conformance;
mod killed;
mod killed_at_random;
mod threads_or_processes;
