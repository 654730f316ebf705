//! A scheduler that has loaded nothing of ours, asked by Dask's own protocol: what it tells, and how pods leave it.

mod act;
mod drain;
mod own;
mod paused;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use dask_operator_plan::{Ask, Facts, Order, StockFacts};
use futures::StreamExt;
use futures::stream;
use tokio::time::{Instant, timeout_at};

use super::ask::{Answered, AskError, Schedulers};
use super::links::Place;
use super::rpc::{self, Identity, Talk};
use act::act;
use drain::{Action, Drain};
use own::Own;
use paused::Paused;

/// What one conversation may take.
const TALK_WITHIN: Duration = Duration::from_secs(5);
/// It tells some 2 KiB of each worker.
const FACTS_BYTES: usize = 16 << 20;
/// The same of the few workers of one pod.
const STEP_BYTES: usize = 1 << 20;
/// To copy results takes as long as it takes; a scheduler goes on with it while it is asked again.
const STEP_WITHIN: Duration = Duration::from_secs(3);
/// All steps of one turn; those that had no time are the first ones of the next.
const STEPS_WITHIN: Duration = Duration::from_secs(6);
/// It is asked no more often, and left alone for many times as long as its answer took, within reason.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
const LEFT_ALONE: u32 = 10;
/// So many conversations with one scheduler at a time.
const STEPS_AT_ONCE: usize = 16;

/// What one conversation may come to.
struct Bounds {
    most: usize,
    within: Duration,
}

impl Bounds {
    const FACTS: Self = Self { most: FACTS_BYTES, within: TALK_WITHIN };
    const STEP: Self = Self { most: STEP_BYTES, within: STEP_WITHIN };
}

/// What we remember of it.
#[derive(Default)]
pub(super) struct Stock {
    /// By pod. All of them can be begun anew.
    drains: BTreeMap<String, Drain>,
    paused: Paused,
    /// Which scheduler it was.
    id: String,
    /// How long its last answer took, and when that came: steps that follow from it take their time.
    took: Duration,
    pub(super) heard: Option<Instant>,
}

impl Stock {
    /// What is wanted of some pods from now on.
    pub(super) fn order(&mut self, asks: &[Ask]) {
        let now = Instant::now();
        for ask in asks {
            let drain = self.drains.entry(ask.pod.clone()).or_insert_with(|| Drain::new(now));
            drain.ip = ask.ip.or(drain.ip);
            match ask.order {
                Order::Retire { seconds } => drain.leave(Duration::from_secs(seconds.into()), now),
                Order::Forget => drain.forget(),
                Order::Uncordon => drain.go_on(),
            }
        }
    }

    /// How long it is left alone then; of its workers alone anybody wants to know soon.
    pub(super) fn pause(&self, is_for_workers: bool) -> Duration {
        let shortest = if is_for_workers { SHORTEST_PAUSE } else { LONGEST_PAUSE };
        (self.took * LEFT_ALONE).clamp(shortest, LONGEST_PAUSE)
    }

    /// Asks it once, has each pod go one step on, and tells what is known then.
    pub(super) async fn told(&mut self, schedulers: &dyn Schedulers, place: &Place) -> Answered {
        match self.turn(schedulers, place).await {
            Ok(facts) => Answered::Rpc(Arc::new(facts)),
            Err(AskError::Tls) => Answered::Tls,
            Err(why) => Answered::Failed(why.to_string()),
        }
    }

    async fn turn(&mut self, schedulers: &dyn Schedulers, place: &Place) -> Result<Facts, AskError> {
        let began = Instant::now();
        let (Identity { id, workers }, target) = facts(schedulers, place).await?;
        (self.took, self.heard) = (began.elapsed(), Some(Instant::now()));
        self.meet(id)?;
        for pod in self.paused.for_long(&workers, Instant::now()) {
            self.drains.entry(pod).or_insert_with(|| Drain::new(Instant::now()));
        }
        let own = Own::of(&workers);
        let tasks = self.tasks(schedulers, place, &own).await;
        let steps = self.steps(&own, &tasks, None);
        let more = self.take(steps, schedulers, place).await;
        let steps = self.steps(&own, &tasks, Some(&more));
        self.take(steps, schedulers, place).await;
        self.drains.retain(|_, drain| !drain.is_over());
        let drains = self.drains.iter().map(|(pod, drain)| drain.report(pod)).collect();
        let workers = workers.into_iter().map(|told| told.worker).collect();
        Ok(StockFacts { pod_uid: place.pod_uid.clone(), workers, drains, target }.into())
    }

