//! One scheduler, followed while somebody needs it: its facts by long-poll, or by Dask's own protocol, and orders.

mod course;
mod given;
mod orders;

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dask_operator_plan::{Ask, Link};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::ask::{self, Answered, Schedulers};
use super::links::{Known, Place};
use super::stock::Stock;
use crate::cache::Key;
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

/// It is over when this goes: whoever needs it next begins another.
struct Ends<'a>(&'a Session);

/// A scheduler that is followed, or was.
pub(super) struct Session {
    pub(super) place: Place,
    /// Whose scheduler it is.
    cluster: Key,
    state: Mutex<State>,
    /// There is an order to be given with the next turn.
    ordered: Notify,
}

struct State {
    link: Link,
    /// When that was found out last.
    heard: Instant,
    /// When it was another answer than before.
    news: Option<Instant>,
    /// When it answered with sense last, or polls began.
    sense: Instant,
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
    pub(super) fn new(cluster: Key, place: Place) -> Self {
        let state = State {
            link: Link::Unasked,
            heard: Instant::now(),
            news: None,
            sense: Instant::now(),
            followers: BTreeMap::new(),
            needed_until: Instant::now(),
            given: HashMap::new(),
            ordering: false,
            is_stock: false,
            orders: Vec::new(),
            over: false,
        };
        Self { place, cluster, state: Mutex::new(state), ordered: Notify::new() }
    }

    /// What is known; nothing, once nobody follows any more.
    pub(super) fn known(&self) -> Known {
        let unknown = self.unknown();
        let state = self.state();
        let open = state.given.iter().filter(|(_, given)| !given.told);
        let unsettled = open.map(|((pod, _), _)| pod.clone()).collect();
        let (age, silence) = (state.heard.elapsed(), state.sense.elapsed());
        Known { link: state.link.clone(), age, silence, news: state.news, unsettled, unknown }
    }

    /// How long ago facts were told; None when nobody follows any more, or when there is nobody to tell any.
    pub(super) fn age_of_facts(&self) -> Option<Duration> {
        let state = self.state();
        (!state.over && state.link != Link::Stock).then(|| state.sense.elapsed())
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
        let _whatever_ends_it = Ends(self);
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
            let by_rpc = matches!(told, Answered::Rpc(_));
            let heard = stock.heard.filter(|_| by_rpc).unwrap_or_else(Instant::now);
            let link = course.take(told, first.elapsed());
            self.takes_orders(course.is_stock);
            if let Some(link) = link {
                self.learn(link, heard, &edges.triggers);
            }
            let pause = if by_rpc && course.is_stock {
                stock.pause(self.is_for_workers())
            } else {
                FLOOR.saturating_sub(began.elapsed())
            };
            self.rest(course.pause.max(pause)).await;
        }
    }

    /// Leaves it alone for so long, or until there is an order to give.
    async fn rest(&self, pause: Duration) {
        let least = pause.min(FLOOR);
        sleep(least).await;
        tokio::select! {
            () = sleep(pause.saturating_sub(least)) => {},
            () = self.ordered.notified() => {},
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
    async fn poll(&self, course: &Course, left: Duration, edges: &Edges) -> Answered {
        // Whoever knows nothing is answered at once, or not at all.
        let wait = if course.revision == 0 { Duration::ZERO } else { left.min(POLL) };
        let request = ask::facts(self.place.address, &self.place.token, course.revision, wait);
        ask::told(edges.schedulers.ask(request).await, &self.place.pod_uid)
    }

    /// Asks by Dask's own protocol, and gives the orders that have come.
    async fn turn(&self, stock: &mut Stock, edges: &Edges) -> Answered {
        let orders = mem::take(&mut self.state().orders);
        stock.order(&orders);
        let told = stock.told(&*edges.schedulers, &self.place).await;
        self.is_over(&orders.iter().collect::<Vec<_>>());
        told
    }

    fn learn(&self, link: Link, heard: Instant, triggers: &Triggers) {
        let mut state = self.state();
        // Where nothing of ours answers, no order can lie.
        if matches!(link, Link::Preload(_) | Link::Rpc(_) | Link::Stock) {
            state.given.values_mut().for_each(|given| given.told |= given.over);
            state.sense = heard;
        }
        state.heard = heard;
        if mem::discriminant(&state.link) != mem::discriminant(&link) {
            // Its status says so, whoever asks.
            triggers.follower(&Follower::Cluster(self.cluster.clone()));
        }
        if state.link != link {
            state.link = link;
            state.news = Some(Instant::now());
            state.followers.retain(|_, needed| needed.elapsed() < LINGER);
            state.followers.keys().for_each(|follower| triggers.follower(follower));
        }
    }

    /// How long it is needed still; once it is not, it is over.
    fn left(&self) -> Option<Duration> {
        let mut state = self.state();
        let left = state.needed_until.checked_duration_since(Instant::now()).filter(|left| *left >= LEAST);
        if left.is_none() {
            state.end();
        }
        left
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self) {
        self.over = true;
        self.link = Link::Unasked;
        self.given.clear();
        self.orders.clear();
        self.followers.clear();
    }
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.state().end();
    }
}

