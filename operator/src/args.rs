//! The command line and the environment; nothing else reads either.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

/// A Kubernetes operator for Dask.
#[derive(Debug, Parser)]
#[command(name = "dask-operator", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunOptions,
}

impl Arguments {
    /// The subcommand; without one the operator runs, as the Python operator's image did.
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Run(Box::new(self.run)))
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator.
    Run(Box<RunOptions>),
    /// Print or apply the custom resource definitions.
    #[command(subcommand)]
    Crds(CrdsAction),
}

/// What to do with the custom resource definitions.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum CrdsAction {
    /// Write them to standard output as YAML.
    Print,
    /// Create or update them in the cluster.
    Apply,
}

/// How the operator runs.
#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// Watch this namespace alone; every namespace by default.
    #[arg(long, short)]
    pub(crate) namespace: Vec<String>,
    /// The image of containers that name none in clusters that name none.
    #[arg(long, env = "WORKER_IMAGE", default_value = concat!("ghcr.io/dask-operator/dask:", env!("CARGO_PKG_VERSION")))]
    pub(crate) worker_image: String,
    /// The DNS domain of the cluster; found in /etc/resolv.conf by default.
    #[arg(long, env = "CLUSTER_DOMAIN")]
    pub(crate) cluster_domain: Option<String>,
    /// Where /livez, /readyz, /healthz and /metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,
    /// The name under which this replica holds the lease; the host's with a random end by default.
    #[arg(long, env = "POD_NAME")]
    pub(crate) identity: Option<String>,
    /// The namespace of the lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub(crate) lease_namespace: String,
    /// Log filter, for example `debug` or `dask_operator=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub(crate) log_level: String,
    /// Log for people instead of JSON.
    #[arg(long)]
    pub(crate) log_text: bool,
    #[command(flatten)]
    pub(crate) kopf: KopfOptions,
}

/// Flags of the Python operator's command line, which people pass through the chart's `kopfArgs`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
pub(crate) struct KopfOptions {
    /// Where kopf answered probes; here that is --listen.
    #[arg(long, hide = true)]
    pub(crate) liveness: Vec<String>,
    /// The default.
    #[arg(long, short = 'A', hide = true)]
    pub(crate) all_namespaces: bool,
    /// Log more.
    #[arg(long, short, hide = true)]
    pub(crate) verbose: bool,
    /// Log warnings alone.
    #[arg(long, short, hide = true)]
    pub(crate) quiet: bool,
    /// Log even more.
    #[arg(long, short, hide = true)]
    pub(crate) debug: bool,
    /// No peering; there is none.
    #[arg(long, hide = true)]
    pub(crate) standalone: bool,
    /// `plain`, `full` or `json`; here that is --log-text.
    #[arg(long, hide = true)]
    pub(crate) log_format: Option<String>,
}

impl RunOptions {
    /// The log filter that all of these flags together mean.
    pub(crate) fn log_filter(&self) -> &str {
        match &self.kopf {
            KopfOptions { debug: true, .. } | KopfOptions { verbose: true, .. } => "debug",
            KopfOptions { quiet: true, .. } => "warn",
            _ => &self.log_level,
        }
    }

    /// The namespaces to watch, or none for all.
    pub(crate) fn watched_namespaces(&self) -> anyhow::Result<Vec<String>> {
        if self.kopf.all_namespaces {
            return Ok(Vec::new());
        }
        let mut namespaces: Vec<_> = self.namespace.iter().flat_map(|list| list.split(',')).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        if let Some(pattern) = namespaces.iter().find(|name| name.contains(['*', '?', '!'])) {
            anyhow::bail!("--namespace {pattern}: patterns are not supported, name each namespace");
        }
        Ok(namespaces.into_iter().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> RunOptions {
        let all = [&["dask-operator", "run"], arguments].concat();
        match Arguments::parse_from(all).command() {
            Command::Run(options) => *options,
            Command::Crds(_) => panic!("run was asked for"),
        }
    }

    #[test]
    fn the_python_operators_flags_are_accepted() {
        let given =
            ["--liveness=http://0.0.0.0:8080/healthz", "--liveness=x", "--verbose", "-A", "--standalone"];
        let options = options(&given);
        assert_eq!(options.log_filter(), "debug");
        assert_eq!(options.watched_namespaces().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_watched_is_said() {
        assert_eq!(options(&["-n", "b", "--namespace=a,b"]).watched_namespaces().unwrap(), ["a", "b"]);
        assert!(options(&["-n", "team-*"]).watched_namespaces().is_err());
    }
}
