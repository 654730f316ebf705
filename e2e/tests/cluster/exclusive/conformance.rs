//! The API server that the simulation plays against keeps the rules of the real one: the same cases hold of both.

use anyhow::Result;
use dask_operator_testkit::conformance;
use e2e::bed::Bed;
use e2e::operator::Replicas;

#[tokio::test]
async fn the_real_server_conforms_as_the_one_of_the_simulation_does() -> Result<()> {
    let bed = Bed::new("conformance").await?;
    let none = Replicas::new(&bed.cluster, 0)?;
    let found = conformance::check(bed.client.clone(), &bed.namespace).await;
    drop(none);
    assert_eq!(found.broken, Vec::<String>::new());
    assert!(found.checked > 0);
    Ok(())
}
