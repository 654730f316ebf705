//! `dask-operator run`: the operator on this machine, with its signals, its clock and its probes.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use dask_operator_plan::Settings;
use jiff::Timestamp;
use kube::{Client, Config};

use crate::args::RunOptions;
use crate::context::{Chance, Clock};
use crate::operator::{LeaseName, Operator, Replica};
use crate::record::Record;
use crate::scheduler::Http;
use crate::server::serve;
use crate::shutdown::Shutdown;

/// Runs until SIGTERM, or until the lease is lost, which is an error: whoever restarts us finds us clean.
pub async fn run(options: &RunOptions) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signal()?;
    let operator = Operator::new(replica(options).await?);
    let server = serve(options.listen(), operator.health());
    tokio::select! {
        ended = operator.run(&shutdown) => Ok(ended?),
        failed = server => failed.context("cannot serve health and metrics"),
    }
}

async fn replica(options: &RunOptions) -> anyhow::Result<Replica> {
    Ok(Replica {
        client: client().await?,
        schedulers: Arc::new(Http::new().context("cannot make a client of schedulers")?),
        scope: options.scope()?,
        settings: settings(options),
        lease: LeaseName {
            namespace: options.lease_namespace.clone(),
            identity: options.identity.clone().unwrap_or_else(random_identity),
        },
        clock: Clock::of_machine(),
        chance: Chance::from_seed(seed()?),
        record: record(options)?,
    })
}

fn record(options: &RunOptions) -> anyhow::Result<Option<Record>> {
    let to = |path: &PathBuf| {
        Record::to(path, Timestamp::now())
            .with_context(|| format!("cannot record decisions in {}", path.display()))
    };
    options.record_decisions.as_ref().map(to).transpose()
}

fn seed() -> anyhow::Result<u64> {
    getrandom::u64().map_err(|error| anyhow::anyhow!("the machine has no source of chance: {error}"))
}

/// Two processes on one host are two replicas.
fn random_identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{:08x}", host.trim(), getrandom::u32().unwrap_or_default())
}

async fn client() -> anyhow::Result<Client> {
    let mut config = Config::infer().await.context("no way to reach an API server")?;
    // Watches are silent for long; every other call has its own deadline.
    config.read_timeout = None;
    // Tries again by itself up to 15 times, creates and the lists of watches too, and waits up to 82 s between two:
    // our own back-off knows what was tried.
    config.default_retry = false;
    Client::try_from(config).context("cannot make a client of the API server")
}

fn settings(options: &RunOptions) -> Settings {
    let cluster_domain = options.cluster_domain.clone().filter(|domain| !domain.is_empty());
    Settings {
        cluster_domain: cluster_domain.unwrap_or_else(cluster_domain_of_resolver),
        default_image: options.worker_image.clone(),
        worker_batch: options.worker_batch(),
    }
}

/// The resolver of a pod searches `svc.<cluster domain>`.
fn cluster_domain_of_resolver() -> String {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    cluster_domain_in(&text).unwrap_or("cluster.local").to_owned()
}

fn cluster_domain_in(resolver: &str) -> Option<&str> {
    let mut words =
        resolver.lines().filter(|line| line.starts_with("search")).flat_map(str::split_whitespace);
    words.find_map(|word| word.strip_prefix("svc.")).map(|domain| domain.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolver_of_a_pod_knows_the_domain_of_its_cluster_and_that_of_a_host_does_not() {
        let pod = "search team.svc.corp.example svc.corp.example. corp.example\nnameserver 10.96.0.10\n";
        assert_eq!(cluster_domain_in(pod), Some("corp.example"));
        assert_eq!(cluster_domain_in("# svc.commented\nsearch example.com\nnameserver 192.0.2.1\n"), None);
    }
}
