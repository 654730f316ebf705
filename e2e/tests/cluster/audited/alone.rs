//! Tests that need the operator or the machine for themselves, one after the other.

mod mixed;
mod namespaced;
mod replicas;
mod rest;
mod rights;
mod without_the_operator;
