//! The page `docs/start.md`: what was measured, as tables.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use e2e::statistics::Spread;

use super::figures::{Figures, Memory, Starter, Starts};
use super::machine::Machine;
use super::svg;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
/// Between these lines of the page are the figures; the rest is for people to write.
const BEGIN: &str = "<!-- figures -->\n";
const END: &str = "<!-- end of figures -->\n";
const KIB: f64 = 1024.0;

/// The figures kept so far, if they are of this machine.
pub(super) fn kept(machine: &Machine) -> Result<Figures> {
    Figures::of(machine, &json())
}

/// Writes the figures down: as JSON, as a picture and into the page.
pub(super) fn keep(figures: &Figures) -> Result<()> {
    let page = fs::read_to_string(page()).context("cannot read the page")?;
    let shown = figures.shown();
    fs::create_dir_all(docs().join("bench"))?;
    fs::write(json(), serde_json::to_string_pretty(figures)? + "\n")?;
    fs::write(picture(), svg::picture(&shown.starts))?;
    Ok(fs::write(self::page(), with_figures(&page, &shown)?)?)
}

/// The tables.
pub(super) fn figures(figures: &Figures) -> String {
    let mut text = machine(&figures.machine);
    if !figures.starts.is_empty() {
        text += &starts(&figures.starts);
        text += &writes(&figures.starts);
    }
    text + &figures.memory.as_ref().map(memory).unwrap_or_default()
}

pub(super) fn docs() -> PathBuf {
    Path::new(DOCS).to_owned()
}

fn json() -> PathBuf {
    docs().join("bench/start.json")
}

fn picture() -> PathBuf {
    docs().join("bench/start.svg")
}

fn page() -> PathBuf {
    docs().join("start.md")
}

fn with_figures(page: &str, of: &Figures) -> Result<String> {
    with(page, &figures(of))
}

/// A page with a text in the place of its figures.
pub(super) fn with(page: &str, figures: &str) -> Result<String> {
    let (before, rest) = page.split_once(BEGIN).context("the page has no place for figures")?;
    let (_, after) = rest.split_once(END).context("the page's place for figures has no end")?;
    Ok(format!("{before}{BEGIN}\n{figures}\n{END}{after}"))
}

fn machine(machine: &Machine) -> String {
    let Machine { cpus, model, memory_gib, linux, kubernetes } = machine;
    format!("{cpus} CPUs ({model}), {memory_gib} GiB of memory, Linux {linux}, Kubernetes {kubernetes}.\n")
}

fn starts(all: &[Starts]) -> String {
    let mut text = "\nSeconds since the first request; medians, in brackets the least and the most. The last but two compare \
         medians and means of the first result with those by hand.\n\n\
         | cluster | started | objects made | scheduler ready | workers registered | first result | medians \
         | means | runs | load |\n| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n"
        .to_owned();
    for starts in all {
        for &starter in starts.times.keys() {
            text += &row(starts, starter);
        }
    }
    text
}

fn row(starts: &Starts, starter: Starter) -> String {
    let two = |number: Option<f64>| number.map(|number| format!("{number:.2}")).unwrap_or_default();
    let median = |of| two(starts.spread(starter, of).map(|spread| spread.median));
    let result = starts.spread(starter, |times| times.result).map(brackets).unwrap_or_default();
    let loads: Vec<_> = starts.loads.iter().map(|load| format!("{load:.1}")).collect();
    format!(
        "| {} | {starter} | {} | {} | {} | {result} | {} | {} | {} | {} |\n",
        starts.shape,
        median(|times| times.made),
        median(|times| times.ready),
        median(|times| times.registered),
        two(starts.ratio(starter, |spread| spread.median)),
        two(starts.ratio(starter, |spread| spread.mean)),
        starts.times.get(&starter).map_or(0, Vec::len),
        loads.join(", "),
    )
}

fn brackets(spread: Spread) -> String {
    format!("{:.2} ({:.2} – {:.2})", spread.median, spread.least, spread.most)
}

fn writes(all: &[Starts]) -> String {
    let mut text = "\nWhat the operator writes for one cluster, by the audit log of the API server.\n\n\
         | cluster | requests | of which |\n| --- | --: | --- |\n"
        .to_owned();
    for starts in all {
        let each: Vec<_> = starts.writes.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let sum: usize = starts.writes.values().sum();
        let _ = writeln!(text, "| {} | {sum} | {} |", starts.shape, each.join(", "));
    }
    text
}

