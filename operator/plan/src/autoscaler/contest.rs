//! Somebody else who sets the number of a group's workers: for how long the group is left to them.

use std::mem;

use jiff::{SignedDuration, Timestamp};

/// Who changes what we wrote twice within this time is another one that scales: a tool that only comes by now and then
/// is to be seen, too.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);
/// So long the group is left to them at first, and twice as long whenever they undo what we did afterwards: one that
/// has its number changes nothing until we do.
const FIRST: SignedDuration = SignedDuration::from_mins(10);
const LONGEST: SignedDuration = SignedDuration::from_hours(4);

/// What is known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contest {
    last: Option<Timestamp>,
    /// Whether we have set another number since.
    wrote: bool,
    /// How long, and until when, the group was left to them.
    left: Option<(SignedDuration, Timestamp)>,
}

impl Contest {
    /// We set the number.
    pub(super) fn write(&mut self) {
        self.wrote = true;
    }

    /// They changed what we had written.
    pub(super) fn meet(&mut self, now: Timestamp) {
        let left = self.left.map(|(left, _)| left);
        let remembered = left.map_or(REMEMBERED, |left| REMEMBERED.max(left * 2));
        let undone = mem::take(&mut self.wrote) && self.until(now).is_none();
        let again = self.last.replace(now).is_some_and(|last| last + remembered > now);
        self.left = again.then(|| {
            let longer = left.map_or(FIRST, |left| if undone { left * 2 } else { left }).min(LONGEST);
            (longer, now + longer)
        });
    }

    /// Until when the group is left to them. A clock that was set back does not make it longer.
    pub(super) fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.left.map(|(_, until)| until).filter(|until| *until > now && *until <= now + LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    /// For how many minutes from each of these the group is left to them, if we always set another number first.
    fn left(met: &[i64]) -> Vec<i64> {
        minutes(met, true)
    }

    fn minutes(met: &[i64], writes: bool) -> Vec<i64> {
        let mut contest = Contest::default();
        let left = |minute: &i64| {
            if writes {
                contest.write();
            }
            contest.meet(at(*minute));
            contest.until(at(*minute)).map_or(0, |until| until.duration_since(at(*minute)).as_mins())
        };
        met.iter().map(left).collect()
    }

    #[test]
    fn whoever_comes_back_is_left_alone_for_longer_each_time() {
        assert_eq!(left(&[0, 1, 12, 33, 74, 155, 316, 557]), [0, 10, 20, 40, 80, 160, 240, 240]);
    }

    #[test]
    fn who_goes_on_meanwhile_is_not_waited_for_longer() {
        assert_eq!(left(&[0, 1, 5, 10, 19]), [0, 10, 10, 10, 10]);
    }

    #[test]
    fn who_undoes_nothing_is_not_left_alone_for_longer() {
        assert_eq!(minutes(&[0, 20, 45, 70], false), [0, 10, 10, 10]);
    }

    #[test]
    fn who_comes_by_every_half_hour_is_seen() {
        assert_eq!(left(&[0, 30]), [0, 10]);
    }

    #[test]
    fn after_a_long_time_they_are_forgotten() {
        assert_eq!(left(&[0, 61]), [0, 0]);
        assert_eq!(left(&[0, 1, 62, 63]), [0, 10, 0, 10]);
    }
}
