//! Tests on a cluster that leave the operator alone, so that several run at once.
#![cfg(feature = "cluster")]

#[path = "shared/scaling.rs"]
mod scaling;
