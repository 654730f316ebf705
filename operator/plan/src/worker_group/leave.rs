//! Which workers leave, since fewer are wanted or others take their places, and what is next for each of them.
//!
//! A pod that is to leave is marked first; only then is its scheduler asked to let it go, and deleted it is when that
//! says that nothing would be lost. Marks and the scheduler's own records are all the memory there is.

mod choose;
mod delayed;
mod ended;
mod next;

use dask_operator_api::labels;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::check::CheckedGroup;
use super::decide::is_ours_to_decide;
use super::observed::{Mark, Observed, Stage, WorkerPod};
use super::roll::Roll;
use super::{desired, events};
use crate::facts::{Drain, Index, Link, Load};
use crate::plan::{Apply, Ask, Delete, Event, Kind, Order, Patch};
use crate::sabotage::{self, Bug};
pub(super) use delayed::delayed;
pub(super) use ended::{Untold, ended};
use next::{Next, Step};

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
    if observed.is_suspended() {
        return end(group, observed);
    }
    let index = observed.link.facts().map(Index::of);
    let roll = Roll::of(group, observed);
    let look = Look { group, observed, roll, index, now };
    let live = observed.pods.iter().filter(|pod| pod.is_live());
    let (marked, staying): (Vec<_>, Vec<_>) = live.partition(|pod| pod.leaves_since().is_some());
    let (replaced, mut marked): (Vec<_>, Vec<_>) =
        marked.into_iter().partition(|pod| look.roll.is_outdated(pod));
    let surplus = look.surplus(&marked, &staying);
    marked.sort_by_key(|pod| (look.far(pod), pod.leaves_since(), &pod.name));
    let wanted_again = marked.split_off(marked.len().min(surplus));
    let more = surplus - marked.len();
    for pod in replaced.into_iter().chain(marked) {
        look.go_on(pod, &mut leaving);
    }
    for pod in wanted_again {
        look.take_back(pod, &mut leaving);
    }
    let staying = look.choose(staying, more, &mut leaving);
    for pod in look.replace(staying, &mut leaving) {
        look.let_go_on(pod, &mut leaving);
    }
    leaving
}

/// The scheduler is stopped with them, so there is nobody to hand anything over to.
fn end(group: &CheckedGroup, observed: &Observed) -> Leaving {
    let grace = desired::leaves_as_we_say(group).then_some(BRIEF);
    let live = observed.pods.iter().filter(|pod| pod.is_live());
    Leaving { delete: live.map(|pod| delete(pod, grace)).collect(), ..Leaving::default() }
}

struct Look<'a> {
    group: &'a CheckedGroup,
    observed: &'a Observed,
    roll: Roll<'a>,
    /// None while the scheduler has told nothing.
    index: Option<Index<'a>>,
    now: Timestamp,
}

impl<'a> Look<'a> {
    /// How many of these are too many. Those that others replace are no part of it.
    fn surplus(&self, marked: &[&WorkerPod], staying: &[&WorkerPod]) -> usize {
        let outdated = staying.iter().filter(|pod| self.roll.is_outdated(pod)).count();
        let most = self.group.wanted + self.roll.surge(outdated) + usize::from(sabotage::is(Bug::OneTooMany));
        (marked.len() + staying.len()).saturating_sub(most)
    }

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
            may_have_come: self.may_have_come(pod),
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
                leaving.events.push(events::stays(pod, self.load(pod).unwrap_or_default()));
            }
        }
    }

    fn delete_drained(&self, pod: &WorkerPod, leaving: &mut Leaving) {
        let grace = desired::leaves_as_we_say(self.group).then_some(BRIEF);
        leaving.delete.push(Delete { drained: self.drain(pod).cloned(), ..delete(pod, grace) });
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

    /// Whether a worker of it may have registered since facts were told: a scheduler at work tells them late, and one that
    /// takes work is not to be deleted unasked.
    fn may_have_come(&self, pod: &WorkerPod) -> bool {
        let can_say = matches!(self.observed.link, Link::Preload(_) | Link::Rpc(_));
        // Where readiness says more than that a container runs, one that runs has an address at least.
        let may_run = pod.stage == Stage::Ready || (pod.ip.is_some() && pod.trouble.is_none());
        can_say && may_run && !self.observed.unknown.contains(&pod.name)
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

    /// The mark of a pod that stays as long as the group is what it is.
    fn stays(&self) -> Mark {
        Mark::Stays(self.group.generation.unwrap_or(0))
    }

    fn has_scheduler(&self) -> bool {
        self.observed.cluster.as_ref().is_some_and(|cluster| cluster.has_scheduler)
    }

    /// The lower, the further.
    fn far(&self, pod: &WorkerPod) -> u8 {
        let has_none = self.index.is_some() && self.load(pod).is_none();
        let unasked = if has_none { 0 } else { 2 };
        self.drain(pod).map_or(unasked, |drain| u8::from(!next::is_done(drain)))
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
    Delete { grace, ..Delete::of(Kind::Pod, &pod.name, &pod.uid) }
}

/// The UID alone says which pod is meant: its version changes with each word of its node.
fn mark(pod: &WorkerPod, mark: Option<Mark>) -> Apply {
    let text = mark.map_or(Value::Null, |mark| mark.to_string().into());
    let body = json!({"metadata": {"uid": pod.uid, "annotations": {labels::DRAINING: text}}});
    Apply::Patch(Patch::of(Kind::Pod, &pod.name, body))
}
