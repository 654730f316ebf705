//! The README's first command, on the cluster of a kubeconfig.

use std::process::Command;

use anyhow::{Context, Result};
use e2e::bed::Bed;
use e2e::bed::namespace::OF_DEMO;
use e2e::commands;
use tokio::sync::Mutex;

/// As its users call it.
pub(crate) const COMMAND: &str = env!("CARGO_BIN_EXE_e2e");
/// For whoever runs it: it has one namespace, always of the same name.
pub(crate) static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn the_demo_shows_checked_results_and_a_scale_up_on_the_cluster_of_a_kubeconfig() -> Result<()> {
    // It has a namespace of its own; this is for the cluster that is there.
    let bed = Bed::new("demo").await?;
    let _only = ONE_AT_A_TIME.lock().await;
    let mut demo = Command::new(COMMAND);
    demo.args(["demo", "--kubeconfig"]).arg(&bed.cluster.kubeconfig);
    let printed = commands::output(&mut demo);
    bed.cluster.kubectl(&["delete", "namespace", "--selector", OF_DEMO])?;
    let printed = printed?;
    assert_eq!(printed.matches(": correct.").count(), 2, "the graph and the array: {printed}");
    let (before, after) = printed.split_once("# Two more workers").context("no scale-up")?;
    let workers = |shown: &str| shown.matches("pod/demo-default-worker-").count();
    assert_eq!((workers(before), workers(after)), (2, 4), "{printed}");
    for told in ["/status", "kubectl delete namespace dask-demo"] {
        assert!(after.contains(told), "{told}: {printed}");
    }
    Ok(())
}
