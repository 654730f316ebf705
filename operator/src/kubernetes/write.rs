//! Applying a plan: each write once, and what came of it.

use std::time::Duration;

use dask_operator_api::conditions::Reason;
use dask_operator_api::labels;
use dask_operator_plan::sabotage::{self, Bug};
use dask_operator_plan::{Apply, Create, Delete, Failure, FailureKind, Kind, Outcome, Patch, Plan};
use dask_operator_plan::{called, refusal};
use futures::FutureExt;
use futures::future::{BoxFuture, join, join_all};
use kube::core::Status;
use tokio::time::Instant;

use super::call::{CallError, Caller, Written, component};
use super::ledger::{Awaited, Ledger, Reconciled};
use super::request::{self, Built, Validation};
use crate::cache::Key;

/// Writes of one plan that are under way at once.
const PARALLEL: usize = 16;
/// No new ones are begun after this long.
const TURN: Duration = Duration::from_secs(2);

/// Sends writes.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) caller: Caller,
}

impl Writer {
    /// Writes what a plan says, in parallel, in the name of the reconciled object. What is replaced by something new
    /// stays, readable, when that failed or is still to come; unless it takes the place in a quota that the new one
    /// needs. Nothing else holds up anything.
    pub(crate) async fn apply(&self, by: &Reconciled, plan: &Plan, ledger: &Ledger) -> Outcome {
        let applied = plan.apply.iter();
        let mut new =
            applied.clone().filter_map(Apply::create).map(|one| self.create(by, one, ledger).boxed());
        let mut patches = applied.filter_map(Apply::patch).map(|one| self.patch(by, one, ledger).boxed());
        let (created, changed) = join(in_turns(&mut new), in_turns(&mut patches)).await;
        let full = |failure: &Failure| failure.kind == FailureKind::Refused(Reason::QuotaExceeded);
        let is_whole = created.failures.is_empty() && new.next().is_none();
        let needs_places = !created.failures.is_empty() && created.failures.iter().all(full);
        let goes = |delete: &&Delete| !delete.replaced || is_whole || needs_places;
        let deleted = plan.delete.iter().filter(goes);
        let mut deleted = deleted.map(|delete| self.delete(by, delete, ledger).boxed());
        merged(merged(created, changed), in_turns(&mut deleted).await)
    }

    async fn create(&self, by: &Reconciled, create: &Create, ledger: &Ledger) -> Outcome {
        let key = Key::new(&by.key.namespace, &create.name);
        ledger.note(by, create.kind, key.clone(), Awaited::Created);
        let post = |validation| request::create(create.kind, &key.namespace, &create.object, validation);
        let (answer, unknown_fields) = self.strictly("create", create.kind, &key, post).await;
        match answer {
            Ok(_) => Outcome { unknown_fields, created: vec![create.kind], ..Outcome::default() },
            Err(CallError::Answer(status)) if status.reason == "AlreadyExists" => {
                self.exists(by, create, &key, ledger).await
            }
            Err(error) => {
                if !error.is_undecided() || sabotage::is(Bug::LostCreateForgotten) {
                    ledger.strike(by, create.kind, &key);
                }
                failed(create.kind, &create.name, &error)
            }
        }
    }

    /// The name exists: fine if it is ours, seen or not.
    async fn exists(&self, by: &Reconciled, create: &Create, key: &Key, ledger: &Ledger) -> Outcome {
        let existing = match self.caller.send("get", create.kind, key, request::get(create.kind, key)).await {
            Ok(existing) => existing,
            Err(error) => {
                ledger.strike(by, create.kind, key);
                return failed(create.kind, &create.name, &error);
            }
        };
        let watched = existing.is_watched(create.kind);
        let owners = existing.metadata.owner_references;
        let ours = owners.iter().any(|owner| owner.uid == by.uid) || sabotage::is(Bug::NameIsEnough);
        if ours && watched {
            return Outcome { created: vec![create.kind], ..Outcome::default() };
        }
        ledger.strike(by, create.kind, key);
        if ours {
            return unlabelled(create);
        }
        let predecessor = owners.iter().any(|owner| owner.kind == "DaskCluster" && owner.name == by.key.name);
        let (kind, message) = if predecessor {
            (FailureKind::Transient, "still belongs to an earlier object of this name")
        } else {
            (FailureKind::NameTaken, "exists and belongs to somebody else; it is left as it is")
        };
        let object = format!("{:?} {}", create.kind, create.name);
        Outcome {
            failures: vec![Failure { object, kind, message: message.to_owned() }],
            ..Outcome::default()
        }
    }

