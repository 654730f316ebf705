//! Which group has to run how much of the work, and how many workers it needs for that.

use std::collections::BTreeMap;

use super::check::Bounds;
use super::demand::Need;
use super::offer::Offer;
use crate::facts::Demand;

/// A group as far as it can take work.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) offer: Offer,
    pub(super) bounds: Bounds,
    /// Workers that have registered.
    pub(super) present: usize,
    /// Groups of a lower priority take what those of a higher one cannot.
    pub(super) priority: i32,
    /// What is given to it so far: of each resource, and of threads.
    used: BTreeMap<Option<String>, f64>,
}

/// What was assigned.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Assigned<'a> {
    /// How many workers each group needs, in the order of the groups.
    pub(super) workers: Vec<usize>,
    /// What no group offers.
    pub(super) unrunnable: Vec<&'a Demand>,
    /// Whether there is work for more workers than all groups may have.
    pub(super) is_short: bool,
}

/// Gives all work to groups, those of the highest priority first. Workers that are there anyway take what they can before
/// others are added; those of `beside` are never more than they are.
pub(super) fn assign<'a>(needs: &[Need<'a>], groups: &[Room], beside: &[Room]) -> Assigned<'a> {
    let (mut groups, mut beside) = (groups.to_vec(), beside.to_vec());
    let mut assigned = Assigned::default();
    for need in needs {
        let able = |room: &Room| room.offer.can_run(need.demand);
        if need.demand.is_pinned() {
            // Those that are named run it, if they are there; nobody else may.
            let is_lost = need.demand.tasks.unrunnable.count > 0;
            assigned.unrunnable.extend(is_lost.then_some(need.demand));
            continue;
        }
        if !groups.iter().chain(&beside).any(able) {
            assigned.unrunnable.push(need.demand);
            continue;
        }
        let mut left = need.threads;
        for room in &mut beside {
            room.take(need.demand, &mut left, room.present);
        }
        for room in &mut groups {
            room.take(need.demand, &mut left, room.bounds.least);
        }
        take_by_priority(&mut groups, need.demand, &mut left);
        assigned.is_short |= left > 0.0;
    }
    assigned.workers =
        groups.iter().map(|room| room.workers().clamp(room.bounds.least, room.bounds.most)).collect();
    assigned
}

/// Among groups of the same priority those that have workers come first.
fn take_by_priority(groups: &mut [Room], demand: &Demand, left: &mut f64) {
    for class in groups.chunk_by_mut(|one, other| one.priority == other.priority) {
        for room in &mut *class {
            room.take(demand, left, room.present.min(room.bounds.most));
        }
        // Workers that offer what these tasks do not need are not made for them where others can be.
        let spare = |room: &Room| room.offer.resources.len();
        let least = class.iter().filter(|room| room.offer.can_run(demand)).map(spare).min();
        for room in class.iter_mut().filter(|room| Some(spare(room)) == least) {
            room.take(demand, left, room.bounds.most);
        }
    }
}

impl Room {
    pub(super) fn new(offer: Offer, bounds: Bounds, present: usize, priority: i32) -> Self {
        Self { offer, bounds, present, priority, used: BTreeMap::new() }
    }

    /// Takes of what is left as many tasks as so many workers can run beside what they have.
    fn take(&mut self, demand: &Demand, left: &mut f64, workers: usize) {
        if *left <= 0.0 || !self.offer.can_run(demand) {
            return;
        }
        let dimensions = dimensions(demand, &self.offer);
        let room = dimensions.iter().map(|(name, each)| {
            let used = self.used.get(name).copied().unwrap_or(0.0);
            (self.offer.amount(name.as_deref()) * count(workers) - used) / each
        });
        let taken = room.fold(*left, f64::min).floor();
        if taken > 0.0 {
            for (name, each) in dimensions {
                *self.used.entry(name).or_insert(0.0) += taken * each;
            }
            *left -= taken;
        }
    }

    /// How many workers have room for all that was taken.
    fn workers(&self) -> usize {
        let of = |(name, used): (&Option<String>, &f64)| (used / self.offer.amount(name.as_deref())).ceil();
        whole(self.used.iter().map(of).fold(0.0, f64::max))
    }
}

/// A thread, and so much of each resource. Two processes of three each run two tasks of two, not three: what is left over
/// in each is no use to anybody, so a task takes an equal part of its process.
fn dimensions(demand: &Demand, offer: &Offer) -> Vec<(Option<String>, f64)> {
    let resources = demand.resources.iter().filter(|(_, each)| **each > 0.0);
    let part = |(name, each): (&String, &f64)| {
        let has = offer.resources.get(name).copied().unwrap_or(0.0);
        (Some(name.clone()), has / (has / each).floor().max(1.0))
    };
    std::iter::once((None, 1.0)).chain(resources.map(part)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "no group has so many workers")]
fn count(workers: usize) -> f64 {
    workers as f64
}

/// A number of workers: no more than there can be.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
pub(super) fn whole(workers: f64) -> usize {
    if workers.is_finite() { workers.clamp(0.0, 1e9) as usize } else { 0 }
}
