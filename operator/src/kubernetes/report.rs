//! Telling people: the status, when it says something new, and Events.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dask_operator_api::conditions::Reason;
use dask_operator_plan::{Event, EventKind, Kind};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event as KubeEvent, EventType, Recorder};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::call::CallError;
use super::ledger::{Ledger, Reconciled};
use super::write::Writer;

/// What changes counts or words alone is written this rarely, so that a cluster of many workers does not
/// write a status per worker.
const DETAILS_EVERY: Duration = Duration::from_secs(10);
/// A trouble with another reason than before is told at once, but not more often than this: two may take turns.
const REASONS_EVERY: Duration = Duration::from_secs(2);
/// A group's first status waits this long for its workers: most are ready by then, and one write tells it all.
const FIRST_OF_GROUP: Duration = Duration::from_secs(3);

/// Who tells.
const SOURCE: &str = "dask-operator";
/// As long as this after one Event, another one like it is counted with it.
const SERIES: Duration = Duration::from_mins(6);
/// Of one object and reason no more Events of other words are told apart in that time: somebody may make it change its
/// mind all the time.
const MOST_WORDS: usize = 20;

/// Writes status and Events.
pub(crate) struct Reporter {
    writer: Writer,
    /// Who counts Events of the same words: kube takes those alike that differ in nothing but these, and tells the first.
    recorders: Mutex<HashMap<Words, (Recorder, Instant)>>,
    /// When an object's status was written last, or first found to be worth a write.
    written: Mutex<HashMap<Reconciled, Instant>>,
}

/// Whom an Event is about, by UID, its reason and its note.
type Words = (Option<String>, String, Option<String>);

/// What a status write came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// Nothing to write.
    UpToDate,
    /// Written.
    Written,
    /// Not worth a write yet, but after this long.
    Later(Duration),
}

impl Reporter {
    /// Reports through these.
    pub(crate) fn new(writer: Writer) -> Self {
        Self { writer, recorders: Mutex::default(), written: Mutex::default() }
    }

    /// Writes the difference between two statuses, if there is one worth a write now.
    pub(crate) async fn status(
        &self,
        by: &Reconciled,
        previous: &impl Serialize,
        next: &impl Serialize,
        ledger: &Ledger,
    ) -> Result<Report, CallError> {
        let previous = serde_json::to_value(previous).unwrap_or_default();
        let next = serde_json::to_value(next).unwrap_or_default();
        if previous == next {
            return Ok(Report::UpToDate);
        }
        if let Some(wait) = self.wait(by, &previous, &next) {
            return Ok(Report::Later(wait));
        }
        // Not the status of another object that has the name by now.
        let body = json!({"metadata": {"uid": by.uid}, "status": without_the_gone(&previous, next)});
        self.writer.patch_status(by, &body, ledger).await?;
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(by.clone(), Instant::now());
        Ok(Report::Written)
    }

    fn wait(&self, by: &Reconciled, previous: &Value, next: &Value) -> Option<Duration> {
        let patience = patience(by.kind, previous, next)?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let since = written.entry(by.clone()).or_insert_with(Instant::now).elapsed();
        patience.checked_sub(since).filter(|wait| !wait.is_zero())
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, by: &Reconciled) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(by);
    }

    /// Sends Events; one that cannot be sent in time is logged and no more.
    pub(crate) async fn events(&self, about: &ObjectReference, events: &[Event]) {
        for event in events {
            let namespace = about.namespace.as_deref().unwrap_or_default();
            let event = kube_event(event);
            let recorder = self.recorder(about, &event);
            let sent = self.writer.caller.in_time(namespace, recorder.publish(&event, about)).await;
            if let Err(error) = sent {
                tracing::warn!(reason = event.reason, note = event.note, %error, "cannot record an Event");
            }
        }
    }

    fn recorder(&self, about: &ObjectReference, event: &KubeEvent) -> Recorder {
        let mut words = (about.uid.clone(), event.reason.clone(), event.note.clone());
        let mut all = self.recorders.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, used)| used.elapsed() < SERIES);
        let alike = all.keys().filter(|(uid, reason, _)| (uid, reason) == (&words.0, &words.1)).count();
        if alike >= MOST_WORDS && !all.contains_key(&words) {
            words.2 = None;
        }
        let fresh = || (Recorder::new(self.writer.caller.client.clone(), SOURCE.into()), Instant::now());
        let (recorder, used) = all.entry(words).or_insert_with(fresh);
        *used = Instant::now();
        recorder.clone()
    }
}

/// What a status no longer says is taken away, at every depth: a merge patch leaves alone what it does not name.
fn without_the_gone(previous: &Value, mut next: Value) -> Value {
    if let (Some(previous), Some(next)) = (previous.as_object(), next.as_object_mut()) {
        for (field, before) in previous {
            let after = next.remove(field).unwrap_or(Value::Null);
            next.insert(field.clone(), without_the_gone(before, after));
        }
    }
    next
}

fn kube_event(event: &Event) -> KubeEvent {
    KubeEvent {
        type_: match event.kind {
            EventKind::Normal => EventType::Normal,
            EventKind::Warning => EventType::Warning,
        },
        reason: event.reason.clone(),
        note: Some(event.note.chars().take(1000).collect()),
        action: event.action.to_owned(),
        secondary: None,
    }
}

