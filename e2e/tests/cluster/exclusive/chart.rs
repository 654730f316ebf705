//! The chart, installed by Helm: its hook applies the definitions with the operator's own binary.

use anyhow::Result;
use e2e::bed::Bed;
use e2e::helm::Release;

/// One that no other test uses.
const CRD: &str = "crd/daskautoscalers.kubernetes.dask.org";
const WORDS: &str = "spec.versions.0.schema.openAPIV3Schema.description";

#[tokio::test]
async fn helm_installs_and_upgrades_the_definitions_and_leaves_them_when_it_goes() -> Result<()> {
    let bed = Bed::new("chart").await?;
    let release = Release::new(&bed.cluster, &bed.namespace, "second")?;
    // No operator beside the one that every test uses: what counts here is the hook.
    for verb in ["install", "upgrade"] {
        let spoiled =
            format!(r#"[{{"op": "replace", "path": "/{}", "value": "spoiled"}}]"#, WORDS.replace('.', "/"));
        bed.cluster.kubectl(&["patch", CRD, "--type=json", "--patch", &spoiled])?;
        release.apply(&["replicas=0"])?;
        let words = format!("jsonpath={{.{}}}", WORDS.replace(".0.", "[0]."));
        let words = bed.cluster.kubectl(&["get", CRD, "--output", &words])?;
        assert!(words.starts_with("Scales the workers"), "{verb} puts the definition right: {words}");
    }
    release.uninstall()?;
    bed.cluster.kubectl(&["get", CRD])?;
    assert_eq!(
        bed.kubectl(&["get", "deployment,job,serviceaccount", "--output", "name"])?,
        "serviceaccount/default\n"
    );
    Ok(())
}
