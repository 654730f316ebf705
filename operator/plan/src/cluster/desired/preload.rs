//! What the scheduler loads so that workers can leave without a loss, and the operator can ask it.

use dask_operator_api::labels;

use super::super::check::CheckedCluster;
use crate::command::{self, Process};
use crate::container::{self, Container};
use crate::preload_token::{self, TOKEN_VARIABLE};

/// The source, packed: readable in `operator/preload/src`.
const SOURCE: &str = include_str!("../../../../preload/generated/scheduler-packed.txt");
/// Runs it; also runs the preloads that the user's configuration names, which the variable hides.
const STUB: &str = include_str!("../../../../preload/generated/scheduler-preload.txt");

const VARIABLE: &str = "DASK_DISTRIBUTED__SCHEDULER__PRELOAD";

/// Makes a scheduler answer, unless something hides what would.
pub(super) fn inject(container: &mut Container, cluster: &CheckedCluster) {
    if hidden_by(container, cluster).is_some() {
        return;
    }
    container::append_env(container, "OPERATOR_PRELOAD", SOURCE.trim_end());
    preload_token::append_preload(container, VARIABLE, STUB.trim_end());
    container::append_env(container, TOKEN_VARIABLE, &preload_token::token(&cluster.uid));
    container::append_field(container, "OPERATOR_POD_UID", "metadata.uid");
}

/// What keeps the scheduler of this container from answering.
pub(super) fn hidden_by(container: &Container, cluster: &CheckedCluster) -> Option<String> {
    if cluster.stock_scheduler {
        Some(format!("the annotation {} says so", labels::STOCK_SCHEDULER))
    } else if command::process(container) != Process::Scheduler {
        Some("its command is none that is known".to_owned())
    } else if command::has_flag(container, "--preload") {
        Some("its command has --preload".to_owned())
    } else {
        container::has_env(container, VARIABLE).then(|| format!("it has the variable {VARIABLE}"))
    }
}
