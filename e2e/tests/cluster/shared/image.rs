//! What the project's image promises beside Dask: who runs it, byte code, and the old names of its commands.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests::dask_image;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);
const COMMANDS: [&str; 3] = ["dask-scheduler", "dask-worker", "dask-ssh"];
/// Who it is; that what `PipInstall` writes to can be written to; one file of byte code; what each command says.
const QUESTIONS: &str = "set -e
id --user
cd /opt/dask/lib/python3*/site-packages
touch added && rm added
ls distributed/__pycache__/scheduler.*.pyc > /dev/null
for command in dask-scheduler dask-worker dask-ssh; do $command --help | grep Usage; done";

#[tokio::test]
async fn the_image_has_a_user_without_rights_its_own_packages_and_the_old_commands() -> Result<()> {
    let bed = Bed::new("promises").await?;
    let container = json!({"name": "asked", "image": dask_image(), "command": ["sh", "-c", QUESTIONS],
        "securityContext": {"runAsNonRoot": true, "allowPrivilegeEscalation": false}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asked"},
        "spec": {"restartPolicy": "Never", "containers": [container]}});
    bed.apply(&pod.to_string())?;
    let ended = |pods: &[Arc<Pod>]| {
        let phases = pods.iter().filter_map(|pod| pod.status.as_ref()?.phase.as_deref());
        phases.into_iter().any(|phase| matches!(phase, "Succeeded" | "Failed"))
    };
    bed.until("", "the pod has ended", SOON, ended).await?;
    let said = bed.kubectl(&["logs", "asked"])?;
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.first(), Some(&"1000"), "{said}");
    let usages = lines.iter().skip(1).zip(COMMANDS);
    assert_eq!(usages.clone().count(), COMMANDS.len(), "{said}");
    for (usage, command) in usages {
        assert!(usage.starts_with(&format!("Usage: {command} ")), "{said}");
    }
    Ok(())
}
