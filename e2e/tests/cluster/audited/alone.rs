//! Tests that need the operator for themselves, one after the other.

mod beside_troubles;
mod namespaced;
mod replicas;
mod rest;
mod rights;
mod without_the_operator;
