//! The parts of the CRDs' schemas that no Rust type describes.

mod fields;
mod open;
mod pod;
mod service;

pub(crate) use fields::{
    chosen_of_some, cluster_status, conditions, count_or_percentage, dask_resources, free_object,
    no_more_than_all, not_both_none, quantity, resources, time,
};
pub(crate) use pod::{job_pod_spec, scheduler_pod_spec, worker_pod_spec};
pub(crate) use service::service_spec;
