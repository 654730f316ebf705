//! The scripts of the workloads as they run on a laptop: with the workers that Dask starts beside them.

use anyhow::Result;
use e2e::bed::run_workload;

use crate::shared::workloads::{SMALL, assert_is_right};

#[test]
fn the_same_scripts_run_without_any_cluster() -> Result<()> {
    for name in SMALL {
        assert_is_right(&run_workload(name, &[], &[])?);
    }
    // Of those whose data fit into no worker, one.
    let figures = run_workload("array_larger_than_memory", &[], &[])?;
    assert_is_right(&figures);
    assert!(figures["spilled_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{figures}");
    Ok(())
}