    async fn patch(&self, by: &Reconciled, patch: &Patch, ledger: &Ledger) -> Outcome {
        let key = Key::new(&by.key.namespace, &patch.name);
        let body = |validation| request::patch(patch.kind, &key, &patch.body, validation);
        let (answer, unknown_fields) = self.strictly("patch", patch.kind, &key, body).await;
        ledger.note_change(by, patch.kind, key, &answer);
        match answer {
            Ok(_) => Outcome {
                unknown_fields,
                patched: vec![(patch.kind, patch.name.clone())],
                ..Outcome::default()
            },
            // There is nothing to note on it any more.
            Err(CallError::Answer(status)) if patch.kind == Kind::Pod && is_gone(&status) => {
                Outcome::default()
            }
            Err(error) => failed(patch.kind, &patch.name, &error),
        }
    }

    /// Sends a write that the server is to refuse for fields that it does not know, to learn of them; and then, if
    /// they were all it minded, without them.
    async fn strictly(
        &self,
        verb: &'static str,
        kind: Kind,
        key: &Key,
        request: impl Fn(Validation) -> Built,
    ) -> (Result<Written, CallError>, Option<String>) {
        let answer = self.caller.send(verb, kind, key, request(Validation::Strict)).await;
        let Some(words) = unknown_fields_of(&answer) else { return (answer, None) };
        let answer = self.caller.send(verb, kind, key, request(Validation::Ignore)).await;
        (answer, Some(format!("{}: {words}", called(kind, &key.name))))
    }

    async fn delete(&self, by: &Reconciled, delete: &Delete, ledger: &Ledger) -> Outcome {
        let key = Key::new(&by.key.namespace, &delete.name);
        ledger.note(by, delete.kind, key.clone(), Awaited::Deleted(delete.uid.clone()));
        let request = request::delete(delete.kind, &key, delete);
        match self.caller.send("delete", delete.kind, &key, request).await {
            Ok(_) => deleted(delete),
            Err(CallError::Answer(status)) if is_gone(&status) => Outcome::default(),
            Err(error) => {
                if !error.is_undecided() || sabotage::is(Bug::LostDeleteForgotten) {
                    ledger.strike(by, delete.kind, &key);
                }
                failed(delete.kind, &delete.name, &error)
            }
        }
    }

    /// Changes the status of the reconciled object itself.
    pub(super) async fn patch_status(
        &self,
        by: &Reconciled,
        body: &serde_json::Value,
        ledger: &Ledger,
    ) -> Result<(), CallError> {
        let Reconciled { kind, key, .. } = by;
        let answer = self.caller.send("patch", *kind, key, request::patch_status(*kind, key, body)).await;
        ledger.note_change(by, *kind, key.clone(), &answer);
        answer.map(|_| ())
    }
}

/// The server's words when unknown fields were all that it minded; of a patch it repeats every byte before them.
fn unknown_fields_of(answer: &Result<Written, CallError>) -> Option<String> {
    let Err(CallError::Answer(status)) = answer else { return None };
    let words = &status.message[status.message.rfind("strict decoding error")?..];
    (matches!(status.code, 400 | 422) && words.contains("unknown field")).then(|| words.to_owned())
}

/// After a conflict what it was about may be as it was, and then no watch shows anything.
fn is_gone(status: &Status) -> bool {
    status.code == 404 || (status.code == 409 && sabotage::is(Bug::ConflictIsTheEnd))
}

fn deleted(delete: &Delete) -> Outcome {
    Outcome {
        drained: delete.drained.clone().into_iter().collect(),
        events: delete.event.clone().into_iter().collect(),
        ..Outcome::default()
    }
}

