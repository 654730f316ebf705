//! DaskCluster: its rooms of the plan, and what it is planned with.

mod observe;

pub(crate) use observe::{has_scheduler, scheduler_place, scheduler_pods};

use dask_operator_api::DaskCluster;
use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_plan::cluster::{self, CheckedCluster, Observed};
use dask_operator_plan::{Event, Outcome, Plan, Problem};
use jiff::Timestamp;

use crate::cache::{Cache, Key, Objects};
use crate::context::Context;
use crate::reconcile::Reconcile;

impl Reconcile for DaskCluster {
    const KIND: dask_operator_plan::Kind = dask_operator_plan::Kind::DaskCluster;
    type Checked = CheckedCluster;
    type Observed = Observed;
    type Status = DaskClusterStatus;

    fn objects(cache: &Cache) -> &Objects<Self> {
        &cache.clusters
    }

    fn check(object: &Self) -> Result<CheckedCluster, Vec<Problem>> {
        cluster::check(object)
    }

    fn observe(context: &Context, object: &Self, key: &Key) -> Option<Observed> {
        Some(observe::observe(&context.cache, object, key))
    }

    fn plan(context: &Context, checked: &CheckedCluster, observed: &Observed, now: Timestamp) -> Plan {
        cluster::plan(checked, observed, &context.settings, now)
    }

    fn status(object: &Self) -> Option<&DaskClusterStatus> {
        object.status.as_ref()
    }

    fn next(
        checked: &CheckedCluster,
        observed: &Observed,
        outcome: &Outcome,
        now: Timestamp,
    ) -> DaskClusterStatus {
        cluster::status(checked, observed, outcome, now)
    }

    fn invalid(
        previous: &DaskClusterStatus,
        problems: &[Problem],
        generation: Option<i64>,
        now: Timestamp,
    ) -> DaskClusterStatus {
        cluster::invalid(previous, problems, generation, now)
    }

    fn events(previous: &DaskClusterStatus, next: &DaskClusterStatus) -> Vec<Event> {
        cluster::events(previous, next)
    }
}
