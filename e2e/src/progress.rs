//! Says what is being done, how far it is and how long it has taken.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// On a terminal one line that moves; elsewhere a line for each step, with the seconds since the start.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    terminal: bool,
}

/// One piece of work of a known number of steps. Dropped before [`Task::done`] it leaves no line behind.
#[derive(Debug)]
pub struct Task {
    what: String,
    steps: usize,
    step: usize,
    began: Instant,
    progress_began: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new() -> Self {
        Self { started: Instant::now(), terminal: std::io::stderr().is_terminal() }
    }

    pub fn task(&mut self, what: impl Into<String>, steps: usize) -> Task {
        let what = what.into();
        let bar = self.terminal.then(|| bar(&what, steps));
        Task { what, steps, step: 0, began: Instant::now(), progress_began: self.started, bar }
    }

    /// A thing worth a line of its own.
    pub fn note(&mut self, text: &str) {
        line(self.started, self.terminal, text);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Task {
    /// The next step begins.
    pub fn step(&mut self, name: &str) {
        self.step += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(self.step as u64);
            bar.set_message(name.to_owned());
        } else {
            line(
                self.progress_began,
                false,
                &format!("{}: {} of {}, {name}", self.what, self.step, self.steps),
            );
        }
    }

    pub fn done(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let text = format!("{}: done in {}", self.what, human(self.began.elapsed()));
        line(self.progress_began, self.bar.is_some(), &text);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &str, steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix}: {pos} of {len}, {msg} ({elapsed})")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new(steps as u64).with_style(style).with_prefix(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

#[expect(clippy::print_stderr, reason = "telling the user is what this file is for")]
fn line(started: Instant, terminal: bool, text: &str) {
    if terminal {
        eprintln!("✓ {text}");
    } else {
        eprintln!("[{:>6.1} s] {text}", started.elapsed().as_secs_f64());
    }
}

/// The result of a command, on standard output.
#[expect(clippy::print_stdout, reason = "the one place that prints results")]
pub fn say(text: &str) {
    println!("{text}");
}

/// A figure that a test saw; the test harness keeps what macros print from those who run tests that pass.
pub fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Why a command failed, all the way down.
#[expect(clippy::print_stderr, reason = "the one place that prints errors")]
pub fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

fn human(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 60.. => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_time_is_told_in_minutes_and_a_short_one_in_tenths() {
        assert_eq!(human(Duration::from_secs(400)), "6 min 40 s");
        assert_eq!(human(Duration::from_millis(3540)), "3.5 s");
    }
}
