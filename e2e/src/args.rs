//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use e2e::dask::Dask;
use e2e::drains::Shape;
use e2e::images::Kind;

/// A Kubernetes of this machine's own, and what runs on it.
#[derive(Debug, Parser)]
#[command(name = "cargo e2e", bin_name = "cargo e2e")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the embedded Kubernetes, building it first if need be
    Up,
    /// End the embedded Kubernetes and everything that runs on it
    Down,
    /// Install the operator on the embedded Kubernetes, from its images and manifests
    Install,
    /// Show what the project does: a cluster, two graphs, a scale-up, the dashboard
    Demo {
        /// Use this cluster instead of the embedded one
        #[arg(long)]
        kubeconfig: Option<PathBuf>,
    },
    /// Measure what is promised, on the embedded Kubernetes
    Bench {
        #[command(subcommand)]
        what: Option<Benchmark>,
    },
    /// Run every test, or those that run on a cluster and whose names contain one of these texts
    Test(TestOptions),
    /// Play histories of people, nodes, crashes and faults against the operator, in simulated time
    Simulate {
        /// How many
        #[arg(default_value_t = 100_000)]
        histories: u64,
        /// The first one's seed
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Have workers leave at random under load, on the embedded Kubernetes, and count what is lost
    Drains(DrainOptions),
    /// Have people submit, cancel, scale and come and go at random under an autoscaler, and count what is lost
    Histories(HistoryOptions),
    /// Run kubectl against the embedded Kubernetes
    #[command(disable_help_flag = true)]
    Kubectl {
        /// What kubectl is given
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Build container images and import them into the embedded Kubernetes
    Images {
        /// Which; all if none is named
        kinds: Vec<Kind>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TestOptions {
    /// Parts of the names of the tests to run on the cluster; without any, everything is tested
    pub(crate) filters: Vec<String>,
    /// Run those that any cluster will do for, each under an operator of its own that has Roles only
    #[arg(long, conflicts_with = "kubeconfig")]
    pub(crate) namespaced: bool,
    /// Run the tests of a cluster on this one instead of the embedded one; those that read its audit log are left out
    #[arg(long)]
    pub(crate) kubeconfig: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DrainOptions {
    /// How many, shared among all shapes of a worker's processes and both releases of Dask
    #[arg(default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// The first run's seed
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Whether workers leave without asking, which shows what is lost otherwise
    #[arg(long)]
    pub(crate) unasked: bool,
    /// Of workers that are made so alone
    #[arg(long)]
    pub(crate) workers: Option<Shape>,
    /// Of one release of Dask alone
    #[arg(long)]
    pub(crate) dask: Option<Dask>,
    /// Under which operator
    #[arg(long, default_value = "ours")]
    pub(crate) operator: Operator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Operator {
    Ours,
    /// That of dask-kubernetes, with the newest Dask unless another is named
    Python,
    /// One after the other, with the same manifests
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryOptions {
    /// How many
    #[arg(default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// The first one's seed
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Benchmark {
    /// The promised latencies; this is what is measured when none is named
    Latency,
    /// How soon a cluster works, beside the same pods made by hand
    Start(StartOptions),
    /// How much memory the operator takes
    Memory,
    /// How soon a scheduler says what is asked of it, and what that costs it; needs no cluster
    Facts,
    /// What workers cost and how soon recorded work is done, by the rule that scales them; needs no cluster
    Autoscale,
    /// How often an autoscaler turns round under mixed load, for five minutes
    Mixed,
    /// What fifty autoscalers ask of the API server in two minutes of rest
    Rest,
}

#[derive(Debug, Args)]
pub(crate) struct StartOptions {
    /// How often each start is timed; fewer than 7 are printed and not kept, unless they are added
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) pairs: u16,
    /// How many workers
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 16])]
    pub(crate) sizes: Vec<u32>,
    /// Add to the starts that are kept, instead of replacing them
    #[arg(long)]
    pub(crate) add: bool,
    /// After so many minutes begin no more of them
    #[arg(long, default_value_t = 60)]
    pub(crate) minutes: u32,
    /// Hold the scheduler back by so many seconds, as a slow pull of its image does
    #[arg(long, default_value_t = 0)]
    pub(crate) late: u32,
    /// Only workers with a nanny, or only those without
    #[arg(long)]
    pub(crate) nanny: Option<Nanny>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Nanny {
    With,
    Without,
}
