//! The operator's rights are those that it uses: none is missing, and none is there for nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dask_operator_api::DaskCluster;
use e2e::audit::{Object, Request};
use e2e::bed::Bed;
use e2e::operator::Replicas;
use e2e::{manifests, operator};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(4);
/// Rights that no undisturbed life uses, and what they are for.
const IN_RESERVE: [(&str, &str); 4] = [
    (
        "update kubernetes.dask.org/daskclusters/finalizers",
        "OwnerReferencesPermissionEnforcement, as in OpenShift",
    ),
    ("update kubernetes.dask.org/daskworkergroups/finalizers", "the same"),
    (
        "get kubernetes.dask.org/daskworkergroups",
        "asked for when a watch does not show in time what was created",
    ),
    ("get /pods", "the same"),
];

/// `create apps/deployments`, with the name when the right is limited to one.
fn right(verb: &str, group: &str, kind: &str, name: Option<&str>) -> String {
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    format!("{verb} {group}/{kind}{name}")
}

/// What the roles of the manifest grant.
fn granted(bed: &Bed) -> Result<BTreeSet<String>> {
    let installed = bed.cluster.kubectl(&["get", "--output", "json", "--filename", operator::MANIFEST])?;
    let installed: Value = serde_json::from_str(&installed)?;
    let objects = installed["items"].as_array().context("no list")?;
    let is_role = |object: &&Value| object["kind"] == "Role" || object["kind"] == "ClusterRole";
    let mut rights = BTreeSet::new();
    for role in objects.iter().filter(is_role) {
        for rule in serde_json::from_value::<Vec<PolicyRule>>(role["rules"].clone())? {
            rights.extend(rights_of(&rule));
        }
    }
    Ok(rights)
}

fn rights_of(rule: &PolicyRule) -> Vec<String> {
    let names = rule.resource_names.iter().flatten().map(|name| Some(name.as_str()));
    let names: Vec<_> = if rule.resource_names.is_some() { names.collect() } else { vec![None] };
    let mut rights = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            for verb in &rule.verbs {
                rights.extend(names.iter().map(|name| right(verb, group, resource, *name)));
            }
        }
    }
    rights
}

/// The right by which a request was allowed.
fn used(request: &Request) -> String {
    let Object { api_group, resource, name, .. } = &request.object_ref;
    let limited = resource == "leases" && request.verb != "create";
    right(&request.verb, api_group, &request.object_ref.kind(), limited.then_some(name.as_str()))
}

/// Its start, beginning without a lease.
fn start(bed: &Bed) -> Result<()> {
    let none = Replicas::new(&bed.cluster, 0)?;
    operator::kubectl(&bed.cluster, &["delete", "lease", "dask-operator"])?;
    drop(none);
    operator::wait_until_leading(&bed.cluster).map(drop)
}

