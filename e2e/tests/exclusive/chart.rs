//! The chart, installed by Helm: its hook applies the definitions with the operator's own binary.

use std::process::Command;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::progress::Progress;
use e2e::{binaries, commands};

/// One that no other test uses.
const CRD: &str = "crd/daskautoscalers.kubernetes.dask.org";
const WORDS: &str = "spec.versions.0.schema.openAPIV3Schema.description";
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
        let spoiled =
            format!(r#"[{{"op": "replace", "path": "/{}", "value": "spoiled"}}]"#, WORDS.replace('.', "/"));
        bed.cluster.kubectl(&["patch", CRD, "--type=json", "--patch", &spoiled])?;
        run(&[verb, "second", CHART, "--set", "replicas=0", "--wait", "--timeout", "90s"])?;
        let words = format!("jsonpath={{.{}}}", WORDS.replace(".0.", "[0]."));
        let words = bed.cluster.kubectl(&["get", CRD, "--output", &words])?;
        assert!(words.starts_with("Scales the workers"), "{verb} puts the definition right: {words}");
    }
    run(&["uninstall", "second", "--wait"])?;
    bed.cluster.kubectl(&["get", CRD])?;
    assert_eq!(
        bed.kubectl(&["get", "deployment,job,serviceaccount", "--output", "name"])?,
        "serviceaccount/default\n"
    );
    Ok(())
}
