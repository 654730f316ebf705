//! The parts of the CRDs' schemas that no Rust type describes.

mod fields;
mod open;
mod pod;
mod service;

pub(crate) use fields::{cluster_status, conditions, dask_resources, free_object, quantity, resources};
pub(crate) use pod::{job_pod_spec, scheduler_pod_spec, worker_pod_spec};
pub(crate) use service::service_spec;
