//! What led to the present, for each autoscaler.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dask_operator_plan::autoscaler::Course;

use crate::cache::Key;

/// By name, each with its UID.
#[derive(Default)]
pub(crate) struct Courses(Mutex<HashMap<Key, (String, Course)>>);

impl Courses {
    /// Plans with the course of one of them; another one of the same name has a course of its own.
    pub(super) fn with<T>(&self, key: &Key, uid: &str, plan: impl FnOnce(&mut Course) -> T) -> T {
        let mut courses = self.courses();
        let (of, course) = courses.entry(key.clone()).or_default();
        if of != uid {
            uid.clone_into(of);
            *course = Course::default();
        }
        plan(course)
    }

    /// An autoscaler is gone.
    pub(crate) fn forget(&self, key: &Key) {
        self.courses().remove(key);
    }

    fn courses(&self) -> MutexGuard<'_, HashMap<Key, (String, Course)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
