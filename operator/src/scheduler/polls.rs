//! How the polls of one scheduler go: what an answer means after those before it, and how long the next one waits.

use std::time::Duration;

use dask_operator_plan::Link;

use super::ask::Told;

/// After a failure the next poll waits this long, and twice as long after each further one, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);
/// One that has never answered may be starting: for so long that is no news.
const EARLY: Duration = Duration::from_secs(10);
/// A scheduler opens our routes some milliseconds after its others: one that lacks them is asked once more.
const UNOPENED: Duration = Duration::from_secs(1);

/// How the polls of one scheduler go.
#[derive(Default)]
pub(super) struct Course {
    /// The facts that it told last.
    pub(super) revision: u64,
    /// How long the next poll waits.
    pub(super) pause: Duration,
    /// How often in a row our routes were not there.
    lacking: u32,
    /// How often in a row there was no answer with sense.
    failed: u32,
    /// There was one.
    known: bool,
}

impl Course {
    /// What an answer means after those before it, if it means something yet; `age` is how long there are polls.
    pub(super) fn take(&mut self, told: Told, age: Duration) -> Option<Link> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
}
