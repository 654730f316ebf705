//! Names: the rule for a cluster's name, and every name derived from one.

use thiserror::Error;

/// The scheduler's Service is a DNS label: 63 characters less `-scheduler`.
pub const MAX_CLUSTER_NAME: usize = 53;
/// A group's name is the value of a label on its workers.
pub const MAX_GROUP_NAME: usize = 63;

/// Why a name cannot be used; the text is shown to the user.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameProblem {
    /// Longer than the names derived from it may be.
    #[error("the name \"{name}\" has {length} characters; at most {max} are allowed")]
    TooLong { name: String, length: usize, max: usize },
    /// Not a DNS label.
    #[error(
        "the name \"{name}\" is not a DNS label: only lower-case letters, digits and '-', first and last a letter or digit, no dots"
    )]
    NotALabel { name: String },
}

/// The name of a `DaskCluster` that follows the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterName(String);

impl ClusterName {
    /// Checks the rule: a DNS label (RFC 1123) of at most [`MAX_CLUSTER_NAME`] characters.
    pub fn parse(name: &str) -> Result<Self, NameProblem> {
        check_length(name, MAX_CLUSTER_NAME)?;
        if is_dns_label(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NameProblem::NotALabel { name: name.to_owned() })
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scheduler's Deployment and Service, and the disruption budget.
    pub fn scheduler(&self) -> String {
        scheduler_name(&self.0)
    }

    /// The default worker group.
    pub fn default_group(&self) -> String {
        default_group_name(&self.0)
    }

    /// The `ConfigMap` that holds Dask's configuration.
    pub fn config(&self) -> String {
        config_name(&self.0)
    }
}

/// The scheduler's Deployment and Service of a cluster.
pub fn scheduler_name(cluster: &str) -> String {
    format!("{cluster}-scheduler")
}

/// The default worker group of a cluster.
pub fn default_group_name(cluster: &str) -> String {
    format!("{cluster}-default")
}

/// The `ConfigMap` that holds the configuration of a cluster.
pub fn config_name(cluster: &str) -> String {
    format!("{cluster}-config")
}

/// The cluster that would have a child of this name.
pub fn cluster_of_child(name: &str) -> Option<&str> {
    ["-scheduler", "-default", "-config"].iter().find_map(|end| name.strip_suffix(end))
}

/// Where the workers and clients of a cluster find its scheduler.
pub fn scheduler_address(cluster: &str, namespace: &str, cluster_domain: &str) -> String {
    format!("tcp://{}.{namespace}.svc.{cluster_domain}:8786", scheduler_name(cluster))
}

/// The name of a `DaskWorkerGroup` that can be a label's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName(String);

impl GroupName {
    /// Checks the length; what else Kubernetes allows in a name is allowed in a label, too.
    pub fn parse(name: &str) -> Result<Self, NameProblem> {
        check_length(name, MAX_GROUP_NAME)?;
        Ok(Self(name.to_owned()))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A worker pod: ten hexadecimal digits tell it from its siblings, past and present.
    pub fn worker(&self, suffix: u64) -> String {
        format!("{}-worker-{:010x}", self.0, suffix & 0xff_ffff_ffff)
    }
}

fn check_length(name: &str, max: usize) -> Result<(), NameProblem> {
    if name.len() <= max {
        return Ok(());
    }
    Err(NameProblem::TooLong { name: name.to_owned(), length: name.len(), max })
}

/// Lower-case letters, digits and inner dashes, as in the name of a cluster or of a namespace.
pub fn is_dns_label(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let bytes = name.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    bytes.iter().all(|&c| inner(c)) && ends.iter().all(|end| end.is_some_and(|&c| c != b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_name_is_a_dns_label_of_at_most_53_characters() {
        assert!(ClusterName::parse(&"a".repeat(53)).is_ok());
        let too_long = ClusterName::parse(&"a".repeat(54)).unwrap_err();
        assert!(too_long.to_string().contains("at most 53"), "{too_long}");
        for name in ["a.b", "-a", "a-", "A", "", "a_b"] {
            assert!(ClusterName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn derived_names_match_the_python_operator() {
        let name = ClusterName::parse("demo").unwrap();
        assert_eq!(name.scheduler(), "demo-scheduler");
        assert_eq!(name.default_group(), "demo-default");
        for child in [name.scheduler(), name.default_group(), name.config()] {
            assert_eq!(cluster_of_child(&child), Some("demo"));
        }
        assert_eq!(
            scheduler_address("demo", "team", "cluster.local"),
            "tcp://demo-scheduler.team.svc.cluster.local:8786"
        );
        assert_eq!(GroupName::parse("demo-default").unwrap().worker(0xabc), "demo-default-worker-0000000abc");
    }
}
