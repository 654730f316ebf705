//! Builds objects of the kind DaskWorkerGroup as the API server would return them.

use dask_operator_api::parts::WorkerSpec;
use dask_operator_api::worker_group::{DaskWorkerGroup, DaskWorkerGroupSpec, DaskWorkerGroupStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::Value;

/// The default group of the cluster `demo` in the namespace `team`, with one worker.
pub fn a_group() -> GroupBuilder {
    let spec = DaskWorkerGroupSpec { cluster: "demo".to_owned(), worker: WorkerSpec::default() };
    let mut group = DaskWorkerGroup::new("demo-default", spec);
    group.metadata = ObjectMeta {
        name: Some("demo-default".to_owned()),
        namespace: Some("team".to_owned()),
        uid: Some("group-uid".to_owned()),
        resource_version: Some("1".to_owned()),
        generation: Some(1),
        owner_references: Some(vec![OwnerReference {
            api_version: "kubernetes.dask.org/v1".to_owned(),
            kind: "DaskCluster".to_owned(),
            name: "demo".to_owned(),
            uid: "cluster-uid".to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    };
    GroupBuilder(group)
}

/// Changes to [`a_group`].
pub struct GroupBuilder(DaskWorkerGroup);

impl GroupBuilder {
    /// With so many workers.
    #[must_use]
    pub fn replicas(mut self, replicas: i32) -> Self {
        self.0.spec.worker.replicas = replicas;
        self
    }

    /// With changes to `spec.worker`.
    #[must_use]
    pub fn worker(mut self, change: impl FnOnce(&mut WorkerSpec)) -> Self {
        change(&mut self.0.spec.worker);
        self
    }

    /// With a pod spec for the workers.
    #[must_use]
    pub fn pod(mut self, spec: Value) -> Self {
        self.0.spec.worker.spec = Some(spec.into());
        self
    }

    /// With an annotation.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        let annotations = self.0.metadata.annotations.get_or_insert_default();
        annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Without an owner, as users make further groups.
    #[must_use]
    pub fn without_owner(mut self) -> Self {
        self.0.metadata.owner_references = None;
        self
    }

    /// With a later generation.
    #[must_use]
    pub fn generation(mut self, generation: i64) -> Self {
        self.0.metadata.generation = Some(generation);
        self
    }

    /// With a status.
    #[must_use]
    pub fn status(mut self, status: DaskWorkerGroupStatus) -> Self {
        self.0.status = Some(status);
        self
    }

    /// The object.
    pub fn build(self) -> DaskWorkerGroup {
        self.0
    }
}
