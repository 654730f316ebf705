//! The flags that say which namespaces are watched.

use std::str::FromStr;

use clap::Args;

use crate::scope::{Pattern, PatternError, Scope};

/// Those that dask-kubernetes had, too.
#[derive(Clone, Debug, Args)]
pub(super) struct ScopeOptions {
    /// Watch this namespace, or those that a pattern such as `team-*,!team-x` means; may be given several times. Every
    /// namespace by default.
    // The variable restricts the Python operator: not to read it would be to watch more than was meant.
    #[arg(long, short, env = "KOPF_RUN_NAMESPACE", hide_env = true)]
    namespace: Vec<Pattern>,
    // Its other name there; as there, a flag counts for more. A type of its own: an empty variable means nothing, while an
    // empty flag is a mistake that would have everything watched.
    #[arg(long, hide = true, env = "KOPF_RUN_NAMESPACES", default_value = "")]
    namespaces: Patterns,
    /// Watch every namespace.
    #[arg(long, short = 'A')]
    all_namespaces: bool,
}

impl ScopeOptions {
    /// What all of them mean together.
    pub(super) fn scope(&self) -> anyhow::Result<Scope> {
        let given = if self.namespace.is_empty() { &self.namespaces.0 } else { &self.namespace };
        anyhow::ensure!(
            given.is_empty() || !self.all_namespaces,
            "--all-namespaces and --namespace contradict each other: leave one of them out"
        );
        Ok(Scope::of(given))
    }
}

/// Several between blanks, as variables have them.
#[derive(Clone, Debug)]
struct Patterns(Vec<Pattern>);

impl FromStr for Patterns {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_whitespace().map(Pattern::from_str).collect::<Result<_, _>>().map(Self)
    }
}
