//! One call to the API server: through the gate, with a deadline, counted.

use std::collections::BTreeMap;
use std::time::Duration;

use dask_operator_api::labels::{self, component};
use dask_operator_plan::{Kind, Premise};
use kube::Client;
use kube::core::Status;
use serde::Deserialize;
use thiserror::Error;

use super::gate::Gate;
use super::ledger::{Awaited, Reconciled};
use super::request::{self, Built};
use super::tenure::Tenure;
use crate::cache::Key;
use crate::metrics::Metrics;

/// No call takes longer: admission webhooks are given up to 30 seconds, and may be told to be ignored afterwards.
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(35);

/// Makes calls.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) gate: Gate,
    pub(crate) metrics: Metrics,
    pub(crate) tenure: Tenure,
}

/// Why a call failed.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// The API server said no.
    #[error("{}", .0.message)]
    Answer(Box<Status>),
    /// No answer in time.
    #[error("no answer from the API server within {} s", LONGEST_CALL.as_secs())]
    Deadline,
    /// This replica does not lead any more.
    #[error("this replica may not write: it does not hold the lease")]
    NotLeading,
    /// The call could not be made, or its answer not be read.
    #[error("{0}")]
    Call(String),
}

impl CallError {
    /// Whether what was sent may have been done all the same: it was not answered, or whoever answered had given up
    /// waiting for who does it.
    pub(super) fn is_undecided(&self) -> bool {
        match self {
            Self::Answer(status) => {
                matches!(status.code, 502 | 504) || status.message.contains("etcdserver: request timed out")
            }
            Self::NotLeading => false,
            Self::Deadline | Self::Call(_) => true,
        }
    }
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
    uid: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default)]
    pub(super) owner_references: Vec<OwnerReference>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OwnerReference {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) uid: String,
}

impl Written {
    /// Whether it has the label by which the watch of its kind selects.
    pub(super) fn is_watched(&self, kind: Kind) -> bool {
        component(kind)
            .is_none_or(|part| self.metadata.labels.get(labels::COMPONENT).is_some_and(|is| is == part))
    }

    /// None where it is no number.
    pub(super) fn version(&self) -> Option<u64> {
        self.metadata.resource_version.parse().ok()
    }

    /// Whether it is watched, and at least of this version.
    fn is_since(&self, kind: Kind, version: u64) -> bool {
        self.is_watched(kind) && self.version().is_some_and(|is| is >= version)
    }

    /// Whether the one of this UID is gone or on its way.
    fn is_deleted(&self, uid: &str) -> bool {
        self.metadata.uid != uid || self.metadata.deletion_timestamp.is_some()
    }
}

/// What our objects of a kind have as [`labels::COMPONENT`]; None where the watch shows all objects.
pub(super) fn component(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::DaskCluster | Kind::DaskWorkerGroup | Kind::DaskAutoscaler => None,
        Kind::ConfigMap => Some(component::CONFIG),
        Kind::Deployment | Kind::PodDisruptionBudget | Kind::Service => Some(component::SCHEDULER),
        Kind::Pod => Some(component::WORKER),
    }
}

impl Caller {
    pub(super) async fn send(
        &self,
        verb: &'static str,
        kind: Kind,
        key: &Key,
        request: Built,
    ) -> Result<Written, CallError> {
        let request = request.map_err(|error| CallError::Call(error.to_string()))?;
        let answer = self.in_time(&key.namespace, self.client.request::<Written>(request)).await;
        self.metrics.called(verb, kind, answer.is_ok());
        answer
    }

