//! Workers wait for their scheduler by themselves, so that their pods are made beside it, at once.
//!
//! Dask's own connect backs off for seconds, and gives up after 30 s under a nanny. The text injected here polls
//! instead (`operator/preload/src/wait.py`).

use super::super::check::CheckedGroup;
use crate::command::{self, Process};
use crate::container::{self, Container};
use crate::preload_token;

/// The source that polls, without comments.
const SOURCE: &str = include_str!("../../../../preload/generated/wait.py");
/// Runs it in a worker; also runs the preloads that the user's configuration names, which the variable hides.
const WORKER: &str = include_str!("../../../../preload/generated/worker-preload.txt");
/// The same in a nanny of `dask cuda worker`, which reads the variable.
const NANNY: &str = include_str!("../../../../preload/generated/nanny-preload.txt");
/// The same in a nanny of `dask worker`, which does not.
const NANNY_ARGUMENT: &str = include_str!("../../../../preload/generated/preload-nanny.txt");

const WORKER_VARIABLE: &str = "DASK_DISTRIBUTED__WORKER__PRELOAD";

/// Whether the group's workers are recognised, and so get the waiting text.
pub(in crate::worker_group) fn waits_by_itself(group: &CheckedGroup) -> bool {
    waits(group.pod.main())
}

/// Makes a recognised worker wait; leaves anything else alone.
pub(super) fn inject(container: &mut Container) {
    if !waits(container) {
        return;
    }
    container::append_env(container, "OPERATOR_WAIT", SOURCE);
    preload_token::append_preload(container, WORKER_VARIABLE, WORKER.trim_end());
    preload_token::append_preload(container, "DASK_DISTRIBUTED__NANNY__PRELOAD", NANNY.trim_end());
    if command::process(container) == Process::Worker {
        command::append(container, ["--preload-nanny", NANNY_ARGUMENT.trim_end()]);
    }
}

/// Without a nanny only the variable leads to the text; what the user says in its place hides it.
fn waits(container: &Container) -> bool {
    let left_to_us = container::is_ours_to_complete(container) && command::all_words(container).is_empty();
    let recognised =
        left_to_us || matches!(command::process(container), Process::Worker | Process::CudaWorker);
    let hidden = command::has_flag(container, "--preload") || container::has_env(container, WORKER_VARIABLE);
    recognised && !(command::has_flag(container, "--no-nanny") && hidden)
}
