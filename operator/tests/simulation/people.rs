//! What people and nodes do, one step at a time, with the patience to wait until a step is possible.

use std::sync::Arc;

use dask_operator_testkit::a_cluster;
use dask_operator_testkit::server::{ApiServer, Id, Verb, end_pod};
use serde_json::{Value, json};

use crate::history::{History, Name, Step};

/// Does a step; false when it is not possible yet.
pub(crate) fn act(server: &ApiServer, step: &Step, history: &History) -> bool {
    let person = |verb, id: &Id, body| server.person(verb, id, body).is_ok();
    match step {
        Step::CreateCluster { cluster, workers, config } => {
            person(Verb::Create, &id("daskclusters", cluster), a_new_cluster(cluster, *workers, *config))
        }
        Step::ScaleCluster { cluster, workers } => {
            is_settled(server, cluster, history)
                && patch(
                    server,
                    &id("daskclusters", cluster),
                    json!({"spec": {"worker": {"replicas": workers}}}),
                )
        }
        Step::ChangeImage { cluster, image } => {
            is_settled(server, cluster, history)
                && patch(server, &id("daskclusters", cluster), json!({"spec": {"image": image}}))
        }
        Step::Suspend { cluster, suspend } => {
            let id = id("daskclusters", cluster);
            let body = json!({"spec": {"suspend": suspend}});
            get(server, &id).is_none() || is_settled(server, cluster, history) && patch(server, &id, body)
        }
        Step::DeleteCluster { cluster } => {
            has_joined(server, cluster, history)
                && person(Verb::Delete, &id("daskclusters", cluster), Value::Null)
        }
        Step::CreateGroup { group, cluster, workers } => {
            let body = json!({"metadata": {"name": group.1}, "spec": {"cluster": cluster, "worker": {"replicas": workers}}});
            let id = id("daskworkergroups", group);
            // Where nobody watches it never became its cluster's, and has not gone with that.
            person(Verb::Create, &id, body) || !history.watches(group.0) && get(server, &id).is_some()
        }
        Step::ScaleGroup { group, workers } => with_group(server, group, history, |group| {
            patch(server, group, json!({"spec": {"worker": {"replicas": workers}}}))
        }),
        Step::DeleteGroup { group } => {
            with_group(server, group, history, |group| person(Verb::Delete, group, Value::Null))
        }
        _ => happen(server, step),
    }
}

/// What happens without anybody waiting for the operator.
fn happen(server: &ApiServer, step: &Step) -> bool {
    let person = |verb, id: &Id, body| server.person(verb, id, body).is_ok();
    match step {
        Step::EndPod { group, which, exit_code } => {
            if let Some(pod) = worker(server, group, *which) {
                end_pod(&mut server.world(), &pod, *exit_code);
            }
            true
        }
        Step::DeletePod { group, which } => {
            worker(server, group, *which).is_none_or(|pod| person(Verb::Delete, &pod, Value::Null))
        }
        Step::DeleteScheduler { cluster } => {
            scheduler(server, cluster).is_none_or(|pod| person(Verb::Delete, &pod, Value::Null))
        }
        Step::DeleteChild { cluster, plural } => {
            person(Verb::Delete, &id(plural, &child(cluster, plural)), Value::Null);
            true
        }
        Step::Foreign { cluster, plural } => {
            let body = json!({"metadata": {"name": child(cluster, plural).1, "labels": {"whose": "another's"}}, "spec": {}});
            let body = if *plural == "daskworkergroups" { a_foreign_group(cluster) } else { body };
            person(Verb::Create, &id(plural, &child(cluster, plural)), body)
                && person(Verb::Create, &id("daskclusters", cluster), a_new_cluster(cluster, 1, false))
        }
        Step::RemoveForeign { cluster, plural } => {
            person(Verb::Delete, &id(plural, &child(cluster, plural)), Value::Null)
        }
        Step::Quota { namespace, pods } => {
            set_quota(server, namespace, *pods);
            true
        }
        _ => true,
    }
}

fn set_quota(server: &ApiServer, namespace: &str, pods: Option<usize>) {
    let quotas = &mut server.world().quotas;
    match pods {
        Some(pods) => quotas.insert(namespace.to_owned(), pods),
        None => quotas.remove(namespace),
    };
}

pub(crate) fn id(plural: &'static str, name: &Name) -> Id {
    Id::new(plural, name.0, &name.1)
}

