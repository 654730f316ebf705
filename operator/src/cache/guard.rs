//! One object that does not decode must not stop the watch of all others.
//!
//! kube's own `DeserializeGuard` buffers into a value that raw JSON cannot be read from; this one reads the text first.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// An object, or why it is none.
#[derive(Clone, Debug)]
pub(crate) enum Guarded<K> {
    /// It decodes.
    Good(K),
    /// It does not.
    Bad {
        /// Its metadata, which the API server itself guarantees.
        metadata: Box<ObjectMeta>,
        /// Its status: what was said stays said.
        status: Value,
        /// Why not.
        error: String,
    },
}

#[derive(Deserialize)]
struct Rest {
    metadata: ObjectMeta,
    #[serde(default)]
    status: Value,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        match serde_json::from_str(text.get()) {
            Ok(object) => Ok(Self::Good(object)),
            Err(error) => {
                let Rest { metadata, status } =
                    serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
                Ok(Self::Bad { metadata: Box::new(metadata), status, error: error.to_string() })
            }
        }
    }
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dynamic: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &K::DynamicType) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &K::DynamicType) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Good(object) => object.meta(),
            Self::Bad { metadata, .. } => metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Good(object) => object.meta_mut(),
            Self::Bad { metadata, .. } => metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dask_operator_api::DaskCluster;

    #[test]
    fn an_object_that_does_not_decode_keeps_its_metadata_and_status() {
        let text = r#"{"metadata":{"name":"odd"},"spec":{"worker":{"replicas":"many"}},"status":{"phase":"Running"}}"#;
        let guarded: Guarded<DaskCluster> = serde_json::from_str(text).unwrap();
        let Guarded::Bad { error, status, .. } = &guarded else { panic!("it does not decode") };
        assert!(error.contains("many"));
        assert_eq!(status["phase"], "Running");
        assert_eq!(guarded.meta().name.as_deref(), Some("odd"));
    }

    #[test]
    fn a_template_survives_the_watch_as_text() {
        let text = r#"{"apiVersion":"kubernetes.dask.org/v1","kind":"DaskCluster","metadata":{"name":"a"},
            "spec":{"worker":{"replicas":2,"spec":{"containers":[{"name":"worker","future":true}]}}}}"#;
        let Guarded::Good(cluster) = serde_json::from_str::<Guarded<DaskCluster>>(text).unwrap() else {
            panic!("it decodes")
        };
        let template = cluster.spec.worker.spec.unwrap();
        assert_eq!(template.text(), r#"{"containers":[{"name":"worker","future":true}]}"#);
    }
}
