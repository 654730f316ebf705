//! A worker's pod: the user's template with what is ours laid over it.

use dask_operator_api::cluster::DisruptionProtection;
use dask_operator_api::labels::{self, component};
use dask_operator_api::names::{config_name, scheduler_address};
use serde_json::{Value, json};

use super::super::check::CheckedGroup;
use super::super::observed::Cluster;
use super::{pre_stop, waiting, worker};
use crate::Settings;
use crate::command;
use crate::container;
use crate::hash::hash;
use crate::metadata::{StringMap, layered, passed_on, string_map, template_annotations, template_labels};

/// The pod called `name`, whose predecessors crashed `crashes` times in a row.
pub(in crate::worker_group) fn pod(
    group: &CheckedGroup,
    cluster: &Cluster,
    settings: &Settings,
    name: &str,
    crashes: u32,
) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": group.namespace,
            "labels": pod_labels(group, cluster),
            "annotations": annotations(group, cluster, crashes),
            "ownerReferences": group.owner().references(),
        },
        "spec": spec(group, cluster, settings, name),
    })
}

fn pod_labels(group: &CheckedGroup, cluster: &Cluster) -> StringMap {
    let of_template = template_labels(group.worker.metadata.as_ref());
    let reserved = string_map([
        (labels::CLUSTER_NAME, cluster.name.as_str()),
        (labels::WORKER_GROUP_NAME, group.name.as_str()),
        (labels::COMPONENT, component::WORKER),
        (labels::ISTIO_INJECT, "false"),
    ]);
    layered([&cluster.labels, &group.labels, &of_template, &reserved])
}

/// The hash of what users wrote that a pod is made from; what the operator itself adds is no part of it.
pub(in crate::worker_group) fn template(group: &CheckedGroup, cluster: &Cluster) -> String {
    let mut worker = serde_json::to_value(&group.worker).unwrap_or_default();
    for of_the_group in ["replicas", "drain", "updateStrategy"] {
        worker[of_the_group] = Value::Null;
    }
    let image = cluster.image.as_ref().filter(|_| group.pod.lacks_image());
    hash(&json!([worker, image, group.keep_command]))
}

fn annotations(group: &CheckedGroup, cluster: &Cluster, crashes: u32) -> StringMap {
    let of_template = template_annotations(group.worker.metadata.as_ref());
    let protected = cluster.protection != DisruptionProtection::None;
    let marks = if protected { string_map(labels::DO_NOT_DISRUPT) } else { StringMap::new() };
    let made_from = string_map([(labels::TEMPLATE_HASH, template(group, cluster).as_str())]);
    let mut annotations = layered([&marks, &passed_on(&group.annotations), &of_template, &made_from]);
    if crashes > 0 {
        annotations.insert(labels::CRASHES.to_owned(), crashes.to_string());
    }
    annotations
}

fn spec(group: &CheckedGroup, cluster: &Cluster, settings: &Settings, name: &str) -> Value {
    let mut pod = group.pod.clone();
    let main = pod.main_mut();
    if container::is_ours_to_complete(main) {
        worker::complete(main, &group.worker, group.resources.as_ref());
    }
    if !group.keep_command {
        command::modernise(main);
    }
    worker::set_flags(main, &group.worker);
    waiting::inject(main);
    worker::add_spill(&mut pod, &group.worker);
    pod.complete_images(cluster.image.as_ref().unwrap_or(&settings.default_image));
    pod.set_common();
    pod.set_absent("restartPolicy", json!("Never"));
    set_identity(&mut pod, group, cluster, settings, name);
    pre_stop::inject(&mut pod, &cluster.uid);
    if cluster.has_config {
        pod.mount_config(&config_name(&cluster.name));
    }
    pod.into_value()
}

/// Who the worker is and where its scheduler is.
fn set_identity(
    pod: &mut crate::pod_spec::PodSpec,
    group: &CheckedGroup,
    cluster: &Cluster,
    settings: &Settings,
    name: &str,
) {
    let address = scheduler_address(&cluster.name, &group.namespace, &settings.cluster_domain);
    for container in pod.containers_mut() {
        container::append_env(container, "DASK_WORKER_NAME", name);
        container::append_env(container, "DASK_SCHEDULER_ADDRESS", &address);
    }
}