fn child((namespace, cluster): &Name, plural: &str) -> Name {
    let end = match plural {
        "configmaps" => "config",
        "daskworkergroups" => "default",
        _ => "scheduler",
    };
    (namespace, format!("{cluster}-{end}"))
}

fn a_new_cluster((_, name): &Name, workers: u64, config: bool) -> Value {
    let cluster = a_cluster().named(name).workers(i32::try_from(workers).unwrap());
    let cluster =
        if config { cluster.config(json!({"distributed": {"comm": {"retry": 1}}})) } else { cluster };
    let mut cluster = serde_json::to_value(cluster.build()).unwrap();
    cluster["metadata"] = json!({"name": name});
    cluster
}

fn a_foreign_group((_, cluster): &Name) -> Value {
    json!({"metadata": {"name": format!("{cluster}-default"), "labels": {"whose": "another's"}},
        "spec": {"cluster": cluster, "worker": {"replicas": 2}}})
}

fn patch(server: &ApiServer, id: &Id, body: Value) -> bool {
    server.person(Verb::Patch, id, body).is_ok()
}

fn get(server: &ApiServer, id: &Id) -> Option<Arc<Value>> {
    server.world().get(id).cloned()
}

/// Whether the cluster's last change has reached its group: a person who changes both wants to be the last.
fn is_settled(server: &ApiServer, cluster: &Name, history: &History) -> bool {
    if !history.watches(cluster.0) {
        return true;
    }
    let group = (cluster.0, format!("{}-default", cluster.1));
    let (Some(cluster), Some(group)) =
        (get(server, &id("daskclusters", cluster)), get(server, &id("daskworkergroups", &group)))
    else {
        return false;
    };
    let pushed = group["metadata"]["annotations"]["dask.org/pushed-replicas"].as_str();
    is_owned_by(&group, &cluster)
        && pushed == Some(&cluster["spec"]["worker"]["replicas"].to_string())
        && cluster["status"]["observedGeneration"] == cluster["metadata"]["generation"]
}

/// Whether the cluster's additional group is its own by now, so that it goes with it.
fn has_joined(server: &ApiServer, cluster: &Name, history: &History) -> bool {
    let more = get(server, &id("daskworkergroups", &(cluster.0, format!("{}-more", cluster.1))));
    let owner = get(server, &id("daskclusters", cluster));
    !history.watches(cluster.0)
        || more.is_none_or(|more| owner.is_some_and(|owner| is_owned_by(&more, &owner)))
}

fn is_owned_by(child: &Value, owner: &Value) -> bool {
    child["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
}

/// Acts on a group once it is its present cluster's. In a namespace that nobody watches nothing ever is.
fn with_group(server: &ApiServer, group: &Name, history: &History, act: impl FnOnce(&Id) -> bool) -> bool {
    let name = group.1.trim_end_matches("-default").trim_end_matches("-more").to_owned();
    let cluster = (group.0, name);
    if !history.watches(group.0) {
        return true;
    }
    let Some(owner) = get(server, &id("daskclusters", &cluster)) else { return false };
    let found = get(server, &id("daskworkergroups", group));
    let ours = found.is_some_and(|found| is_owned_by(&found, &owner));
    let settled = !group.1.ends_with("-default") || is_settled(server, &cluster, history);
    ours && settled && act(&id("daskworkergroups", group))
}

/// One of the group's pods, the oldest first.
fn worker(server: &ApiServer, group: &Name, which: u64) -> Option<Id> {
    let world = server.world();
    let of_group = |pod: &Value| pod["metadata"]["labels"]["dask.org/workergroup-name"] == *group.1;
    let live =
        |pod: &Value| pod["metadata"]["deletionTimestamp"].is_null() && pod["status"]["phase"] == "Running";
    let pods: Vec<_> = world.all("pods", group.0).filter(|(_, pod)| of_group(pod) && live(pod)).collect();
    let which = usize::try_from(which).unwrap() % pods.len().max(1);
    pods.get(which).map(|(id, _)| (*id).clone())
}

fn scheduler(server: &ApiServer, cluster: &Name) -> Option<Id> {
    let world = server.world();
    let of_cluster = |pod: &Value| {
        pod["metadata"]["labels"]["dask.org/cluster-name"] == *cluster.1
            && pod["metadata"]["labels"]["dask.org/component"] == "scheduler"
            && pod["metadata"]["deletionTimestamp"].is_null()
    };
    world.all("pods", cluster.0).find(|(_, pod)| of_cluster(pod)).map(|(id, _)| id.clone())
}
