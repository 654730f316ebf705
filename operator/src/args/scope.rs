//! The flags that say which namespaces are watched.

use clap::Args;

use crate::scope::{Pattern, Scope};

/// Those that dask-kubernetes had, too.
#[derive(Clone, Debug, Args)]
pub(super) struct ScopeOptions {
    /// Watch this namespace, or those that a pattern such as `team-*,!team-x` means; may be given several times. Every
    /// namespace by default.
    // The variable restricts the Python operator: not to read it would be to watch more than was meant.
    #[arg(long, short, env = "KOPF_RUN_NAMESPACE", hide_env = true)]
    namespace: Vec<Pattern>,
    /// Watch every namespace.
    #[arg(long, short = 'A')]
    all_namespaces: bool,
}

impl ScopeOptions {
    /// What all of them mean together.
    pub(super) fn scope(&self) -> anyhow::Result<Scope> {
        anyhow::ensure!(
            self.namespace.is_empty() || !self.all_namespaces,
            "--all-namespaces and --namespace contradict each other: leave one of them out"
        );
        Ok(Scope::of(&self.namespace))
    }
}
