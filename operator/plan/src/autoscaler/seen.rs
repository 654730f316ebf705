//! What is known of each group by one look.

use dask_operator_api::autoscaler::ScalingReason;
use jiff::Timestamp;

use super::assign::{Room, whole};
use super::check::{Bounds, CheckedAutoscaler, MOST_AT_ALL, Scaled};
use super::observed::{Group, Observed};
use super::offer::Offer;
use super::trouble::{self, Trouble};
use crate::facts::{Hold, Index, Load};
use crate::worker_group::{Stage, WorkerPod};

/// Beyond this part of their memory workers begin to write to disk (`distributed.worker.memory.target`).
const MEMORY_IN_USE: f64 = 0.6;

/// One group that is scaled.
pub(super) struct Seen<'a> {
    pub(super) scaled: &'a Scaled,
    pub(super) group: &'a Group,
    pub(super) offer: Offer,
    /// Live pods whose workers have registered.
    pub(super) present: usize,
    /// Those of them that have tasks, or cannot go now.
    pub(super) busy: usize,
    /// How many workers hold what is in memory, without writing it to disk.
    pub(super) memory: usize,
    /// Why no more are made on top of those that are there.
    pub(super) trouble: Option<Trouble>,
    /// Whether that has gone on for so long that others take its work.
    pub(super) is_stuck: bool,
    /// Whether a group of a higher priority is to take its work, if it can.
    pub(super) is_behind: bool,
}

/// How far groups may be filled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// With as many workers as there can be.
    Free,
    /// With as many workers as they may have.
    Whole,
    /// The same, but for those whose workers do not start.
    Able,
    /// With the workers that are there.
    Present,
}

/// All groups that are scaled and exist, those of the highest priority first.
pub(super) fn seen<'a>(
    autoscaler: &'a CheckedAutoscaler,
    observed: &'a Observed,
    index: &Index<'_>,
    now: Timestamp,
) -> Vec<Seen<'a>> {
    let mut all: Vec<Seen<'a>> = Vec::new();
    for scaled in &autoscaler.groups {
        if let Some(mut one) = Seen::of(scaled, autoscaler, observed, index, now) {
            let above = |other: &Seen<'_>| other.scaled.priority > scaled.priority;
            one.is_behind = all.iter().any(|other| above(other) && other.offer.has_all_of(&one.offer));
            all.push(one);
        }
    }
    all
}

/// Workers that somebody else scales take work, too.
pub(super) fn beside(autoscaler: &CheckedAutoscaler, observed: &Observed, index: &Index<'_>) -> Vec<Room> {
    let scaled = |group: &&Group| autoscaler.groups.iter().any(|scaled| scaled.name == group.name);
    let room = |group: &Group| {
        let present = registered(group, index).count();
        Room::new(Offer::of(group, index), autoscaler.bounds, present, 0)
    };
    observed.groups.iter().filter(|group| !scaled(group)).map(room).collect()
}

fn registered<'a>(group: &'a Group, index: &Index<'_>) -> impl Iterator<Item = &'a WorkerPod> {
    group.pods.iter().filter(|pod| pod.is_live() && index.load(&pod.name, pod.ip).is_some())
}

/// What its registered workers have.
pub(super) fn loads(group: &Group, index: &Index<'_>) -> Vec<Load> {
    registered(group, index).filter_map(|pod| index.load(&pod.name, pod.ip)).collect()
}

/// How many bytes a group holds. What those that leave have is to be copied to others, of which there may be none yet.
pub(super) fn held(group: &Group, index: &Index<'_>) -> u64 {
    let held = |pod: &WorkerPod| {
        let load = index.load(&pod.name, pod.ip)?;
        let leaves = load.is_cordoned || !pod.is_live();
        Some(if leaves { load.unique_bytes } else { load.bytes })
    };
    // An address of one that has ended may be another's.
    let there = group.pods.iter().filter(|pod| !matches!(pod.stage, Stage::Ended(_)));
    there.filter_map(held).fold(0, u64::saturating_add)
}

impl<'a> Seen<'a> {
    fn of(
        scaled: &'a Scaled,
        autoscaler: &CheckedAutoscaler,
        observed: &'a Observed,
        index: &Index<'_>,
        now: Timestamp,
    ) -> Option<Self> {
        let group = observed.groups.iter().find(|group| group.name == scaled.name)?;
        let loads = loads(group, index);
        let offer = Offer::of(group, index);
        let trouble = trouble::of(group, index, now);
        let passes = |trouble: &Trouble| trouble.since.is_some_and(|since| since + autoscaler.fallback > now);
        Some(Self {
            scaled,
            group,
            present: loads.len(),
            busy: loads.iter().filter(|load| load.hold != Hold::Idle).count(),
            memory: workers_for(held(group, index), &offer),
            offer,
            is_stuck: trouble.as_ref().is_some_and(|trouble| !passes(trouble)),
            trouble,
            is_behind: false,
        })
    }

    /// As far as it may be filled.
    pub(super) fn room(&self, how: How) -> Room {
        Room::new(self.offer.clone(), self.bounds(how), self.present, self.scaled.priority)
    }

    /// Those of the spec, as far as they can be kept.
    pub(super) fn bounds(&self, how: How) -> Bounds {
        let Bounds { least, most } = self.scaled.bounds;
        if how == How::Free {
            return Bounds { least: 0, most: MOST_AT_ALL };
        }
        if how == How::Present || (how == How::Able && self.is_stuck) {
            let most = self.present.min(most);
            return Bounds { least: least.min(most), most };
        }
        Bounds { least, most }
    }

    /// How many of its workers are there or may come.
    pub(super) fn counted(&self, replicas: usize) -> usize {
        if self.is_stuck { replicas.min(self.present) } else { replicas }
    }

    /// Why it gets more workers, of which the work needs so many.
    pub(super) fn why_more(&self, to: usize, worked: usize) -> ScalingReason {
        if to > worked.max(self.memory) || to <= self.scaled.bounds.least {
            ScalingReason::Minimum
        } else if self.memory >= to {
            ScalingReason::Memory
        } else if self.is_behind {
            ScalingReason::Fallback
        } else {
            ScalingReason::Work
        }
    }
}

fn workers_for(bytes: u64, offer: &Offer) -> usize {
    #[expect(clippy::cast_precision_loss, reason = "no decision depends on the last bits")]
    let bytes = bytes as f64;
    let each = offer.memory * offer.processes * MEMORY_IN_USE;
    whole(if each > 0.0 { (bytes / each).ceil() } else { bytes.min(1.0) })
}
