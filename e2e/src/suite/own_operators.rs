//! Tests each of which has an operator of its own, in place of the one for all: none may ask about what is outside.

use anyhow::{Context, Result, ensure};
use e2e::audit::{self, Audit, Request};
use e2e::cluster::Cluster;
use e2e::namespaced;
use e2e::operator::Replicas;
use e2e::progress::say;

use super::{Suite, succeed, timed};

/// Runs these tests of a suite.
pub(super) fn run(suite: &Suite, cluster: &Cluster, tests: &[String]) -> Result<()> {
    let log = cluster.audit_log.clone().context("only the embedded cluster has an audit log to read")?;
    let audit = Audit::new(log.clone(), audit::length(&log));
    let _none = Replicas::new(cluster, 0)?;
    let mut command = suite.command(cluster, tests);
    command.env(namespaced::VARIABLE, "1");
    let done = timed(&format!("{} tests under operators that have Roles only", tests.len()), || {
        succeed(&mut command)
    });
    let (operators, trespasses) = namespaced::trespasses(&audit)?;
    let told: Vec<_> = trespasses.iter().take(10).map(Request::summary).collect();
    ensure!(trespasses.is_empty(), "{} requests about what is outside: {told:?}", trespasses.len());
    ensure!(operators > 0, "no operator of a test's own has made a pod");
    say(&format!("\n{}\n{operators} operators asked for nothing outside their namespaces.", done?));
    Ok(())
}
