//! Starts processes that outlive this tool, and ends those and no others.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
pub use rustix::process::Signal;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::commands;
use crate::layout::Layout;
use crate::network;

/// For everything written in Go: it collects its garbage a quarter as often as by default, which takes a few hundred
/// megabytes and saves a tenth of the apiserver's time.
pub(crate) const COLLECT_SELDOM: (&str, &str) = ("GOGC", "400");
/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(50);

/// A process, told from a later one of the same number by the time it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pid: i32,
    started: u64,
}

/// Starts a program in the cluster's network, in a session of its own, so that neither the end of this tool nor a
/// Ctrl-C reaches it.
pub fn start(layout: &Layout, name: &str, program: &Path, arguments: &[String]) -> Result<()> {
    let log = File::create(layout.log(name))?;
    // `ip netns exec` would mount a fresh /sys, and the kubelet finds no cgroups there.
    let child = Command::new("setsid")
        .arg("nsenter")
        .arg(format!("--net={}", network::NAMESPACE_FILE))
        .arg(program)
        .args(arguments)
        .current_dir(layout.root())
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .envs([COLLECT_SELDOM])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    // Both helpers replace themselves by what they start: the number stays the same.
    let process =
        Process::with_pid(child.id().cast_signed()).with_context(|| format!("{name} ended at once"))?;
    Ok(fs::write(layout.pids().join(name), format!("{} {}\n", process.pid, process.started))?)
}

/// The process started under this name, if it was and is still running.
pub fn recorded(layout: &Layout, name: &str) -> Option<Process> {
    let text = fs::read_to_string(layout.pids().join(name)).ok()?;
    let (pid, started) = text.trim().split_once(' ')?;
    let process = Process { pid: pid.parse().ok()?, started: started.parse().ok()? };
    process.is_running().then_some(process)
}

impl Process {
    pub fn with_pid(pid: i32) -> Option<Self> {
        let (_, started) = state_and_start(pid)?;
        Some(Self { pid, started })
    }

    pub fn is_running(self) -> bool {
        state_and_start(self.pid).is_some_and(|(state, started)| started == self.started && state != 'Z')
    }

    pub fn pid(self) -> i32 {
        self.pid
    }

    /// Asks it to end, and makes it end when it has not within `patience`.
    pub fn stop(self, patience: Duration) -> Result<()> {
        self.signal(Signal::TERM)?;
        if self.wait_for_end(patience) {
            return Ok(());
        }
        self.kill()
    }

    pub fn kill(self) -> Result<()> {
        self.signal(Signal::KILL)?;
        if !self.wait_for_end(Duration::from_secs(10)) {
            bail!("process {} does not end", self.pid);
        }
        Ok(())
    }

    fn wait_for_end(self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_running() {
            if Instant::now() > deadline {
                return false;
            }
            sleep(Duration::from_millis(10));
        }
        true
    }

    /// The descriptor is taken before the comparison: after it the number cannot go to another process unnoticed.
    pub fn signal(self, signal: Signal) -> Result<()> {
        let Some(descriptor) = self.descriptor()? else { return Ok(()) };
        if !self.is_running() {
            return Ok(());
        }
        match pidfd_send_signal(descriptor, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot signal process {}", self.pid)),
        }
    }

    fn descriptor(self) -> Result<Option<OwnedFd>> {
        let pid = Pid::from_raw(self.pid).context("process number 0")?;
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Some(descriptor)),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot open process {}", self.pid)),
        }
    }
}

/// Looks until `condition` holds. Fails at once, with the end of its log, when one of `processes` is gone.
pub fn wait_until(
    layout: &Layout,
    what: &str,
    processes: &[&str],
    mut condition: impl FnMut() -> bool,
) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(90);
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        let gone = processes.iter().find(|name| recorded(layout, name).is_none());
        if let Some(name) = gone {
            bail!("{name} ended before {what}; its log ends with\n{}", log_end(layout, name));
        }
        if Instant::now() > deadline {
            let logs: Vec<String> =
                processes.iter().map(|name| format!("{name}:\n{}", log_end(layout, name))).collect();
            bail!("{what}: not within {} s; the logs end with\n{}", PATIENCE.as_secs(), logs.join("\n\n"));
        }
        sleep(POLL);
    }
    Ok(())
}

/// All processes that can be seen.
pub fn all() -> io::Result<Vec<Process>> {
    let numbers = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(numbers.filter_map(Process::with_pid).collect())
}

fn log_end(layout: &Layout, name: &str) -> String {
    commands::last_lines(&fs::read(layout.log(name)).unwrap_or_default())
}

fn state_and_start(pid: i32) -> Option<(char, u64)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The third and the 22nd field; the second, the program's name, may itself contain spaces and parentheses.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_read_behind_a_name_with_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 10";
        assert_eq!(parse_stat(stat), Some(('S', 4242)));
    }

    #[test]
    fn a_process_is_ended_and_one_that_only_has_its_number_is_not() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::with_pid(child.id().cast_signed()).unwrap();
        let other = Process { started: process.started + 1, ..process };
        other.kill().unwrap();
        assert!(process.is_running());
        process.stop(Duration::from_secs(5)).unwrap();
        assert!(!process.is_running());
        child.wait().unwrap();
        process.kill().unwrap();
    }
}