#[cfg(test)]
mod tests {
    use dask_operator_plan::Order;
    use futures::FutureExt;
    use futures::future::{self, BoxFuture};

    use super::*;
    use crate::scheduler::Talk;

    fn session() -> Session {
        let address = ([127, 0, 0, 1], 8787).into();
        Session::new(
            Key::new("default", "demo"),
            Place { pod_uid: String::new(), address, comm: address, token: String::new() },
        )
    }

    fn an_order() -> [Ask; 1] {
        [Ask { order: Order::Uncordon, pod: "pod".to_owned(), ip: None }]
    }

    /// It never answers.
    struct Silent;

    impl Schedulers for Silent {
        fn ask(&self, _: ask::Request) -> BoxFuture<'static, Result<ask::Answer, ask::AskError>> {
            future::pending().boxed()
        }

        fn talk(&self, _: Talk) -> BoxFuture<'static, Result<Vec<Vec<u8>>, ask::AskError>> {
            future::pending().boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_asks_no_more_is_over_whatever_ended_it() {
        let (session, follower) = (session(), Follower::Cluster(Key::new("default", "demo")));
        let triggers = Arc::new(Triggers::new().0);
        let edges = Edges { schedulers: Arc::new(Silent), triggers, tenure: Tenure::default() };
        assert!(session.need(&follower));
        session.follow(&edges).await;
        assert!(!session.need(&follower), "another has to be begun");
    }

    #[test]
    fn an_answer_makes_sense_whichever_way_it_came_and_is_as_old_as_it_is() {
        for (link, makes_sense) in [
            (Link::Preload(Arc::default()), true),
            (Link::Rpc(Arc::default()), true),
            (Link::Stock, true),
            (Link::Unreachable(String::new()), false),
        ] {
            let (session, heard) = (session(), Instant::now() + Duration::from_mins(1));
            session.learn(link, heard, &Triggers::new().0);
            let state = session.state();
            assert_eq!((state.heard, state.sense == heard), (heard, makes_sense));
        }
    }

    #[test]
    fn orders_that_nobody_will_give_any_more_are_over() {
        let (session, asks) = (session(), an_order());
        session.takes_orders(true);
        assert!(session.is_taken(&session.due(&asks)));
        session.takes_orders(false);
        assert!(session.state().orders.is_empty());
        session.learn(Link::Preload(Arc::default()), Instant::now(), &Triggers::new().0);
        assert!(session.known().unsettled.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_is_given_at_once_although_the_scheduler_is_left_alone() {
        let (session, began) = (session(), Instant::now());
        session.takes_orders(true);
        let order = async {
            sleep(Duration::from_secs(1)).await;
            session.is_taken(&an_order());
        };
        tokio::join!(session.rest(Duration::from_secs(8)), order);
        assert_eq!(began.elapsed().as_secs(), 1);
        session.rest(Duration::from_secs(8)).await;
        assert_eq!(began.elapsed().as_secs(), 9);
    }

    #[test]
    fn an_order_without_an_answer_is_open_until_facts_come_or_nothing_of_ours_can_answer() {
        for (learned, is_open) in [
            (Link::Unreachable(String::new()), true),
            (Link::Preload(Arc::default()), false),
            (Link::Stock, false),
            (Link::Rpc(Arc::default()), false),
        ] {
            let (session, asks) = (session(), an_order());
            assert_eq!(session.due(&asks).len(), 1);
            session.is_over(&asks.iter().collect::<Vec<_>>());
            session.learn(learned, Instant::now(), &Triggers::new().0);
            assert_eq!(session.known().unsettled.contains("pod"), is_open);
        }
    }
}
