//! One scheduler, followed while somebody needs it: its facts by long-poll, orders beside them.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dask_operator_plan::{Ask, Link, Order};
use tokio::time::{Instant, sleep};

use super::ask::{self, Schedulers};
use super::links::{Known, Place};
use super::polls::Course;
use crate::kubernetes::Tenure;
use crate::triggers::{Follower, Triggers};

/// Facts are followed for so long after somebody needed them last.
const LINGER: Duration = Duration::from_mins(1);
/// One poll waits for news for so long.
const POLL: Duration = Duration::from_secs(10);
/// The same is not asked again before this time.
const AGAIN: Duration = Duration::from_millis(1500);
/// Polls begin no sooner one after the other, whatever a scheduler answers.
const FLOOR: Duration = Duration::from_millis(100);
/// Less than this is not worth a poll.
const LEAST: Duration = Duration::from_secs(1);
/// What all sessions work with.
#[derive(Clone)]
pub(super) struct Edges {
    pub(super) schedulers: Arc<dyn Schedulers>,
    pub(super) triggers: Arc<Triggers>,
    pub(super) tenure: Tenure,
}

/// A scheduler that is followed, or was.
pub(super) struct Session {
    pub(super) place: Place,
    state: Mutex<State>,
}

struct State {
    link: Link,
    /// When that was found out last.
    heard: Instant,
    /// When it was another answer than before.
    news: Option<Instant>,
    /// When facts were told last, or polls began.
    facts: Instant,
    /// Who needs it, and when they said so last.
    followers: BTreeMap<Follower, Instant>,
    needed_until: Instant,
    /// The last order of each kind about each pod.
    given: HashMap<(String, mem::Discriminant<Order>), Given>,
    /// Orders are under way; no more are given meanwhile.
    ordering: bool,
    over: bool,
}

/// An order that was given.
struct Given {
    at: Instant,
    /// It was answered, or there is no answer to wait for any more.
    over: bool,
    /// Facts came after that, so that what it led to is among them. Nothing else tells: one without an answer may lie
    /// with a scheduler that stands still.
    told: bool,
}

impl Session {
    pub(super) fn new(place: Place) -> Self {
        let state = State {
            link: Link::Unasked,
            heard: Instant::now(),
            news: None,
            facts: Instant::now(),
            followers: BTreeMap::new(),
            needed_until: Instant::now(),
            given: HashMap::new(),
            ordering: false,
            over: false,
        };
        Self { place, state: Mutex::new(state) }
    }

    /// What is known; nothing, once nobody follows any more.
    pub(super) fn known(&self) -> Known {
        let state = self.state();
        let open = state.given.iter().filter(|(_, given)| !given.told);
        let unsettled = open.map(|((pod, _), _)| pod.clone()).collect();
        Known { link: state.link.clone(), age: state.heard.elapsed(), news: state.news, unsettled }
    }

    /// How long ago facts were told; None when nobody follows any more, or when there is nobody to tell any.
    pub(super) fn age_of_facts(&self) -> Option<Duration> {
        let state = self.state();
        (!state.over && state.link != Link::Stock).then(|| state.facts.elapsed())
    }

    /// Somebody needs it. False when it is over, and another has to be begun.
    pub(super) fn need(&self, follower: &Follower) -> bool {
        let mut state = self.state();
        state.followers.insert(follower.clone(), Instant::now());
        state.needed_until = Instant::now() + LINGER;
        !state.over
    }

    /// Those of the orders that were not given a moment ago; none while others are under way.
    pub(super) fn due(&self, asks: &[Ask]) -> Vec<Ask> {
        let (mut state, now) = (self.state(), Instant::now());
        if state.ordering {
            return Vec::new();
        }
        state.given.retain(|_, given| !given.told || now < given.at + AGAIN);
        let mut is_new = |ask: &&Ask| {
            let is_new = state.given.get(&key(ask)).is_none_or(|given| now >= given.at + AGAIN);
            if is_new {
                state.given.insert(key(ask), Given { at: now, over: false, told: false });
            }
            is_new
        };
        let due: Vec<_> = asks.iter().filter(|ask| is_new(ask)).cloned().collect();
        state.ordering = !due.is_empty();
        due
    }

