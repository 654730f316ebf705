//! How much of everything the unfinished tasks need at once.

use std::cmp::Reverse;

use crate::facts::{self, Demand, Facts};

/// Tasks of one kind that are to run at the same time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Need<'a> {
    pub(super) demand: &'a Demand,
    /// So many of them.
    pub(super) threads: f64,
}

/// What is to run at once so that all that is known is done in so many seconds; what is hardest to place comes first.
/// None when the scheduler does not know.
pub(super) fn needs(facts: &Facts, within: f64) -> Option<Vec<Need<'_>>> {
    let demand = facts.demand.as_ref()?.iter();
    let need = |demand: &'_ Demand| demand.tasks.all().threads(within);
    let mut needs: Vec<_> = demand
        .map(|demand| Need { demand, threads: need(demand) })
        .filter(|need| need.threads > 0.0)
        .collect();
    needs.sort_by_cached_key(|need| (Reverse(need.demand.needs()), format!("{:?}", need.demand)));
    Some(needs)
}

/// What a kind of task needs, for people.
pub(super) fn in_words(demand: &Demand) -> String {
    let resources = demand.resources.iter().map(|(name, amount)| format!("{name}={amount}"));
    let places = demand.workers.iter().chain(&demand.hosts).map(|name| format!("worker {name}"));
    let all: Vec<_> = resources.chain(places).take(3).collect();
    facts::cut(&all.join(", "))
}
