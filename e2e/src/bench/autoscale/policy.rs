//! Who decides how many workers there are.

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::adaptive::Adaptive;
use super::ours::Ours;
use super::python_operator::PythonOperator;
use super::recording::Recording;
use super::world::World;

/// No rule has more.
pub(super) const MAXIMUM: usize = 20;
/// When everything is done, whoever still has workers after so long is not going to let them go.
const PATIENCE: f64 = 900.0;
/// So many plays, each with another time from the first task to the first look.
const PHASES: u32 = 5;

/// One that looks at the cluster again and again.
pub(super) trait Policy {
    /// Seconds between two looks.
    fn every(&self) -> f64;
    /// Looks, and changes what it wants to.
    fn look(&mut self, world: &mut World<'_>) -> Result<()>;
}

/// What a load was run by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Rule {
    Ours,
    /// With a window as short as the patience of [`Rule::Adaptive`]: two seconds lie between its first look and its third.
    OursHasty,
    Adaptive,
    PythonOperator,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Run {
    pub(super) rule: Rule,
    /// Seconds of workers, from the request for each until it had left.
    pub(super) paid: f64,
    /// Of these, until they had registered, and without a task after that.
    pub(super) starting: f64,
    pub(super) idle: f64,
    /// Seconds in which work that had been submitted was not done.
    pub(super) unfinished: f64,
    /// How many workers were made in all.
    pub(super) made: f64,
    pub(super) course: Vec<(f64, usize)>,
}

impl Rule {
    pub(super) const ALL: [Self; 4] = [Self::Ours, Self::OursHasty, Self::Adaptive, Self::PythonOperator];

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Ours => "DaskAutoscaler",
            Self::OursHasty => "DaskAutoscaler, window of 2 s",
            Self::Adaptive => "Dask's Adaptive",
            Self::PythonOperator => "the Python operator",
        }
    }

    fn policy(self) -> Result<Box<dyn Policy>> {
        Ok(match self {
            Self::Ours => Box::new(Ours::new(None)?),
            Self::OursHasty => Box::new(Ours::new(Some(2))?),
            Self::Adaptive => Box::new(Adaptive::default()),
            Self::PythonOperator => Box::new(PythonOperator::default()),
        })
    }
}

/// What came of several plays.
#[expect(clippy::cast_precision_loss, reason = "there are few")]
fn mean(runs: Vec<Run>) -> Option<Run> {
    let count = runs.len();
    let mean = |of: fn(&Run) -> f64| thousandths(runs.iter().map(of).sum::<f64>() / count as f64);
    let mean = Run {
        rule: runs.first()?.rule,
        paid: mean(|run| run.paid),
        starting: mean(|run| run.starting),
        idle: mean(|run| run.idle),
        unfinished: mean(|run| run.unfinished),
        made: mean(|run| run.made),
        course: Vec::new(),
    };
    let course = runs.into_iter().nth(count / 2)?.course;
    Some(Run { course: course.into_iter().map(|(time, count)| (thousandths(time), count)).collect(), ..mean })
}

/// Nothing here is known more exactly.
pub(super) fn thousandths(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Plays a load from no workers until there are none again. Nobody knows how long before a look work is submitted: it is
/// played several times, and the course is the one in the middle.
pub(super) fn play(recording: &Recording, rule: Rule) -> Result<Run> {
    let phases = (0..PHASES).map(|phase| (f64::from(phase) + 0.5) / f64::from(PHASES));
    let runs = phases.map(|phase| play_once(recording, rule, phase)).collect::<Result<_>>()?;
    mean(runs).context("nothing was played")
}

fn play_once(recording: &Recording, rule: Rule, phase: f64) -> Result<Run> {
    let mut policy = rule.policy()?;
    let mut world = World::new(recording);
    let mut next = policy.every() * phase;
    while !(world.scheduler.is_done() && world.workers.is_empty()) {
        let is_over = world.scheduler.is_done() && world.now > world.finished + PATIENCE;
        ensure!(!is_over, "{} keeps workers", rule.words());
        world.advance(next);
        policy.look(&mut world)?;
        next += policy.every();
    }
    let World { paid, starting, idle, unfinished, made, course, .. } = world;
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    Ok(Run { rule, paid, starting, idle, unfinished, made: made as f64, course })
}
