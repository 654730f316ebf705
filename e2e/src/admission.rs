//! A policy of one namespace that forbids its pods, gone when it is dropped.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::cluster::Cluster;
use crate::manifests;

/// What it says to those that it forbids.
pub const WORDS: &str = "who pays for it?";
const SOON: Duration = Duration::from_mins(1);

pub struct Policy {
    cluster: Cluster,
    namespace: String,
}

impl Policy {
    /// Returns when the API server follows it, which takes it a moment.
    pub async fn new(bed: &Bed) -> Result<Self> {
        let policy = Self { cluster: bed.cluster.clone(), namespace: bed.namespace.clone() };
        bed.apply(&policy.manifest().to_string())?;
        let pod = manifests::client_pod("none", &policy.namespace, &["none"]);
        let apply = ["apply", "--namespace", &policy.namespace, "--dry-run=server", "--filename", "-"];
        let asked = async {
            while policy.cluster.kubectl_with_input(&apply, &pod).is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(SOON, asked).await?;
        Ok(policy)
    }

    pub fn delete(&self) -> Result<()> {
        let kinds = ["validatingadmissionpolicybinding", "validatingadmissionpolicy"];
        let delete = |kind| self.cluster.kubectl(&["delete", kind, &self.namespace, "--ignore-not-found"]);
        kinds.into_iter().try_for_each(|kind| delete(kind).map(drop))
    }

    fn manifest(&self) -> Value {
        let namespace = &self.namespace;
        let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
        let here = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
        let validation = json!({"expression": "'cost-centre' in object.metadata.labels", "message": WORDS});
        let kind = |kind| format!("ValidatingAdmissionPolicy{kind}");
        let object = |kind, spec: Value| {
            let version = "admissionregistration.k8s.io/v1";
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": namespace}, "spec": spec})
        };
        let policy = json!({
            "failurePolicy": "Fail",
            "matchConstraints": {"namespaceSelector": here, "resourceRules": [rule]},
            "validations": [validation],
        });
        let binding = json!({"policyName": namespace, "validationActions": ["Deny"]});
        let items = [object(kind(""), policy), object(kind("Binding"), binding)];
        json!({"apiVersion": "v1", "kind": "List", "items": items})
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        let _ = self.delete();
    }
}
