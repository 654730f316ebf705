//! Runs another program to its end, with an error that says which and why.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// What the program wrote to its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let finished = wait_aside(|| command.stdin(Stdio::null()).output());
    let finished = finished.with_context(|| format!("cannot run {command:?}"))?;
    if !finished.status.success() {
        bail!("{command:?} failed ({}):\n{}", finished.status, last_lines(&finished.stderr));
    }
    Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
}

pub fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Waits for something that keeps its thread. A runtime of several threads goes on meanwhile: the one that stands still
/// may be the one that would have seen what the others wait for (tokio issue 4730).
pub fn wait_aside<T>(wait: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    if flavor.is_ok_and(|flavor| flavor == RuntimeFlavor::MultiThread) {
        return block_in_place(wait);
    }
    wait()
}

/// Like [`output`], with `input` on the program's standard input.
pub fn output_of_input(command: &mut Command, input: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    // The pipe must be closed before the wait: the program reads to its end.
    let mut pipe = child.stdin.take().context("no standard input")?;
    let written = pipe.write_all(input.as_bytes());
    drop(pipe);
    let finished = wait_aside(|| child.wait_with_output())?;
    if !finished.status.success() {
        bail!("{command:?} failed ({}):\n{}", finished.status, last_lines(&finished.stderr));
    }
    written.with_context(|| format!("{command:?} did not read its input"))?;
    Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
}

/// The end of a long output, where the reason of a failure is.
pub fn last_lines(output: &[u8]) -> String {
    const KEPT: usize = 30;
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(KEPT)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_the_end_of_what_the_program_complained() {
        let error = run(Command::new("sh").args(["-c", "seq 100 >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("\n100"), "{error}");
        assert!(!error.contains("\n70\n"), "{error}");
    }

    #[test]
    fn a_program_reads_its_input_to_the_end() {
        assert_eq!(output_of_input(&mut Command::new("cat"), "a\nb").unwrap(), "a\nb");
    }
}
