//! Namespaces by name or by pattern.

use std::str::FromStr;

use dask_operator_api::names::is_dns_label;
use thiserror::Error;
use wildmatch::WildMatch;

/// Which namespaces are watched.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// Every one.
    Everywhere,
    /// These, each by watches of its own, for which a Role in each is enough.
    Named(Vec<String>),
    /// Those that one of the patterns means, also when they are made later: all are watched, and others left alone.
    Matching(Vec<Pattern>),
}

/// Namespaces as the flag `--namespace` gives them: names, or globs in the way of kopf, the Python operator's framework.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(Vec<Glob>);

#[derive(Clone, Debug, PartialEq)]
struct Glob {
    excludes: bool,
    text: String,
    shape: WildMatch,
}

/// What a pattern cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// Of a pattern, only these mean something.
    #[error("of patterns, only * and ? and, at the beginning, ! are followed")]
    Placeholder,
    /// Only what the first part fits can be meant, which is one namespace.
    #[error("a name before a pattern: give each a flag of its own")]
    NameFirst,
    /// No namespace has such a name.
    #[error("not the name of a namespace")]
    Name,
}

impl Scope {
    /// All that is given counts, each for itself; everywhere, if nothing is.
    pub fn of(given: &[Pattern]) -> Self {
        if given.is_empty() || given.iter().any(Pattern::is_every) {
            return Self::Everywhere;
        }
        let patterns: Vec<_> = given.iter().flat_map(Pattern::alternatives).collect();
        let names: Option<Vec<_>> =
            patterns.iter().map(|pattern| pattern.name().map(str::to_owned)).collect();
        let Some(mut names) = names else { return Self::Matching(patterns) };
        names.sort();
        names.dedup();
        Self::Named(names)
    }

    /// The namespaces that have watches of their own; None is one watch of all.
    pub(crate) fn watches(&self) -> Vec<Option<String>> {
        match self {
            Self::Named(names) => names.iter().cloned().map(Some).collect(),
            Self::Everywhere | Self::Matching(_) => vec![None],
        }
    }

    /// Whether what is in this namespace is ours to act upon.
    pub fn includes(&self, namespace: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Named(names) => names.iter().any(|name| name == namespace),
            Self::Matching(patterns) => patterns.iter().any(|pattern| pattern.matches(namespace)),
        }
    }
}

impl Pattern {
    /// The first glob decides, unless it excludes: then all are meant that it does not. Of the others, the last one that
    /// fits counts (<https://docs.kopf.dev/en/stable/scopes/>).
    fn matches(&self, namespace: &str) -> bool {
        let fits = |glob: &Glob| glob.shape.matches(namespace);
        let first = self.0.first().is_some_and(|first| first.excludes || fits(first));
        first && self.0.iter().rfind(|glob| fits(glob)).is_none_or(|last| !last.excludes)
    }

    fn is_every(&self) -> bool {
        self.0.iter().all(|glob| glob.text == "*" && !glob.excludes)
    }

    /// Names in a list are meant each for itself, as in our own chart.
    fn alternatives(&self) -> Vec<Self> {
        if !self.0.iter().all(Glob::is_name) {
            return vec![self.clone()];
        }
        self.0.iter().map(|glob| Self(vec![glob.clone()])).collect()
    }

    fn name(&self) -> Option<&str> {
        match &self.0[..] {
            [only] if only.is_name() => Some(&only.text),
            _ => None,
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let globs: Vec<_> = text.split(',').map(Glob::parse).collect::<Result<_, _>>()?;
        if globs.first().is_some_and(Glob::is_name) && !globs.iter().all(Glob::is_name) {
            return Err(PatternError::NameFirst);
        }
        Ok(Self(globs))
    }
}

impl Glob {
    fn parse(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        let (excludes, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest.trim_start()));
        // With its placeholders replaced it is a name, if it can mean any.
        let sample = text.replace(['*', '?'], "a");
        if text.contains(['[', ']', '!']) {
            return Err(PatternError::Placeholder);
        }
        if !is_dns_label(&sample) || text.len() > 63 {
            return Err(PatternError::Name);
        }
        Ok(Self { excludes, text: text.to_owned(), shape: WildMatch::new(text) })
    }

    fn is_name(&self) -> bool {
        !self.excludes && !self.text.contains(['*', '?'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(given: &[&str]) -> Scope {
        Scope::of(&given.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn a_glob_means_each_namespace_that_it_fits() {
        let teams = scope(&["team-*", "pr-?"]);
        assert!(["team-a", "team-", "pr-1"].iter().all(|name| teams.includes(name)));
        assert!(["team", "my-team-a", "pr-12", ""].iter().all(|name| !teams.includes(name)));
        assert_eq!(teams.watches(), [None]);
    }

    #[test]
    fn the_last_glob_that_fits_counts_and_the_first_decides_as_in_kopfs_documentation() {
        let pattern = scope(&["myapp-*,!*-pr-*, *-pr-123"]);
        let means = |name| pattern.includes(name);
        assert_eq!(["myapp-live", "myapp-pr-456", "myapp-pr-123"].map(means), [true, false, true]);
        assert_eq!(["otherapp-live", "otherapp-pr-123"].map(means), [false, false]);
    }

    #[test]
    fn a_pattern_that_begins_with_an_exclusion_means_all_others() {
        let others = scope(&["!kube-*,!*-private"]);
        assert_eq!(
            ["kube-system", "my-private", "team"].map(|name| others.includes(name)),
            [false, false, true]
        );
    }

    #[test]
    fn names_have_watches_of_their_own_unless_a_pattern_is_beside_them() {
        assert_eq!(scope(&["b,a", "b"]), Scope::Named(vec!["a".to_owned(), "b".to_owned()]));
        let beside = scope(&["b, a", "team-*"]);
        assert!(["a", "b", "team-c"].iter().all(|name| beside.includes(name)) && !beside.includes("c"));
        assert_eq!(beside.watches(), [None]);
    }

    #[test]
    fn nothing_given_and_a_star_mean_everywhere() {
        for given in [&[][..], &["*"], &["a", "*"]] {
            assert_eq!(scope(given), Scope::Everywhere, "{given:?}");
        }
    }

    #[test]
    fn what_no_namespace_can_be_called_is_refused() {
        for (text, error) in [
            ("", PatternError::Name),
            ("Team", PatternError::Name),
            ("a.b", PatternError::Name),
            ("a,,b", PatternError::Name),
            ("team-[ab]", PatternError::Placeholder),
            ("!!a", PatternError::Placeholder),
            ("a,b,team-*", PatternError::NameFirst),
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(error), "{text}");
        }
    }
}
