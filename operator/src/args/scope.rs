//! Which namespaces are watched.

use clap::Args;
use dask_operator_api::names::is_dns_label;

/// All that a pattern may be.
const EVERY: &str = "*";

/// The flags, which dask-kubernetes had, too.
#[derive(Clone, Debug, Args)]
pub(super) struct ScopeOptions {
    /// Watch this namespace; may be given several times. Every namespace by default.
    // The variable restricts the Python operator: not to read it would be to watch more than was meant.
    #[arg(long, short, env = "KOPF_RUN_NAMESPACE", hide_env = true, value_delimiter = ',', value_parser = namespace)]
    namespace: Vec<String>,
    /// Watch every namespace.
    #[arg(long, short = 'A')]
    all_namespaces: bool,
}

impl ScopeOptions {
    /// The namespaces to watch, each once; none means all of them.
    pub(super) fn watched(&self) -> anyhow::Result<Vec<String>> {
        let mut names = self.namespace.clone();
        anyhow::ensure!(
            names.is_empty() || !self.all_namespaces,
            "--all-namespaces and --namespace {} contradict each other: leave one of them out",
            names.join(",")
        );
        if names.iter().any(|name| name == EVERY) {
            return Ok(Vec::new());
        }
        names.sort();
        names.dedup();
        Ok(names)
    }
}

/// A name, or `*` for all. Other patterns cannot be followed: roles and watches are for namespaces by their names.
fn namespace(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    if name == EVERY || (is_dns_label(name) && name.len() <= 63) {
        return Ok(name.to_owned());
    }
    if name.contains(['*', '?', '!', '[']) {
        return Err(
            "patterns are not followed: name each namespace, or leave the flag out to watch all of them",
        );
    }
    Err("not the name of a namespace")
}
