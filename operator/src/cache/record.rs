//! The few facts that are kept of a child, of the thousands of bytes that the watch shows.

use dask_operator_api::labels;
use dask_operator_plan::cluster::{Child, Ownership};
use k8s_openapi::api::apps::v1::Deployment as K8sDeployment;
use k8s_openapi::api::core::v1::{ConfigMap as K8sConfigMap, Service as K8sService};
use k8s_openapi::api::policy::v1::PodDisruptionBudget as K8sPodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

/// Namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    /// The key of an object's metadata.
    pub(crate) fn of(metadata: &ObjectMeta) -> Self {
        Self::new(
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default(),
        )
    }

    /// From borrowed text.
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// An entry of an [`Index`](super::Index).
pub(crate) trait Record {
    /// Who it is.
    fn meta(&self) -> &Meta;
    /// The cluster or group it belongs to, in its own namespace, by name.
    fn parent(&self) -> &str;
}

/// What is kept of any object's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) key: Key,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) owner: Option<Owner>,
    pub(crate) terminating: bool,
}

/// The controlling owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl Meta {
    /// Keeps the few facts.
    pub(crate) fn of(metadata: &ObjectMeta) -> Self {
        let owners = metadata.owner_references.iter().flatten();
        let controller = owners.into_iter().find(|owner| owner.controller == Some(true));
        Self {
            key: Key::of(metadata),
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            owner: controller.map(|owner| Owner {
                kind: owner.kind.clone(),
                name: owner.name.clone(),
                uid: owner.uid.clone(),
            }),
            terminating: metadata.deletion_timestamp.is_some(),
        }
    }

    /// The resource version as a number; versions are comparable so (KEP-5504).
    pub(crate) fn version(&self) -> u64 {
        version(&self.resource_version)
    }

    /// Whether this UID is the controlling owner's.
    pub(crate) fn is_owned_by(&self, uid: &str) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.uid == uid)
    }

    /// Whose the object is, seen from a cluster.
    pub(crate) fn ownership(&self, cluster: &str, cluster_uid: &str) -> Ownership {
        let owner = self.owner.as_ref().map(|owner| (&*owner.kind, &*owner.name, &*owner.uid));
        Ownership::of(owner, cluster, cluster_uid)
    }
}

/// A resource version as a number.
pub(super) fn version(resource_version: &str) -> u64 {
    resource_version.parse().unwrap_or_default()
}

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

/// Which cluster a group names, so that a change of the cluster reaches its groups.
#[derive(Clone, Debug)]
pub(crate) struct GroupRecord {
    /// The group.
    pub(crate) meta: Meta,
    /// Its cluster's name.
    pub(crate) cluster: String,
}

impl Record for GroupRecord {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn parent(&self) -> &str {
        &self.cluster
    }
}

/// A label's value, empty when absent.
pub(super) fn text(labels: Option<&std::collections::BTreeMap<String, String>>, key: &str) -> String {
    labels.and_then(|labels| labels.get(key).cloned()).unwrap_or_default()
}
