//! Applying a plan: each write once, with a deadline, and what came of it.

use std::time::Duration;

use dask_operator_plan::{Apply, Create, Delete, Failure, FailureKind, Kind, Outcome, Patch, Plan};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use kube::Client;
use kube::core::Status;
use serde::Deserialize;
use thiserror::Error;

use super::gate::Gate;
use super::ledger::{Awaited, Ledger, Reconciled};
use super::request::{self, Built, Validation};
use crate::cache::Key;
use crate::metrics::Metrics;

/// No call takes longer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Writes of one plan that are under way at once.
const PARALLEL: usize = 16;

/// Sends writes.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) client: Client,
    pub(crate) gate: Gate,
    pub(crate) metrics: Metrics,
}

/// Why a call failed.
#[derive(Debug, Error)]
pub(crate) enum WriteError {
    /// The API server said no.
    #[error("{}", .0.message)]
    Answer(Box<Status>),
    /// No answer in time.
    #[error("no answer from the API server within {} s", DEADLINE.as_secs())]
    Deadline,
    /// The call could not be made, or its answer not be read.
    #[error("{0}")]
    Call(String),
}

/// What is read of an answer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    pub(super) metadata: WrittenMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrittenMetadata {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default)]
    owner_references: Vec<OwnerReference>,
}

#[derive(Debug, Deserialize)]
struct OwnerReference {
    name: String,
    kind: String,
    uid: String,
}

impl Writer {
    /// Writes everything that a plan says, in parallel, in the name of the reconciled object.
    pub(crate) async fn apply(
        &self,
        by: &Reconciled,
        owner_uid: &str,
        plan: &Plan,
        ledger: &Ledger,
    ) -> Outcome {
        let applied = plan.apply.iter().map(|apply| self.write(by, owner_uid, apply, ledger).boxed());
        let mut calls: Vec<BoxFuture<'_, Outcome>> = applied.collect();
        calls.extend(plan.delete.iter().map(|delete| self.delete(by, delete, ledger).boxed()));
        stream::iter(calls).buffer_unordered(PARALLEL).fold(Outcome::default(), merged).await
    }

    async fn write(&self, by: &Reconciled, owner_uid: &str, apply: &Apply, ledger: &Ledger) -> Outcome {
        match apply {
            Apply::Create(create) => self.create(by, owner_uid, create, ledger).await,
            Apply::Patch(patch) => self.patch(by, patch, ledger).await,
        }
    }

    async fn create(&self, by: &Reconciled, owner_uid: &str, create: &Create, ledger: &Ledger) -> Outcome {
        let key = Key::new(&by.1.namespace, &create.name);
        ledger.note(by, create.kind, key.clone(), Awaited::Created);
        let mut unknown_fields = None;
        let mut answer = self.send("create", create.kind, &key, post(create, &key, Validation::Strict)).await;
        if let Some(words) = unknown_fields_of(&answer) {
            unknown_fields = Some(format!("{:?} {}: {words}", create.kind, create.name));
            answer = self.send("create", create.kind, &key, post(create, &key, Validation::Ignore)).await;
        }
        match answer {
            Ok(_) => Outcome { unknown_fields, created: vec![create.kind], ..Outcome::default() },
            Err(WriteError::Answer(status)) if status.reason == "AlreadyExists" => {
                self.exists(by, owner_uid, create, &key, ledger).await
            }
            Err(error) => {
                if matches!(error, WriteError::Answer(_)) {
                    ledger.strike(by, create.kind, &key);
                }
                failed(create.kind, &create.name, &error)
            }
        }
    }

    /// The name exists: fine if it is ours, seen or not.
    async fn exists(
        &self,
        by: &Reconciled,
        owner_uid: &str,
        create: &Create,
        key: &Key,
        ledger: &Ledger,
    ) -> Outcome {
        let existing = match self.send("get", create.kind, key, request::get(create.kind, key)).await {
            Ok(existing) => existing,
            Err(error) => {
                ledger.strike(by, create.kind, key);
                return failed(create.kind, &create.name, &error);
            }
        };
        let owners = existing.metadata.owner_references;
        if owners.iter().any(|owner| owner.uid == owner_uid) {
            return Outcome { created: vec![create.kind], ..Outcome::default() };
        }
        ledger.strike(by, create.kind, key);
        let predecessor = owners.iter().any(|owner| owner.kind == "DaskCluster" && owner.name == by.1.name);
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
        let key = Key::new(&by.1.namespace, &patch.name);
        let answer =
            self.send("patch", patch.kind, &key, request::patch(patch.kind, &key, &patch.body)).await;
        self.note_change(by, patch.kind, key, &answer, ledger);
        answer.map_or_else(|error| failed(patch.kind, &patch.name, &error), |_| Outcome::default())
    }