/// How long a change of status may wait; None when people or programs may be waiting for it.
fn patience(kind: Kind, previous: &Value, next: &Value) -> Option<Duration> {
    if essence(previous) == essence(next) {
        let same = troubles(previous) == troubles(next);
        return Some(if same { DETAILS_EVERY } else { REASONS_EVERY });
    }
    let first = previous["conditions"].is_null();
    let uneventful = next["conditions"].as_array().is_some_and(|all| all.len() == 1);
    let starting = uneventful && next["conditions"][0]["reason"] == Reason::WorkersNotReady.to_string();
    (kind == Kind::DaskWorkerGroup && first && starting).then_some(FIRST_OF_GROUP)
}

/// What is left of a status without counts, reasons and words.
fn essence(status: &Value) -> Value {
    let flags: Vec<_> = conditions(status).map(|one| json!([one["type"], one["status"]])).collect();
    let acted = &status["resumed"];
    json!([
        status["phase"],
        status["selector"],
        status["observedGeneration"],
        acted,
        decisions(status),
        flags
    ])
}

/// A decision that was acted upon is told at once, for nobody takes it again. Mere advice is.
fn decisions(status: &Value) -> &Value {
    let advises = conditions(status).any(|one| one["reason"] == Reason::Advises.to_string());
    if advises { &Value::Null } else { &status["lastDecisions"] }
}

/// The reasons that somebody may want to do something about.
fn troubles(status: &Value) -> Vec<Reason> {
    let reasons = conditions(status).filter_map(|one| Reason::named(one["reason"].as_str()?));
    reasons.filter(|reason| reason.is_trouble()).collect()
}

fn conditions(status: &Value) -> impl Iterator<Item = &Value> {
    status["conditions"].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use dask_operator_testkit::server::{ApiServer, NoFaults};

    use super::super::testing::writer;
    use super::*;

    fn status(ready: &str, reason: &str, replicas: i64) -> Value {
        let condition = json!({"type": "Ready", "status": ready, "reason": reason});
        json!({"conditions": [condition], "replicas": replicas, "observedGeneration": 1})
    }

    fn about() -> ObjectReference {
        ObjectReference {
            kind: Some("DaskWorkerGroup".to_owned()),
            name: Some("demo".to_owned()),
            namespace: Some("team".to_owned()),
            uid: Some("1".to_owned()),
            ..ObjectReference::default()
        }
    }

    fn lost(pod: &str) -> Event {
        Event {
            kind: EventKind::Warning,
            reason: "WorkInterrupted".to_owned(),
            action: "Drain",
            note: format!("pod {pod} left"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn events_of_other_words_are_others_and_those_of_the_same_are_counted() {
        let server = ApiServer::new(Box::new(NoFaults));
        let reporter = Reporter::new(writer(&server));
        reporter.events(&about(), &[lost("a"), lost("b"), lost("b")]).await;
        let world = server.world();
        let told = world.all("events", "team").map(|(_, event)| (&event["note"], &event["series"]["count"]));
        let mut told: Vec<_> = told.map(|(note, count)| (note.as_str().unwrap(), count.as_u64())).collect();
        told.sort_unstable();
        assert_eq!(told, [("pod a left", None), ("pod b left", Some(2))]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_changes_its_mind_all_the_time_makes_few_events() {
        let server = ApiServer::new(Box::new(NoFaults));
        let reporter = Reporter::new(writer(&server));
        let scaled: Vec<_> = (0..100).map(|number| lost(&number.to_string())).collect();
        reporter.events(&about(), &scaled).await;
        assert_eq!(server.world().all("events", "team").count(), MOST_WORDS + 1);
    }

    #[test]
    fn a_flip_is_told_at_once_and_details_may_wait() {
        let starting = status("False", "WorkersNotReady", 0);
        let kind = Kind::DaskCluster;
        assert_eq!(patience(kind, &starting, &status("False", "WorkersNotReady", 3)), Some(DETAILS_EVERY));
        assert_eq!(patience(kind, &starting, &status("True", "AllReady", 3)), None);
    }

    #[test]
    fn a_trouble_of_another_reason_hardly_waits_and_the_steps_of_a_start_do() {
        let wait = |before, after| {
            patience(Kind::DaskCluster, &status("False", before, 0), &status("False", after, 0))
        };
        assert_eq!(wait("SchedulerNotReady", "ImageCannotBePulled"), Some(REASONS_EVERY));
        assert_eq!(wait("ImageCannotBePulled", "Unschedulable"), Some(REASONS_EVERY));
        assert_eq!(wait("SchedulerMissing", "SchedulerNotReady"), Some(DETAILS_EVERY));
    }

    #[test]
    fn what_is_no_longer_said_is_taken_away() {
        let body = without_the_gone(&json!({"since": 1, "replicas": 2}), json!({"replicas": 3}));
        assert_eq!(body, json!({"since": null, "replicas": 3}));
        let before = json!({"offers": {"resources": {"GPU": 2}, "template": "old"}});
        let body = without_the_gone(&before, json!({"offers": {"resources": {"TPU": 1}}}));
        assert_eq!(body, json!({"offers": {"resources": {"GPU": null, "TPU": 1}, "template": null}}));
        assert_eq!(without_the_gone(&before, json!({})), json!({"offers": null}));
    }

    #[test]
    fn only_an_uneventful_first_status_of_a_group_may_wait() {
        let group = Kind::DaskWorkerGroup;
        let starting = status("False", "WorkersNotReady", 0);
        assert_eq!(patience(group, &json!({}), &starting), Some(FIRST_OF_GROUP));
        assert_eq!(patience(group, &json!({}), &status("False", "ClusterNotFound", 0)), None);
        assert_eq!(patience(Kind::DaskCluster, &json!({}), &starting), None);
    }
}
