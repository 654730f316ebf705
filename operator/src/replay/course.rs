//! What was decided, and what is decided now, look by look.

use std::collections::{BTreeMap, BTreeSet};

use dask_operator_api::autoscaler::DaskAutoscaler;
use dask_operator_plan::autoscaler::{self, Decided, GroupSeen, Look};
use jiff::Timestamp;

use super::{ReplayError, setting};

/// Both courses.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) steps: Vec<Step>,
    /// How many workers were wanted in all groups together from when on.
    pub(super) totals: Vec<(Timestamp, usize, usize)>,
}

/// One group at one look.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    pub(super) time: Timestamp,
    pub(super) group: String,
    pub(super) recorded: Option<Decided>,
    pub(super) replayed: Option<Decided>,
}

impl Step {
    pub(super) fn changes(&self) -> bool {
        [&self.recorded, &self.replayed].into_iter().flatten().any(|one| one.from != one.to)
    }
}

impl Course {
    /// Of each course, until the last look.
    #[expect(clippy::cast_precision_loss, reason = "workers are few")]
    pub(super) fn worker_seconds(&self) -> (f64, f64) {
        let passed =
            |of: &[(Timestamp, usize, usize)]| of[1].0.duration_since(of[0].0).as_secs_f64().max(0.0);
        self.totals.windows(2).fold((0.0, 0.0), |(recorded, replayed), of| {
            (recorded + of[0].1 as f64 * passed(of), replayed + of[0].2 as f64 * passed(of))
        })
    }
}

/// As in `6 -> 8 Work`; what stays is `8`.
pub(super) fn words(decided: &Decided) -> String {
    let Decided { from, to, reason, .. } = decided;
    if from == to { format!("{to}") } else { format!("{from} -> {to} {reason}") }
}

/// Decides every look again.
pub(super) fn replay(looks: &[Look], settings: &[String]) -> Result<Course, ReplayError> {
    let mut replay = Replay::default();
    looks.iter().try_for_each(|look| replay.look(look, settings))?;
    Ok(replay.course)
}

#[derive(Default)]
struct Replay {
    course: Course,
    memory: autoscaler::Course,
    /// Which autoscaler it was, and since when it had not forgotten.
    of: Option<(String, Timestamp)>,
    recorded: BTreeMap<String, usize>,
    replayed: BTreeMap<String, usize>,
}

impl Replay {
    fn look(&mut self, look: &Look, settings: &[String]) -> Result<(), ReplayError> {
        self.begin(look);
        let spec = setting::with(&look.spec, settings)?;
        let wrong = |why| ReplayError::Setting { setting: settings.join(" "), why };
        let checked = autoscaler::check(&DaskAutoscaler::new(&look.name, spec.clone()));
        let checked =
            checked.map_err(|problems| wrong(problems.into_iter().map(|one| one.message).collect()))?;
        let mut seen = look.clone();
        seen.spec = spec.clone();
        seen.groups.iter_mut().for_each(|group| self.shift(group));
        let decided = seen.decide(&checked, &mut self.memory);
        let decided = decided.ok_or(ReplayError::TooLarge { time: look.time })?;
        let after = |one: &Decided, advisory| if advisory { one.from } else { one.to };
        let now = |all: &[Decided], advisory| {
            all.iter().map(|one| (one.group.clone(), after(one, advisory))).collect()
        };
        let (recorded, replayed): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (now(&look.decided, look.spec.advisory), now(&decided, spec.advisory));
        self.recorded.extend(recorded);
        self.replayed.extend(replayed);
        self.note(look, &decided);
        Ok(())
    }

    /// Another autoscaler begins anew; one whose operator was started again has only forgotten what led there.
    fn begin(&mut self, look: &Look) {
        let before = self.of.replace((look.uid.clone(), look.since));
        if before.as_ref().is_none_or(|(uid, _)| *uid != look.uid) {
            (self.recorded, self.replayed) = Default::default();
        }
        if before != self.of {
            self.memory = autoscaler::Course::default();
        }
        let is_there = |name: &String| look.groups.iter().any(|group| group.name == *name);
        self.recorded.retain(|name, _| is_there(name));
        self.replayed.retain(|name, _| is_there(name));
    }

    /// A group has as many workers as the replay gave it, unless somebody else set their number. Those on top of the
    /// recorded ones are taken to be there at once.
    fn shift(&self, group: &mut GroupSeen) {
        let as_decided = self.recorded.get(&group.name) == Some(&group.replicas);
        let Some(&replicas) = self.replayed.get(&group.name).filter(|_| as_decided) else { return };
        let (more, fewer) =
            (replicas.saturating_sub(group.replicas), group.replicas.saturating_sub(replicas));
        // Those that go first are those that have not come yet.
        group.present = if fewer > 0 { group.present.min(replicas) } else { group.present + more };
        group.busy = group.busy.min(group.present);
        group.replicas = replicas;
    }

    fn note(&mut self, look: &Look, decided: &[Decided]) {
        let find = |all: &[Decided], group: &String| all.iter().find(|one| one.group == *group).cloned();
        let groups: BTreeSet<_> = look.decided.iter().chain(decided).map(|one| one.group.clone()).collect();
        self.course.steps.extend(groups.into_iter().map(|group| Step {
            time: look.time,
            recorded: find(&look.decided, &group),
            replayed: find(decided, &group),
            group,
        }));
        let (recorded, replayed) = (self.recorded.values().sum(), self.replayed.values().sum());
        self.course.totals.push((look.time, recorded, replayed));
    }
}
