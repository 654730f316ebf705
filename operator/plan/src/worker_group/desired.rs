//! The children of a group: its worker pods.

mod leaving;
mod pod;
mod waiting;
mod worker;

pub(super) use leaving::{has_own_hook, leaves_as_we_say};
pub(super) use pod::{pod, template};
pub(super) use waiting::waits_by_itself;