    /// One that was restarted knows nothing of what was asked before, and may be of another kind.
    fn meet(&mut self, id: String) -> Result<(), AskError> {
        let known = mem::replace(&mut self.id, id);
        if known.is_empty() || known == self.id {
            return Ok(());
        }
        self.drains.clear();
        Err(AskError::Call("it was restarted".to_owned()))
    }

    /// How many tasks the workers of pods that leave have now; nothing, if that was not told.
    async fn tasks(
        &self,
        schedulers: &dyn Schedulers,
        place: &Place,
        own: &Own<'_>,
    ) -> BTreeMap<String, u64> {
        let waiting = self.drains.iter().filter(|(_, drain)| drain.waits());
        let of_pod = waiting.flat_map(|(pod, drain)| own.workers(pod, drain.ip));
        let addresses: Vec<_> = of_pod.map(|told| told.worker.address.clone()).collect();
        if addresses.is_empty() {
            return BTreeMap::new();
        }
        let answer = ask(schedulers, place, vec![rpc::what_it_processes(&addresses)], Bounds::FACTS).await;
        answer.and_then(|answers| read(rpc::processing, &answers, 0)).unwrap_or_default()
    }

    /// What is next for each pod, or for these; first for those with whom it went well before.
    fn steps(
        &mut self,
        own: &Own<'_>,
        tasks: &BTreeMap<String, u64>,
        only: Option<&BTreeSet<String>>,
    ) -> Vec<(String, Action)> {
        let now = Instant::now();
        let mut steps = Vec::new();
        for (pod, drain) in
            self.drains.iter_mut().filter(|(pod, _)| only.is_none_or(|only| only.contains(*pod)))
        {
            let workers = own.workers(pod, drain.ip);
            steps.extend(drain.next(&workers, tasks, now).map(|action| (drain.tries, pod.clone(), action)));
        }
        steps.sort_by_key(|(tries, ..)| *tries);
        steps.into_iter().map(|(_, pod, action)| (pod, action)).collect()
    }

    /// Takes these steps, and returns the pods that can go another one at once.
    async fn take(
        &mut self,
        steps: Vec<(String, Action)>,
        schedulers: &dyn Schedulers,
        place: &Place,
    ) -> BTreeSet<String> {
        let until = Instant::now() + STEPS_WITHIN;
        let taken =
            steps.into_iter().map(|(pod, action)| async move { (pod, act(action, schedulers, place).await) });
        let mut taken = stream::iter(taken).buffer_unordered(STEPS_AT_ONCE);
        let mut more = BTreeSet::new();
        while let Ok(Some((pod, outcome))) = timeout_at(until, taken.next()).await {
            if let Some(drain) = self.drains.get_mut(&pod)
                && drain.done(outcome, Instant::now())
            {
                more.insert(pod);
            }
        }
        more
    }
}

/// The workers, and how many Dask would have. What fails for an extension of the user's is not known, and the rest is.
async fn facts(schedulers: &dyn Schedulers, place: &Place) -> Result<(Identity, Option<u64>), AskError> {
    let questions = vec![rpc::question("identity"), rpc::question("adaptive_target"), rpc::which_may_close()];
    let answers = ask(schedulers, place, questions, Bounds::FACTS).await?;
    let mut identity = read(rpc::identity, &answers, 0)?;
    if let Ok(closable) = read(rpc::closable, &answers, 2) {
        for worker in identity.workers.iter_mut().map(|told| &mut told.worker) {
            worker.vetoed = worker.long_running == 0 && !closable.contains(&worker.address);
        }
    }
    Ok((identity, read(rpc::target, &answers, 1).ok()))
}

async fn ask(
    schedulers: &dyn Schedulers,
    place: &Place,
    messages: Vec<Vec<u8>>,
    Bounds { most, within }: Bounds,
) -> Result<Vec<Vec<u8>>, AskError> {
    schedulers.talk(Talk { address: place.comm, messages, answered: true, most, within }).await
}

/// Reads one of several answers.
fn read<T>(how: impl Fn(&[u8]) -> Result<T, String>, answers: &[Vec<u8>], at: usize) -> Result<T, AskError> {
    how(answers.get(at).map(Vec::as_slice).unwrap_or_default()).map_err(AskError::Call)
}

#[cfg(test)]
mod tests;
