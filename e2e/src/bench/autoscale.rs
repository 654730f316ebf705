//! What workers cost and how soon work is done, by rule: `cargo e2e bench autoscale`.

mod adaptive;
mod bound;
mod ours;
mod picture;
mod policy;
mod python_operator;
mod recording;
mod report;
mod scheduler;
mod world;

use anyhow::Result;
use e2e::progress::say;

use bound::bound;
use policy::{Rule, play};
use recording::Recording;
use report::Played;

const LOADS: [(&str, &str); 3] = [
    ("burst", include_str!("../../recordings/burst.json")),
    ("ramp", include_str!("../../recordings/ramp.json")),
    ("long tail", include_str!("../../recordings/tail.json")),
];

/// It takes seconds, and needs no cluster.
pub(super) fn bench() -> Result<()> {
    let all = played()?;
    say(&report::table(&all));
    report::keep(&all)
}

fn played() -> Result<Vec<Played>> {
    let of = |(load, text): &(&'static str, &str)| {
        let recording = Recording::read(text)?;
        let runs = Rule::ALL.into_iter().map(|rule| play(&recording, rule)).collect::<Result<_>>()?;
        Ok(Played { load, bound: bound(&recording), runs })
    };
    LOADS.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::policy::Run;
    use super::*;

    /// Which tasks share a worker is chance, and one long one keeps all of it.
    const CHANCE: f64 = 1.01;

    fn run(played: &Played, rule: Rule) -> &Run {
        played.runs.iter().find(|run| run.rule == rule).unwrap()
    }

    #[test]
    fn who_is_as_patient_as_another_rule_pays_no_more_and_is_done_no_later() {
        for played in played().unwrap() {
            let ours = run(&played, Rule::OursHasty);
            for other in [Rule::Adaptive, Rule::PythonOperator].map(|rule| run(&played, rule)) {
                let (load, bound) = (played.load, played.bound);
                assert!(ours.paid <= other.paid * CHANCE, "{load}: {ours:?} {other:?} {bound:?}");
                assert!(ours.unfinished <= other.unfinished, "{load}: {ours:?} {other:?} {bound:?}");
            }
        }
    }

    #[test]
    fn by_default_work_is_done_no_later_and_it_costs_less_than_by_the_python_operator() {
        for played in played().unwrap() {
            let [ours, adaptive, python] =
                [Rule::Ours, Rule::Adaptive, Rule::PythonOperator].map(|rule| run(&played, rule));
            assert!(ours.unfinished <= adaptive.unfinished.min(python.unfinished), "{}", played.load);
            assert!(ours.paid <= python.paid, "{}", played.load);
        }
    }

    #[test]
    fn nobody_beats_the_bound() {
        for Played { load, bound, runs } in played().unwrap() {
            assert!(
                runs.iter().all(|run| run.paid > bound.paid && run.unfinished >= bound.unfinished),
                "{load}"
            );
        }
    }

    #[test]
    fn the_page_shows_what_is_played() {
        for (name, text) in report::files(&played().unwrap()).unwrap() {
            let kept = fs::read_to_string(super::super::page::docs().join(name)).unwrap();
            assert_eq!(kept, text, "stale: cargo e2e bench autoscale");
        }
    }
}
