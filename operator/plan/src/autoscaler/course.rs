//! What led to the present: how many workers were needed lately, and who changed their number.
//!
//! It is kept in memory alone. A replica that begins to lead has none, and so waits longer before anybody leaves.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::contest::Contest;

/// The course of one autoscaler, by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// Of the spec that was followed last.
    generation: Option<i64>,
    groups: BTreeMap<String, Track>,
}

/// The course of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Track {
    uid: String,
    needed: Needed,
    /// What we gave it last, and what it had at the last look.
    written: Option<usize>,
    /// What we tried to give it since, without an answer.
    tried: BTreeSet<usize>,
    /// How many more we gave it, or fewer, and when.
    changes: VecDeque<(Timestamp, Changed)>,
    last: Option<usize>,
    /// Others who change what we have written.
    contest: Contest,
}

/// How many workers came within some time, and how many went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) added: usize,
    pub(super) removed: usize,
}

/// How many workers were needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Needed {
    since: Option<Timestamp>,
    now: usize,
    /// Earlier numbers, each with the time until which it held: ever fewer, ever later.
    before: VecDeque<(Timestamp, usize)>,
}

impl Course {
    /// So many workers are needed from now on.
    pub(super) fn note(&mut self, group: &str, needed: usize, now: Timestamp, window: SignedDuration) {
        self.track(group).needed.note(needed, now, window);
    }

    /// How many were needed at most within the window; None while it is not known for so long.
    pub(super) fn most(&self, group: &str, now: Timestamp, window: SignedDuration) -> Option<usize> {
        let needed = &self.groups.get(group)?.needed;
        let is_known = needed.since.is_some_and(|since| since + window <= now);
        let within = needed.before.iter().filter(|(until, _)| *until + window > now);
        is_known.then(|| within.map(|(_, count)| *count).fold(needed.now, usize::max))
    }

    /// When fewer than so many will have been needed for the whole window, if nothing changes.
    pub(super) fn fewer_at(&self, group: &str, than: usize, window: SignedDuration) -> Option<Timestamp> {
        let needed = &self.groups.get(group)?.needed;
        let enough = needed.before.iter().filter(|(_, count)| *count >= than).map(|(until, _)| *until);
        enough.chain(needed.since).max().map(|time| time + window)
    }

    /// We gave a group so many.
    pub(super) fn wrote(&mut self, group: &str, replicas: usize, now: Timestamp) {
        self.track(group).wrote(replicas, now);
    }

    /// We may have given a group so many: nobody answered.
    pub(super) fn tried(&mut self, group: &str, replicas: usize) {
        self.track(group).tried.insert(replicas);
    }

    /// A group has so many, whoever changed that: we only give advice.
    pub(super) fn see(&mut self, group: &str, replicas: usize) {
        let track = self.track(group);
        (track.last, track.written, track.contest) = (Some(replicas), None, Contest::default());
    }

    /// A group has so many. Returns until when it is left to somebody else, if they keep changing that.
    pub(super) fn contested(&mut self, group: &str, replicas: usize, now: Timestamp) -> Option<Timestamp> {
        let track = self.track(group);
        let last = track.last.unwrap_or(replicas);
        if last != replicas && track.tried.contains(&replicas) {
            track.wrote(replicas, now);
        }
        track.last = Some(replicas);
        if last != replicas && track.written.is_some_and(|written| written != replicas) {
            track.contest.meet(now);
        }
        track.contest.until(now)
    }

    /// What we changed within so long.
    pub(super) fn changed(&self, group: &str, now: Timestamp, within: SignedDuration) -> Changed {
        let changes = self.changes(group, now, within).map(|(_, change)| *change);
        changes.fold(Changed::default(), Changed::and)
    }

    /// When the first of these changes was longer ago than that.
    pub(super) fn frees_at(&self, group: &str, now: Timestamp, within: SignedDuration) -> Option<Timestamp> {
        self.changes(group, now, within).map(|(at, _)| *at + within).next()
    }

    fn changes(
        &self,
        group: &str,
        now: Timestamp,
        within: SignedDuration,
    ) -> impl Iterator<Item = &(Timestamp, Changed)> {
        let all = self.groups.get(group).into_iter().flat_map(|track| &track.changes);
        all.filter(move |(at, _)| *at + within > now)
    }

