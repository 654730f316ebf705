//! `spec.config` is Dask's configuration wherever the cluster's processes run.

use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);

#[tokio::test]
async fn the_configuration_of_a_cluster_reaches_its_scheduler_and_every_worker() -> Result<()> {
    let bed = Bed::new("config").await?;
    let config = json!({
        "made-up": {"key": "from the cluster", "list": [1, 2]},
        "distributed": {"worker": {"memory": {"target": 0.42}}},
    });
    let pod = json!({"containers": [{"name": "worker", "args": manifests::WITH_NANNY}]});
    let worker = json!({"replicas": 2, "threads": 1, "spec": pod});
    bed.apply(&manifests::cluster_of("demo", &json!({"config": config, "worker": worker})))?;
    bed.until_registered("demo", 2, SOON).await?;
    let lines = "import json\n\
                 def read():\n    \
                     import dask\n    \
                     keys = ['made-up.key', 'made-up.list', 'distributed.worker.memory.target']\n    \
                     return [dask.config.get(key, None) for key in keys]\n\
                 print(json.dumps([client.run_on_scheduler(read), *client.run(read).values(), read()]))";
    let read: serde_json::Value = serde_json::from_str(&bed.client("demo", lines)?)?;
    let expected = json!(["from the cluster", [1, 2], 0.42]);
    // The last is the client's own, which nobody configured.
    assert_eq!(read, json!([expected, expected, expected, [null, null, 0.6]]));
    Ok(())
}
