//! The Python operator of dask-kubernetes, in place of ours for a while.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bed::namespace;
use crate::cluster::Cluster;
use crate::manifests::dask_image;
use crate::operator::Replicas;
use crate::progress::Progress;
use crate::python;

const NAME: &str = "python-operator";
const PORT: u16 = 8080;
/// It keeps a cluster from going once it is gone itself.
const FINALIZER: &str = "kopf.zalando.org/KopfFinalizerMarker";
const SOON: &str = "--timeout=120s";

/// The running one. When it is dropped, nothing of it is left, and ours is back.
pub struct PythonOperator<'a> {
    cluster: &'a Cluster,
    _ours: Replicas<'a>,
}

impl<'a> PythonOperator<'a> {
    /// Starts it in a pod, where names of Services lead somewhere, by the command of its chart.
    pub fn new(cluster: &'a Cluster, progress: &mut Progress) -> Result<Self> {
        let python = python::kube_cluster(progress)?;
        let environment = python.ancestors().nth(2).context("an environment without a folder")?;
        namespace::until_none_but(cluster, "")?;
        let operator = Self { cluster, _ours: Replicas::new(cluster, 0)? };
        for object in objects(&environment.to_string_lossy()) {
            cluster.kubectl_with_input(&["apply", "--filename", "-"], &object.to_string())?;
        }
        let ready = ["wait", "pod", NAME, "--namespace", NAME, "--for=condition=Ready", SOON];
        cluster.kubectl(&ready).context("the Python operator does not come up")?;
        Ok(operator)
    }

    fn remove(&self) -> Result<()> {
        for object in [["clusterrolebinding", NAME], ["namespace", NAME]] {
            // What comes after it is to be done all the same.
            let _ = self.cluster.kubectl(&[&["delete"], &object[..], &["--ignore-not-found", SOON]].concat());
        }
        let kinds = "daskclusters,daskautoscalers";
        let listed = self.cluster.kubectl(&["get", kinds, "--all-namespaces", "--output=json"])?;
        let listed: Value = serde_json::from_str(&listed)?;
        for object in listed["items"].as_array().into_iter().flatten() {
            // One that is gone by now need not be patched.
            let _ = self.let_go(object);
        }
        Ok(())
    }

    fn let_go(&self, object: &Value) -> Result<()> {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kept = metadata["finalizers"].as_array().cloned().unwrap_or_default();
        if !kept.contains(&json!(FINALIZER)) {
            return Ok(());
        }
        let others: Vec<_> = kept.into_iter().filter(|one| *one != FINALIZER).collect();
        let patch = json!({"metadata": {"finalizers": others}}).to_string();
        let kind = text(&object["kind"]).to_lowercase();
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        let arguments = ["patch", &kind, &name, "--namespace", &namespace, "--type=merge", "--patch", &patch];
        self.cluster.kubectl(&arguments).map(drop)
    }
}

impl Drop for PythonOperator<'_> {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// The environment has the paths of this host in it, so a pod sees it in the same place.
fn objects(environment: &str) -> [Value; 4] {
    let metadata = json!({"name": NAME, "namespace": NAME});
    let role =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"});
    let kopf = ["-m", "kopf", "run", "-m", "dask_kubernetes.operator.controller", "--all-namespaces"];
    let (python, liveness) =
        (format!("{environment}/bin/python"), format!("--liveness=http://0.0.0.0:{PORT}/healthz"));
    let command = [&[&*python], &kopf[..], &[&*liveness]].concat();
    let container = json!({
        "name": "operator",
        "image": dask_image(),
        "command": command,
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
        // The folder is of this user, who calls this tool.
        "securityContext": {"runAsUser": 0, "runAsGroup": 0},
        "volumeMounts": [{"name": "environment", "mountPath": environment, "readOnly": true}],
    });
    let volume = json!({"name": "environment", "hostPath": {"path": environment, "type": "Directory"}});
    let mut pod = json!({"serviceAccountName": NAME, "containers": [container], "volumes": [volume]});
    // It has nothing to finish, and does not outlive for long whoever was killed before it could remove it.
    pod["terminationGracePeriodSeconds"] = json!(1);
    pod["activeDeadlineSeconds"] = json!(7200);
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAME}],
        }),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}),
    ]
}
