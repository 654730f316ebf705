//! Every test that needs a cluster; `cargo e2e test` starts one. One binary: each more would be compiled for as long.
#![cfg(feature = "cluster")]

mod audited;
mod demo;
mod exclusive;
mod killed;
mod shared;
mod workloads_without_cluster;
