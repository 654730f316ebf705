//! The orders of a session: each is given once, and again when nothing came of it.

use std::collections::{BTreeSet, HashSet};
use std::mem;
use std::time::Duration;

use dask_operator_plan::Ask;
use tokio::time::Instant;

use super::given::{Given, key};
use super::{Edges, Session, Triggers, ask};

/// The same is not asked again before this time.
const AGAIN: Duration = Duration::from_millis(1500);

impl Session {
    /// Those of the orders that were not given a moment ago; none while others are under way.
    pub(in crate::scheduler) fn due(&self, asks: &[Ask]) -> Vec<Ask> {
        let (mut state, now) = (self.state(), Instant::now());
        if state.ordering {
            return Vec::new();
        }
        state.given.retain(|_, given| !given.told || now < given.at + AGAIN || given.is_unknown(now));
        let mut is_new = |ask: &&Ask| {
            let is_new = state.given.get(&key(ask)).is_none_or(|given| now >= given.at + AGAIN);
            if is_new {
                state.given.insert(key(ask), Given { at: now, over: false, told: false, unknown: None });
            }
            is_new
        };
        let due: Vec<_> = asks.iter().filter(|ask| is_new(ask)).cloned().collect();
        state.ordering = !due.is_empty();
        due
    }

    /// Gives orders; what comes of them is told among the facts, and what fails is asked again by whoever wants it.
    pub(in crate::scheduler) async fn order(&self, asks: &[Ask], edges: &Edges) {
        if self.is_taken(asks) {
            return;
        }
        for batch in ask::batches(asks) {
            let told = self.order_batch(&batch, edges).await.unwrap_or_else(|why| {
                tracing::warn!(scheduler = self.place.pod_uid, why, "a scheduler did not take an order");
                HashSet::new()
            });
            self.is_over(&batch);
            let unknown: Vec<_> = batch.into_iter().filter(|ask| told.contains(&ask.pod)).collect();
            self.are_unknown(&unknown, &edges.triggers);
        }
        self.state().ordering = false;
    }

    /// Whether they are given with the next turn.
    pub(super) fn is_taken(&self, asks: &[Ask]) -> bool {
        let mut state = self.state();
        if state.is_stock {
            state.orders.extend_from_slice(asks);
            state.ordering = false;
            self.ordered.notify_one();
        }
        state.is_stock
    }

    /// Whether orders are given with turns from now on; if not, nothing comes of those that wait for one.
    pub(super) fn takes_orders(&self, is_stock: bool) {
        let mut state = self.state();
        state.is_stock = is_stock;
        let stranded = if is_stock { Vec::new() } else { mem::take(&mut state.orders) };
        drop(state);
        self.is_over(&stranded.iter().collect::<Vec<_>>());
    }

    /// Returns the pods that the scheduler does not know.
    async fn order_batch(&self, asks: &[&Ask], edges: &Edges) -> Result<HashSet<String>, String> {
        let Some(first) = asks.first() else { return Ok(HashSet::new()) };
        let request = ask::order(self.place.address, &self.place.token, first.order, asks);
        let answer = tokio::select! {
            biased;
            () = edges.tenure.over() => return Err("this replica does not lead any more".to_owned()),
            answer = edges.schedulers.ask(request) => answer.map_err(|error| error.to_string())?,
        };
        if answer.status != 200 {
            return Err(format!("{:?}: HTTP status {}", first.order, answer.status));
        }
        Ok(ask::unknown(&answer.body))
    }

    /// Among the facts nothing is told of such a pod, so whoever asked looks again.
    fn are_unknown(&self, asks: &[&Ask], triggers: &Triggers) {
        let mut state = self.state();
        for ask in asks {
            if let Some(given) = state.given.get_mut(&key(ask)) {
                given.unknown = Some(Instant::now());
            }
        }
        if !asks.is_empty() {
            state.followers.keys().for_each(|follower| triggers.follower(follower));
        }
    }

    /// The pods that it did not know a moment ago.
    pub(super) fn unknown(&self) -> BTreeSet<String> {
        let state = self.state();
        let unknown = state.given.iter().filter(|(_, given)| given.is_unknown(Instant::now()));
        unknown.map(|((pod, _), _)| pod.clone()).collect()
    }

    pub(super) fn is_over(&self, asks: &[&Ask]) {
        let mut state = self.state();
        for ask in asks {
            if let Some(given) = state.given.get_mut(&key(ask)) {
                given.over = true;
            }
        }
    }
}
