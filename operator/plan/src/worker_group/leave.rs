//! Which workers leave when fewer are wanted, and what is next for each of them.
//!
//! A pod that is to leave is marked first; only then is its scheduler asked to let it go, and deleted it is when that
//! says that nothing would be lost. Marks and the scheduler's own records are all the memory there is.

mod next;

use std::cmp::Reverse;

use dask_operator_api::labels;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::check::CheckedGroup;
use super::decide::is_ours_to_decide;
use super::desired;
use super::observed::{Mark, Observed, Stage, WorkerPod};
use crate::facts::{Drain, Index, Link, Load};
use crate::plan::{Apply, Ask, Delete, Event, Kind, Order, Patch};
use crate::sabotage::{self, Bug};
use next::{Next, Step};

pub(super) use next::trouble;

/// Whatever was asked is looked at again after this time.
const SOON: SignedDuration = SignedDuration::from_secs(2);
/// Whatever is waited for, it is looked whether it has come.
const LONG: SignedDuration = SignedDuration::from_secs(20);
/// A pod that has nothing any more is given this long, in seconds, unless its template says how it is to end.
const BRIEF: u32 = 2;

/// What becomes of the pods that are too many.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    pub(super) marks: Vec<Apply>,
    pub(super) delete: Vec<Delete>,
    pub(super) asks: Vec<Ask>,
    pub(super) drained: Vec<Drain>,
    pub(super) events: Vec<Event>,
    pub(super) needs_facts: bool,
    pub(super) wake: Option<Timestamp>,
}

/// Those that were already leaving go on, the furthest first; more are chosen, or some taken back.
pub(super) fn leave(group: &CheckedGroup, observed: &Observed, now: Timestamp) -> Leaving {
    let mut leaving = Leaving::default();
    if !is_ours_to_decide(group, observed) {
        return leaving;
    }
    let index = match &observed.link {
        Link::Preload(facts) => Some(Index::of(facts)),
        _ => None,
    };
    let look = Look { group, observed, index, now };
    let (mut marked, staying): (Vec<_>, Vec<_>) =
        observed.pods.iter().filter(|pod| pod.is_live()).partition(|pod| pod.leaves_since().is_some());
    let surplus = surplus(group, marked.len() + staying.len());
    marked.sort_by_key(|pod| (look.far(pod), pod.leaves_since(), &pod.name));
    let wanted_again = marked.split_off(marked.len().min(surplus));
    let more = surplus - marked.len();
    for pod in marked {
        look.go_on(pod, &mut leaving);
    }
    for pod in wanted_again {
        look.take_back(pod, &mut leaving);
    }
    let staying = look.choose(staying, more, &mut leaving);
    for pod in staying {
        look.let_go_on(pod, &mut leaving);
    }
    leaving
}

/// How many live workers are too many.
fn surplus(group: &CheckedGroup, live: usize) -> usize {
    live.saturating_sub(group.wanted + usize::from(sabotage::is(Bug::OneTooMany)))
}

struct Look<'a> {
    group: &'a CheckedGroup,
    observed: &'a Observed,
    /// None while the scheduler has told nothing.
    index: Option<Index<'a>>,
    now: Timestamp,
}

