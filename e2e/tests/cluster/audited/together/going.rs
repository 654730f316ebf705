//! A namespace that is deleted with a cluster in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use dask_operator_api::DaskWorkerGroup;
use e2e::audit::Request;
use e2e::bed::Bed;
use e2e::manifests;
use e2e::progress::say;
use jiff::Timestamp;

const SOON: Duration = Duration::from_mins(4);
/// Ten times the promise.
const TOLD: Duration = Duration::from_secs(50);

#[tokio::test]
async fn a_namespace_that_goes_takes_its_clusters_along_and_is_hardly_asked_for_more() -> Result<()> {
    let bed = Bed::new("going").await?;
    bed.apply(&manifests::cluster("demo", 3))?;
    bed.until_registered("demo", 3, SOON).await?;
    let start = Timestamp::now();
    bed.cluster.kubectl(&["delete", "namespace", &bed.namespace, "--wait=false"])?;
    // Pods go first; for as long as they take, their group cannot have new ones. Events are refused there, too.
    let told = |groups: &[Arc<DaskWorkerGroup>]| {
        let conditions = groups.iter().filter_map(|one| one.status.as_ref()).flat_map(|one| &one.conditions);
        let words = "because it is being terminated";
        conditions.into_iter().any(|one| {
            one.type_ == "Refused" && one.reason == "NamespaceTerminating" && one.message.contains(words)
        })
    };
    let since = Instant::now();
    bed.until("", "NamespaceTerminating", SOON, told).await?;
    let took = since.elapsed();
    say(&format!("NamespaceTerminating of demo-default: told after {:.2} s", took.as_secs_f64()));
    // Before anybody deletes a pod nothing is wanted there.
    assert!(took < TOLD, "{took:?}");
    let gone = format!("namespace/{}", bed.namespace);
    bed.cluster.kubectl(&["wait", &gone, "--for=delete", "--timeout=100s"])?;
    let tries = |request: &Request| {
        request.is_operators_write()
            && request.object_ref.namespace == bed.namespace
            && request.request_received_timestamp >= start
            && request.response_status.code >= 400
    };
    let tries = bed.audit()?.requests(tries)?;
    // What is written just as it goes may meet nothing.
    assert!(tries.len() <= 30, "{tries:?}");
    let refused = tries.iter().filter(|request| request.response_status.code == 403);
    let refused: Vec<_> = refused.map(Request::summary).collect();
    println!("refused in a namespace that goes: {refused:?}");
    // Three pods and the cluster's own children once each, and the Events that tell it.
    assert!(refused.len() <= 12, "{refused:?}");
    Ok(())
}
