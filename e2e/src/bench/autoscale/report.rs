//! What came of all loads, as it stands in `docs/autoscaling.md`.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

use super::super::page;
use super::bound::Bound;
use super::picture;
use super::policy::Run;

/// One load, run by all rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Played {
    pub(super) load: &'static str,
    pub(super) bound: Bound,
    pub(super) runs: Vec<Run>,
}

/// A file of `docs` and what it should be.
pub(super) fn files(all: &[Played]) -> Result<[(&'static str, String); 3]> {
    let page = "autoscaling.md";
    let text = fs::read_to_string(page::docs().join(page)).context("cannot read the page")?;
    Ok([
        (page, page::with(&text, &table(all))?),
        ("bench/autoscale.json", serde_json::to_string_pretty(all)? + "\n"),
        ("bench/autoscale.svg", picture::picture(all)),
    ])
}

/// Writes them.
pub(super) fn keep(all: &[Played]) -> Result<()> {
    for (name, text) in files(all)? {
        let path = page::docs().join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A row for each load and rule.
pub(super) fn table(all: &[Played]) -> String {
    let mut text =
        "| load | rule | worker-seconds | × bound | starting | idle | workers made | work unfinished |\n\
         | --- | --- | --: | --: | --: | --: | --: | --: |\n"
            .to_owned();
    for Played { load, bound, runs } in all {
        for run in runs {
            let Run { paid, starting, idle, made, unfinished, .. } = run;
            let (rule, times) = (run.rule.words(), paid / bound.paid);
            let _ = writeln!(
                text,
                "| {load} | {rule} | {paid:.0} | {times:.2} | {starting:.0} | {idle:.0} | {made:.0} | {unfinished:.1} s |"
            );
        }
        let Bound { paid, unfinished } = bound;
        let _ = writeln!(text, "| {load} | *bound* | {paid:.0} | 1.00 | | | | {unfinished:.1} s |");
    }
    text
}
