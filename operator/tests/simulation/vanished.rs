//! For an object that is gone hardly anything is made: somebody may not know yet, but is not to make it again and again.

use std::collections::HashMap;
use std::time::Duration;

use dask_operator_testkit::server::{Change, Id, World};
use serde_json::Value;
use tokio::time::Instant;

use crate::invariants::{is_operator, uid};

/// So often within this time: by a look that was under way, by one that did not ask, and by a replica that leads since.
const TIMES: u64 = 3;
const WITHIN: Duration = Duration::from_secs(5);

/// What was made for objects that were gone.
#[derive(Default)]
pub(crate) struct Vanished(HashMap<(String, Id), Vec<Instant>>);

impl Vanished {
    /// What is wrong with a change; `workers` are as many as somebody may have wanted of a group.
    pub(crate) fn look(
        &mut self,
        world: &World,
        change: &Change,
        workers: impl Fn(&str) -> u64,
    ) -> Option<String> {
        let made = change.after.as_ref().filter(|_| change.before.is_none() && is_operator(change))?;
        let owner = &made["metadata"]["ownerReferences"][0];
        let gone = owner["uid"].as_str().filter(|uid| !is_there(world, &change.id.namespace, owner, uid))?;
        let of_pods = change.id.plural == "pods";
        // No two of them have the same name.
        let name = if of_pods { "" } else { change.id.name.as_str() };
        let of = (gone.to_owned(), Id::new(change.id.plural, &change.id.namespace, name));
        let times = self.0.entry(of).or_default();
        times.retain(|at| at.elapsed() < WITHIN);
        times.push(change.at);
        let most = if of_pods { TIMES * (workers(gone) + 1) } else { TIMES };
        (times.len() as u64 > most).then(|| format!("made {} times for an owner that is gone", times.len()))
    }
}

fn is_there(world: &World, namespace: &str, owner: &Value, owner_uid: &str) -> bool {
    let name = owner["name"].as_str().unwrap_or_default();
    let there = |plural| world.get(&Id::new(plural, namespace, name));
    ["daskclusters", "daskworkergroups"].into_iter().filter_map(there).any(|found| uid(found) == owner_uid)
}
