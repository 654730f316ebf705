//! A new operator finds everything as it should be, and writes nothing.

use std::time::Duration;

use anyhow::Result;
use e2e::audit::Request;
use e2e::bed::Bed;
use e2e::operator::{self, Replicas};
use e2e::quiet;
use jiff::Timestamp;

use crate::audited::settled::settled;

const SOON: Duration = Duration::from_mins(4);

/// What the operator wrote since `start`, in any namespace, the lease aside.
fn writes_since(bed: &Bed, start: Timestamp) -> Result<Vec<String>> {
    let calls = quiet::calls_since(bed, start)?;
    Ok(calls.iter().filter(|call| call.is_write()).map(Request::summary).collect())
}

#[tokio::test]
async fn a_restart_of_the_operator_sees_no_write() -> Result<()> {
    let bed = settled("restart").await?;
    bed.until_alone()?;
    quiet::until_told().await;
    let start = Timestamp::now();
    drop(Replicas::new(&bed.cluster, 0)?);
    operator::wait_until_leading(&bed.cluster)?;
    // It looks at everything at once, and tells a count that differs ten seconds later.
    quiet::until_told().await;
    assert_eq!(writes_since(&bed, start)?, Vec::<String>::new());
    bed.kubectl(&["scale", "dsk/demo", "--replicas=3"])?;
    bed.until_registered("demo", 4, SOON).await?;
    assert!(!writes_since(&bed, start)?.is_empty(), "what it writes is seen");
    Ok(())
}
