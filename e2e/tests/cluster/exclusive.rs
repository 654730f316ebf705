//! Tests that need the operator or the machine for themselves: one after the other.

mod chart;
mod conformance;
mod killed;
mod killed_at_random;
mod threads_or_processes;
