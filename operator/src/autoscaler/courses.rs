//! What led to the present, for each autoscaler.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dask_operator_plan::autoscaler::Course;

use crate::cache::Key;

/// By name, each with its UID.
#[derive(Default)]
pub(crate) struct Courses(Mutex<HashMap<Key, (String, Course)>>);

impl Courses {
    /// That of one of them; another one of the same name has a course of its own.
    pub(super) fn of(&self, key: &Key, uid: &str) -> Course {
        let courses = self.courses();
        let known = courses.get(key).filter(|(of, _)| of == uid);
        known.map(|(_, course)| course.clone()).unwrap_or_default()
    }

    /// One goes on from a look.
    pub(super) fn go_on(&self, key: &Key, uid: &str, course: Course) {
        self.courses().insert(key.clone(), (uid.to_owned(), course));
    }

    /// An autoscaler is gone.
    pub(crate) fn forget(&self, key: &Key) {
        self.courses().remove(key);
    }

    fn courses(&self) -> MutexGuard<'_, HashMap<Key, (String, Course)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
