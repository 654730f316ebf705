//! Raw DaskCluster → checked, or a list of problems.

use dask_operator_api::cluster::{DaskCluster, DaskClusterStatus, DisruptionProtection, IdleAction};
use dask_operator_api::labels;
use dask_operator_api::names::ClusterName;
use dask_operator_api::parts::{TemplateMetadata, WorkerSpec};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use crate::metadata::{Owner, StringMap};
use crate::pod_spec::PodSpec;
use crate::problem::Problem;

/// Ten years, in seconds.
const LONGEST_IDLE: i64 = 10 * 365 * 86400;

/// A cluster that can be planned for; made by [`check`] alone.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedCluster {
    pub(crate) name: ClusterName,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) generation: Option<i64>,
    pub(crate) labels: StringMap,
    pub(crate) annotations: StringMap,
    pub(crate) deleting: bool,
    pub(crate) keep_command: bool,
    pub(crate) stock_scheduler: bool,
    pub(crate) restart: Option<String>,
    pub(crate) protection: DisruptionProtection,
    /// After so long without work it is deleted or suspended, if ever.
    pub(crate) idle_timeout: Option<SignedDuration>,
    pub(crate) idle_action: IdleAction,
    pub(crate) suspend: bool,
    pub(crate) resume: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) config: Option<Value>,
    pub(crate) scheduler: CheckedScheduler,
    pub(crate) worker: WorkerSpec,
    pub(crate) own_config: bool,
    pub(crate) status: DaskClusterStatus,
}

/// The scheduler's part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CheckedScheduler {
    pub(crate) metadata: Option<TemplateMetadata>,
    pub(crate) pod: PodSpec,
    pub(crate) service: Map<String, Value>,
    pub(crate) resources: Option<Value>,
}

impl CheckedCluster {
    /// The owner that children refer to.
    pub(crate) fn owner(&self) -> Owner {
        Owner { kind: "DaskCluster", name: self.name.as_str().to_owned(), uid: self.uid.clone() }
    }
}

/// Checks everything that does not depend on the world.
pub fn check(cluster: &DaskCluster) -> Result<CheckedCluster, Vec<Problem>> {
    let metadata = &cluster.metadata;
    let annotations = metadata.annotations.clone().unwrap_or_default();
    let name = ClusterName::parse(metadata.name.as_deref().unwrap_or_default());
    let worker = PodSpec::check(cluster.spec.worker.spec.as_ref(), labels::component::WORKER);
    let (name, scheduler, worker) = match (name, scheduler(cluster), worker) {
        (Ok(name), Ok(scheduler), Ok(worker)) => (name, scheduler, worker),
        (name, scheduler, worker) => {
            let problems = [name.err().map(Problem::from), scheduler.err(), worker.err()];
            return Err(problems.into_iter().flatten().collect());
        }
    };
    Ok(CheckedCluster {
        name,
        namespace: metadata.namespace.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
        generation: metadata.generation,
        labels: metadata.labels.clone().unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        keep_command: annotations.contains_key(labels::KEEP_COMMAND),
        stock_scheduler: annotations.contains_key(labels::STOCK_SCHEDULER),
        restart: annotations.get(labels::RESTART_SCHEDULER).cloned(),
        protection: cluster.spec.disruption_protection.unwrap_or_default(),
        idle_timeout: idle_timeout(cluster.spec.idle_timeout),
        idle_action: cluster.spec.idle_action.unwrap_or_default(),
        suspend: cluster.spec.suspend.unwrap_or_default(),
        resume: annotations.get(labels::RESUME).cloned(),
        annotations,
        image: cluster.spec.image.clone().filter(|image| !image.is_empty()),
        config: config(cluster),
        own_config: scheduler.pod.has_own_config() || worker.has_own_config(),
        scheduler,
        worker: cluster.spec.worker.clone(),
        status: cluster.status.clone().unwrap_or_default(),
    })
}

/// An empty one is none.
fn config(cluster: &DaskCluster) -> Option<Value> {
    let config = cluster.spec.config.as_ref().map(dask_operator_api::RawJson::value);
    config.filter(|config| *config != json!({}))
}

/// Any number has always been accepted: whatever is not positive means never, and so does what nobody lives to see.
fn idle_timeout(seconds: i64) -> Option<SignedDuration> {
    Some(seconds).filter(|seconds| (1..=LONGEST_IDLE).contains(seconds)).map(SignedDuration::from_secs)
}

fn scheduler(cluster: &DaskCluster) -> Result<CheckedScheduler, Problem> {
    let scheduler = &cluster.spec.scheduler;
    let service = match scheduler.service.as_ref().map_or(Value::Null, dask_operator_api::RawJson::value) {
        Value::Null => Map::new(),
        Value::Object(service) => service,
        _ => return Err(Problem::template("the service of the scheduler is not an object")),
    };
    Ok(CheckedScheduler {
        metadata: scheduler.metadata.clone(),
        pod: PodSpec::check(scheduler.spec.as_ref(), labels::component::SCHEDULER)?,
        service,
        resources: scheduler.resources.as_ref().map(dask_operator_api::RawJson::value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dask_operator_api::conditions::Reason;
    use dask_operator_testkit::a_cluster;

    #[test]
    fn a_bad_name_and_a_bad_template_are_both_told() {
        let cluster = a_cluster().named("has.dot").worker_pod(json!({"containers": [1]})).build();
        let reasons: Vec<_> =
            check(&cluster).unwrap_err().into_iter().map(|problem| problem.reason).collect();
        assert_eq!(reasons, [Reason::InvalidName, Reason::InvalidTemplate]);
    }

    #[test]
    fn a_cluster_without_any_template_is_fine() {
        assert!(check(&a_cluster().build()).is_ok());
    }
}
