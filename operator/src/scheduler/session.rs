//! One scheduler, followed while somebody needs it: its facts by long-poll, orders beside them.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dask_operator_plan::{Ask, Link, Order};
use tokio::time::{Instant, sleep};

use super::ask::{self, Schedulers, Told};
use super::links::{Known, Place};
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
/// After a failure the next poll waits this long, and twice as long after each further one, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);
/// One that has never answered may be starting: for so long that is no news.
const EARLY: Duration = Duration::from_secs(10);
/// A scheduler opens our routes some milliseconds after its others: one that lacks them is asked once more.
const UNOPENED: Duration = Duration::from_secs(1);

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

/// How the polls of one scheduler go.
#[derive(Default)]
struct Course {
    /// The facts that it told last.
    revision: u64,
    /// How long the next poll waits.
    pause: Duration,
    /// How often in a row our routes were not there.
    lacking: u32,
    /// How often in a row there was no answer with sense.
    failed: u32,
    /// There was one.
    known: bool,
}

impl Course {
    /// What an answer means after those before it, if it means something yet; `age` is how long there are polls.
    fn take(&mut self, told: Told, age: Duration) -> Option<Link> {
        let lacking = if told == Told::NotThere { self.lacking + 1 } else { 0 };
        let failed = if matches!(told, Told::Failed(_)) { self.failed + 1 } else { 0 };
        let known = self.known || !matches!(told, Told::Failed(_));
        let is_early = !known && age < EARLY;
        let (revision, pause, link) = match told {
            Told::Facts(facts) => (facts.revision, Duration::ZERO, Some(Link::Preload(facts))),
            Told::Failed(_) if failed == 1 || is_early => (0, FIRST, None),
            Told::Failed(why) => (0, (self.pause * 2).clamp(FIRST, LONGEST), Some(Link::Unreachable(why))),
            Told::NotThere if lacking == 1 => (0, UNOPENED, None),
            Told::NotThere => (0, LONGEST, Some(Link::Stock)),
        };
        *self = Self { revision, pause, lacking, failed, known };
        link
    }
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
    use dask_operator_plan::Facts;

    use super::*;

    fn failed() -> Told {
        Told::Failed("why".to_owned())
    }

    #[test]
    fn a_scheduler_lacks_our_routes_when_it_does_so_twice() {
        let mut course = Course::default();
        assert_eq!(course.take(Told::NotThere, EARLY), None);
        assert_eq!(course.take(Told::NotThere, EARLY), Some(Link::Stock));
        assert_eq!(course.take(failed(), EARLY), None);
        assert_eq!(course.take(Told::NotThere, EARLY), None);
    }

    #[test]
    fn a_scheduler_is_out_of_reach_when_it_failed_twice() {
        let mut course = Course::default();
        assert_eq!(course.take(failed(), EARLY), None);
        assert_eq!(course.take(failed(), EARLY), Some(Link::Unreachable("why".to_owned())));
    }

    #[test]
    fn a_scheduler_that_starts_is_asked_often_and_its_silence_is_no_news() {
        let mut course = Course::default();
        for _ in 0..5 {
            assert_eq!((course.take(failed(), Duration::ZERO), course.pause), (None, FIRST));
        }
        course.take(Told::Facts(Arc::default()), Duration::ZERO);
        course.take(failed(), Duration::ZERO);
        assert_eq!(course.take(failed(), Duration::ZERO), Some(Link::Unreachable("why".to_owned())));
    }

    #[test]
    fn failures_are_followed_by_ever_longer_waits_and_facts_by_none() {
        let mut course = Course::default();
        let waits: Vec<_> =
            (0..6).map(|_| (course.take(failed(), EARLY), course.pause.as_millis()).1).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000]);
        let mut facts = Facts::default();
        facts.revision = 7;
        course.take(Told::Facts(Arc::new(facts)), EARLY);
        assert_eq!((course.revision, course.pause), (7, Duration::ZERO));
        course.take(failed(), EARLY);
        assert_eq!(course.revision, 0);
    }

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