    /// The same for these groups, by name and UID, without what counts no more: changes longer ago than that, and who
    /// else scaled before somebody changed the spec.
    pub(super) fn kept<'a>(
        &self,
        groups: impl Iterator<Item = (&'a str, &'a str)>,
        generation: Option<i64>,
        now: Timestamp,
        changes: SignedDuration,
    ) -> Self {
        let kept = |(name, uid): (&str, &str)| {
            let known = self.groups.get(name).filter(|track| track.uid == uid);
            let mut track = known.cloned().unwrap_or_default();
            uid.clone_into(&mut track.uid);
            track.changes.retain(|(at, _)| *at + changes > now);
            if self.generation != generation {
                track.contest = Contest::default();
            }
            (name.to_owned(), track)
        };
        Self { generation, groups: groups.map(kept).collect() }
    }

    fn track(&mut self, group: &str) -> &mut Track {
        self.groups.entry(group.to_owned()).or_default()
    }
}

impl Track {
    fn wrote(&mut self, replicas: usize, now: Timestamp) {
        self.change(self.last.unwrap_or(replicas), replicas, now);
        // The next look sees this or what came after, so whoever puts the old number back is seen.
        (self.written, self.last) = (Some(replicas), Some(replicas));
        self.tried.clear();
        self.contest.write();
    }

    /// What came within the same second is kept as one.
    fn change(&mut self, from: usize, to: usize, now: Timestamp) {
        let change = Changed { added: to.saturating_sub(from), removed: from.saturating_sub(to) };
        match self.changes.back_mut().filter(|(at, _)| at.as_second() == now.as_second()) {
            Some((_, before)) => *before = before.and(change),
            None => self.changes.push_back((now, change)),
        }
    }
}

impl Changed {
    fn and(self, other: Self) -> Self {
        Self {
            added: self.added.saturating_add(other.added),
            removed: self.removed.saturating_add(other.removed),
        }
    }
}

impl Needed {
    fn note(&mut self, count: usize, now: Timestamp, window: SignedDuration) {
        self.since.get_or_insert(now);
        if count != self.now {
            while self.before.back().is_some_and(|(_, earlier)| *earlier <= self.now) {
                self.before.pop_back();
            }
            self.before.push_back((now, self.now));
            self.now = count;
        }
        while self.before.front().is_some_and(|(until, _)| *until + window <= now) {
            self.before.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: SignedDuration = SignedDuration::from_secs(15);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn course(noted: &[(i64, usize)]) -> Course {
        let mut course = Course::default();
        for (second, count) in noted {
            course.note("g", *count, at(*second), WINDOW);
        }
        course
    }

    #[test]
    fn what_was_needed_counts_until_the_window_has_passed() {
        let course = course(&[(0, 2), (20, 8), (30, 3), (31, 5), (32, 1)]);
        let most = |second| course.most("g", at(second), WINDOW);
        assert_eq!([most(33), most(44), most(45), most(46), most(47)], [8, 8, 5, 5, 1].map(Some));
        assert_eq!(course.fewer_at("g", 8, WINDOW), Some(at(45)));
        assert_eq!(course.fewer_at("g", 5, WINDOW), Some(at(47)));
    }

    #[test]
    fn before_a_whole_window_is_known_nothing_is() {
        let course = course(&[(0, 2)]);
        assert_eq!((course.most("g", at(14), WINDOW), course.most("g", at(15), WINDOW)), (None, Some(2)));
        assert_eq!(course.fewer_at("g", 3, WINDOW), Some(at(15)));
        assert_eq!(course.most("other", at(14), WINDOW), None);
    }

    #[test]
    fn who_writes_twice_after_us_is_another_and_who_writes_once_is_not() {
        let mut course = Course::default();
        let seen = |course: &mut Course, replicas, second| {
            course.contested("g", replicas, at(second)).map(|until| until.as_second() - at(0).as_second())
        };
        assert_eq!(seen(&mut course, 3, 0), None);
        assert_eq!(seen(&mut course, 4, 0), None, "we have not scaled it yet");
        course.tried("g", 5);
        assert_eq!(seen(&mut course, 4, 1), None, "a write that failed is no change of another");
        assert_eq!(seen(&mut course, 5, 2), None, "one without an answer was ours");
        assert_eq!(seen(&mut course, 3, 3), None);
        course.wrote("g", 5, at(3));
        assert_eq!(seen(&mut course, 5, 4), None);
        assert_eq!(seen(&mut course, 3, 5), Some(605));
        assert_eq!(seen(&mut course, 3, 604), Some(605));
        assert_eq!(seen(&mut course, 2, 604), Some(1204), "they go on");
        assert_eq!(seen(&mut course, 2, 1204), None);
    }

    #[test]
    fn who_puts_the_old_number_back_at_once_is_another() {
        let mut course = Course::default();
        for second in 0..2 {
            assert_eq!(course.contested("g", 5, at(second)), None);
            course.wrote("g", 8, at(second));
        }
        assert!(course.contested("g", 5, at(2)).is_some());
    }
}
