//! The scheduler's Deployment.

use dask_operator_api::cluster::DisruptionProtection;
use dask_operator_api::labels::{self, component};
use serde_json::{Value, json};

use super::{metadata, notes, preload, restart};
use crate::Settings;
use crate::cluster::check::CheckedCluster;
use crate::cluster::suspend::Suspension;
use crate::command;
use crate::container::{self, Container};
use crate::hash::hash;
use crate::metadata::{StringMap, layered, passed_on, string_map, template_annotations, template_labels};
use crate::pod_spec::PodSpec;

/// One replica, `Recreate`: two schedulers of one cluster would each hold half of its workers.
pub(in crate::cluster) fn deployment(
    cluster: &CheckedCluster,
    suspension: Option<Suspension>,
    settings: &Settings,
) -> Value {
    let selector = string_map([
        (labels::CLUSTER_NAME, cluster.name.as_str()),
        (labels::COMPONENT, component::SCHEDULER),
    ]);
    let labels = pod_labels(cluster, &selector);
    let of_template = template_annotations(cluster.scheduler.metadata.as_ref());
    let annotations = layered([&passed_on(&cluster.annotations), &of_template]);
    let mut noted = layered([&annotations, &deployment_notes(cluster)]);
    noted.remove(labels::SUSPENDED);
    noted.extend(suspension.map(|one| (labels::SUSPENDED.to_owned(), one.note())));
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(cluster, &cluster.name.scheduler(), &labels, &noted),
        "spec": {
            "replicas": i32::from(suspension.is_none()),
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels, "annotations": pod_annotations(cluster, &annotations)},
                "spec": pod(cluster, settings),
            },
        },
    })
}

/// The notes on it.
pub(in crate::cluster) fn deployment_notes(cluster: &CheckedCluster) -> StringMap {
    notes(cluster, &scheduler_hash(cluster))
}

/// The hash of what the user wrote of the scheduler and its pod reads: neither of what we complete it with, so that a
/// new version of ours outdates no scheduler, nor of what all children of the cluster get.
pub(in crate::cluster) fn scheduler_hash(cluster: &CheckedCluster) -> String {
    let scheduler = &cluster.scheduler;
    hash(&json!({
        "labels": template_labels(scheduler.metadata.as_ref()),
        "annotations": template_annotations(scheduler.metadata.as_ref()),
        "image": cluster.image.as_ref().filter(|_| scheduler.pod.lacks_image()),
        "keepCommand": cluster.keep_command.then_some(true),
        "stockScheduler": cluster.stock_scheduler.then_some(true),
        "resources": scheduler.resources,
        "config": cluster.config.as_ref().map(Value::to_string),
        "spec": scheduler.pod.clone().into_value(),
    }))
}

/// The restart that was asked for is a change of the pod, too, so that nothing else need have changed.
///
/// Under `WhileBusy` nothing could take the marks for autoscalers away again when the last worker has gone: the
/// budget alone protects the scheduler, and they heed it, too.
fn pod_annotations(cluster: &CheckedCluster, of_users: &StringMap) -> StringMap {
    let protected = cluster.protection == DisruptionProtection::Always;
    let marks = if protected { string_map(labels::DO_NOT_DISRUPT) } else { StringMap::new() };
    layered([&marks, of_users, &restart(cluster)])
}

fn pod_labels(cluster: &CheckedCluster, selector: &StringMap) -> StringMap {
    let of_template = template_labels(cluster.scheduler.metadata.as_ref());
    let reserved = string_map([(labels::ISTIO_INJECT, "false")]);
    layered([&cluster.labels, &of_template, selector, &reserved])
}

/// Why its scheduler answers nobody, if it does not.
pub(in crate::cluster) fn stock_because(cluster: &CheckedCluster) -> Option<String> {
    preload::hidden_by(with_command(cluster).main(), cluster)
}

fn with_command(cluster: &CheckedCluster) -> PodSpec {
    let mut pod = cluster.scheduler.pod.clone();
    let main = pod.main_mut();
    if container::is_ours_to_complete(main) {
        complete(main, cluster.scheduler.resources.as_ref());
    }
    if !cluster.keep_command {
        command::modernise(main);
    }
    pod
}

fn pod(cluster: &CheckedCluster, settings: &Settings) -> Value {
    let mut pod = with_command(cluster);
    preload::inject(pod.main_mut(), cluster);
    pod.complete_images(cluster.image.as_ref().unwrap_or(&settings.default_image));
    pod.set_common();
    if cluster.config.is_some() {
        pod.mount_config(&cluster.name.config());
    }
    pod.into_value()
}

fn complete(container: &mut Container, resources: Option<&Value>) {
    if command::all_words(container).is_empty() {
        container.insert("args".to_owned(), json!(["dask", "scheduler"]));
    }
    container::set_absent(
        container,
        "ports",
        json!([
            {"name": "tcp-comm", "containerPort": 8786, "protocol": "TCP"},
            {"name": "http-dashboard", "containerPort": 8787, "protocol": "TCP"},
        ]),
    );
    if let Some(resources) = resources {
        container::set_absent(container, "resources", resources.clone());
    }
    if let Some(port) = dashboard_port(container) {
        container::set_absent(container, "startupProbe", startup_probe(&port));
    }
}

/// Where `/health` is answered; unknown when the user moved it.
fn dashboard_port(container: &Container) -> Option<Value> {
    if ["--dashboard-prefix", "--dashboard-address"].iter().any(|flag| command::has_flag(container, flag)) {
        return None;
    }
    let ports = container.get("ports").and_then(Value::as_array);
    let named = ports.into_iter().flatten().any(|port| port["name"] == "http-dashboard");
    Some(if named { json!("http-dashboard") } else { json!(8787) })
}

/// Ready as soon as the scheduler answers, and never again a reason to restart it. A tcp probe would fill its log,
/// a readiness probe would take the Service away from a scheduler that is merely busy.
fn startup_probe(port: &Value) -> Value {
    json!({"httpGet": {"path": "/health", "port": port}, "periodSeconds": 1, "failureThreshold": 86400})
}
