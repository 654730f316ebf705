//! What was measured, as it is kept in `docs/bench/start.json`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use e2e::statistics::Spread;
use serde::{Deserialize, Serialize};

use super::machine::Machine;

/// With fewer starts of each kind, chance decides.
const ENOUGH: usize = 7;

/// Of one machine; what was not measured is not there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) machine: Machine,
    pub(super) starts: Vec<Starts>,
    pub(super) memory: Option<Memory>,
}

/// What is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) workers: u32,
    pub(super) nanny: bool,
    /// By how many seconds the scheduler is held back.
    pub(super) late: u32,
}

/// The starts of one shape, in the order in which they were timed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Starts {
    #[serde(flatten)]
    pub(super) shape: Shape,
    pub(super) date: String,
    /// The load average before the first start of each sitting.
    pub(super) loads: Vec<f64>,
    pub(super) distributed: String,
    pub(super) times: BTreeMap<Starter, Vec<Times>>,
    /// What the operator writes for one such cluster: `create pods` and how often.
    pub(super) writes: BTreeMap<String, usize>,
}

/// Who makes the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Starter {
    /// From a DaskCluster.
    Operator,
    /// The very objects that the operator makes, sent at once.
    Hand,
    /// The same without the text by which workers wait for their scheduler.
    HandWithoutWait,
}

/// Seconds from the request that makes the cluster, or the first of its objects, until…
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Times {
    /// …the last object was accepted,
    pub(super) made: f64,
    /// …the scheduler's pod was ready,
    pub(super) ready: f64,
    /// …every worker was registered,
    pub(super) registered: f64,
    /// …a task for each worker had given its result.
    pub(super) result: f64,
}

/// Bytes of the operator's resident memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) date: String,
    pub(super) idle: u32,
    pub(super) clusters: u32,
    pub(super) workers_of_each: u32,
    pub(super) with_clusters: u32,
    /// How many workers there are, and how much memory is taken then.
    pub(super) growth: Vec<(u32, u32)>,
}

impl Starts {
    /// One kind of time of one starter.
    pub(super) fn spread(&self, starter: Starter, of: fn(&Times) -> f64) -> Option<Spread> {
        Spread::of(self.times.get(&starter)?.iter().map(of))
    }

    /// How many times as long as by hand, to the first result.
    pub(super) fn ratio(&self, starter: Starter, of: fn(&Spread) -> f64) -> Option<f64> {
        let result = |starter| Some(of(&self.spread(starter, |times| times.result)?));
        Some(result(starter)? / result(Starter::Hand)?)
    }

    /// How often each starter had its turn.
    pub(super) fn pairs(&self) -> usize {
        self.times.values().map(Vec::len).max().unwrap_or(0)
    }

    /// Whether they tell more than chance.
    pub(super) fn are_enough(&self) -> bool {
        self.pairs() >= ENOUGH
    }

    /// The same and older ones of the same shape.
    pub(super) fn after(mut self, older: Self) -> Self {
        let mut times = older.times;
        for (starter, newer) in self.times {
            times.entry(starter).or_default().extend(newer);
        }
        self.times = times;
        self.loads.splice(..0, older.loads);
        self
    }
}

impl Memory {
    /// What one more pod costs: the median of the steps, for one of them may be that of an allocator, which keeps what a
    /// burst took on each of its threads.
    pub(super) fn bytes_per_pod(&self) -> Option<f64> {
        let steps = self.growth.windows(2).filter_map(|step| {
            let [(fewer, before), (more, after)] = *step else { return None };
            Some((f64::from(after) - f64::from(before)) / (f64::from(more) - f64::from(fewer)))
        });
        Spread::of(steps).map(|steps| steps.median)
    }
}

