//! Tests for which only the embedded cluster will do: they read its audit log, a folder that its pods share with us, or an
//! image that only it has.
#![cfg(feature = "cluster")]

#[path = "audited/at_work.rs"]
mod at_work;
#[path = "audited/settled.rs"]
mod settled;

/// Tests that need all of it, one after the other.
#[path = "audited"]
mod alone {
    #[path = "alone/beside_troubles.rs"]
    mod beside_troubles;
    #[path = "alone/namespaced.rs"]
    mod namespaced;
    #[path = "alone/replicas.rs"]
    mod replicas;
    #[path = "alone/rest.rs"]
    mod rest;
    #[path = "alone/rights.rs"]
    mod rights;
    #[path = "alone/without_the_operator.rs"]
    mod without_the_operator;
}

/// Tests that look at their own namespaces alone.
#[path = "audited"]
mod together {
    #[path = "together/drains.rs"]
    mod drains;
    #[path = "together/going.rs"]
    mod going;
    #[path = "together/histories.rs"]
    mod histories;
    #[path = "together/latency.rs"]
    mod latency;
    #[path = "together/limits.rs"]
    mod limits;
    #[path = "together/oldest.rs"]
    mod oldest;
    #[path = "together/rest.rs"]
    mod rest;
    #[path = "together/writes.rs"]
    mod writes;
}