impl<'a> Look<'a> {
    fn drain(&self, pod: &WorkerPod) -> Option<&'a Drain> {
        self.index.as_ref()?.drain(&pod.name)
    }

    fn load(&self, pod: &WorkerPod) -> Option<Load> {
        self.index.as_ref()?.load(&pod.name, pod.ip)
    }

    /// One step of a pod that was marked.
    fn go_on(&self, pod: &WorkerPod, leaving: &mut Leaving) {
        let next = next::next(&Step {
            link: &self.observed.link,
            drain: self.drain(pod),
            load: self.load(pod),
            deadline: next::deadline(self.group, pod),
            on_timeout: self.group.worker.drain.unwrap_or_default().on_timeout.unwrap_or_default(),
            now: self.now,
        });
        leaving.needs_facts |= next != Next::Delete;
        match next {
            Next::Delete => leaving.delete.push(delete(pod, None)),
            Next::DeleteDrained => self.delete_drained(pod, leaving),
            Next::Ask(order) => leaving.ask(order, pod, self.now),
            // Facts are followed no longer than somebody looks.
            Next::Wait(until) => leaving.wake_at(until.min(self.now + LONG)),
            // First it goes on; what was noted then holds whatever becomes of us.
            Next::Stay if self.may_be_paused(pod) => leaving.ask(Order::Uncordon, pod, self.now),
            Next::Stay if self.is_unsettled(pod) => leaving.wake_at(self.now + SOON),
            Next::Stay => {
                leaving.marks.push(mark(pod, Some(self.stays())));
                leaving.events.push(next::stays(pod));
            }
        }
    }

    fn delete_drained(&self, pod: &WorkerPod, leaving: &mut Leaving) {
        let brief = desired::leaves_as_we_say(self.group).then_some(BRIEF);
        leaving.delete.push(delete(pod, brief));
        let Some(drain) = self.drain(pod) else { return };
        leaving.drained.push(drain.clone());
        leaving.events.extend(next::losses(drain));
    }

    /// A pod is wanted again before it is gone: first its workers go on, then its mark goes.
    fn take_back(&self, pod: &WorkerPod, leaving: &mut Leaving) {
        let unknown = self.index.is_none() && self.has_scheduler() && self.observed.link != Link::Stock;
        leaving.needs_facts = true;
        if self.may_be_paused(pod) && !sabotage::is(Bug::StaysPaused) {
            leaving.ask(Order::Uncordon, pod, self.now);
        } else if unknown || self.is_unsettled(pod) {
            leaving.wake_at(self.now + LONG);
        } else {
            return leaving.marks.push(mark(pod, None));
        }
        // Whoever is to leave once more has all its time again.
        if pod.mark != Some(Mark::Returns) {
            leaving.marks.push(mark(pod, Some(Mark::Returns)));
        }
    }

    fn may_be_paused(&self, pod: &WorkerPod) -> bool {
        self.drain(pod).is_some() || self.load(pod).is_some_and(|load| load.is_cordoned)
    }

    fn is_unsettled(&self, pod: &WorkerPod) -> bool {
        self.observed.unsettled.contains(&pod.name)
    }

    /// An order that came late may have paused a pod that nobody wants to leave any more.
    fn let_go_on(&self, pod: &WorkerPod, leaving: &mut Leaving) {
        if pod.mark == Some(Mark::Returns) {
            return self.take_back(pod, leaving);
        }
        let cordoned = self.load(pod).is_some_and(|load| load.is_cordoned);
        let by_us = self.drain(pod).is_some_and(next::is_paused);
        if cordoned && by_us && !sabotage::is(Bug::StaysPaused) {
            leaving.needs_facts = true;
            leaving.ask(Order::Uncordon, pod, self.now);
        }
    }

    /// Chooses so many more pods, and returns the others. First those without a node, then not ready, without a
    /// registered worker, idle, busy; who has least to lose first, then the youngest.
    fn choose<'p>(
        &self,
        staying: Vec<&'p WorkerPod>,
        more: usize,
        leaving: &mut Leaving,
    ) -> Vec<&'p WorkerPod> {
        if more == 0 {
            return staying;
        }
        let stays = Some(self.stays());
        let (kept, mut pods): (Vec<_>, Vec<_>) = staying.into_iter().partition(|pod| pod.mark == stays);
        pods.sort_by_cached_key(|pod| self.give_up_first(pod));
        let others = pods.split_off(pods.len().min(more.saturating_sub(kept.len())));
        for pod in pods {
            if self.has_nothing(pod) {
                leaving.delete.push(delete(pod, None));
                continue;
            }
            leaving.needs_facts = true;
            match self.observed.link {
                Link::Unasked => leaving.wake_at(self.now + SOON),
                Link::Stock | Link::Preload(_) | Link::Unreachable(_) => {
                    leaving.marks.push(mark(pod, Some(Mark::Leaves(self.now))));
                }
            }
        }
        others.into_iter().chain(kept).collect()
    }

    fn give_up_first(&self, pod: &WorkerPod) -> impl Ord + use<> {
        let load = self.load(pod);
        (pod.stage.clone(), load, Reverse(pod.created), pod.name.clone())
    }

    /// Nothing can be lost with it, or nobody can be asked.
    fn has_nothing(&self, pod: &WorkerPod) -> bool {
        let unregistered = self.index.is_some() && self.load(pod).is_none();
        let nobody = !self.has_scheduler() || self.observed.link == Link::Stock;
        pod.stage == Stage::Unscheduled || unregistered || nobody
    }

    /// The mark of a pod that stays as long as the group is what it is.
    fn stays(&self) -> Mark {
        Mark::Stays(self.group.generation.unwrap_or(0))
    }

    fn has_scheduler(&self) -> bool {
        self.observed.cluster.as_ref().is_some_and(|cluster| cluster.has_scheduler)
    }

    /// The lower, the further.
    fn far(&self, pod: &WorkerPod) -> u8 {
        self.drain(pod).map_or(2, |drain| u8::from(!next::is_done(drain)))
    }
}

impl Leaving {
    fn ask(&mut self, order: Order, pod: &WorkerPod, now: Timestamp) {
        self.asks.push(Ask { order, pod: pod.name.clone(), ip: pod.ip });
        self.wake_at(now + SOON);
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}

fn delete(pod: &WorkerPod, grace: Option<u32>) -> Delete {
    Delete { kind: Kind::Pod, name: pod.name.clone(), uid: pod.uid.clone(), grace }
}

/// The UID alone says which pod is meant: its version changes with each word of its node.
fn mark(pod: &WorkerPod, mark: Option<Mark>) -> Apply {
    let text = mark.map_or(Value::Null, |mark| mark.to_string().into());
    let body = json!({"metadata": {"uid": pod.uid, "annotations": {labels::DRAINING: text}}});
    Apply::Patch(Patch { kind: Kind::Pod, name: pod.name.clone(), body })
}
