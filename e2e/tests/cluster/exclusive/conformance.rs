//! The API server that the simulation plays against keeps the rules of the real one: the same cases hold of both.

use anyhow::{Context, Result};
use dask_operator_testkit::conformance;
use e2e::bed::Bed;
use e2e::operator;

#[tokio::test]
async fn the_real_server_conforms_as_the_one_of_the_simulation_does() -> Result<()> {
    let bed = Bed::new("conformance").await?;
    operator::scale(&bed.cluster, 0)?;
    let found = conformance::check(bed.client.clone(), &bed.namespace).await;
    operator::scale(&bed.cluster, 1).context("the operator must run again for the next test")?;
    assert_eq!(found.broken, Vec::<String>::new());
    assert!(found.checked > 0);
    Ok(())
}
