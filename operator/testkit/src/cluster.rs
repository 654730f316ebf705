//! Builds objects of the kind DaskCluster as the API server would return them.

use dask_operator_api::cluster::{
    DaskCluster, DaskClusterSpec, DaskClusterStatus, DisruptionProtection, IdleAction,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// A cluster called `demo` in the namespace `team`, with one worker.
pub fn a_cluster() -> ClusterBuilder {
    let mut cluster = DaskCluster::new("demo", DaskClusterSpec::default());
    cluster.metadata = ObjectMeta {
        name: Some("demo".to_owned()),
        namespace: Some("team".to_owned()),
        uid: Some("cluster-uid".to_owned()),
        resource_version: Some("1".to_owned()),
        generation: Some(1),
        ..ObjectMeta::default()
    };
    ClusterBuilder(cluster)
}

/// Changes to [`a_cluster`].
pub struct ClusterBuilder(DaskCluster);

impl ClusterBuilder {
    /// With another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.0.metadata.name = Some(name.to_owned());
        self
    }

    /// Deleted after so many seconds without work.
    #[must_use]
    pub fn idle_timeout(mut self, seconds: i64) -> Self {
        self.0.spec.idle_timeout = seconds;
        self
    }

    /// That becomes of it after so many seconds without work.
    #[must_use]
    pub fn idle_action(mut self, action: IdleAction) -> Self {
        self.0.spec.idle_action = Some(action);
        self
    }

    /// Suspended, or not.
    #[must_use]
    pub fn suspended(mut self, suspend: bool) -> Self {
        self.0.spec.suspend = Some(suspend);
        self
    }

    /// With so many workers.
    #[must_use]
    pub fn workers(mut self, replicas: i32) -> Self {
        self.0.spec.worker.replicas = replicas;
        self
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        let labels = self.0.metadata.labels.get_or_insert_default();
        labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With an annotation.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        let annotations = self.0.metadata.annotations.get_or_insert_default();
        annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Kept from eviction.
    #[must_use]
    pub fn protected(mut self, protection: DisruptionProtection) -> Self {
        self.0.spec.disruption_protection = Some(protection);
        self
    }

    /// With an image for all.
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        self.0.spec.image = Some(image.to_owned());
        self
    }

    /// With Dask configuration.
    #[must_use]
    pub fn config(mut self, config: Value) -> Self {
        self.0.spec.config = Some(config.into());
        self
    }

    /// With a pod spec for the scheduler.
    #[must_use]
    pub fn scheduler_pod(mut self, spec: Value) -> Self {
        self.0.spec.scheduler.spec = Some(spec.into());
        self
    }

    /// With a Service spec for the scheduler.
    #[must_use]
    pub fn service(mut self, spec: Value) -> Self {
        self.0.spec.scheduler.service = Some(spec.into());
        self
    }

    /// With a pod spec for the workers.
    #[must_use]
    pub fn worker_pod(mut self, spec: Value) -> Self {
        self.0.spec.worker.spec = Some(spec.into());
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
    pub fn status(mut self, status: DaskClusterStatus) -> Self {
        self.0.status = Some(status);
        self
    }

    /// The object.
    pub fn build(self) -> DaskCluster {
        self.0
    }
}
