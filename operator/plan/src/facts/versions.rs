//! The versions of those who work together, as their scheduler tells them.

use serde::{Deserialize, Deserializer};

use super::{bounded, cut};

/// No more combinations are told.
const MOST_COMBINATIONS: usize = 20;
/// Nor more names of those who have one.
const MOST_NAMES: usize = 3;

/// One combination of versions, and who has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Versions {
    /// Of Python, as in `3.11.2`; `?` or nothing, as of the others, where it is not known.
    #[serde(deserialize_with = "words")]
    pub python: String,
    /// Of dask.
    #[serde(deserialize_with = "words")]
    pub dask: String,
    /// Of distributed.
    #[serde(deserialize_with = "words")]
    pub distributed: String,
    /// 1 if the scheduler has it.
    pub scheduler: u64,
    /// How many workers have it.
    pub workers: u64,
    /// How many clients that are connected.
    pub clients: u64,
    /// The names of some of them, workers before clients.
    #[serde(deserialize_with = "bounded")]
    pub names: Vec<String>,
}

impl Versions {
    /// What differs from another combination, as in `distributed 2026.8.0`; nothing that either does not know. Of
    /// Python the minor version alone counts: what one of a patch writes any other reads.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let is_known = |version: &str| version.starts_with(|first: char| first.is_ascii_digit());
        let pairs = self.all().into_iter().zip(other.all());
        let different = pairs.filter(|((_, one), (_, two))| one != two && is_known(one) && is_known(two));
        different.map(|((what, version), _)| format!("{what} {version}")).collect()
    }

    /// The versions that count, by what they are of.
    pub(crate) fn all(&self) -> [(&'static str, &str); 3] {
        [("dask", &self.dask), ("distributed", &self.distributed), ("Python", minor(&self.python))]
    }

    /// The names of some of the workers that have it.
    pub(crate) fn workers_named(&self) -> &[String] {
        let workers = usize::try_from(self.workers).unwrap_or(usize::MAX);
        &self.names[..workers.min(self.names.len())]
    }
}

fn minor(python: &str) -> &str {
    python.match_indices('.').nth(1).map_or(python, |(at, _)| &python[..at])
}

/// A list of no more than is told, in no more words.
pub(super) fn told<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Versions>>, D::Error> {
    let mut told: Vec<Versions> = bounded(deserializer)?;
    told.truncate(MOST_COMBINATIONS);
    for one in &mut told {
        one.names.truncate(MOST_NAMES);
        let words = [&mut one.python, &mut one.dask, &mut one.distributed];
        words.into_iter().chain(&mut one.names).for_each(|words| *words = cut(words));
    }
    Ok(Some(told))
}

/// A package without metadata has had null for a version.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn versions(python: &str, distributed: &str) -> Versions {
        Versions {
            python: python.to_owned(),
            dask: "2026.9.0".to_owned(),
            distributed: distributed.to_owned(),
            ..Versions::default()
        }
    }

    #[test]
    fn what_differs_is_named_and_patches_of_python_do_not_differ() {
        let own = versions("3.11.7", "2026.9.0");
        let other = |python, distributed| versions(python, distributed).differences(&own);
        assert_eq!(other("3.11.2", "2026.9.0"), [""; 0]);
        assert_eq!(other("3.11.2", "2026.8.0"), ["distributed 2026.8.0"]);
        assert_eq!(other("3.9.2", "2026.8.0"), ["distributed 2026.8.0", "Python 3.9"]);
        assert_eq!(other("3.12", "2026.9.0"), ["Python 3.12"]);
    }

    #[test]
    fn what_is_not_known_does_not_differ() {
        assert_eq!(versions("?", "None").differences(&versions("3.11.7", "2026.9.0")), [""; 0]);
        assert_eq!(versions("3.11.7", "2026.9.0").differences(&Versions::default()), [""; 0]);
    }

    #[test]
    fn no_version_at_all_is_read_as_one_that_is_not_known() {
        let read = told(json!([{"python": null, "dask": "2026.8.0", "distributed": null}])).unwrap().unwrap();
        assert_eq!(read[0].differences(&versions("3.11.7", "2026.9.0")), ["dask 2026.8.0"]);
    }

    #[test]
    fn workers_are_named_before_clients() {
        let told = |workers| {
            let names = ["a", "b", "Client-1"].map(str::to_owned).to_vec();
            Versions { workers, names, ..Versions::default() }
        };
        assert_eq!(told(2).workers_named(), ["a", "b"]);
        assert_eq!(told(9).workers_named().len(), 3);
        assert_eq!(told(0).workers_named(), [""; 0]);
    }

    #[test]
    fn more_than_is_ever_told_is_cut() {
        let one = json!({"python": "3".repeat(5000), "names": vec!["n".repeat(5000); 50]});
        let read = told(json!(vec![one; 1000])).unwrap().unwrap();
        assert_eq!((read.len(), read[0].names.len()), (MOST_COMBINATIONS, MOST_NAMES));
        assert!(read[0].python.len() <= 200 && read[0].names[0].len() <= 200);
    }
}
