//! Leader election, by client-go's rules: one holder at a time, and a holder that cannot renew stops in time.
//!
//! Expiry is judged by how long this process has seen the record unchanged, never by comparing clocks of machines
//! (<https://pkg.go.dev/k8s.io/client-go/tools/leaderelection>).

use std::time::Duration;

use dask_operator_plan::sabotage::{self, Bug};
use k8s_openapi::api::coordination::v1::{Lease as K8sLease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use thiserror::Error;
use tokio::time::Instant;

use super::tenure::Tenure;
use crate::context::Clock;

/// The one lease of all replicas.
const NAME: &str = "dask-operator";
/// Others wait this long after the last renewal that they saw.
const DURATION: Duration = Duration::from_secs(15);
/// The holder stops writing this long after its last renewal: well before others may begin.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Between two renewals.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// A replica that stands by asks this often: a leader that steps down is followed within two seconds.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// No single call takes longer.
const CALL: Duration = Duration::from_secs(5);

/// Why the lease was not taken or not kept.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// The API server could not be asked, or said no.
    #[error("cannot {attempt} the lease: {source}")]
    Call { attempt: &'static str, source: Box<kube::Error> },
    /// It did not answer in time.
    #[error("cannot {attempt} the lease: no answer within {} s", CALL.as_secs())]
    Deadline { attempt: &'static str },
    /// Renewal failed for too long, or another replica holds it.
    #[error("the lease is lost: {why}")]
    Lost { why: String },
}

impl LeaseError {
    /// Whether somebody wrote it since it was read.
    fn is_conflict(&self) -> bool {
        let Self::Call { source, .. } = self else { return false };
        matches!(&**source, kube::Error::Api(status) if status.code == 409)
    }
}

/// The lease, seen from this replica.
pub(crate) struct Lease {
    api: Api<K8sLease>,
    identity: String,
    clock: Clock,
    tenure: Tenure,
    /// The record as last read, and since when it has been so.
    observed: Option<(K8sLease, Instant)>,
    /// The record as we wrote it last, unless that of a later attempt is not known.
    written: Option<K8sLease>,
}

impl Lease {
    /// The lease in `namespace`, for a replica that calls itself `identity`.
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        identity: String,
        clock: Clock,
        tenure: Tenure,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            identity,
            clock,
            tenure,
            observed: None,
            written: None,
        }
    }

    /// Returns once this replica holds the lease; since when, at the latest, others count its time.
    pub(crate) async fn acquire(&mut self) -> Instant {
        loop {
            let began = Instant::now();
            if self
                .try_hold()
                .await
                .inspect_err(|error| tracing::warn!(%error, "trying again"))
                .unwrap_or(false)
            {
                self.tenure.extend(began + RENEW_DEADLINE);
                return began;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Renews the lease for as long as that works; returns why it no longer does, when nothing is written any more.
    pub(crate) async fn keep(&mut self, held: Instant) -> LeaseError {
        let lost = self.renew(held).await;
        self.tenure.end();
        lost
    }

    async fn renew(&mut self, held: Instant) -> LeaseError {
        let mut renewed = held;
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            // Others count from when they see the renewal, which may be before we see the answer.
            let began = Instant::now();
            let attempt = tokio::time::timeout_at(renewed + RENEW_DEADLINE, self.hold_on()).await;
            match attempt {
                Ok(Ok(true)) => {
                    renewed = began;
                    self.tenure.extend(renewed + RENEW_DEADLINE);
                }
                Ok(Ok(false)) => return LeaseError::Lost { why: "another replica holds it".to_owned() },
                Ok(Err(error)) if renewed.elapsed() < RENEW_DEADLINE => {
                    tracing::warn!(%error, "trying again");
                }
                Ok(Err(error)) => return LeaseError::Lost { why: error.to_string() },
                Err(_) => return LeaseError::Lost { why: "it could not be renewed in time".to_owned() },
            }
        }
    }

    /// Gives the lease up, so that another replica need not wait.
    pub(crate) async fn release(&mut self) {
        self.tenure.end();
        // Read anew: a renewal may have been cut off.
        let Ok(Some(mut record)) = self.read().await else { return };
        let spec = record.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return;
        }
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        if let Err(error) = self.replace(&record).await {
            tracing::warn!(%error, "the lease runs out instead");
        }
    }

    /// One attempt to renew it. Whoever wrote the record last need not read it first, as in client-go: its
    /// `resourceVersion` tells whether anybody has written since.
    async fn hold_on(&mut self) -> Result<bool, LeaseError> {
        let Some(record) = self.written.take() else { return self.try_hold().await };
        match self.replace(&self.record(Some(record))).await {
            Ok(written) => self.written = Some(written),
            Err(error) if error.is_conflict() => return self.try_hold().await,
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// One attempt to take it, whoever wrote it last; false when another replica holds it.
    async fn try_hold(&mut self) -> Result<bool, LeaseError> {
        let Some(record) = self.read().await? else {
            let created =
                self.call("create", self.api.create(&PostParams::default(), &self.record(None))).await?;
            self.written = Some(created);
            return Ok(true);
        };
        self.observe(record.clone());
        if !self.may_take(&record) {
            return Ok(false);
        }
        self.written = Some(self.replace(&self.record(Some(record))).await?);
        Ok(true)
    }

    /// Free, ours, or unchanged for longer than its holder promised to renew it.
    fn may_take(&self, record: &K8sLease) -> bool {
        let spec = record.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let promised = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
        let duration = if promised == 0 { DURATION } else { Duration::from_secs(promised) };
        if sabotage::is(Bug::ClocksCompared) {
            let renewed = spec.renew_time.map_or(self.clock.now(), |time| time.0);
            return self.clock.now().duration_since(renewed).unsigned_abs() > duration;
        }
        self.observed.as_ref().is_some_and(|(_, since)| since.elapsed() > duration)
    }

    fn observe(&mut self, record: K8sLease) {
        let unchanged = self.observed.as_ref().is_some_and(|(seen, _)| seen.spec == record.spec);
        if !unchanged {
            self.observed = Some((record, Instant::now()));
        } else if let Some((seen, _)) = &mut self.observed {
            *seen = record;
        }
    }

    /// The record with us as its holder; `resourceVersion` makes the write fail if anybody was faster.
    fn record(&self, previous: Option<K8sLease>) -> K8sLease {
        let now = MicroTime(self.clock.now());
        let mut record = previous.unwrap_or_else(|| K8sLease {
            metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
            spec: None,
        });
        let old = record.spec.take().unwrap_or_default();
        let ours = old.holder_identity.as_deref() == Some(&self.identity);
        record.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: if ours { old.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(old.lease_transitions.unwrap_or(0) + i32::from(!ours)),
            ..LeaseSpec::default()
        });
        record
    }

    async fn read(&self) -> Result<Option<K8sLease>, LeaseError> {
        self.call("read", self.api.get_opt(NAME)).await
    }

    async fn replace(&self, record: &K8sLease) -> Result<K8sLease, LeaseError> {
        self.call("write", self.api.replace(NAME, &PostParams::default(), record)).await
    }

    async fn call<T>(
        &self,
        attempt: &'static str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, LeaseError> {
        match tokio::time::timeout(CALL, call).await {
            Ok(answer) => answer.map_err(|source| LeaseError::Call { attempt, source: Box::new(source) }),
            Err(_) => Err(LeaseError::Deadline { attempt }),
        }
    }
}
