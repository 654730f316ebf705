//! Why a worker that is evicted or deleted asks nobody first.

use dask_operator_api::conditions::{Reason, Verdict};

use super::check::CheckedGroup;
use super::desired;
use super::observed::{FailedHook, Observed};
use crate::container;
use crate::troubles::trouble;

/// Its container has a hook of its user's own, or ours cannot run in there.
pub(super) fn unasked(group: &CheckedGroup, observed: &Observed) -> Option<Verdict> {
    if desired::has_own_hook(group) {
        let message =
            "the worker's container has a preStop of its own, so a worker that is evicted asks nobody first";
        return Some(trouble(Reason::OwnPreStop, message));
    }
    let FailedHook { pod, words, .. } =
        observed.failed_hook.as_ref().filter(|hook| is_ours(group, observed, hook))?;
    let message = format!(
        "pod {pod} could not ask the scheduler before it went, nor can the others: \"{words}\"; is there a \
         python3 in the PATH of the worker's container?"
    );
    Some(trouble(Reason::HookCannotRun, message))
}

/// A container beside the worker may have a hook that fails, and a template that is no more may have had none that runs.
fn is_ours(group: &CheckedGroup, observed: &Observed, hook: &FailedHook) -> bool {
    let template = || observed.cluster.as_ref().map(|cluster| desired::template(group, cluster));
    container::text(group.pod.main(), "name") == hook.container && template() == hook.template
}
