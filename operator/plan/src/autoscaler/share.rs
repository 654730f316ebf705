//! Who does without where all groups together have too many.

use std::cmp::Reverse;

/// What one of several can give, and its name.
pub(super) type Giver<'a> = (usize, &'a str);

/// How many each gives of so many, in proportion to what it can give. What is left over is given by those whose part was
/// cut most, of equals by the last by name: the order in which they stand does not matter.
pub(super) fn shares(wanted: usize, givers: &[Giver<'_>]) -> Vec<usize> {
    let all: usize = givers.iter().map(|(can_give, _)| can_give).sum();
    let wanted = wanted.min(all);
    // Wide enough for the product of any two of them.
    let product = |can_give: usize| wanted as u128 * can_give as u128;
    let whole = |number: u128| usize::try_from(number).unwrap_or(usize::MAX);
    let each = all.max(1) as u128;
    let mut parts: Vec<_> = givers.iter().map(|(can_give, _)| whole(product(*can_give) / each)).collect();
    let left = wanted - parts.iter().sum::<usize>();
    let mut order: Vec<_> = givers.iter().enumerate().collect();
    order.sort_by_key(|(_, (can_give, name))| (Reverse(product(*can_give) % each), Reverse(*name)));
    for (at, _) in order.into_iter().take(left) {
        parts[at] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gives_in_proportion_and_never_more_than_it_has() {
        assert_eq!(shares(4, &[(6, "a"), (2, "b")]), [3, 1]);
        assert_eq!(shares(2, &[(5, "a"), (2, "b")]), [1, 1]);
        assert_eq!(shares(9, &[(5, "a"), (2, "b")]), [5, 2]);
        assert_eq!(shares(3, &[(0, "a"), (0, "b")]), [0, 0]);
        assert_eq!(shares(1, &[]), [] as [usize; 0]);
    }

    #[test]
    fn of_equals_the_last_by_name_gives_first_wherever_it_stands() {
        assert_eq!(shares(3, &[(2, "a"), (2, "b")]), [1, 2]);
        assert_eq!(shares(3, &[(2, "b"), (2, "a")]), [2, 1]);
    }
}