/// What came of a call that failed.
pub(crate) fn failed(kind: Kind, name: &str, error: &CallError) -> Outcome {
    let refusal = match error {
        CallError::Answer(status) => refusal(status),
        CallError::Deadline | CallError::NotLeading | CallError::Call(_) => None,
    };
    let meaning = refusal.map_or(FailureKind::Transient, FailureKind::Refused);
    let message = match kind {
        Kind::Pod => error.to_string().replace(name, "…"),
        _ => error.to_string(),
    };
    let failure = Failure { object: called(kind, name), kind: meaning, message };
    Outcome { failures: vec![failure], ..Outcome::default() }
}

/// Somebody took away the label by which it is found.
fn unlabelled(create: &Create) -> Outcome {
    let label = component(create.kind).unwrap_or_default();
    let message = format!("it is ours and has lost the label {}={label}: put it back", labels::COMPONENT);
    let object = format!("{:?} {}", create.kind, create.name);
    Outcome {
        failures: vec![Failure { object, kind: FailureKind::Refused(Reason::LabelLost), message }],
        ..Outcome::default()
    }
}

/// As many at once as may be; no more after one that failed, or after a while: what is left is for the next look,
/// which tells how far it came.
async fn in_turns<'a>(calls: &mut impl Iterator<Item = BoxFuture<'a, Outcome>>) -> Outcome {
    let (began, mut all) = (Instant::now(), Outcome::default());
    while all.failures.is_empty() && began.elapsed() < TURN {
        let turn = join_all(calls.by_ref().take(PARALLEL)).await;
        if turn.is_empty() {
            break;
        }
        all = turn.into_iter().fold(all, merged);
    }
    all
}

fn merged(mut all: Outcome, one: Outcome) -> Outcome {
    let Outcome { failures, unknown_fields, created, patched, drained, events, held: _, scaling: _ } = one;
    all.patched.extend(patched);
    all.failures.extend(failures);
    all.drained.extend(drained);
    all.events.extend(events);
    all.unknown_fields = all.unknown_fields.or(unknown_fields);
    all.created.extend(created);
    all
}

#[cfg(test)]
mod tests {
    use dask_operator_plan::{Event, EventKind};
    use dask_operator_testkit::server::{ApiServer, Call, End, Fate, Faults, Id, Verb};
    use serde_json::{Value, json};

    use super::super::ledger::Settled;
    use super::super::testing::writer;
    use super::*;
    use crate::cache::{Cache, Pod, PodRecord};

    /// Every call takes this long to arrive, and a change is refused.
    struct Slow(Duration);

    impl Faults for Slow {
        fn fate(&mut self, call: &Call) -> Fate {
            let end = if call.verb == Verb::Patch { End::Refused(403) } else { End::Answered };
            Fate { way: self.0, end, ..Fate::default() }
        }

        fn lag(&mut self, _: &str) -> Duration {
            Duration::ZERO
        }

        fn cut(&mut self, _: &str) -> Option<bool> {
            None
        }
    }

