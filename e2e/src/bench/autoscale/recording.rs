//! A load as real Dask ran it: `e2e/recordings`.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// Tasks in the order in which they were submitted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recording {
    /// The version of Dask that ran it.
    pub(super) distributed: String,
    pub(super) tasks: Vec<Task>,
}

/// One task; workers of this model offer no resources, so none may ask for any.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// Seconds after the first one.
    pub(super) submitted: f64,
    pub(super) function: String,
    pub(super) seconds: f64,
    /// The tasks whose results it needs.
    #[serde(default)]
    pub(super) after: Vec<usize>,
}

impl Recording {
    pub(super) fn read(text: &str) -> Result<Self> {
        let recording: Self = serde_json::from_str(text).context("not a recording")?;
        ensure!(
            recording.tasks.is_sorted_by(|one, next| one.submitted <= next.submitted),
            "it is not in order"
        );
        for (at, task) in recording.tasks.iter().enumerate() {
            ensure!(task.after.iter().all(|before| *before < at), "task {at} needs one that comes later");
            ensure!(task.submitted >= 0.0 && task.seconds >= 0.0, "task {at} has a negative time");
        }
        Ok(recording)
    }

    /// Seconds of threads that the tasks take.
    pub(super) fn busy(&self) -> f64 {
        self.tasks.iter().map(|task| task.seconds).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_have_been_recorded_is_refused() {
        let read = |tasks: &str| Recording::read(&format!(r#"{{"distributed":"1","tasks":[{tasks}]}}"#));
        let task = r#"{"submitted":0,"function":"f","seconds":1}"#;
        assert_eq!(format!("{:.1}", read(task).unwrap().busy()), "1.0");
        assert!(read(r#"{"submitted":0,"function":"f","seconds":1,"after":[0]}"#).is_err());
        assert!(read(&format!(r#"{{"submitted":5,"function":"f","seconds":1}},{task}"#)).is_err());
        assert!(read(r#"{"submitted":0,"function":"f","seconds":1,"resources":{"GPU":1}}"#).is_err());
    }
}