fn memory(memory: &Memory) -> String {
    let mib = |bytes: u32| format!("{:.1} MiB", f64::from(bytes) / KIB / KIB);
    let Memory { clusters, workers_of_each, .. } = memory;
    let mut text = format!(
        "\nResident memory of the operator.\n\n| | |\n| --- | --: |\n| idle | {} |\n\
         | {clusters} clusters of {workers_of_each} workers | {} |\n",
        mib(memory.idle),
        mib(memory.with_clusters)
    );
    for &(workers, bytes) in &memory.growth {
        let _ = writeln!(text, "| … one of them with {workers} workers | {} |", mib(bytes));
    }
    if let Some(bytes) = memory.bytes_per_pod() {
        let _ = writeln!(text, "| each more pod | {bytes:.0} bytes |");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::samples::figures as some_figures;
    use super::*;

    /// How long a start may take, as a multiple of what the same objects take that were made by hand.
    const MOST_OF_THE_FLOOR: f64 = 1.1;
    /// Bytes that an operator without clusters may have.
    const MOST_AT_REST: u32 = 15 << 20;

    #[test]
    fn the_page_shows_what_is_kept() {
        let kept = Figures::read(&json()).unwrap();
        if std::env::var_os("UPDATE_START").is_some() {
            keep(&kept).unwrap();
        }
        let page = fs::read_to_string(page()).unwrap();
        assert_eq!(with_figures(&page, &kept.shown()).unwrap(), page);
        assert_eq!(svg::picture(&kept.shown().starts), fs::read_to_string(picture()).unwrap());
    }

    #[test]
    fn what_is_shown_keeps_what_is_promised() {
        let shown = Figures::read(&json()).unwrap().shown();
        let compared: Vec<_> = shown.starts.iter().filter(|starts| starts.shape.late == 0).collect();
        let ratio = |starts: &Starts| starts.ratio(Starter::Operator, |spread| spread.median).unwrap();
        let slow: Vec<_> = compared.iter().filter(|starts| ratio(starts) > MOST_OF_THE_FLOOR).collect();
        assert!(slow.is_empty(), "{slow:?}");
        let shapes = compared.iter().map(|starts| (starts.shape.nanny, starts.shape.workers));
        let all = [true, false].into_iter().flat_map(|nanny| [1, 4, 16].map(|workers| (nanny, workers)));
        assert_eq!(shapes.collect::<BTreeSet<_>>(), all.collect());
        for starts in compared {
            assert_costs_no_more(starts);
        }
        let idle = shown.memory.unwrap().idle;
        assert!(idle <= MOST_AT_REST, "{idle}");
    }

    /// Three objects, a pod for each worker, four statuses and one Event.
    fn assert_costs_no_more(starts: &Starts) {
        let mut writes = starts.writes.clone();
        let statuses =
            ["patch daskclusters/status", "patch daskworkergroups/status"].map(|kind| writes.remove(kind));
        assert!(statuses.into_iter().flatten().sum::<usize>() <= 4, "{starts:?}");
        assert!(writes.remove("create events").unwrap_or_default() <= 1, "{starts:?}");
        let objects =
            ["create deployments", "create services", "create daskworkergroups"].map(|kind| (kind, 1));
        let all = objects.into_iter().chain([("create pods", starts.shape.workers as usize)]);
        assert_eq!(writes, all.map(|(kind, count)| (kind.to_owned(), count)).collect());
    }

    #[test]
    fn a_row_has_the_medians_and_how_far_the_results_lie_apart() {
        let row = row(&some_figures().starts[0], Starter::Operator);
        let expected = "| 1 worker with nanny | operator | 0.25 | 1.10 | 2.20 | 2.20 (1.10 – 4.40) | 1.10 | 1.28 | 3 | 0.5 |\n";
        assert_eq!(row, expected);
    }

    #[test]
    fn what_was_not_measured_is_not_written() {
        let mut none = some_figures();
        none.memory = None;
        none.starts = Vec::new();
        assert_eq!(figures(&none), machine(&none.machine));
        assert!(!figures(&some_figures()).contains("no waiting text"));
    }

    #[test]
    fn new_figures_take_the_place_of_old_ones_and_leave_the_words_alone() {
        let page = format!("# Title\n{BEGIN}old\n{END}\nWords.\n");
        let renewed = with_figures(&page, &some_figures()).unwrap();
        assert!(renewed.starts_with("# Title\n") && renewed.ends_with("\nWords.\n"), "{renewed}");
        assert!(
            renewed.contains("| each more pod | 1000 bytes |") && !renewed.contains("old\n"),
            "{renewed}"
        );
        assert_eq!(with_figures(&renewed, &some_figures()).unwrap(), renewed);
        assert!(with_figures("no place", &some_figures()).is_err());
    }
}
