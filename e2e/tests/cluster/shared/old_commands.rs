//! Manifests that say `dask-scheduler` and `dask-worker`, as the Python client writes them, on an image that has
//! only `dask`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(4);

/// A container with the old name of a command, which a file that cannot be executed hides in the image.
fn container(name: &str, args: &[&str], ports: &Value) -> Value {
    let path = format!("/opt/dask/bin/{}", args[0]);
    json!({
        "name": name,
        "image": manifests::dask_image(),
        "args": args,
        "env": [],
        "ports": ports,
        "volumeMounts": [{"name": "hidden", "mountPath": path, "subPath": args[0]}],
    })
}

fn pod(container: &Value) -> Value {
    json!({"containers": [container], "volumes": [{"name": "hidden", "configMap": {"name": "hidden"}}]})
}

/// What `KubeCluster(name=…, n_workers=1)` of dask-kubernetes creates.
fn cluster(name: &str) -> Value {
    let port = |name: &str, port: u32| json!({"name": name, "containerPort": port, "protocol": "TCP"});
    let health = json!({"path": "/health", "port": "http-dashboard"});
    let ports = json!([port("tcp-comm", 8786), port("http-dashboard", 8787)]);
    let mut scheduler = container("scheduler", &["dask-scheduler", "--host", "0.0.0.0"], &ports);
    scheduler["readinessProbe"] =
        json!({"httpGet": health, "initialDelaySeconds": 0, "periodSeconds": 1, "timeoutSeconds": 300});
    scheduler["livenessProbe"] = json!({"httpGet": health, "initialDelaySeconds": 15, "periodSeconds": 20});
    let args = ["dask-worker", "--name", "$(DASK_WORKER_NAME)", "--dashboard", "--dashboard-address", "8788"];
    let worker = container("worker", &args, &json!([port("http-dashboard", 8788)]));
    let target =
        |name: &str, port: u32| json!({"name": name, "protocol": "TCP", "port": port, "targetPort": name});
    let service = json!({
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": name, "dask.org/component": "scheduler"},
        "ports": [target("tcp-comm", 8786), target("http-dashboard", 8787)],
    });
    json!({
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": name},
        "spec": {
            "idleTimeout": 0,
            "worker": {"replicas": 1, "spec": pod(&worker)},
            "scheduler": {"spec": pod(&scheduler), "service": service},
        },
    })
}

/// Whether a container of such a pod was refused because the image has no such program.
fn one_could_not_start(pods: &[Arc<Pod>], command: &str) -> bool {
    let missing = |pod: &Arc<Pod>| {
        let status =
            pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()?.first().cloned());
        let ended =
            [status.as_ref().and_then(|one| one.state.clone()), status.and_then(|one| one.last_state)];
        let ended = ended.into_iter().flatten().filter_map(|state| state.terminated);
        let message = ended.filter_map(|end| end.message).collect::<String>();
        message.contains(&format!("exec: \"{command}\""))
    };
    pods.iter().any(missing)
}

#[tokio::test]
async fn the_old_names_of_commands_work_on_an_image_without_them() -> Result<()> {
    let bed = Bed::new("old-commands").await?;
    let hidden =
        ["create", "configmap", "hidden", "--from-literal=dask-scheduler=", "--from-literal=dask-worker="];
    bed.kubectl(&hidden)?;
    bed.apply(&cluster("demo").to_string())?;
    bed.until_registered("demo", 1, SOON).await?;

    let mut kept = cluster("kept");
    kept["metadata"]["annotations"] = json!({"dask.org/keep-command": "true"});
    bed.apply(&kept.to_string())?;
    for component in ["scheduler", "worker"] {
        let selector = format!("dask.org/cluster-name=kept,dask.org/component={component}");
        let command = format!("dask-{component}");
        let what = format!("{command} as it stands cannot start");
        bed.until(&selector, &what, SOON, |pods: &[Arc<Pod>]| one_could_not_start(pods, &command)).await?;
    }
    Ok(())
}
