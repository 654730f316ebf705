//! What is decided, kind by kind. One binary: each more would be linked and optimised for itself.

mod cluster_decisions;
mod cluster_properties;
mod cluster_restarts;
mod drains;
mod group_properties;
mod idle;
mod leaving;
mod losses;
mod manifests;
mod offers;
mod pod_status;
mod rolls;
mod scaling;
mod scheduler_link;
mod skew;
mod suspend;
mod troubles;
mod unprotected;
