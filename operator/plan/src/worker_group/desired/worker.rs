//! The worker's own container: its command, its flags, its ports, its spill volume.

use dask_operator_api::parts::WorkerSpec;
use serde_json::{Value, json};

use crate::command::{self, Process};
use crate::container::{self, Container};
use crate::pod_spec::PodSpec;

const SPILL_VOLUME: &str = "dask-spill";
const SPILL_DIRECTORY: &str = "/var/spill/dask";

/// Completes a container that the user left to us.
pub(super) fn complete(container: &mut Container, worker: &WorkerSpec, resources: Option<&Value>) {
    if let Some(resources) = resources {
        container::set_absent(container, "resources", resources.clone());
    }
    if !command::all_words(container).is_empty() {
        return;
    }
    command::append(container, ["dask", "worker", "--name", "$(DASK_WORKER_NAME)"]);
    set_ports(container, worker.processes.unwrap_or(1));
}

/// Fixed ports, so that network policies can name them. Several processes need a range each, and a single
/// dashboard port would fail for all but the first.
fn set_ports(container: &mut Container, processes: u32) {
    if processes <= 1 {
        command::append(
            container,
            ["--dashboard-address", ":8788", "--worker-port", "8789", "--nanny-port", "8790"],
        );
        let port = |name: &str, port: u32| json!({"name": name, "containerPort": port, "protocol": "TCP"});
        let ports = json!([port("http-dashboard", 8788), port("worker", 8789), port("nanny", 8790)]);
        container::set_absent(container, "ports", ports);
        return;
    }
    let last = processes - 1;
    command::append(container, ["--dashboard-address", ":0"]);
    command::append(container, ["--worker-port", &format!("8800:{}", 8800 + last)]);
    command::append(container, ["--nanny-port", &format!("8900:{}", 8900 + last)]);
}

/// The group's fields as flags of `dask worker`; a flag that the user wrote wins.
pub(super) fn set_flags(container: &mut Container, worker: &WorkerSpec) {
    if !matches!(command::process(container), Process::Worker) {
        return;
    }
    if let Some(threads) = worker.threads {
        command::append_flag(container, "--nthreads", &threads.to_string());
    }
    if let Some(processes) = worker.processes {
        command::append_flag(container, "--nworkers", &processes.to_string());
    }
    if worker.threads.is_some() || worker.processes.is_some() {
        let processes = command::flag_value(container, "--nworkers").unwrap_or("1").parse();
        // `auto` and negative numbers depend on the node.
        if let Ok(processes) = processes {
            command::append_flag(container, "--memory-limit", &memory_share(processes));
        }
    }
    if let Some(offers) = worker.dask_resources.as_ref().filter(|offers| !offers.is_empty()) {
        let offers: Vec<_> = offers.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
        command::append_flag(container, "--resources", &offers.join(" "));
    }
}

/// The part of the container's memory that one process may use. Dask's own default would divide the container's
/// memory by the CPUs of the node.
fn memory_share(processes: u32) -> String {
    format!("{:.4}", 1.0 / f64::from(processes.max(1)))
}

/// A volume of its own for what does not fit into memory.
pub(super) fn add_spill(pod: &mut PodSpec, worker: &WorkerSpec) {
    let Some(spill) = &worker.spill else { return };
    pod.add_volume(json!({"name": SPILL_VOLUME, "emptyDir": {"sizeLimit": spill.size}}));
    let main = pod.main_mut();
    container::append(main, "volumeMounts", json!({"name": SPILL_VOLUME, "mountPath": SPILL_DIRECTORY}));
    container::append_env(main, "DASK_TEMPORARY_DIRECTORY", SPILL_DIRECTORY);
}
