//! What a start looked like to the apiserver, by its audit log.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::audit::Request;
use e2e::bed::Bed;
use jiff::Timestamp;

/// Counts in a status that changed last are written after at most ten seconds.
const LAST_STATUS: Duration = Duration::from_secs(12);
/// What the operator makes, or a hand in its place, and what the operator is given.
const MADE: [&str; 5] = ["daskclusters", "daskworkergroups", "deployments", "services", "pods"];

/// What the operator wrote for the cluster that has just become ready, by verb and resource.
pub(super) async fn of_one_start(bed: &Bed, from: Timestamp) -> Result<BTreeMap<String, usize>> {
    tokio::time::sleep(LAST_STATUS).await;
    let mut counts = BTreeMap::new();
    for request in bed.audit()?.writes_of_operator(&bed.namespace)? {
        if request.request_received_timestamp >= from {
            *counts.entry(request.summary()).or_default() += 1;
        }
    }
    Ok(counts)
}

/// From the first creation of an object of this cluster to the answer of the last one.
pub(super) fn until_made(bed: &Bed, cluster: &str, from: Timestamp) -> Result<Duration> {
    let creations = bed.audit()?.requests(|request| {
        request.object_ref.namespace == bed.namespace
            && request.request_received_timestamp >= from
            && makes(request, cluster)
    })?;
    let first = creations.first().context("no creation in the audit log")?.request_received_timestamp;
    let last = creations.iter().map(|request| request.stage_timestamp).max().unwrap_or(first);
    Ok(last.duration_since(first).try_into()?)
}

/// Not the scheduler's pod, which its `ReplicaSet` makes.
fn makes(request: &Request, cluster: &str) -> bool {
    let object = &request.object_ref;
    let of_scheduler = object.resource == "pods" && object.name.starts_with(&format!("{cluster}-scheduler-"));
    request.verb == "create"
        && object.subresource.is_empty()
        && MADE.contains(&object.resource.as_str())
        && object.name.starts_with(cluster)
        && !of_scheduler
}

#[cfg(test)]
mod tests {
    use super::*;
    use e2e::audit::{Object, Status, User};
    use std::collections::BTreeMap;

    fn request(verb: &str, resource: &str, name: &str, subresource: &str) -> Request {
        let [resource, name, subresource] = [resource, name, subresource].map(str::to_owned);
        Request {
            verb: verb.to_owned(),
            user: User::default(),
            object_ref: Object { resource, name, subresource, ..Object::default() },
            response_status: Status::default(),
            annotations: BTreeMap::new(),
            request_received_timestamp: Timestamp::UNIX_EPOCH,
            stage_timestamp: Timestamp::UNIX_EPOCH,
            stage: String::new(),
        }
    }

    #[test]
    fn what_controllers_and_the_kube_scheduler_make_of_a_cluster_is_not_its_making() {
        assert!(makes(&request("create", "pods", "start-0001-default-worker-ab", ""), "start-0001"));
        assert!(makes(&request("create", "deployments", "start-0001-scheduler", ""), "start-0001"));
        assert!(!makes(&request("create", "pods", "start-0001-scheduler-5d-x", ""), "start-0001"));
        assert!(!makes(&request("create", "pods", "start-0001-default-worker-ab", "binding"), "start-0001"));
        assert!(!makes(&request("create", "replicasets", "start-0001-scheduler-5d", ""), "start-0001"));
        assert!(!makes(&request("create", "pods", "start-0002-default-worker-ab", ""), "start-0001"));
    }
}
