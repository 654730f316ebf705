//! What is kept of any object: who it is, whose it is, and in which version.

use dask_operator_plan::cluster::Ownership;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

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

/// Which cluster a group or an autoscaler names, so that a change of the cluster reaches it.
#[derive(Clone, Debug)]
pub(crate) struct OfCluster {
    /// The object itself.
    pub(crate) meta: Meta,
    /// Its cluster's name.
    pub(crate) cluster: String,
}

impl Record for OfCluster {
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
