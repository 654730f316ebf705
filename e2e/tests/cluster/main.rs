//! Every test on a cluster, which `cargo e2e test` starts, and what runs on one as it does without. One binary: each more
//! would be compiled for as long.
#![cfg(feature = "cluster")]

mod audited;
mod demo;
mod exclusive;
mod shared;
mod workloads_without_cluster;
