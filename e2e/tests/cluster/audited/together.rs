//! Tests that look at their own namespaces and the demo's alone, so that several run at once.

mod beside_troubles;
mod demo;
mod drains;
mod going;
mod histories;
mod latency;
mod limits;
mod oldest;
mod rest;
mod writes;
