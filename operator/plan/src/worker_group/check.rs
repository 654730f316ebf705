//! Raw DaskWorkerGroup → checked, or a list of problems.

use dask_operator_api::RawJson;
use dask_operator_api::conditions::Reason;
use dask_operator_api::labels;
use dask_operator_api::names::GroupName;
use dask_operator_api::parts::WorkerSpec;
use dask_operator_api::worker_group::{DaskWorkerGroup, DaskWorkerGroupStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::Value;

use crate::metadata::{Owner, StringMap};
use crate::pod_spec::PodSpec;
use crate::problem::Problem;

/// A group that can be planned for; made by [`check`] alone.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedGroup {
    pub(crate) name: GroupName,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) generation: Option<i64>,
    pub(crate) labels: StringMap,
    pub(crate) annotations: StringMap,
    pub(crate) owners: Vec<OwnerReference>,
    pub(crate) deleting: bool,
    pub(crate) keep_command: bool,
    pub(crate) cluster: String,
    pub(crate) wanted: usize,
    pub(crate) worker: WorkerSpec,
    pub(crate) pod: PodSpec,
    pub(crate) resources: Option<Value>,
    pub(crate) status: DaskWorkerGroupStatus,
}

impl CheckedGroup {
    /// Whether some object controls it.
    pub(crate) fn is_controlled(&self) -> bool {
        self.owners.iter().any(|owner| owner.controller == Some(true))
    }

    /// The owner that worker pods refer to.
    pub(crate) fn owner(&self) -> Owner {
        Owner { kind: "DaskWorkerGroup", name: self.name.as_str().to_owned(), uid: self.uid.clone() }
    }
}

/// Checks everything that does not depend on the world.
pub fn check(group: &DaskWorkerGroup) -> Result<CheckedGroup, Vec<Problem>> {
    let metadata = &group.metadata;
    let worker = &group.spec.worker;
    let name = GroupName::parse(metadata.name.as_deref().unwrap_or_default());
    let pod = PodSpec::check(worker.spec.as_ref(), labels::component::WORKER);
    let (name, pod, wanted) = match (name, pod, replicas(worker)) {
        (Ok(name), Ok(pod), Ok(wanted)) => (name, pod, wanted),
        (name, pod, wanted) => {
            let problems = [name.err().map(Problem::from), pod.err(), wanted.err()];
            return Err(problems.into_iter().flatten().collect());
        }
    };
    let annotations = metadata.annotations.clone().unwrap_or_default();
    Ok(CheckedGroup {
        name,
        namespace: metadata.namespace.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
        generation: metadata.generation,
        labels: metadata.labels.clone().unwrap_or_default(),
        keep_command: annotations.contains_key(labels::KEEP_COMMAND),
        annotations,
        owners: metadata.owner_references.clone().unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        cluster: group.spec.cluster.clone(),
        wanted,
        worker: worker.clone(),
        pod,
        resources: worker.resources.as_ref().map(RawJson::value),
        status: group.status.clone().unwrap_or_default(),
    })
}

fn replicas(worker: &WorkerSpec) -> Result<usize, Problem> {
    usize::try_from(worker.replicas).map_err(|_| Problem {
        reason: Reason::InvalidReplicas,
        message: format!("spec.worker.replicas is {}; it must be 0 or more", worker.replicas),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dask_operator_testkit::a_group;

    #[test]
    fn fewer_workers_than_none_is_a_problem() {
        let problems = check(&a_group().replicas(-1).build()).unwrap_err();
        assert_eq!(problems[0].reason, Reason::InvalidReplicas);
    }
}