    fn pod(name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "team"}, "spec": {}})
    }

    /// Writes this beside the deletion of a pod that has ended, each call taking so long; whether that is still there.
    async fn is_ended_pod_kept(apply: Vec<Apply>, call: Duration) -> bool {
        let server = ApiServer::new(Box::new(Slow(call)));
        let ended = server.person(Verb::Create, &Id::new("pods", "team", "ended"), pod("ended")).unwrap();
        let uid = ended["metadata"]["uid"].as_str().unwrap();
        let delete = Delete { replaced: true, ..Delete::of(Kind::Pod, "ended", uid) };
        let plan = Plan { apply, delete: vec![delete], ..Plan::default() };
        let by =
            Reconciled { kind: Kind::DaskWorkerGroup, key: Key::new("team", "group"), uid: "g".to_owned() };
        let _ = writer(&server).apply(&by, &plan, &Ledger::default()).await;
        let pods = server.world();
        pods.get(&Id::new("pods", "team", "ended"))
            .is_some_and(|pod| pod["metadata"]["deletionTimestamp"].is_null())
    }

    fn creates(count: usize) -> Vec<Apply> {
        let names = (0..count).map(|number| format!("new-{number}"));
        names.map(|name| Apply::Create(Create { kind: Kind::Pod, object: pod(&name), name })).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_pod_stays_until_all_that_replace_it_were_tried() {
        assert!(is_ended_pod_kept(creates(PARALLEL * 3), TURN).await);
        assert!(!is_ended_pod_kept(creates(PARALLEL * 3), Duration::from_millis(10)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_is_refused_keeps_nobody() {
        let mark = Patch::of(Kind::Pod, "other", json!({}));
        assert!(!is_ended_pod_kept(vec![Apply::Patch(mark)], Duration::ZERO).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_changed_since_it_was_looked_at_is_not_deleted_and_nothing_is_told() {
        let server = ApiServer::new(Box::new(Slow(Duration::ZERO)));
        let cluster = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster",
            "metadata": {"name": "demo", "namespace": "team"}, "spec": {"worker": {"spec": {}}, "scheduler": {}}});
        let id = Id::new("daskclusters", "team", "demo");
        let made = server.person(Verb::Create, &id, cluster).unwrap();
        let uid = made["metadata"]["uid"].as_str().unwrap();
        let version = made["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let by = Reconciled { kind: Kind::DaskCluster, key: Key::new("team", "demo"), uid: uid.to_owned() };
        let delete = |version: String| Delete {
            version: Some(version),
            event: Some(Event {
                kind: EventKind::Normal,
                reason: "Gone".to_owned(),
                action: "Delete",
                note: String::new(),
            }),
            ..Delete::of(Kind::DaskCluster, "demo", uid)
        };
        let plan = |version| Plan { delete: vec![delete(version)], ..Plan::default() };
        let label = json!({"metadata": {"labels": {"mine": "yes"}}});
        let changed = server.person(Verb::Patch, &id, label).unwrap();
        let ledger = Ledger::default();
        let outcome = writer(&server).apply(&by, &plan(version), &ledger).await;
        let kinds: Vec<_> = outcome.failures.iter().map(|failure| failure.kind).collect();
        assert_eq!((kinds, outcome.events.len()), (vec![FailureKind::Transient], 0), "it is tried again");
        assert!(server.world().get(&id).is_some());
        let known = changed["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let outcome = writer(&server).apply(&by, &plan(known), &ledger).await;
        assert_eq!((outcome.events.len(), server.world().get(&id).is_some()), (1, false));
    }

    /// A change happens, and the connection breaks before its answer.
    struct Mute;

    impl Faults for Mute {
        fn fate(&mut self, call: &Call) -> Fate {
            let end = if call.verb == Verb::Patch { End::AnswerLost } else { End::Answered };
            Fate { end, ..Fate::default() }
        }

        fn lag(&mut self, _: &str) -> Duration {
            Duration::ZERO
        }

        fn cut(&mut self, _: &str) -> Option<bool> {
            None
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_decided_before_it_is_known_whether_a_pod_was_told_to_leave() {
        let server = ApiServer::new(Box::new(Mute));
        let id = Id::new("pods", "team", "worker");
        let mut worker = pod("worker");
        worker["metadata"]["labels"] = json!({(labels::COMPONENT): labels::component::WORKER});
        let made = server.person(Verb::Create, &id, worker).unwrap();
        let cache = Cache::default();
        cache.workers.put(PodRecord::from(serde_json::from_value::<Pod>(made).unwrap()));
        let by =
            Reconciled { kind: Kind::DaskWorkerGroup, key: Key::new("team", "group"), uid: "g".to_owned() };
        let body = json!({"metadata": {"annotations": {(labels::DRAINING): "1"}}});
        let mark = Patch::of(Kind::Pod, "worker", body);
        let (ledger, writer) = (Ledger::default(), writer(&server));
        let plan = Plan { apply: vec![Apply::Patch(mark)], ..Plan::default() };
        assert_eq!(writer.apply(&by, &plan, &ledger).await.failures.len(), 1);

        let key = Key::new("team", "worker");
        let unknown = vec![(Kind::Pod, key.clone(), Awaited::Perhaps)];
        assert_eq!(ledger.settled(&by, &cache), Settled::Overdue(unknown));
        let still = writer.caller.still_awaited(Kind::Pod, &key, &Awaited::Perhaps).await.unwrap();
        let version =
            server.world().get(&id).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().parse();
        assert_eq!(still, Some(Awaited::Changed(version.unwrap())));
    }
}
