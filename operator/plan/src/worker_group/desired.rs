//! The children of a group: its worker pods.

mod pod;
mod pre_stop;
mod waiting;
mod worker;

pub(super) use pod::{pod, template};
pub(super) use pre_stop::{has_own_hook, leaves_as_we_say};
pub(super) use waiting::waits_by_itself;
