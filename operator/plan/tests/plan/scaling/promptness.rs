//! A decision takes no longer in a large cluster than anybody would notice.

use super::large::{DECIDED_WITHIN, READ_WITHIN, took};

/// On a machine that others use, too.
const SLACK: u32 = 10;

#[test]
fn five_thousand_workers_and_a_hundred_thousand_tasks_are_decided_about_at_once() {
    let (read, decided) = took();
    assert!(read < READ_WITHIN * SLACK && decided < DECIDED_WITHIN * SLACK, "{read:?} {decided:?}");
}
