//! The command line and the environment; nothing else reads either.

mod kopf;
mod replay;
mod scope;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use dask_operator_plan::Batch;
use jiff::SignedDuration;

use self::kopf::KopfOptions;
pub use self::replay::ReplayOptions;
use self::scope::ScopeOptions;
use crate::scope::Scope;

/// Where probes and metrics are served unless the command line says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);

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
    /// Decide again what an autoscaler decided, by other settings, and show both.
    Replay(ReplayOptions),
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
    #[command(flatten)]
    scope: ScopeOptions,
    /// The image of containers that name none in clusters that name none.
    #[arg(long, env = "WORKER_IMAGE", default_value = concat!("ghcr.io/dask-operator/dask:", env!("CARGO_PKG_VERSION")))]
    pub(crate) worker_image: String,
    /// The DNS domain of the cluster; found in /etc/resolv.conf by default.
    #[arg(long, env = "CLUSTER_DOMAIN")]
    pub(crate) cluster_domain: Option<String>,
    /// Make at most so many workers of a group at once; 0 is no limit.
    #[arg(long, env = "DASK_KUBERNETES__CONTROLLER__WORKER_ALLOCATION__BATCH_SIZE", default_value_t = 0)]
    worker_batch_size: usize,
    /// The seconds between two such batches.
    #[arg(long, env = "DASK_KUBERNETES__CONTROLLER__WORKER_ALLOCATION__DELAY", default_value_t = 0.0)]
    worker_batch_delay: f64,
    /// Where /livez, /readyz, /healthz and /metrics are served; 0.0.0.0:8080 by default.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The name under which this replica holds the lease; the host's with a random end by default.
    #[arg(long, env = "POD_NAME")]
    pub(crate) identity: Option<String>,
    /// The namespace of the lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub(crate) lease_namespace: String,
    /// Write each look of an autoscaler into this file, for `dask-operator replay`.
    #[arg(long, value_name = "FILE")]
    pub(crate) record_decisions: Option<PathBuf>,
    /// Log filter, for example `debug` or `dask_operator=debug`; `info` by default.
    #[arg(long, env = "RUST_LOG")]
    log_level: Option<String>,
    /// Log for people instead of JSON.
    #[arg(long)]
    log_text: bool,
    #[command(flatten)]
    kopf: KopfOptions,
}

impl RunOptions {
    /// The namespaces to watch.
    pub(crate) fn scope(&self) -> anyhow::Result<Scope> {
        self.scope.scope()
    }

    /// How a group grows, unless it does so at once.
    pub(crate) fn worker_batch(&self) -> Option<Batch> {
        // Longer than a day is a mistake, and far longer cannot be added to a time.
        let delay = SignedDuration::try_from_secs_f64(self.worker_batch_delay.clamp(0.0, 86_400.0));
        let batch = Batch { size: self.worker_batch_size, delay: delay.unwrap_or_default() };
        (batch.size > 0).then_some(batch)
    }

