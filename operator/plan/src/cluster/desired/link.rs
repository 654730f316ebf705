//! What the scheduler loads so that workers can leave without a loss, and the operator can ask it.

use crate::command::{self, Process};
use crate::container::{self, Container};
use crate::link::{self, TOKEN_VARIABLE};

/// The source, packed: readable in `operator/preload/src`.
const SOURCE: &str = include_str!("../../../../preload/generated/scheduler-packed.txt");
/// Runs it; also runs the preloads that the user's configuration names, which the variable hides.
const STUB: &str = include_str!("../../../../preload/generated/scheduler-preload.txt");

const VARIABLE: &str = "DASK_DISTRIBUTED__SCHEDULER__PRELOAD";

/// Makes a recognised scheduler answer; leaves alone one whose preloads are said where they hide ours.
pub(super) fn inject(container: &mut Container, cluster_uid: &str) {
    let hidden = command::has_flag(container, "--preload") || container::has_env(container, VARIABLE);
    if command::process(container) != Process::Scheduler || hidden {
        return;
    }
    container::append_env(container, "OPERATOR_PRELOAD", SOURCE.trim_end());
    link::append_preload(container, VARIABLE, STUB.trim_end());
    container::append_env(container, TOKEN_VARIABLE, &link::token(cluster_uid));
    container::append_field(container, "OPERATOR_POD_UID", "metadata.uid");
}
