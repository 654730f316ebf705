//! How the polls of one scheduler go: what each answer means after those before it, and when the next one is.

use std::time::Duration;

use dask_operator_plan::Link;

use super::super::ask::{Answered, AskError};

/// After a failure the next poll waits this long, and twice as long after each further one, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);
/// One that has never answered may be starting: for so long that is no news.
const EARLY: Duration = Duration::from_secs(10);
/// A scheduler opens our routes some milliseconds after its others: one that lacks them is asked once more.
const UNOPENED: Duration = Duration::from_secs(1);
/// So often that says little: it may wait for a preload of the user's. When it speaks in its own way it has started, and
/// lacks our routes if they are not there then.
const UNSTARTED: u32 = 2;

/// How the polls of one scheduler go.
#[derive(Default)]
pub(super) struct Course {
    /// The facts that it told last.
    pub(super) revision: u64,
    /// How long the next poll waits.
    pub(super) pause: Duration,
    /// How often in a row our routes were not there, as far as it answered at all.
    lacking: u32,
    /// How often in a row there was no answer with sense, and how often it hung up at once.
    failed: u32,
    hung_up: u32,
    /// There was one, and one by Dask's own protocol.
    known: bool,
    spoken: bool,
    /// It lacks our routes, and is asked by Dask's own protocol.
    pub(super) is_stock: bool,
}

impl Course {
    /// What an answer means after those before it, if it means something yet; `age` is how long there are polls.
    pub(super) fn take(&mut self, told: Answered, age: Duration) -> Option<Link> {
        let hung_up = if told == Answered::Tls { self.hung_up.saturating_add(1) } else { 0 };
        let spoken = self.spoken || matches!(told, Answered::Rpc(_));
        let told = match told {
            // One that ends hangs up on everybody, too, and so may one that has answered before.
            Answered::Tls if spoken || hung_up == 1 => Answered::Failed(AskError::Tls.to_string()),
            told => told,
        };
        let lacking = match told {
            Answered::NotThere => self.lacking.saturating_add(1),
            Answered::Rpc(_) => self.lacking.max(UNSTARTED),
            _ => 0,
        };
        let failed = if matches!(told, Answered::Failed(_)) { self.failed.saturating_add(1) } else { 0 };
        let known = self.known || !matches!(told, Answered::Failed(_));
        let is_early = !known && age < EARLY;
        let is_stock = match told {
            Answered::NotThere => lacking >= UNSTARTED,
            Answered::Rpc(_) => lacking > UNSTARTED,
            // It may have been replaced by one that knows us.
            Answered::Failed(_) => self.is_stock && failed == 1,
            Answered::Facts(_) | Answered::Tls => false,
        };
        let (revision, pause, link) = match told {
            Answered::Facts(facts) => (facts.revision, Duration::ZERO, Some(Link::Preload(facts))),
            Answered::Failed(_) if failed == 1 || is_early => (0, FIRST, None),
            Answered::Failed(why) => {
                (0, (self.pause * 2).clamp(FIRST, LONGEST), Some(Link::Unreachable(why)))
            }
            Answered::NotThere if lacking == 1 => (0, UNOPENED, None),
            Answered::NotThere => (0, Duration::ZERO, None),
            Answered::Rpc(facts) => (0, Duration::ZERO, is_stock.then_some(Link::Rpc(facts))),
            Answered::Tls => (0, LONGEST, Some(Link::Stock)),
        };
        *self = Self { revision, pause, lacking, failed, hung_up, known, spoken, is_stock };
        link
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dask_operator_plan::Facts;

    use super::*;

    fn failed() -> Answered {
        Answered::Failed("why".to_owned())
    }

    #[test]
    fn a_scheduler_lacks_our_routes_when_it_does_so_twice() {
        let mut course = Course::default();
        assert_eq!(course.take(Answered::NotThere, EARLY), None);
        assert!(!course.is_stock);
        assert_eq!(course.take(Answered::NotThere, EARLY), None);
        assert!(course.is_stock);
    }

    /// A scheduler that lacks our routes, as far as is known before it has spoken.
    fn stock() -> Course {
        Course { is_stock: true, lacking: UNSTARTED, known: true, ..Course::default() }
    }

    fn rpc() -> Answered {
        Answered::Rpc(Arc::default())
    }

    #[test]
    fn one_that_has_started_is_asked_once_more_whether_it_has_them() {
        let mut late = stock();
        assert_eq!((late.take(rpc(), EARLY), late.is_stock), (None, false));
        assert!(matches!(late.take(Answered::Facts(Arc::default()), EARLY), Some(Link::Preload(_))));
        assert!(!late.is_stock);

        let mut course = stock();
        assert_eq!((course.take(rpc(), EARLY), course.is_stock), (None, false));
        assert_eq!((course.take(Answered::NotThere, EARLY), course.is_stock), (None, true));
        for _ in 0..3 {
            assert_eq!((course.take(rpc(), EARLY), course.is_stock), (Some(Link::Rpc(Arc::default())), true));
        }
        assert_eq!((course.take(failed(), EARLY), course.is_stock), (None, true));
        assert_eq!((course.take(rpc(), EARLY), course.is_stock), (None, false), "another may have started");
    }

    #[test]
    fn a_scheduler_that_lacks_them_is_asked_in_its_own_way_until_that_fails_twice() {
        let mut course = Course { lacking: UNSTARTED + 1, ..stock() };
        assert_eq!(course.take(rpc(), EARLY), Some(Link::Rpc(Arc::default())));
        assert_eq!((course.take(failed(), EARLY), course.is_stock), (None, true));
        let unreachable = Link::Unreachable("why".to_owned());
        assert_eq!((course.take(failed(), EARLY), course.is_stock), (Some(unreachable), false));
    }

    #[test]
    fn one_that_listens_to_tls_alone_is_known_to_tell_nothing() {
        let mut course = stock();
        assert_eq!((course.take(Answered::Tls, EARLY), course.is_stock), (None, true));
        assert_eq!((course.take(Answered::Tls, EARLY), course.pause), (Some(Link::Stock), LONGEST));
    }

    #[test]
    fn one_that_failed_and_hangs_up_is_out_of_reach_and_so_is_one_that_has_spoken() {
        let mut restarted = stock();
        assert_eq!(restarted.take(failed(), EARLY), None);
        assert!(matches!(restarted.take(Answered::Tls, EARLY), Some(Link::Unreachable(_))));

        let mut spoken = stock();
        spoken.take(rpc(), EARLY);
        assert_eq!(spoken.take(Answered::Tls, EARLY), None);
        for _ in 0..3 {
            assert!(matches!(spoken.take(Answered::Tls, EARLY), Some(Link::Unreachable(_))));
        }
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
        course.take(Answered::Facts(Arc::default()), Duration::ZERO);
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
        course.take(Answered::Facts(Arc::new(facts)), EARLY);
        assert_eq!((course.revision, course.pause), (7, Duration::ZERO));
        course.take(failed(), EARLY);
        assert_eq!(course.revision, 0);
    }
}
