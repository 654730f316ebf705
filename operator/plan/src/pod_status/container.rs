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
            _ => Some(Trouble { reason: unstarted(reason, message), words: self.unstarted(message) }),
        }
    }

    /// The kubelet tells the same trouble in turn as what a container waits for and as how it ended.
    fn unstarted(&self, message: &str) -> String {
        format!("container {} cannot start: {}", self.name, steady(message))
    }

    /// How it ended last, not before `since`. A clean end is a crash where the kubelet waits longer and longer.
    pub(super) fn crash(&self, since: Timestamp) -> Option<Trouble> {
        let end = self.state.terminated.as_ref().or(self.last_state.terminated.as_ref())?;
        let backs_off = self.state.waiting.as_ref().is_some_and(|one| one.reason == "CrashLoopBackOff");
        let recent = end.finished_at.as_ref().is_none_or(|time| time.0 >= since);
        (recent && (end.exit_code != 0 || backs_off)).then(|| self.trouble(end))
    }

    /// How it ended, if with an error.
    pub(super) fn failure(&self) -> Option<Trouble> {
        let end = self.state.terminated.as_ref()?;
        (end.exit_code != 0).then(|| self.trouble(end))
    }

    fn trouble(&self, end: &Terminated) -> Trouble {
        let Terminated { exit_code, reason, message, .. } = end;
        let last = message.trim().lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
        let words = if end.never_ran() {
            self.unstarted(message)
        } else {
            format!("container {} ended with exit code {exit_code} ({reason}){last}", self.name)
        };
        Trouble { reason: end.meaning(), words }
    }

    /// When it ended.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        self.state.terminated.as_ref()?.finished_at.as_ref().map(|time| time.0)
    }
}

impl Terminated {
    fn never_ran(&self) -> bool {
        matches!(self.reason.as_str(), "StartError" | "ContainerCannotRun")
    }

    fn meaning(&self) -> Reason {
        // A shell's own codes for a program that it does not find, or that is none.
        let by_shell = matches!(self.exit_code, 126 | 127);
        match self.reason.as_str() {
            "OOMKilled" => Reason::OutOfMemory,
            _ if by_shell || self.never_ran() && names_missing_program(&self.message) => {
                Reason::CommandNotFound
            }
            _ => Reason::ContainerFailed,
        }
    }
}

/// What could not be run is what fails once it is tried, and not what the kubelet could not make.
fn unstarted(reason: &str, message: &str) -> Reason {
    match reason {
        _ if names_missing_program(message) => Reason::CommandNotFound,
        "RunContainerError" => Reason::ContainerFailed,
        _ => Reason::ContainerCannotStart,
    }
}

fn names_missing_program(words: &str) -> bool {
    let missing = ["executable file not found", "no such file or directory", "permission denied"];
    words.contains("exec: ") && missing.iter().any(|mark| words.contains(mark))
}

/// The kubelet tells the same trouble in turn bare and as `Back-off pulling image "…": ErrImagePull: …`.
fn of_pull(message: &str) -> String {
    let bare = message.split_once("ErrImagePull: ").map_or(message, |(_, words)| words);
    steady(bare)
}

/// The words without what changes at each try: identities of containers, and ports that connections come from.
fn steady(message: &str) -> String {
    let is_identity = |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let steady = |word: &str| match (word.trim_matches('"'), word.split_once("->")) {
        (bare, _) if is_identity(bare) => word.replace(bare, "…"),
        (_, Some((from, to))) => format!("{}->{to}", from.rsplit_once(':').map_or(from, |(host, _)| host)),
        _ => word.to_owned(),
    };
    message.split(' ').map(steady).collect::<Vec<_>>().join(" ")
}