    /// One call, ended by its deadline or by the end of this replica's tenure, whichever comes first.
    pub(super) async fn in_time<T>(
        &self,
        namespace: &str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, CallError> {
        let _place = self.gate.enter(namespace).await;
        let answer = tokio::select! {
            biased;
            () = self.tenure.over() => return Err(CallError::NotLeading),
            answer = call => answer,
            () = tokio::time::sleep(LONGEST_CALL) => return Err(CallError::Deadline),
        };
        answer.map_err(|error| match error {
            kube::Error::Api(status) => CallError::Answer(status),
            error => CallError::Call(error.to_string()),
        })
    }

    /// Asks the API server itself whether the object with this UID is there, and not on its way.
    pub(crate) async fn is_there(&self, by: &Reconciled) -> Result<bool, CallError> {
        let deleted = Awaited::Deleted(by.uid.clone());
        Ok(self.still_awaited(by.kind, &by.key, &deleted).await?.is_none())
    }

    /// Asks the API server itself whether what a plan rests on is so.
    pub(crate) async fn holds(&self, namespace: &str, premise: &Premise) -> Result<bool, CallError> {
        let found = self.find(premise.kind, &Key::new(namespace, &premise.name)).await?;
        let is_it = |found: &Written| {
            let version = &found.metadata.resource_version;
            !found.is_deleted(&premise.uid) && premise.version.as_ref().is_none_or(|wanted| wanted == version)
        };
        Ok(found.is_some_and(|found| is_it(&found)))
    }

    async fn find(&self, kind: Kind, key: &Key) -> Result<Option<Written>, CallError> {
        match self.send("get", kind, key, request::get(kind, key)).await {
            Ok(found) => Ok(Some(found)),
            Err(CallError::Answer(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks the API server itself what a watch is still going to show of a write: None unless it has happened, and to
    /// something with the label that the watch selects by.
    pub(crate) async fn still_awaited(
        &self,
        kind: Kind,
        key: &Key,
        awaited: &Awaited,
    ) -> Result<Option<Awaited>, CallError> {
        let found = self.find(kind, key).await?;
        let is_awaited = match awaited {
            Awaited::Created => found.is_some_and(|found| found.is_watched(kind)),
            Awaited::Deleted(uid) => found.is_none_or(|found| found.is_deleted(uid)),
            // After a restore of the store it is older than what was written.
            Awaited::Changed(version) => found.is_some_and(|found| found.is_since(kind, *version)),
            Awaited::Perhaps => {
                let watched = found.filter(|found| found.is_watched(kind));
                return Ok(watched.and_then(|found| found.version()).map(Awaited::Changed));
            }
        };
        Ok(is_awaited.then(|| awaited.clone()))
    }
}

#[cfg(test)]
mod tests {
    use dask_operator_testkit::server::{ApiServer, Id, NoFaults, Verb};
    use serde_json::{Value, json};

    use super::super::testing::writer;
    use super::*;

    /// A pod on a node, so that it does not go at once.
    fn pod(server: &ApiServer, name: &str) -> (String, String) {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"nodeName": "node"}});
        let made = server.person(Verb::Create, &Id::new("pods", "team", name), pod).unwrap();
        let text = |field: &str| made["metadata"][field].as_str().unwrap().to_owned();
        (text("uid"), text("resourceVersion"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_premise_holds_for_the_one_that_is_there_and_stays_and_where_that_matters_is_unchanged() {
        let server = ApiServer::new(Box::new(NoFaults));
        let (stays, version) = pod(&server, "stays");
        let (goes, _) = pod(&server, "goes");
        server.person(Verb::Delete, &Id::new("pods", "team", "goes"), Value::Null).unwrap();
        for (name, uid, version, expected) in [
            ("stays", &stays, None, true),
            ("stays", &stays, Some(version), true),
            ("stays", &stays, Some("1".to_owned()), false),
            ("stays", &goes, None, false),
            ("goes", &goes, None, false),
            ("never", &stays, None, false),
        ] {
            let (name, uid) = (name.to_owned(), uid.clone());
            let premise = Premise { kind: Kind::Pod, name, uid, version };
            let holds = writer(&server).caller.holds("team", &premise).await;
            assert_eq!(holds.ok(), Some(expected), "{premise:?}");
        }
    }
}