    async fn delete(&self, by: &Reconciled, delete: &Delete, ledger: &Ledger) -> Outcome {
        let key = Key::new(&by.1.namespace, &delete.name);
        ledger.note(by, delete.kind, key.clone(), Awaited::Deleted(delete.uid.clone()));
        let request = request::delete(delete.kind, &key, &delete.uid);
        match self.send("delete", delete.kind, &key, request).await {
            Ok(_) => Outcome::default(),
            // Gone, or another object of that name: what was to go has gone.
            Err(WriteError::Answer(status)) if status.code == 404 || status.code == 409 => Outcome::default(),
            Err(error) => {
                ledger.strike(by, delete.kind, &key);
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
    ) -> Result<(), WriteError> {
        let (kind, key) = by;
        let answer = self.send("patch", *kind, key, request::patch_status(*kind, key, body)).await;
        self.note_change(by, *kind, key.clone(), &answer, ledger);
        answer.map(|_| ())
    }

    fn note_change(
        &self,
        by: &Reconciled,
        kind: Kind,
        key: Key,
        answer: &Result<Written, WriteError>,
        ledger: &Ledger,
    ) {
        if let Ok(written) = answer
            && let Ok(version) = written.metadata.resource_version.parse()
        {
            ledger.note(by, kind, key, Awaited::Changed(version));
        }
    }

    /// Asks the API server itself whether an object exists.
    pub(crate) async fn exists_now(&self, kind: Kind, key: &Key) -> Result<bool, WriteError> {
        match self.send("get", kind, key, request::get(kind, key)).await {
            Ok(_) => Ok(true),
            Err(WriteError::Answer(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn send(
        &self,
        verb: &'static str,
        kind: Kind,
        key: &Key,
        request: Built,
    ) -> Result<Written, WriteError> {
        let request = request.map_err(|error| WriteError::Call(error.to_string()))?;
        let _place = self.gate.enter(&key.namespace).await;
        let answer = tokio::time::timeout(DEADLINE, self.client.request::<Written>(request)).await;
        let answer = match answer {
            Ok(Ok(written)) => Ok(written),
            Ok(Err(kube::Error::Api(status))) => Err(WriteError::Answer(status)),
            Ok(Err(error)) => Err(WriteError::Call(error.to_string())),
            Err(_) => Err(WriteError::Deadline),
        };
        self.metrics.called(verb, kind, answer.is_ok());
        answer
    }
}

fn post(create: &Create, key: &Key, validation: Validation) -> Built {
    request::create(create.kind, &key.namespace, &create.object, validation)
}

/// The server's words when unknown fields were all that it minded.
fn unknown_fields_of(answer: &Result<Written, WriteError>) -> Option<String> {
    match answer {
        Err(WriteError::Answer(status)) if status.code == 400 && status.message.contains("unknown field") => {
            Some(status.message.clone())
        }
        _ => None,
    }
}

/// A pod's name is drawn anew at each try, so it has no place in words that stand in a status.
fn failed(kind: Kind, name: &str, error: &WriteError) -> Outcome {
    let meaning = match error {
        WriteError::Answer(status) if matches!(status.code, 400 | 403 | 422) => FailureKind::Refused,
        _ => FailureKind::Transient,
    };
    let object = format!("{kind:?} {name}");
    Outcome {
        failures: vec![Failure { object, kind: meaning, message: error.to_string() }],
        ..Outcome::default()
    }
}

async fn merged(mut all: Outcome, one: Outcome) -> Outcome {
    let Outcome { failures, unknown_fields, created, held: _ } = one;
    all.failures.extend(failures);
    all.unknown_fields = all.unknown_fields.or(unknown_fields);
    all.created.extend(created);
    all
}
