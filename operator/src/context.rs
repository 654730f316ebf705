//! What every reconcile is given.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dask_operator_plan::sabotage::{self, Bug};
use dask_operator_plan::{Kind, Settings, Suffixes};
use jiff::Timestamp;

use crate::autoscaler::Courses;
use crate::cache::{Cache, Key};
use crate::cluster::scheduler_uid;
use crate::kubernetes::{Backoff, Ledger, Reconciled, Reporter, Writer};
use crate::record::Record;
use crate::scheduler::Links;

/// The edges, shared by all controllers.
pub(crate) struct Context {
    pub(crate) cache: Cache,
    pub(crate) settings: Settings,
    pub(crate) writer: Writer,
    pub(crate) ledger: Ledger,
    pub(crate) reporter: Reporter,
    pub(crate) backoff: Backoff,
    pub(crate) links: Links,
    pub(crate) courses: Courses,
    pub(crate) record: Option<Record>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) leading: AtomicBool,
}

impl Context {
    /// From now on this replica leads.
    pub(crate) fn lead(&self) {
        self.leading.store(true, Ordering::Relaxed);
        self.writer.caller.metrics.leading(true);
    }

    /// Whether all is as it should be: a replica that leads knows everything, and one that stands by need not.
    pub(crate) fn is_ready(&self) -> bool {
        !self.leading.load(Ordering::Relaxed) || self.cache.is_synced()
    }

    /// The caches show another scheduler of a cluster, or none, or the same.
    pub(crate) fn scheduler_changed(&self, cluster: &Key) {
        if !sabotage::is(Bug::LeavingAsked) {
            self.links.keep(cluster, scheduler_uid(&self.cache, cluster).as_deref());
        }
    }

    /// Forgets an object that is gone, so that nothing grows with the number of clusters that ever were.
    pub(crate) fn forget(&self, by: &Reconciled) {
        self.ledger.forget(by);
        self.reporter.forget(by);
        self.backoff.succeeded(by);
        if by.kind == Kind::DaskCluster {
            self.links.forget(&by.key);
        }
        if by.kind == Kind::DaskAutoscaler {
            self.courses.forget(&by.key);
        }
    }
}

/// Tells the time of day.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's.
    pub fn of_machine() -> Self {
        Self::new(Timestamp::now)
    }

    /// Another one.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// The one place where chance enters: names of new pods.
#[derive(Debug)]
pub struct Chance(Mutex<Suffixes>);

impl Chance {
    /// The stream of numbers that starts at `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(Suffixes::from_seed(seed)))
    }

    /// The next seed.
    pub(crate) fn draw(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next().unwrap_or_default()
    }
}
