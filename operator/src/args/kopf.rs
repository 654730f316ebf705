//! Flags of the Python operator's command line, which people pass through the chart's `kopfArgs`.

use std::net::SocketAddr;

use clap::Args;

/// What the Python operator's image runs; nobody asked for a plugin by it.
const ITS_OWN_MODULE: &str = "dask_kubernetes.operator.controller";
const NO_PEERING: &str = "replicas take turns by a Lease, and none has priority";
const LOG_FIELDS: &str = "log lines name their object in fields of their own";

/// The flags of `kopf run`, but for those of the scope.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
pub(super) struct KopfOptions {
    /// Where probes are answered; the last one counts, and --listen before it.
    #[arg(long, short = 'L', hide = true)]
    liveness: Vec<String>,
    /// Log more.
    #[arg(long, short, hide = true)]
    verbose: bool,
    /// Log warnings alone.
    #[arg(long, short, hide = true)]
    quiet: bool,
    /// Log even more.
    #[arg(long, short, hide = true)]
    debug: bool,
    /// How log lines look.
    #[arg(long, hide = true, ignore_case = true, value_parser = ["plain", "full", "json"])]
    log_format: Option<String>,
    /// No peering; there is none.
    #[arg(long, hide = true)]
    standalone: bool,
    #[arg(long, hide = true)]
    dev: bool,
    #[arg(long, short = 'P', hide = true)]
    peering: Option<String>,
    #[arg(long, short, hide = true)]
    priority: Option<i64>,
    #[arg(long, short, hide = true)]
    module: Vec<String>,
    #[arg(long, hide = true)]
    log_refkey: Option<String>,
    #[arg(long, hide = true)]
    log_prefix: bool,
    #[arg(long, hide = true)]
    no_log_prefix: bool,
}

impl KopfOptions {
    /// The address in `http://<address>/healthz`, if it is one.
    pub(super) fn liveness(&self) -> Option<SocketAddr> {
        let (address, path) = self.liveness.last()?.strip_prefix("http://")?.split_once('/')?;
        matches!(path, "healthz" | "livez").then(|| address.parse().ok())?
    }

    pub(super) fn log_level(&self) -> Option<&'static str> {
        match self {
            Self { debug: true, .. } | Self { verbose: true, .. } => Some("debug"),
            Self { quiet: true, .. } => Some("warn"),
            _ => None,
        }
    }

    pub(super) fn logs_text(&self) -> bool {
        self.log_format.as_ref().is_some_and(|format| !format.eq_ignore_ascii_case("json"))
    }

    /// Each flag that was given and does nothing here, with the reason.
    pub(super) fn without_effect(&self) -> Vec<(&'static str, &'static str)> {
        let plugin = self.module.iter().any(|module| module != ITS_OWN_MODULE);
        let unheard = !self.liveness.is_empty() && self.liveness().is_none();
        let all = [
            (self.dev, "--dev", NO_PEERING),
            (self.peering.is_some(), "--peering", NO_PEERING),
            (self.priority.is_some(), "--priority", NO_PEERING),
            (plugin, "--module", "this operator is not written in Python and loads no plugin"),
            (self.log_refkey.is_some(), "--log-refkey", LOG_FIELDS),
            (self.log_prefix || self.no_log_prefix, "--log-prefix", LOG_FIELDS),
            (unheard, "--liveness", "only http://<IP address>:<port>/healthz can be served; see --listen"),
        ];
        all.into_iter().filter(|(given, ..)| *given).map(|(_, flag, why)| (flag, why)).collect()
    }
}
