//! The chart, installed by Helm: its hook applies the definitions with the operator's own binary.

use std::process::Command;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::progress::Progress;
use e2e::{binaries, commands};

const CRD: &str = "crd/daskclusters.kubernetes.dask.org";
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
        let spoiled = r#"{"spec":{"names":{"shortNames":["spoiled"]}}}"#;
        bed.cluster.kubectl(&["patch", CRD, "--type=merge", "--patch", spoiled])?;
        run(&[verb, "second", CHART, "--set", "replicas=0", "--wait", "--timeout", "90s"])?;
        let names = ["get", CRD, "--output", "jsonpath={.spec.names.shortNames}"];
        assert_eq!(
            bed.cluster.kubectl(&names)?,
            r#"["daskcluster","dsk"]"#,
            "{verb} puts the definition right"
        );
    }
    run(&["uninstall", "second", "--wait"])?;
    bed.cluster.kubectl(&["get", CRD])?;
    assert_eq!(
        bed.kubectl(&["get", "deployment,job,serviceaccount", "--output", "name"])?,
        "serviceaccount/default\n"
    );
    Ok(())
}