/// A cluster from its creation to its end, with everything that one does to it and that happens to it.
async fn live(bed: &Bed) -> Result<()> {
    let worker = json!({"replicas": 1, "resources": {"requests": {"cpu": "20m", "memory": "200Mi"}}});
    let mut spec = json!({"worker": worker, "config": {"distributed": {"logging": {}}}});
    spec["disruptionProtection"] = "Always".into();
    bed.apply(&manifests::cluster_of("demo", &spec))?;
    bed.apply(&manifests::group("demo", "more", 1))?;
    let group = json!({"name": "demo-more", "minimum": 2, "maximum": 2});
    bed.apply(&manifests::autoscaler("demo", "demo", &json!({"groups": [group]})))?;
    bed.until_ready("demo", SOON).await?;
    for workers in [2, 1, 2] {
        bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={workers}")])?;
        bed.until_registered("demo", workers + 2, SOON).await?;
    }
    bed.kubectl(&["delete", "pod", "--selector", "dask.org/workergroup-name=demo-more", "--grace-period=1"])?;
    bed.until_registered("demo", 4, SOON).await?;
    let change = json!({"spec": {"config": {"distributed": {"comm": {}}}}}).to_string();
    bed.kubectl(&["patch", "dsk/demo", "--type=merge", "--patch", &change])?;
    let changed = |all: &[Arc<ConfigMap>]| {
        all.iter()
            .filter_map(|one| one.data.as_ref())
            .any(|data| data.values().any(|text| text.contains("comm")))
    };
    bed.until("dask.org/cluster-name", "a changed configuration", SOON, changed).await?;
    change_the_scheduler(bed).await?;
    bed.kubectl(&["patch", "dsk/demo", "--type=merge", "--patch", r#"{"spec": {"idleTimeout": 1}}"#])?;
    bed.until("", "no cluster", SOON, |clusters: &[Arc<DaskCluster>]| clusters.is_empty()).await.map(drop)
}

/// A restart with another Service, after which nobody protects it any more.
async fn change_the_scheduler(bed: &Bed) -> Result<()> {
    let ports = [("tcp-comm", 8786), ("http-dashboard", 8787)];
    let ports = ports.map(|(name, port)| json!({"name": name, "port": port, "protocol": "TCP"}));
    let service = json!({"ports": ports, "sessionAffinity": "ClientIP"});
    let spec = json!({"scheduler": {"service": service}, "disruptionProtection": "None"});
    let change = json!({"spec": spec, "metadata": {"annotations": {"dask.org/restart-scheduler": "1"}}});
    bed.kubectl(&["patch", "dsk/demo", "--type=merge", "--patch", &change.to_string()])?;
    let restarted = "--for=jsonpath={.status.restartedScheduler}=1";
    bed.kubectl(&["wait", "dsk/demo", restarted, "--timeout=60s"])?;
    let gone = |budgets: &[Arc<PodDisruptionBudget>]| budgets.is_empty();
    bed.until("dask.org/cluster-name=demo", "no budget", SOON, gone).await.map(drop)
}

/// A cluster whose names are all taken, so that it asks who has them.
fn meet_others(bed: &Bed) -> Result<()> {
    bed.kubectl(&["create", "configmap", "taken-config"])?;
    bed.kubectl(&["create", "service", "clusterip", "taken-scheduler", "--tcp=80"])?;
    bed.kubectl(&["create", "deployment", "taken-scheduler", "--image=none", "--replicas=0"])?;
    bed.kubectl(&[
        "create",
        "poddisruptionbudget",
        "taken-scheduler",
        "--selector=a=b",
        "--min-available=1",
    ])?;
    let mut spec = json!({"config": {"distributed": {}}, "worker": {"replicas": 0}});
    spec["disruptionProtection"] = "Always".into();
    bed.apply(&manifests::cluster_of("taken", &spec))?;
    bed.kubectl(&["wait", "dsk/taken", "--for=condition=NameTaken", "--timeout=30s"]).map(drop)
}

#[tokio::test]
async fn the_operator_uses_exactly_the_rights_that_the_manifest_gives_it() -> Result<()> {
    let bed = Bed::new("rights").await?;
    let began = Timestamp::now();
    start(&bed)?;
    live(&bed).await?;
    meet_others(&bed)?;
    let of_operator = |request: &Request| {
        request.user.username == operator::USER && request.request_received_timestamp >= began
    };
    let requests = bed.audit()?.requests(of_operator)?;
    let forbidden: Vec<_> = requests.iter().filter(|one| one.is_forbidden()).collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");

    // What every account may ask, as the server's version, is about no object.
    let used: BTreeSet<_> =
        requests.iter().filter(|one| !one.object_ref.resource.is_empty()).map(used).collect();
    let granted = granted(&bed)?;
    let reserve: BTreeSet<_> = IN_RESERVE.iter().map(|(right, _)| (*right).to_owned()).collect();
    let missing: Vec<_> = used.difference(&granted).collect();
    assert!(missing.is_empty(), "used and allowed by something else than the manifest: {missing:?}");
    let unused: Vec<_> = granted.difference(&used).filter(|right| !reserve.contains(*right)).collect();
    assert!(unused.is_empty(), "granted for nothing: {unused:?}");
    assert!(reserve.is_subset(&granted), "{reserve:?} {granted:?}");
    Ok(())
}
