//! The command line and the environment; nothing else reads either.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

/// A Kubernetes operator for Dask.
#[derive(Debug, Parser)]
#[command(name = "dask-operator", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunOptions,
}

impl Arguments {
    /// The subcommand; without one the operator runs, as the Python operator's image did.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the operator.
    Run(RunOptions),
    /// Print or apply the custom resource definitions.
    #[command(subcommand)]
    Crds(CrdsAction),
}

/// What to do with the custom resource definitions.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum CrdsAction {
    /// Write them to standard output as YAML.
    Print,
    /// Create or update them in the cluster.
    Apply,
}

/// How the operator runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunOptions {
    /// Watch this namespace alone.
    #[arg(long, short, env = "WATCH_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Watch every namespace (the default).
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,
    /// The image of containers that name none in clusters that name none.
    #[arg(long, env = "WORKER_IMAGE", default_value = concat!("ghcr.io/dask-operator/dask:", env!("CARGO_PKG_VERSION")))]
    pub(crate) worker_image: String,
    /// The DNS domain of the cluster; found in /etc/resolv.conf by default.
    #[arg(long, env = "CLUSTER_DOMAIN")]
    pub(crate) cluster_domain: Option<String>,
    /// Where /livez, /readyz, /healthz and /metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,
    /// The name under which this replica holds the lease.
    #[arg(long, env = "POD_NAME", default_value = "dask-operator")]
    pub(crate) identity: String,
    /// The namespace of the lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub(crate) lease_namespace: String,
    /// Log filter, for example `debug` or `dask_operator=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub(crate) log_level: String,
    /// Log for people instead of JSON.
    #[arg(long)]
    pub(crate) log_text: bool,
    /// Accepted for the Python operator's sake: the address is that of --listen.
    #[arg(long, hide = true)]
    pub(crate) liveness: Option<String>,
    /// Accepted for the Python operator's sake.
    #[arg(long, hide = true)]
    pub(crate) verbose: bool,
    /// Accepted for the Python operator's sake.
    #[arg(long, hide = true)]
    pub(crate) standalone: bool,
}
