//! Tests that stop or restart the operator: one after the other.
#![cfg(feature = "cluster")]

#[path = "exclusive/killed.rs"]
mod killed;
