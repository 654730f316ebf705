//! Both courses as a picture.

use std::fmt::Write;

use jiff::Timestamp;

use super::course::Course;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 40.0;
const ROOM: f64 = 700.0;
const TOP: f64 = 44.0;
const HEIGHT: f64 = 200.0;
/// Readable on light and on dark ground.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#57606a}path{fill:none;stroke-width:2}\
     .recorded{stroke:#8b949e}.replayed{stroke:#d9730d}.axis{stroke:#8b949e;stroke-width:.5}\
     @media(prefers-color-scheme:dark){text{fill:#adbac7}}";

/// How many workers were wanted in all, over time.
#[expect(clippy::cast_precision_loss, reason = "workers are few")]
pub(super) fn picture(course: &Course) -> String {
    let most =
        course.totals.iter().map(|(_, recorded, replayed)| *recorded.max(replayed)).max().unwrap_or(0).max(1);
    let first = course.totals.first().map(|total| total.0).unwrap_or_default();
    let last = course.totals.last().map(|total| total.0).unwrap_or_default();
    let bottom = TOP + HEIGHT;
    let line = |of: fn(&(Timestamp, usize, usize)) -> usize| {
        let mut path = format!("M{LEFT} {bottom}");
        for total in &course.totals {
            let x = LEFT + ROOM * seconds(first, total.0) / seconds(first, last).max(1e-3);
            let _ = write!(path, "H{x:.1}V{:.1}", bottom - HEIGHT * of(total) as f64 / most as f64);
        }
        path
    };
    let height = bottom + 26.0;
    let end = LEFT + ROOM;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<style>{STYLE}</style>\n\
         <path class=\"recorded\" d=\"M0 16h20\"/><text x=\"26\" y=\"20\">workers wanted, recorded</text>\n\
         <path class=\"replayed\" d=\"M220 16h20\"/><text x=\"246\" y=\"20\">replayed</text>\n\
         <text x=\"0\" y=\"{TOP}\">{most}</text><path class=\"axis\" d=\"M{LEFT} {bottom}H{end}\"/>\n\
         <text x=\"{LEFT}\" y=\"{:.0}\">{first:.0}</text><text x=\"{end}\" y=\"{:.0}\" text-anchor=\"end\">{last:.0}</text>\n\
         <path class=\"recorded\" d=\"{}\"/>\n<path class=\"replayed\" d=\"{}\"/>\n</svg>\n",
        bottom + 18.0,
        bottom + 18.0,
        line(|total| total.1),
        line(|total| total.2),
    )
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}
