//! How many workers each group needs now.

use super::assign::{Assigned, Room, assign};
use super::check::CheckedAutoscaler;
use super::demand::{self, Need};
use super::seen::{How, Seen};
use super::share::shares;

/// What all groups together need, each in the order of the groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Needed {
    /// For work and data, were there no bounds.
    pub(super) asked: Vec<usize>,
    /// For the work alone.
    pub(super) worked: Vec<usize>,
    /// For everything, within all bounds.
    pub(super) wanted: Vec<usize>,
    /// How many of those that are there are needed until others have come.
    pub(super) kept: Vec<usize>,
    /// What no group offers, in words.
    pub(super) unrunnable: Vec<String>,
    /// Whether there is work for more workers than are allowed.
    pub(super) is_short: bool,
}

/// Work goes to groups by priority; data stays where it is; bounds are kept.
pub(super) fn needed(
    autoscaler: &CheckedAutoscaler,
    needs: &[Need<'_>],
    seen: &[Seen<'_>],
    beside: &[Room],
) -> Needed {
    let assigned = |how| {
        let rooms: Vec<_> = seen.iter().map(|seen| seen.room(how)).collect();
        assign(needs, &rooms, beside)
    };
    let (able, whole, present) = (assigned(How::Able), assigned(How::Whole), assigned(How::Present));
    let (counts, is_cut) = within_bounds(autoscaler, seen, &able, How::Able);
    let (patient, _) = within_bounds(autoscaler, seen, &whole, How::Whole);
    let wanted = seen.iter().zip(counts).zip(patient).map(|((seen, count), patient)| match seen.trouble {
        // Its workers stay for as long as they would be of use, and are no more.
        Some(_) => patient.min(seen.group.replicas),
        None => count,
    });
    let wanted: Vec<_> = wanted.collect();
    // Who is to grow needs a place among those that are allowed.
    let mut places: Vec<_> = present.workers.iter().zip(&wanted).map(|(here, to)| *here.max(to)).collect();
    cut(autoscaler, seen, &mut places, |at| wanted[at]);
    cut(autoscaler, seen, &mut places, |at| seen[at].bounds(How::Able).least);
    let stay = present.workers.iter().zip(places).map(|(here, places)| places.min(*here));
    let asked = assigned(How::Free).workers.into_iter().zip(seen).map(|(count, seen)| count.max(seen.memory));
    Needed {
        asked: asked.collect(),
        kept: seen.iter().zip(stay).map(|(seen, count)| kept(seen, count)).collect(),
        wanted,
        unrunnable: able.unrunnable.iter().map(|demand| demand::in_words(demand)).collect(),
        is_short: able.is_short || is_cut,
        worked: able.workers,
    }
}

/// Those of a low priority stay until those that are to take their work are there; others stay while they are busy.
fn kept(seen: &Seen<'_>, for_work: usize) -> usize {
    let count = for_work.max(seen.memory);
    if seen.is_behind { count } else { count.max(seen.busy) }
}

/// What the groups need, between the bounds of all of them together; and whether that is less.
fn within_bounds(
    autoscaler: &CheckedAutoscaler,
    seen: &[Seen<'_>],
    assigned: &Assigned<'_>,
    how: How,
) -> (Vec<usize>, bool) {
    let bounds = |seen: &Seen<'_>| seen.bounds(how);
    let needed = seen
        .iter()
        .zip(&assigned.workers)
        .map(|(seen, count)| (*count).max(seen.memory).clamp(bounds(seen).least, bounds(seen).most));
    let mut counts: Vec<_> = needed.collect();
    let is_cut = cut(autoscaler, seen, &mut counts, |at| bounds(&seen[at]).least);
    let mut missing = autoscaler.bounds.least.saturating_sub(counts.iter().sum());
    for (count, seen) in counts.iter_mut().zip(seen) {
        let more = missing.min(bounds(seen).most.saturating_sub(*count));
        *count += more;
        missing -= more;
    }
    (counts, is_cut)
}

/// No more than all of them may have together: those of the lowest priority do without, down to their least. Returns
/// whether somebody does.
fn cut(
    autoscaler: &CheckedAutoscaler,
    seen: &[Seen<'_>],
    counts: &mut [usize],
    least: impl Fn(usize) -> usize,
) -> bool {
    let surplus = counts.iter().sum::<usize>().saturating_sub(autoscaler.bounds.most);
    let spare = |at: usize| counts[at].saturating_sub(least(at));
    let spare: Vec<_> = (0..counts.len()).map(spare).collect();
    for (count, less) in counts.iter_mut().zip(less(seen, surplus, &spare)) {
        *count -= less;
    }
    surplus > 0
}

/// How many each group does without of so many: those of the lowest priority first, equals in proportion to what they
/// have to spare.
pub(super) fn less(seen: &[Seen<'_>], mut surplus: usize, spare: &[usize]) -> Vec<usize> {
    let givers: Vec<_> = seen.iter().zip(spare).collect();
    let classes = givers.chunk_by(|one, other| one.0.scaled.priority == other.0.scaled.priority);
    let mut shared: Vec<_> = classes
        .rev()
        .map(|class| {
            let class: Vec<_> =
                class.iter().map(|(seen, spare)| (**spare, seen.group.name.as_str())).collect();
            let given = shares(surplus, &class);
            surplus -= given.iter().sum::<usize>();
            given
        })
        .collect();
    shared.reverse();
    shared.concat()
}
