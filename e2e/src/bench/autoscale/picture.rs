//! The picture of the courses: how many workers each rule had, over time.

use std::fmt::Write;

use super::super::drawing::{frame, text};
use super::policy::{MAXIMUM, Rule, Run};
use super::report::Played;

const LEFT: f64 = 30.0;
const ROOM: f64 = 710.0;
const HEIGHT: f64 = 110.0;
const GAP: f64 = 46.0;
/// The grid's lines are so many seconds apart.
const GRID: u32 = 50;
const STYLE: &str = "path{fill:none;stroke-width:2}.ours{stroke:#d9730d}.hasty{stroke:#d9730d;stroke-dasharray:3 2}\
     .adaptive{stroke:#3b82c4}.python{stroke:#8b949e}.grid{stroke:#8b949e;stroke-width:.5;opacity:.5}";

pub(super) fn picture(all: &[Played]) -> String {
    let mut body = String::new();
    text(&mut body, (0.0, 16.0), "title", &format!("Workers over seconds; at most {MAXIMUM}"));
    legend(&mut body, 38.0);
    let mut top = 66.0;
    for played in all {
        panel(&mut body, played, top);
        top += HEIGHT + GAP;
    }
    frame(top, STYLE, &body)
}

fn legend(body: &mut String, top: f64) {
    let mut left = 0.0;
    for rule in Rule::ALL {
        let _ = writeln!(body, "<path class=\"{}\" d=\"M{left} {top}h20\"/>", class(rule));
        text(body, (left + 26.0, top + 4.0), "", rule.words());
        left += 44.0 + 6.6 * f64::from(u32::try_from(rule.words().len()).unwrap_or(0));
    }
}

/// One load; the end of the longest course is the end of its scale.
fn panel(body: &mut String, played: &Played, top: f64) {
    let ends = played.runs.iter().filter_map(|run| run.course.last());
    let end = ends.map(|(time, _)| *time).fold(1.0, f64::max);
    let bottom = top + 8.0 + HEIGHT;
    text(body, (0.0, top), "title", played.load);
    for seconds in (0..).map(|line| f64::from(line * GRID)).take_while(|seconds| *seconds <= end) {
        let x = LEFT + ROOM * seconds / end;
        let _ = writeln!(body, "<path class=\"grid\" d=\"M{x:.1} {bottom}v-{HEIGHT}\"/>");
        text(body, (x - 8.0, bottom + 14.0), "", &seconds.to_string());
    }
    text(body, (0.0, bottom - HEIGHT + 10.0), "", &MAXIMUM.to_string());
    for run in played.runs.iter().rev() {
        let _ = writeln!(body, "<path class=\"{}\" d=\"{}\"/>", class(run.rule), steps(run, end, bottom));
    }
}

#[expect(clippy::cast_precision_loss, reason = "workers are few")]
fn steps(run: &Run, end: f64, bottom: f64) -> String {
    let mut path = format!("M{LEFT} {bottom}");
    for (time, count) in &run.course {
        let (x, y) = (LEFT + ROOM * time / end, bottom - HEIGHT * *count as f64 / MAXIMUM as f64);
        let _ = write!(path, "H{x:.1}V{y:.1}");
    }
    path
}

fn class(rule: Rule) -> &'static str {
    match rule {
        Rule::Ours => "ours",
        Rule::OursHasty => "hasty",
        Rule::Adaptive => "adaptive",
        Rule::PythonOperator => "python",
    }
}
