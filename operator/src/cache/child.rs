//! The few facts that are kept of a cluster's child, of the thousands of bytes that the watch shows.

use dask_operator_api::labels;
use dask_operator_plan::cluster::Child;
use k8s_openapi::api::apps::v1::Deployment as K8sDeployment;
use k8s_openapi::api::core::v1::{ConfigMap as K8sConfigMap, Service as K8sService};
use k8s_openapi::api::policy::v1::PodDisruptionBudget as K8sPodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use super::record::{Meta, Record, text};

/// A Deployment: whether its pod can be made.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = K8sDeployment)]
pub(crate) struct Deployment {
    metadata: ObjectMeta,
    #[serde(default)]
    status: DeploymentStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct DeploymentStatus {
    #[serde(default)]
    conditions: Vec<DeploymentCondition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct DeploymentCondition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    message: String,
}

/// A ConfigMap, of which only the metadata matters.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = K8sConfigMap)]
pub(crate) struct ConfigMap {
    metadata: ObjectMeta,
}

/// A disruption budget, of which only the metadata matters.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = K8sPodDisruptionBudget)]
pub(crate) struct Budget {
    metadata: ObjectMeta,
}

/// A Service: whether its load balancer has an address yet.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = K8sService)]
pub(crate) struct Service {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: ServiceSpec,
    #[serde(default)]
    status: ServiceStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ServiceSpec {
    #[serde(default, rename = "type")]
    type_: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceStatus {
    #[serde(default)]
    load_balancer: LoadBalancer,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct LoadBalancer {
    #[serde(default)]
    ingress: Vec<serde::de::IgnoredAny>,
}

/// What is kept of a Deployment, Service, ConfigMap or disruption budget.
#[derive(Clone, Debug)]
pub(crate) struct ChildRecord {
    meta: Meta,
    cluster: String,
    hash: Option<String>,
    restarted: Option<String>,
    suspended: Option<String>,
    /// Whether a load balancer was asked for and has no address yet.
    pub(crate) awaits_address: bool,
    /// Why a Deployment's pod cannot be made, in the API server's words.
    pub(crate) replica_failure: Option<String>,
}

impl ChildRecord {
    fn of(metadata: &ObjectMeta) -> Self {
        let note = |key| metadata.annotations.as_ref().and_then(|notes| notes.get(key).cloned());
        Self {
            meta: Meta::of(metadata),
            cluster: text(metadata.labels.as_ref(), labels::CLUSTER_NAME),
            hash: note(labels::TEMPLATE_HASH),
            restarted: note(labels::RESTART_SCHEDULER),
            suspended: note(labels::SUSPENDED),
            awaits_address: false,
            replica_failure: None,
        }
    }

    /// The child as a cluster's plan sees it.
    pub(crate) fn child(&self, cluster: &str, cluster_uid: &str) -> Child {
        Child {
            uid: self.meta.uid.clone(),
            resource_version: self.meta.resource_version.clone(),
            ownership: self.meta.ownership(cluster, cluster_uid),
            hash: self.hash.clone(),
            restarted: self.restarted.clone(),
            suspended: self.suspended.clone(),
        }
    }
}

impl Record for ChildRecord {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn parent(&self) -> &str {
        &self.cluster
    }
}

impl From<Deployment> for ChildRecord {
    fn from(deployment: Deployment) -> Self {
        let conditions = deployment.status.conditions.into_iter();
        let failure =
            conditions.into_iter().find(|one| one.type_ == "ReplicaFailure" && one.status == "True");
        Self { replica_failure: failure.map(|one| one.message), ..Self::of(&deployment.metadata) }
    }
}

impl From<ConfigMap> for ChildRecord {
    fn from(config: ConfigMap) -> Self {
        Self::of(&config.metadata)
    }
}

impl From<Budget> for ChildRecord {
    fn from(budget: Budget) -> Self {
        Self::of(&budget.metadata)
    }
}

impl From<Service> for ChildRecord {
    fn from(service: Service) -> Self {
        let balanced = service.spec.type_.as_deref() == Some("LoadBalancer");
        let awaits_address = balanced && service.status.load_balancer.ingress.is_empty();
        Self { awaits_address, ..Self::of(&service.metadata) }
    }
}