impl Figures {
    /// Those that are kept, if they are of this machine; else none yet.
    pub(super) fn of(machine: &Machine, path: &Path) -> Result<Self> {
        let kept = if path.exists() { Some(Self::read(path)?) } else { None };
        let none = || Self { machine: machine.clone(), starts: Vec::new(), memory: None };
        Ok(kept.filter(|kept| kept.machine == *machine).unwrap_or_else(none))
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    /// What a page may show.
    pub(super) fn shown(&self) -> Self {
        let starts = self.starts.iter().filter(|starts| starts.are_enough()).cloned().collect();
        Self { starts, ..self.clone() }
    }

    /// The starts of one shape, in the place of older ones.
    pub(super) fn put(&mut self, starts: Starts) {
        self.starts.retain(|old| old.shape != starts.shape);
        self.starts.push(starts);
        self.starts.sort_by_key(|starts| (starts.shape.late, !starts.shape.nanny, starts.shape.workers));
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.workers == 1 { "" } else { "s" };
        let nanny = if self.nanny { "with" } else { "without" };
        write!(f, "{} worker{plural} {nanny} nanny", self.workers)?;
        if self.late > 0 { write!(f, ", scheduler {} s late", self.late) } else { Ok(()) }
    }
}

impl fmt::Display for Starter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::Hand => "by hand",
            Self::HandWithoutWait => "by hand, no waiting text",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{figures, starts};
    use super::*;

    #[test]
    fn a_ratio_compares_with_what_was_made_by_hand() {
        let starts = starts(1, true, 2.2, 2.0);
        let ratio = starts.ratio(Starter::Operator, |spread| spread.median).unwrap();
        assert!((ratio - 1.1).abs() < 1e-9, "{ratio}");
        assert_eq!(
            starts.ratio(Starter::HandWithoutWait, |spread| spread.median),
            None,
            "it was not measured"
        );
    }

    #[test]
    fn a_shape_measured_again_takes_the_place_of_the_first_measurement() {
        let mut figures = figures();
        figures.put(starts(4, true, 5.0, 4.0));
        figures.put(starts(1, false, 5.0, 4.0));
        figures.put(starts(1, true, 7.0, 4.0));
        let late = Shape { late: 15, ..figures.starts[0].shape };
        figures.put(Starts { shape: late, ..starts(1, true, 9.0, 4.0) });
        let shapes: Vec<_> = figures.starts.iter().map(|starts| starts.shape.to_string()).collect();
        let expected = [
            "1 worker with nanny",
            "4 workers with nanny",
            "1 worker without nanny",
            "1 worker with nanny, scheduler 15 s late",
        ];
        assert_eq!(shapes, expected);
        assert_eq!(figures.starts[0], starts(1, true, 7.0, 4.0));
    }

    #[test]
    fn a_page_does_not_show_what_chance_decides() {
        let few = figures();
        assert_eq!(few.shown(), Figures { starts: Vec::new(), ..few.clone() });
        let twice = few.starts[0].clone().after(few.starts[0].clone());
        let mut enough = few.clone();
        enough.put(twice.clone().after(twice));
        assert_eq!(enough.shown(), enough);
    }

    #[test]
    fn starts_of_two_sittings_make_one_row() {
        let all = starts(1, true, 3.0, 4.0).after(starts(1, true, 1.0, 2.0));
        let results = |starter| all.times[&starter].iter().map(|times| times.result).collect::<Vec<_>>();
        assert_eq!(results(Starter::Operator), [1.0, 2.0, 0.5, 3.0, 6.0, 1.5]);
        assert_eq!(results(Starter::Hand), [2.0, 4.0]);
        assert_eq!(all.loads.len(), 2);
    }

    #[test]
    fn what_is_kept_is_read_again_but_not_for_another_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("start.json");
        let kept = figures();
        fs::write(&path, serde_json::to_string(&kept).unwrap()).unwrap();
        assert_eq!(Figures::of(&kept.machine, &path).unwrap(), kept);
        let other = Machine { cpus: 64, ..kept.machine };
        assert_eq!(Figures::of(&other, &path).unwrap().starts, []);
    }

    #[test]
    fn a_pod_costs_what_memory_grows_by_for_each() {
        assert_eq!(figures().memory.unwrap().bytes_per_pod().map(f64::round), Some(1000.0));
    }
}
