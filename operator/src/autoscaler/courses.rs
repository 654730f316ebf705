//! What led to the present, for each autoscaler.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dask_operator_plan::autoscaler::{Course, Scaling};
use tokio::time::Instant;

use crate::cache::Key;

/// By name, each with its UID.
#[derive(Default)]
pub(crate) struct Courses(Mutex<HashMap<Key, Entry>>);

#[derive(Default)]
struct Entry {
    uid: String,
    course: Course,
    /// What was decided last.
    scaling: Scaling,
    /// The news of its scheduler that were looked at last.
    news: Option<Instant>,
}

impl Courses {
    /// That of one of them; another one of the same name has a course of its own.
    pub(super) fn of(&self, key: &Key, uid: &str) -> Course {
        let courses = self.courses();
        let known = courses.get(key).filter(|entry| entry.uid == uid);
        known.map(|entry| entry.course.clone()).unwrap_or_default()
    }

    /// One goes on from a look, which decided this. Returns whether it was the first one at these news.
    pub(super) fn go_on(
        &self,
        (key, uid): (&Key, &str),
        course: Option<Course>,
        scaling: Option<Scaling>,
        news: Option<Instant>,
    ) -> bool {
        let mut courses = self.courses();
        let entry = courses.entry(key.clone()).or_default();
        if entry.uid != uid {
            *entry = Entry { uid: uid.to_owned(), ..Entry::default() };
        }
        if let Some(course) = course {
            entry.course = course;
        }
        entry.scaling = scaling.unwrap_or_default();
        news.is_some() && std::mem::replace(&mut entry.news, news) != news
    }

    /// How many workers each group was to have, before the bounds and within them.
    pub(crate) fn decisions(&self) -> Vec<(Key, (usize, usize))> {
        let courses = self.courses();
        let all = courses.iter().flat_map(|(key, entry)| {
            let of = |group: &str| Key::new(&key.namespace, group);
            entry.scaling.decisions.iter().map(move |one| (of(&one.group), (one.wanted, one.to)))
        });
        all.collect()
    }

    /// One decides nothing for now.
    pub(super) fn rest(&self, key: &Key) {
        if let Some(entry) = self.courses().get_mut(key) {
            entry.scaling = Scaling::default();
        }
    }

    /// An autoscaler is gone.
    pub(crate) fn forget(&self, key: &Key) {
        self.courses().remove(key);
    }

    fn courses(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use dask_operator_api::autoscaler::ScalingReason;
    use dask_operator_plan::autoscaler::Decision;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn news_are_looked_at_once_and_what_is_gone_is_told_no_more() {
        let (courses, key) = (Courses::default(), Key::new("team", "demo"));
        let news = Some(Instant::now());
        let look = |scaling, news| courses.go_on((&key, "1"), None, scaling, news);
        let decision = Decision {
            group: "demo-default".to_owned(),
            from: 1,
            to: 8,
            wanted: 100,
            reason: ScalingReason::Work,
            limit: None,
        };
        let scaling = || Some(Scaling { decisions: vec![decision.clone()], ..Scaling::default() });
        assert_eq!(
            [look(scaling(), news), look(scaling(), news), look(scaling(), None)],
            [true, false, false]
        );
        assert_eq!(courses.decisions(), [(Key::new("team", "demo-default"), (100, 8))]);
        look(None, None);
        assert_eq!(courses.decisions(), []);
        look(scaling(), None);
        courses.rest(&key);
        assert_eq!(courses.decisions(), []);
        look(scaling(), None);
        courses.forget(&key);
        assert_eq!(courses.decisions(), []);
    }
}
