//! The chart, installed by Helm: its hook applies the definitions with the operator's own binary.

use std::process::Command;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::progress::Progress;
use e2e::{binaries, commands};
use serde_json::Value;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/dask-kubernetes-operator");

#[tokio::test]
async fn helm_installs_and_upgrades_the_definitions_and_leaves_them_when_it_goes() -> Result<()> {
    let bed = Bed::new("chart").await?;
    let helm = binaries::helm(&mut Progress::new())?;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&helm);
        command.env("KUBECONFIG", &bed.cluster.kubeconfig).args(arguments);
        commands::run(command.args(["--namespace", &bed.namespace]))
    };
    // No operator beside the one that every test uses: what counts here is the hook.
    for verb in ["install", "upgrade"] {
        run(&[verb, "second", CHART, "--set", "replicas=0", "--wait", "--timeout", "90s"])?;
        let text = bed.cluster.kubectl(&[
            "get",
            "crd/daskclusters.kubernetes.dask.org",
            "--show-managed-fields",
            "--output",
            "json",
        ])?;
        let crd: Value = serde_json::from_str(&text)?;
        let managers = crd["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
        let applied =
            managers.iter().any(|one| one["manager"] == "dask-operator" && one["operation"] == "Apply");
        assert!(applied, "{managers:?}");
    }
    run(&["uninstall", "second", "--wait"])?;
    bed.cluster.kubectl(&["get", "crd/daskclusters.kubernetes.dask.org"])?;
    assert_eq!(
        bed.kubectl(&["get", "deployment,job,serviceaccount", "--output", "name"])?,
        "serviceaccount/default\n"
    );
    Ok(())
}
