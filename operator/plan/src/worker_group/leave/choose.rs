//! Who leaves first.

use std::cmp::Reverse;

use super::{LONG, Leaving, Look, SOON, delete, mark};
use crate::facts::{Link, Load};
use crate::worker_group::crashes::HEALTHY_AFTER;
use crate::worker_group::observed::{Mark, Stage, WorkerPod};

impl Look<'_> {
    /// Chooses so many more pods, and returns the others. First those without a node, then not ready, of an earlier
    /// template, without a registered worker, idle, busy; who has least to lose first, then the youngest.
    pub(super) fn choose<'p>(
        &self,
        staying: Vec<&'p WorkerPod>,
        more: usize,
        leaving: &mut Leaving,
    ) -> Vec<&'p WorkerPod> {
        if more == 0 {
            return staying;
        }
        let (kept, mut pods) = self.kept(staying);
        pods.sort_by_cached_key(|pod| self.give_up_first(pod));
        let others = pods.split_off(pods.len().min(more.saturating_sub(kept.len())));
        self.part_with(pods, leaving);
        others.into_iter().chain(kept).collect()
    }

    /// Parts with as many of an earlier template as others can stand in for, and returns the others.
    pub(super) fn replace<'p>(
        &self,
        staying: Vec<&'p WorkerPod>,
        leaving: &mut Leaving,
    ) -> Vec<&'p WorkerPod> {
        let (outdated, current): (Vec<_>, Vec<_>) =
            staying.into_iter().partition(|pod| self.roll.is_outdated(pod));
        let (kept, outdated) = self.kept(outdated);
        if outdated.is_empty() {
            return current.into_iter().chain(kept).collect();
        }
        leaving.needs_facts = true;
        leaving.wake_at(self.now + LONG);
        let (useless, mut outdated): (Vec<_>, Vec<_>) =
            outdated.into_iter().partition(|pod| self.never_started(pod));
        self.part_with(useless, leaving);
        let old = self.at_work(&outdated);
        let new = current.iter().filter(|pod| self.is_at_work(pod) && self.is_proven(pod)).count();
        let all = outdated.len() + current.len() + kept.len();
        let (any, working) = self.roll.may_go(all, old + new + self.at_work(&kept), current.len() - new);
        let idle = (outdated.len() - old).min(any);
        let count = if self.may_ask() { idle + working.min(any - idle) } else { 0 };
        outdated.sort_by_cached_key(|pod| (self.is_at_work(pod), self.give_up_first(pod)));
        let others = outdated.split_off(outdated.len().min(count));
        self.part_with(outdated, leaving);
        others.into_iter().chain(current).chain(kept).collect()
    }

    /// Those that could not leave in time and stay; and the others.
    fn kept<'p>(&self, pods: Vec<&'p WorkerPod>) -> (Vec<&'p WorkerPod>, Vec<&'p WorkerPod>) {
        let stays = Some(self.stays());
        pods.into_iter().partition(|pod| pod.mark == stays)
    }

    fn part_with(&self, pods: Vec<&WorkerPod>, leaving: &mut Leaving) {
        for pod in pods {
            // For one that has no node, as far as is known, that may be late.
            if self.has_nothing(pod) && !self.may_soon_know() {
                leaving.delete.push(delete(pod, None));
                continue;
            }
            leaving.needs_facts = true;
            if self.observed.link == Link::Unasked {
                leaving.wake_at(self.now + SOON);
            } else {
                leaving.marks.push(mark(pod, Some(Mark::Leaves(self.now))));
            }
        }
    }

    /// Whether nobody has been asked yet, and somebody can be.
    fn may_soon_know(&self) -> bool {
        let is_ready = self.observed.cluster.as_ref().is_some_and(|cluster| cluster.scheduler_ready);
        self.observed.link == Link::Unasked && is_ready
    }

    fn give_up_first(&self, pod: &WorkerPod) -> impl Ord + use<> {
        let load: Option<Load> = self.load(pod);
        (pod.stage.clone(), !self.roll.is_outdated(pod), load, Reverse(pod.created), pod.name.clone())
    }

    /// Nothing can be lost with it, or nobody can be asked.
    fn has_nothing(&self, pod: &WorkerPod) -> bool {
        let nobody = !self.has_scheduler() || self.observed.link == Link::Stock;
        let never_came = self.is_unregistered(pod) && !self.may_have_come(pod);
        self.has_no_node(pod) || never_came || nobody
    }

    /// It has no node, no worker in it has registered, or it cannot start.
    fn never_started(&self, pod: &WorkerPod) -> bool {
        let cannot = pod.trouble.is_some() && self.has_nothing(pod);
        let never = self.is_unregistered(pod) || cannot;
        self.has_no_node(pod) || (pod.stage != Stage::Ready && never)
    }

    /// As far as is known: a scheduler may know its worker before a watch shows that it has one.
    fn has_no_node(&self, pod: &WorkerPod) -> bool {
        pod.stage == Stage::Unscheduled && self.load(pod).is_none()
    }

    fn is_unregistered(&self, pod: &WorkerPod) -> bool {
        self.index.is_some() && self.load(pod).is_none()
    }

    fn at_work(&self, pods: &[&WorkerPod]) -> usize {
        pods.iter().filter(|pod| self.is_at_work(pod)).count()
    }

    /// As far as anybody can tell. One that is short of memory is.
    fn is_at_work(&self, pod: &WorkerPod) -> bool {
        let registered = self.load(pod).map_or(self.observed.link == Link::Stock, |load| !load.is_cordoned);
        pod.stage == Stage::Ready && registered
    }

    /// It has not taken the place of one that crashed a short while ago.
    fn is_proven(&self, pod: &WorkerPod) -> bool {
        pod.crashes == 0 || pod.created + HEALTHY_AFTER <= self.now
    }

    /// Whether somebody tells, or nobody ever will.
    fn may_ask(&self) -> bool {
        match self.observed.link {
            Link::Preload(_) | Link::Rpc(_) | Link::Stock => true,
            Link::Unasked | Link::Unreachable(_) => !self.has_scheduler(),
        }
    }
}
