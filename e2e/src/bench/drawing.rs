//! What all pictures share: their frame, and words in it.

use std::fmt::Write;

pub(super) const WIDTH: f64 = 760.0;
/// Readable on light and on dark ground.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-size:14px;font-weight:600}\
     @media(prefers-color-scheme:dark){text{fill:#adbac7}}";

/// The whole picture, with a style of its own beside the common one.
pub(super) fn frame(height: f64, style: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<style>{STYLE}{style}</style>\n{body}</svg>\n"
    )
}

/// None of our texts has a character that XML reserves.
pub(super) fn text(body: &mut String, (x, y): (f64, f64), class: &str, words: &str) {
    let _ = writeln!(body, "<text x=\"{x:.1}\" y=\"{y}\" class=\"{class}\">{words}</text>");
}
