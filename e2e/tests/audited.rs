//! Tests that count or time requests in the audit log of the embedded cluster, one after the other.
#![cfg(feature = "cluster")]

#[path = "audited/beside_troubles.rs"]
mod beside_troubles;
#[path = "audited/latency.rs"]
mod latency;
#[path = "audited/rest.rs"]
mod rest;
#[path = "audited/writes.rs"]
mod writes;
