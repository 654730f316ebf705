//! The time of the processors that others leave: a control group of processes with a small share of it.
//!
//! A nice value alone does not do: it counts within one session only (`sched_autogroup_enabled`), and what runs here
//! starts sessions of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the controller for processors lies, by version; a file that says what a group has of them; a quarter of what
/// everybody else has who is not a pod.
const CONTROLLERS: [(&str, &str, &str); 2] =
    [("/sys/fs/cgroup/cpu", "cpu.shares", "256"), ("/sys/fs/cgroup", "cpu.weight", "25")];
const NAME: &str = "dask-operator-tests";
/// Writes itself into the group that comes first, and becomes what comes then.
const ENTER: &str = "echo $$ > \"$0\" && exec \"$@\"";

/// The group, where one can be made: without root there is none.
pub(super) struct Leftover(Option<PathBuf>);

impl Leftover {
    pub(super) fn new() -> Self {
        Self(
            CONTROLLERS.iter().find_map(|(root, file, share)| made(&Path::new(root).join(NAME), file, share)),
        )
    }

    /// The same command in this group, there with less right by so much.
    pub(super) fn run(&self, niceness: &str, command: &Command) -> Command {
        let mut less = match &self.0 {
            Some(group) => {
                let mut enter = Command::new("sh");
                enter.args(["-c", ENTER]).arg(group.join("cgroup.procs")).arg("nice");
                enter
            }
            None => Command::new("nice"),
        };
        less.args(["-n", niceness]).arg(command.get_program()).args(command.get_args());
        less.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            less.current_dir(folder);
        }
        less
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        // One that a killed run left is taken again.
        let _ = self.0.as_ref().map(fs::remove_dir);
    }
}

fn made(group: &Path, file: &str, share: &str) -> Option<PathBuf> {
    // Else it is a folder like any other, and no controller.
    group.with_file_name("cgroup.procs").try_exists().ok().filter(|exists| *exists)?;
    fs::create_dir_all(group).ok()?;
    if fs::write(group.join(file), share).is_ok() {
        return Some(group.to_owned());
    }
    let _ = fs::remove_dir(group);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(leftover: &Leftover, script: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("WORD", "word").current_dir("/");
        let output = leftover.run("7", &command).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_command_keeps_what_it_was_given_and_is_nicer() {
        assert_eq!(printed(&Leftover(None), "echo $WORD; pwd; nice"), "word\n/\n7\n");
    }

    #[test]
    fn a_folder_without_processes_is_no_controller() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(made(&folder.path().join(NAME), "cpu.weight", "25"), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_command_is_in_the_group_wherever_there_is_one() {
        let leftover = Leftover::new();
        let groups = printed(&leftover, "echo $WORD; cat /proc/self/cgroup");
        assert!(groups.starts_with("word\n"), "{groups}");
        assert_eq!(groups.contains(NAME), leftover.0.is_some(), "{groups}");
    }
}
