//! One scheduler, followed while somebody needs it: its facts by long-poll, or by Dask's own protocol, and orders.

mod course;
mod given;
mod orders;

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dask_operator_plan::{Ask, Link};
use tokio::time::{Instant, sleep};

use super::ask::{self, Schedulers, Told};
use super::links::{Known, Place};
use super::stock::Stock;
use crate::kubernetes::Tenure;
use crate::triggers::{Follower, Triggers};
use course::Course;
use given::{Given, Subject};

/// Facts are followed for so long after somebody needed them last.
const LINGER: Duration = Duration::from_mins(1);
/// One poll waits for news for so long.
const POLL: Duration = Duration::from_secs(10);
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
    given: HashMap<Subject, Given>,
    /// Orders are under way; no more are given meanwhile.
    ordering: bool,
    /// Whether it is asked by Dask's own protocol, and the orders that it is to be given so.
    is_stock: bool,
    orders: Vec<Ask>,
    over: bool,
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
            is_stock: false,
            orders: Vec::new(),
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

    /// Follows it for as long as it is needed.
    pub(super) async fn follow(&self, edges: &Edges) {
        let (mut course, mut stock, first) = (Course::default(), Stock::default(), Instant::now());
        while let Some(left) = self.left() {
            let began = Instant::now();
            let asked = async {
                if course.is_stock {
                    self.turn(&mut stock, edges).await
                } else {
                    self.poll(&course, left, edges).await
                }
            };
            let told = tokio::select! {
                biased;
                () = edges.tenure.over() => return,
                told = asked => told,
            };
            let pause = match told {
                Told::Rpc(_) => stock.pause(self.is_for_workers()),
                _ => FLOOR.saturating_sub(began.elapsed()),
            };
            let link = course.take(told, first.elapsed());
            self.state().is_stock = course.is_stock;
            if let Some(link) = link {
                self.learn(link, &edges.triggers);
            }
            sleep(course.pause.max(pause)).await;
        }
    }

    /// Whether somebody needs it who acts on workers.
    fn is_for_workers(&self) -> bool {
        self.state()
            .followers
            .iter()
            .any(|(who, at)| !matches!(who, Follower::Cluster(_)) && at.elapsed() < LINGER)
    }

    /// Asks for news, by our routes.
    async fn poll(&self, course: &Course, left: Duration, edges: &Edges) -> Told {
        // Whoever knows nothing is answered at once, or not at all.
        let wait = if course.revision == 0 { Duration::ZERO } else { left.min(POLL) };
        let request = ask::facts(self.place.address, &self.place.token, course.revision, wait);
        ask::told(edges.schedulers.ask(request).await, &self.place.pod_uid)
    }

    /// Asks by Dask's own protocol, and gives the orders that have come.
    async fn turn(&self, stock: &mut Stock, edges: &Edges) -> Told {
        let orders = mem::take(&mut self.state().orders);
        stock.order(&orders);
        let told = stock.told(&*edges.schedulers, &self.place).await;
        self.is_over(&orders.iter().collect::<Vec<_>>());
        told
    }

    fn learn(&self, link: Link, triggers: &Triggers) {
        let mut state = self.state();
        // Where nothing of ours answers, no order can lie.
        if matches!(link, Link::Preload(_) | Link::Rpc(_) | Link::Stock) {
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
            state.orders.clear();
            state.followers.clear();
        }
        left
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use dask_operator_plan::Order;

    use super::*;

    #[test]
    fn an_order_without_an_answer_is_open_until_facts_come_or_nothing_of_ours_can_answer() {
        for (learned, is_open) in [
            (Link::Unreachable(String::new()), true),
            (Link::Preload(Arc::default()), false),
            (Link::Stock, false),
            (Link::Rpc(Arc::default()), false),
        ] {
            let address = ([127, 0, 0, 1], 8787).into();
            let place = Place { pod_uid: String::new(), address, comm: address, token: String::new() };
            let session = Session::new(place);
            let asks = [Ask { order: Order::Uncordon, pod: "pod".to_owned(), ip: None }];
            assert_eq!(session.due(&asks).len(), 1);
            session.is_over(&asks.iter().collect::<Vec<_>>());
            session.learn(learned, &Triggers::new().0);
            assert_eq!(session.known().unsettled.contains("pod"), is_open);
        }
    }
}
