//! What the status of one container tells.

use dask_operator_api::conditions::Reason;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;

use super::Trouble;

/// The part that is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ContainerStatus {
    name: String,
    state: State,
    last_state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    waiting: Option<Waiting>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    exit_code: i32,
    reason: String,
    message: String,
    finished_at: Option<Time>,
}

impl ContainerStatus {
    /// What it waits for, if that is not just its turn.
    pub(super) fn cannot_start(&self) -> Option<Trouble> {
        let Waiting { reason, message } = self.state.waiting.as_ref()?;
        match reason.as_str() {
            "" | "ContainerCreating" | "PodInitializing" | "CrashLoopBackOff" => None,
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed" => {
                Some(Trouble { reason: Reason::ImageCannotBePulled, words: of_pull(message) })
            }
            _ if names_missing_program(message) => {
                Some(Trouble { reason: Reason::CommandNotFound, words: message.clone() })
            }
            _ => {
                Some(Trouble { reason: Reason::ContainerCannotStart, words: format!("{reason}: {message}") })
            }
        }
    }

    /// How it ended last, not before `since`. A clean end is a crash where the kubelet waits longer and longer.
    pub(super) fn crash(&self, since: Timestamp) -> Option<Trouble> {
        let end = self.state.terminated.as_ref().or(self.last_state.terminated.as_ref())?;
        let backs_off = self.state.waiting.as_ref().is_some_and(|one| one.reason == "CrashLoopBackOff");
        let recent = end.finished_at.as_ref().is_none_or(|time| time.0 >= since);
        (recent && (end.exit_code != 0 || backs_off)).then(|| end.trouble(&self.name))
    }

    /// How it ended, if with an error.
    pub(super) fn failure(&self) -> Option<Trouble> {
        let end = self.state.terminated.as_ref()?;
        (end.exit_code != 0).then(|| end.trouble(&self.name))
    }

    /// When it ended.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        self.state.terminated.as_ref()?.finished_at.as_ref().map(|time| time.0)
    }
}

impl Terminated {
    fn trouble(&self, name: &str) -> Trouble {
        let Self { exit_code, reason, message, .. } = self;
        let last = message.trim().lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
        let words = format!("container {name} ended with exit code {exit_code} ({reason}){last}");
        Trouble { reason: self.meaning(), words }
    }

    fn meaning(&self) -> Reason {
        // A shell's own codes for a program that it does not find, or that is none.
        let by_shell = matches!(self.exit_code, 126 | 127);
        match self.reason.as_str() {
            "OOMKilled" => Reason::OutOfMemory,
            "StartError" | "ContainerCannotRun" if names_missing_program(&self.message) => {
                Reason::CommandNotFound
            }
            _ if by_shell => Reason::CommandNotFound,
            _ => Reason::ContainerFailed,
        }
    }
}

fn names_missing_program(words: &str) -> bool {
    let missing = ["executable file not found", "no such file or directory", "permission denied"];
    words.contains("exec: ") && missing.iter().any(|mark| words.contains(mark))
}

/// The kubelet tells the same trouble in turn bare and as `Back-off pulling image "…": ErrImagePull: …`.
fn of_pull(message: &str) -> String {
    let bare = message.split_once("ErrImagePull: ").map_or(message, |(_, words)| words);
    bare.to_owned()
}
