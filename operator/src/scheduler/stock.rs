//! A scheduler that has loaded nothing of ours, asked by Dask's own protocol: what it tells, and how pods leave it.

mod drain;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dask_operator_plan::{Ask, Facts, Order, StockFacts};
use futures::StreamExt;
use futures::stream;
use tokio::time::{Instant, timeout_at};

use super::ask::{AskError, Schedulers, Told as Answered};
use super::links::Place;
use super::rpc::{self, Talk, Told};
use drain::{Action, Drain, Outcome};

/// What one conversation may take.
const TALK_WITHIN: Duration = Duration::from_secs(5);
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

/// What we remember of it.
#[derive(Default)]
pub(super) struct Stock {
    /// By pod. All of them can be begun anew.
    drains: BTreeMap<String, Drain>,
    /// How long its last answer took.
    took: Duration,
}

impl Stock {
    /// What is wanted of some pods from now on.
    pub(super) fn order(&mut self, asks: &[Ask]) {
        let now = Instant::now();
        for ask in asks {
            let drain = self.drains.entry(ask.pod.clone()).or_insert_with(|| Drain::new(ask.ip, now));
            match ask.order {
                Order::Retire { seconds } => drain.leave(now + Duration::from_secs(seconds.into())),
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
        let (workers, target) = facts(schedulers, place).await?;
        self.took = began.elapsed();
        let tasks = self.tasks(schedulers, place, &workers).await;
        let steps = self.steps(&workers, &tasks, None);
        let more = self.take(steps, schedulers, place).await;
        let steps = self.steps(&workers, &tasks, Some(&more));
        self.take(steps, schedulers, place).await;
        self.drains.retain(|_, drain| !drain.is_over());
        let drains = self.drains.iter().map(|(pod, drain)| drain.report(pod)).collect();
        let workers = workers.into_iter().map(|told| told.worker).collect();
        Ok(StockFacts { pod_uid: place.pod_uid.clone(), workers, drains, target }.into())
    }

    /// How many tasks the workers of pods that leave have now; nothing, if that was not told.
    async fn tasks(
        &self,
        schedulers: &dyn Schedulers,
        place: &Place,
        workers: &[Told],
    ) -> BTreeMap<String, u64> {
        let waiting = self.drains.iter().filter(|(_, drain)| drain.waits());
        let of_pod = waiting.flat_map(|(pod, drain)| of(workers, pod, drain.ip()));
        let addresses: Vec<_> = of_pod.map(|told| told.worker.address.clone()).collect();
        if addresses.is_empty() {
            return BTreeMap::new();
        }
        let answer = ask(schedulers, place, vec![rpc::what_it_processes(&addresses)], TALK_WITHIN).await;
        answer.and_then(|answers| read(rpc::processing, &answers, 0)).unwrap_or_default()
    }

    /// What is next for each pod, or for these; first for those with whom it went well before.
    fn steps(
        &mut self,
        workers: &[Told],
        tasks: &BTreeMap<String, u64>,
        only: Option<&BTreeSet<String>>,
    ) -> Vec<(String, Action)> {
        let now = Instant::now();
        let mut steps = Vec::new();
        for (pod, drain) in
            self.drains.iter_mut().filter(|(pod, _)| only.is_none_or(|only| only.contains(*pod)))
        {
            let own: Vec<_> = of(workers, pod, drain.ip()).collect();
            steps.extend(drain.next(&own, tasks, now).map(|action| (drain.tries, pod.clone(), action)));
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

/// The workers of a pod that leaves.
fn of<'a>(workers: &'a [Told], pod: &'a str, ip: Option<IpAddr>) -> impl Iterator<Item = &'a Told> {
    workers.iter().filter(move |told| told.worker.is_of(pod, ip))
}

/// The workers, and how many Dask would have.
async fn facts(schedulers: &dyn Schedulers, place: &Place) -> Result<(Vec<Told>, u64), AskError> {
    let questions = vec![rpc::question("identity"), rpc::question("adaptive_target"), rpc::which_may_close()];
    let answers = ask(schedulers, place, questions, TALK_WITHIN).await?;
    let mut workers = read(rpc::workers, &answers, 0)?;
    let closable = read(rpc::closable, &answers, 2)?;
    for Told { worker, .. } in &mut workers {
        worker.vetoed = worker.long_running == 0 && !closable.contains(&worker.address);
    }
    Ok((workers, read(rpc::target, &answers, 1)?))
}

async fn act(action: Action, schedulers: &dyn Schedulers, place: &Place) -> Outcome {
    let (messages, named) = match action {
        Action::Retire(workers) => (vec![rpc::retirement(&workers)], workers),
        Action::Remove(workers) => (workers.iter().map(|worker| rpc::removal(worker)).collect(), Vec::new()),
        Action::GoOn(addresses) => return go_on(&addresses, schedulers).await,
    };
    match ask(schedulers, place, messages, STEP_WITHIN).await {
        Ok(answers) if named.is_empty() => {
            let failed = answers.iter().any(|answer| rpc::is_done(answer).is_err());
            if failed { Outcome::Unknown } else { Outcome::Done }
        }
        Ok(answers) => match read(rpc::retired, &answers, 0) {
            Ok(retired) if named.iter().all(|worker| retired.contains(worker)) => Outcome::Done,
            Ok(_) => Outcome::Refused,
            Err(_) => Outcome::Unknown,
        },
        Err(_) => Outcome::Unknown,
    }
}

async fn go_on(addresses: &[SocketAddr], schedulers: &dyn Schedulers) -> Outcome {
    for address in addresses {
        let messages = rpc::going_on();
        let talk = Talk { address: *address, messages, answered: false, within: STEP_WITHIN };
        if let Err(why) = schedulers.talk(talk).await {
            tracing::warn!(%address, %why, "a worker that is wanted again does not take work");
            return Outcome::Unknown;
        }
    }
    Outcome::Done
}

async fn ask(
    schedulers: &dyn Schedulers,
    place: &Place,
    messages: Vec<Vec<u8>>,
    within: Duration,
) -> Result<Vec<Vec<u8>>, AskError> {
    schedulers.talk(Talk { address: place.comm, messages, answered: true, within }).await
}

/// Reads one of several answers.
fn read<T>(how: impl Fn(&[u8]) -> Result<T, String>, answers: &[Vec<u8>], at: usize) -> Result<T, AskError> {
    how(answers.get(at).map(Vec::as_slice).unwrap_or_default()).map_err(AskError::Call)
}

#[cfg(test)]
mod tests;
