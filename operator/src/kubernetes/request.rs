//! Paths and requests: plain HTTP, because templates are JSON text and some parameters are not in kube's types.

use dask_operator_plan::{Delete, Kind};
use http::{Method, Request, header};
use serde_json::{Value, json};

use crate::cache::Key;

/// `/api…/namespaces/<namespace>/<plural>`
pub(super) fn collection(kind: Kind, namespace: &str) -> String {
    let (prefix, plural) = match kind {
        Kind::DaskCluster => ("/apis/kubernetes.dask.org/v1", "daskclusters"),
        Kind::DaskWorkerGroup => ("/apis/kubernetes.dask.org/v1", "daskworkergroups"),
        Kind::DaskAutoscaler => ("/apis/kubernetes.dask.org/v1", "daskautoscalers"),
        Kind::ConfigMap => ("/api/v1", "configmaps"),
        Kind::Deployment => ("/apis/apps/v1", "deployments"),
        Kind::Pod => ("/api/v1", "pods"),
        Kind::PodDisruptionBudget => ("/apis/policy/v1", "poddisruptionbudgets"),
        Kind::Service => ("/api/v1", "services"),
    };
    format!("{prefix}/namespaces/{namespace}/{plural}")
}

/// The same for one object.
pub(super) fn object(kind: Kind, key: &Key) -> String {
    format!("{}/{}", collection(kind, &key.namespace), key.name)
}

/// How the server treats fields that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validation {
    /// It refuses the object and names them.
    Strict,
    /// It drops them.
    Ignore,
}

pub(super) fn create(kind: Kind, namespace: &str, object: &Value, validation: Validation) -> Built {
    let path =
        format!("{}?fieldValidation={validation:?}&fieldManager=dask-operator", collection(kind, namespace));
    with_json(Method::POST, &path, "application/json", object)
}

pub(super) fn patch(kind: Kind, key: &Key, body: &Value, validation: Validation) -> Built {
    let path = format!("{}?fieldValidation={validation:?}&fieldManager=dask-operator", object(kind, key));
    with_json(Method::PATCH, &path, patch_type(kind), body)
}

/// Only a strategic merge patch can say that a map is replaced whole, and only built-in kinds take one.
fn patch_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Deployment | Kind::Service => "application/strategic-merge-patch+json",
        Kind::DaskCluster
        | Kind::DaskWorkerGroup
        | Kind::DaskAutoscaler
        | Kind::ConfigMap
        | Kind::Pod
        | Kind::PodDisruptionBudget => "application/merge-patch+json",
    }
}

pub(super) fn patch_status(kind: Kind, key: &Key, body: &Value) -> Built {
    let path = format!("{}/status?fieldManager=dask-operator", object(kind, key));
    with_json(Method::PATCH, &path, "application/merge-patch+json", body)
}

pub(super) fn get(kind: Kind, key: &Key) -> Built {
    Request::get(object(kind, key)).body(Vec::new())
}

pub(super) fn delete(kind: Kind, key: &Key, delete: &Delete) -> Built {
    let mut body = json!({"preconditions": {"uid": delete.uid}});
    if let Some(version) = &delete.version {
        body["preconditions"]["resourceVersion"] = version.as_str().into();
    }
    if let Some(grace) = delete.grace {
        body["gracePeriodSeconds"] = grace.into();
    }
    with_json(Method::DELETE, &object(kind, key), "application/json", &body)
}

/// A request, or why its path is none.
pub(super) type Built = Result<Request<Vec<u8>>, http::Error>;

fn with_json(method: Method, path: &str, content_type: &str, body: &Value) -> Built {
    let builder = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content_type);
    builder.body(body.to_string().into_bytes())
}