    /// Follows it for as long as it is needed.
    pub(super) async fn follow(&self, edges: &Edges) {
        let (mut course, first) = (Course::default(), Instant::now());
        while let Some(left) = self.left() {
            let began = Instant::now();
            // Whoever knows nothing is answered at once, or not at all.
            let wait = if course.revision == 0 { Duration::ZERO } else { left.min(POLL) };
            let request = ask::facts(self.place.address, &self.place.token, course.revision, wait);
            let answer = tokio::select! {
                biased;
                () = edges.tenure.over() => return,
                answer = edges.schedulers.ask(request) => answer,
            };
            if let Some(link) = course.take(ask::told(answer, &self.place.pod_uid), first.elapsed()) {
                self.learn(link, &edges.triggers);
            }
            sleep(course.pause.max(FLOOR.saturating_sub(began.elapsed()))).await;
        }
    }

    /// Gives orders; what comes of them is told among the facts, and what fails is asked again by whoever wants it.
    pub(super) async fn order(&self, asks: &[Ask], edges: &Edges) {
        for batch in ask::batches(asks) {
            if let Err(why) = self.order_batch(&batch, edges).await {
                tracing::warn!(scheduler = self.place.pod_uid, why, "a scheduler did not take an order");
            }
            self.is_over(&batch);
        }
        self.state().ordering = false;
    }

    async fn order_batch(&self, asks: &[&Ask], edges: &Edges) -> Result<(), String> {
        let Some(first) = asks.first() else { return Ok(()) };
        let request = ask::order(self.place.address, &self.place.token, first.order, asks);
        let answer = tokio::select! {
            biased;
            () = edges.tenure.over() => return Err("this replica does not lead any more".to_owned()),
            answer = edges.schedulers.ask(request) => answer.map_err(|error| error.to_string())?,
        };
        if answer.status != 200 {
            return Err(format!("{:?}: HTTP status {}", first.order, answer.status));
        }
        Ok(())
    }

    fn is_over(&self, asks: &[&Ask]) {
        let mut state = self.state();
        for ask in asks {
            if let Some(given) = state.given.get_mut(&key(ask)) {
                given.over = true;
            }
        }
    }

    fn learn(&self, link: Link, triggers: &Triggers) {
        let mut state = self.state();
        // Where nothing of ours answers, no order can lie.
        if matches!(link, Link::Preload(_) | Link::Stock) {
            state.given.values_mut().for_each(|given| given.told |= given.over);
        }
        state.heard = Instant::now();
        if matches!(link, Link::Preload(_)) {
            state.facts = state.heard;
        }
        if state.link != link {
            state.link = link;
            state.news = Some(state.heard);
            state.followers.retain(|_, needed| needed.elapsed() < LINGER);
            state.followers.keys().for_each(|follower| triggers.follower(follower));
        }
    }

    /// How long it is needed still; once it is not, it is over.
    fn left(&self) -> Option<Duration> {
        let mut state = self.state();
        let left = state.needed_until.checked_duration_since(Instant::now()).filter(|left| *left >= LEAST);
        if left.is_none() {
            state.over = true;
            state.link = Link::Unasked;
            state.given.clear();
            state.followers.clear();
        }
        left
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an order is about; how much time it gives is no part of that.
fn key(ask: &Ask) -> (String, mem::Discriminant<Order>) {
    (ask.pod.clone(), mem::discriminant(&ask.order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_without_an_answer_is_open_until_facts_come_or_nothing_of_ours_can_answer() {
        for (learned, is_open) in [
            (Link::Unreachable(String::new()), true),
            (Link::Preload(Arc::default()), false),
            (Link::Stock, false),
        ] {
            let address = ([127, 0, 0, 1], 8787).into();
            let session = Session::new(Place { pod_uid: String::new(), address, token: String::new() });
            let asks = [Ask { order: Order::Uncordon, pod: "pod".to_owned(), ip: None }];
            assert_eq!(session.due(&asks).len(), 1);
            session.is_over(&asks.iter().collect::<Vec<_>>());
            session.learn(learned, &Triggers::new().0);
            assert_eq!(session.known().unsettled.contains("pod"), is_open);
        }
    }
}
