//! Telling people: the status, when it says something new, and Events.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dask_operator_plan::{Event, EventKind};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event as KubeEvent, EventType, Recorder};
use serde::Serialize;
use serde_json::{Value, json};

use super::ledger::{Ledger, Reconciled};
use super::write::{WriteError, Writer};

/// Counts alone are written this rarely, so that a cluster of many workers does not write a status per worker.
const COUNTS_EVERY: Duration = Duration::from_secs(10);

/// Writes status and Events.
pub(crate) struct Reporter {
    writer: Writer,
    recorder: Recorder,
    written: Mutex<HashMap<Reconciled, Instant>>,
}

/// What a status write came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// Nothing to write.
    UpToDate,
    /// Written.
    Written,
    /// Only counts changed, too soon after the last write.
    Later(Duration),
}

impl Reporter {
    /// Reports through these.
    pub(crate) fn new(writer: Writer, recorder: Recorder) -> Self {
        Self { writer, recorder, written: Mutex::default() }
    }

    /// Writes the difference between two statuses, if there is one worth a write now.
    pub(crate) async fn status(
        &self,
        by: &Reconciled,
        previous: &impl Serialize,
        next: &impl Serialize,
        ledger: &Ledger,
    ) -> Result<Report, WriteError> {
        let previous = serde_json::to_value(previous).unwrap_or_default();
        let next = serde_json::to_value(next).unwrap_or_default();
        if previous == next {
            return Ok(Report::UpToDate);
        }
        if let Some(wait) = self.wait(by, &previous, &next) {
            return Ok(Report::Later(wait));
        }
        self.writer.patch_status(by, &json!({"status": next}), ledger).await?;
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(by.clone(), Instant::now());
        Ok(Report::Written)
    }

    fn wait(&self, by: &Reconciled, previous: &Value, next: &Value) -> Option<Duration> {
        if without_counts(previous) != without_counts(next) {
            return None;
        }
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let since = written.get(by)?.elapsed();
        COUNTS_EVERY.checked_sub(since).filter(|wait| !wait.is_zero())
    }

    /// Sends Events; one that cannot be sent is logged, never waited for.
    pub(crate) async fn events(&self, about: &ObjectReference, events: &[Event]) {
        for event in events {
            if let Err(error) = self.recorder.publish(&kube_event(event), about).await {
                tracing::warn!(reason = event.reason, note = event.note, %error, "cannot record an Event");
            }
        }
    }
}

fn kube_event(event: &Event) -> KubeEvent {
    KubeEvent {
        type_: match event.kind {
            EventKind::Normal => EventType::Normal,
            EventKind::Warning => EventType::Warning,
        },
        reason: event.reason.to_owned(),
        note: Some(event.note.chars().take(1000).collect()),
        action: event.action.to_owned(),
        secondary: None,
    }
}

/// What is left when counts do not matter.
fn without_counts(status: &Value) -> Value {
    let mut status = status.clone();
    if let Some(fields) = status.as_object_mut() {
        fields.remove("replicas");
        fields.remove("readyReplicas");
    }
    status
}
