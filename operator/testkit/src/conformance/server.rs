//! A server under test, and how it is called.

use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};

use super::Found;

/// A server under test.
pub(super) struct Server {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) found: Found,
}

/// The object, or the code and the reason of a refusal.
pub(super) type Answer = Result<Value, (u16, String)>;

impl Server {
    pub(super) fn expect(&mut self, what: &str, is_so: bool) {
        self.found.checked += 1;
        if !is_so {
            self.found.broken.push(what.to_owned());
        }
    }

    pub(super) async fn create(&self, plural: &str, name: &str) -> Answer {
        let spec = match plural {
            "daskworkergroups" => json!({"cluster": "none", "worker": {"replicas": 0}}),
            // Nobody gives it a node.
            "pods" => {
                json!({"schedulerName": "nobody", "containers": [{"name": "worker", "image": "none"}]})
            }
            _ => Value::Null,
        };
        let mut body = json!({"metadata": {"name": name}});
        if !spec.is_null() {
            body["spec"] = spec;
        }
        self.call(Method::POST, plural, "", body).await
    }

    pub(super) async fn patch(&self, plural: &str, rest: &str, body: Value) -> Answer {
        self.call(Method::PATCH, plural, rest, body).await
    }

    /// A call to the kind's path with this at its end.
    pub(super) async fn call(&self, method: Method, plural: &str, rest: &str, mut body: Value) -> Answer {
        let (version, kind) = match plural {
            "daskworkergroups" => ("kubernetes.dask.org/v1", "DaskWorkerGroup"),
            "pods" => ("v1", "Pod"),
            "leases" => ("coordination.k8s.io/v1", "Lease"),
            _ => ("v1", "ConfigMap"),
        };
        if method == Method::POST {
            (body["apiVersion"], body["kind"]) = (version.into(), kind.into());
        }
        let root = if version.contains('/') { "apis" } else { "api" };
        let path = format!("/{root}/{version}/namespaces/{}/{plural}{rest}", self.namespace);
        let content =
            if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).header("Content-Type", content).body(body);
        let request = request.map_err(|error| (0, error.to_string()))?;
        self.client.request(request).await.map_err(|error| match error {
            kube::Error::Api(status) => (status.code, status.reason),
            error => (0, error.to_string()),
        })
    }
}

pub(super) fn is_refused(answer: &Answer, code: u16, reason: &str) -> bool {
    answer.as_ref().is_err_and(|(is, why)| *is == code && why == reason)
}