    /// Where probes and metrics are served.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen.or_else(|| self.kopf.liveness()).unwrap_or(LISTEN)
    }

    /// The log filter that all flags together mean.
    pub(crate) fn log_filter(&self) -> &str {
        self.log_level.as_deref().or_else(|| self.kopf.log_level()).unwrap_or("info")
    }

    /// Whether to log for people.
    pub(crate) fn logs_text(&self) -> bool {
        self.log_text || self.kopf.logs_text()
    }

    /// Each flag that was given and does nothing here, with the reason.
    pub fn without_effect(&self) -> Vec<(&'static str, &'static str)> {
        self.kopf.without_effect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<RunOptions, clap::Error> {
        let all = [&["dask-operator", "run"], arguments].concat();
        match Arguments::try_parse_from(all)?.command() {
            Command::Run(options) => Ok(*options),
            Command::Crds(_) | Command::Replay(_) => panic!("run was asked for"),
        }
    }

    fn options(arguments: &[&str]) -> RunOptions {
        parsed(arguments).unwrap()
    }

    #[test]
    fn the_charts_own_arguments_watch_everything_and_have_effect() {
        let options = options(&["--liveness=http://0.0.0.0:8080/healthz", "--all-namespaces"]);
        assert_eq!(options.scope().unwrap(), Scope::Everywhere);
        assert_eq!((options.listen(), options.log_filter(), options.logs_text()), (LISTEN, "info", false));
        assert_eq!(options.without_effect(), []);
    }

    #[test]
    fn namespaces_are_named_one_by_one_or_as_a_list_and_count_once() {
        for given in [&["-n", "b", "--namespace=a", "-nb"][..], &["--namespace=a, b"], &["-n=b,a"]] {
            let named = Scope::Named(vec!["a".to_owned(), "b".to_owned()]);
            assert_eq!(options(given).scope().unwrap(), named, "{given:?}");
        }
        assert_eq!(options(&["--namespace=*"]).scope().unwrap(), Scope::Everywhere);
    }

    #[test]
    fn a_variable_has_them_between_blanks_and_counts_for_less_than_a_flag() {
        let scope = |arguments: &[&str]| options(arguments).scope().unwrap();
        assert_eq!(scope(&["--namespaces", " b  a "]), scope(&["-n=a,b"]));
        assert_eq!(scope(&["--namespaces", "b", "-n=a"]), scope(&["-n=a"]));
        assert_eq!(scope(&["--namespaces", ""]), Scope::Everywhere);
        assert_eq!(parsed(&["--namespaces", "a/b"]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn patterns_are_followed_as_a_whole() {
        let teams = options(&["-n", "team-*,!team-x", "--namespace=b"]).scope().unwrap();
        assert_eq!(["team-a", "b", "team-x"].map(|name| teams.includes(name)), [true, true, false]);
    }

    #[test]
    fn what_is_no_namespace_is_refused_with_a_sentence_and_the_code_of_a_wrong_command_line() {
        for (wrong, told) in [
            ("team-[ab]", "only * and ?"),
            ("", "not the name"),
            ("Team", "not the name"),
            ("a,,b", "not the name"),
        ] {
            let error = parsed(&["-n", wrong]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(told), "{error}");
        }
    }

    #[test]
    fn all_namespaces_and_some_contradict_each_other() {
        assert!(options(&["-A", "-n", "a"]).scope().is_err());
    }

    #[test]
    fn workers_come_in_batches_when_a_size_is_given() {
        assert_eq!(options(&["--worker-batch-delay=3"]).worker_batch(), None);
        let batch = options(&["--worker-batch-size=10", "--worker-batch-delay=2.5"]).worker_batch();
        assert_eq!(batch, Some(Batch { size: 10, delay: SignedDuration::from_millis(2500) }));
        let endless = options(&["--worker-batch-size=1", "--worker-batch-delay=1e30"]).worker_batch();
        assert_eq!(endless.unwrap().delay, SignedDuration::from_hours(24));
    }

    #[test]
    fn the_python_operators_flags_mean_what_they_meant() {
        assert_eq!(options(&["--verbose"]).log_filter(), "debug");
        assert_eq!(options(&["-q"]).log_filter(), "warn");
        assert_eq!(options(&["-d", "--log-level", "error"]).log_filter(), "error");
        assert!(options(&["--log-format=plain"]).logs_text());
        assert!(!options(&["--log-format=JSON"]).logs_text());
        assert!(parsed(&["--log-format=xml"]).is_err());
        let liveness = ["-L", "http://0.0.0.0:8080/healthz", "--liveness=http://127.0.0.1:9090/healthz"];
        assert_eq!(options(&liveness).listen(), "127.0.0.1:9090".parse().unwrap());
        let ours = [&liveness[..], &["--listen=127.0.0.1:1"]].concat();
        assert_eq!(options(&ours).listen(), "127.0.0.1:1".parse().unwrap());
    }

    #[test]
    fn the_python_operators_flags_that_mean_nothing_here_are_accepted_and_told() {
        let module = "dask_kubernetes.operator.controller";
        assert_eq!(options(&["--standalone", "-m", module]).without_effect(), []);
        let given = [
            &["--dev", "-P", "peers", "-p", "7", "-m", "plugin", "--log-refkey=x", "--no-log-prefix"][..],
            &["--liveness=https://localhost/healthz"],
        ];
        let options = options(&given.concat());
        let flags: Vec<_> = options.without_effect().into_iter().map(|(flag, _)| flag).collect();
        let told =
            ["--dev", "--peering", "--priority", "--module", "--log-refkey", "--log-prefix", "--liveness"];
        assert_eq!(flags, told);
        assert_eq!(options.listen(), LISTEN);
    }
}
