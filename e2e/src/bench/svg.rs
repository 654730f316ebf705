//! The picture of the starts: a bar for each median, a line from the least to the most.

use std::collections::BTreeSet;
use std::fmt::Write;

use e2e::statistics::Spread;

use super::drawing::{frame, text};
use super::figures::{Starter, Starts};

/// Where bars begin, and how much room they have.
const LEFT: f64 = 190.0;
const ROOM: f64 = 420.0;
const ROW: f64 = 20.0;
const BAR: f64 = 12.0;
const GAP: f64 = 16.0;
const STYLE: &str = ".operator{fill:#d9730d}.hand{fill:#3b82c4}.bare{fill:#8b949e}.range{stroke:#24292f;stroke-width:1.5}\
     @media(prefers-color-scheme:dark){.range{stroke:#e6edf3}}";

/// Clusters that differ only in their nannies share a scale.
pub(super) fn picture(all: &[Starts]) -> String {
    let mut body = String::new();
    let mut top = 20.0;
    text(
        &mut body,
        (0.0, top),
        "title",
        "Seconds from the request to the first result: median, least to most",
    );
    let scale = |starts: &Starts| (starts.shape.late, starts.shape.workers);
    for shared in all.iter().map(scale).collect::<BTreeSet<_>>() {
        let same: Vec<_> = all.iter().filter(|starts| scale(starts) == shared).collect();
        top = panel(&mut body, &same, top + GAP / 2.0);
    }
    frame(top + GAP, STYLE, &body)
}

/// Draws the clusters of one scale below `top`; where it ends.
fn panel(body: &mut String, all: &[&Starts], mut top: f64) -> f64 {
    let result = |starts: &Starts, starter| starts.spread(starter, |times| times.result);
    let spreads = all.iter().flat_map(|starts| starts.times.keys().filter_map(|&who| result(starts, who)));
    let scale = ROOM / spreads.map(|spread| spread.most).fold(f64::MIN_POSITIVE, f64::max);
    for starts in all {
        top += ROW + GAP / 2.0;
        text(body, (0.0, top), "title", &starts.shape.to_string());
        for &starter in starts.times.keys() {
            top += ROW;
            if let Some(spread) = result(starts, starter) {
                row(body, starter, spread, scale, top);
            }
        }
    }
    top
}

fn row(body: &mut String, starter: Starter, spread: Spread, scale: f64, top: f64) {
    let class = match starter {
        Starter::Operator => "operator",
        Starter::Hand => "hand",
        Starter::HandWithoutWait => "bare",
    };
    let at = |seconds: f64| LEFT + seconds * scale;
    let (bar, line) = (top - BAR + 2.0, top - BAR / 2.0 + 2.0);
    text(body, (12.0, top), "", &starter.to_string());
    let _ = writeln!(
        body,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{bar}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>",
        spread.median * scale
    );
    let (least, most) = (at(spread.least), at(spread.most));
    let _ = writeln!(
        body,
        "<line class=\"range\" x1=\"{least:.1}\" x2=\"{most:.1}\" y1=\"{line}\" y2=\"{line}\"/>"
    );
    let figures = format!("{:.2} ({:.2} – {:.2})", spread.median, spread.least, spread.most);
    text(body, (LEFT + ROOM + 10.0, top), "", &figures);
}

#[cfg(test)]
mod tests {
    use super::super::samples::starts;
    use super::*;

    #[test]
    fn every_start_has_a_bar_and_the_longest_line_ends_where_the_room_does() {
        let picture =
            picture(&[starts(1, true, 2.0, 2.0), starts(1, false, 1.0, 1.0), starts(4, true, 8.0, 8.0)]);
        assert_eq!(picture.matches("<rect").count(), 6);
        assert_eq!(picture.matches(&format!("x2=\"{:.1}\"", LEFT + ROOM)).count(), 2, "one of each size");
        assert!(picture.contains("4 workers with nanny") && picture.contains("8.00 (4.00 – 16.00)"));
    }

    #[test]
    fn a_bar_is_as_long_as_its_median_and_on_the_scale_of_its_panel() {
        let picture = picture(&[starts(1, true, 2.0, 4.0)]);
        // The most is 4 s.
        assert!(picture.contains("class=\"operator\" x=\"190\" y=\"66\" width=\"210.0\""), "{picture}");
        assert!(picture.contains("class=\"hand\" x=\"190\" y=\"86\" width=\"420.0\""), "{picture}");
    }

    #[test]
    fn it_can_be_read_on_dark_ground() {
        assert!(picture(&[]).contains("prefers-color-scheme:dark"));
    }
}
