//! Tests that read requests in the audit log of the embedded cluster, one after the other.
#![cfg(feature = "cluster")]

#[path = "audited/beside_troubles.rs"]
mod beside_troubles;
#[path = "audited/latency.rs"]
mod latency;
#[path = "audited/namespaced.rs"]
mod namespaced;
#[path = "audited/replicas.rs"]
mod replicas;
#[path = "audited/rest.rs"]
mod rest;
#[path = "audited/rights.rs"]
mod rights;
#[path = "audited/writes.rs"]
mod writes;
