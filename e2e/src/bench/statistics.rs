//! What a row of measurements comes to.

/// The middle of some measurements, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Spread {
    /// Of nothing there is none.
    pub(super) fn of(measured: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = measured.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (&least, &most) = (sorted.first()?, sorted.last()?);
        let (&below, &above) = (sorted.get((sorted.len() - 1) / 2)?, sorted.get(sorted.len() / 2)?);
        Some(Self { least, median: f64::midpoint(below, above), most })
    }
}

/// How much `y` grows with `x`, by least squares; none when `x` never changes.
pub(super) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let mean = |of: fn(&(f64, f64)) -> f64| {
        let (sum, count) =
            points.iter().fold((0.0, 0.0), |(sum, count), point| (sum + of(point), count + 1.0));
        sum / count
    };
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let alone: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (alone > 0.0).then(|| together / alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_lies_between_the_two_in_the_middle() {
        let odd = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(odd, Spread { least: 1.0, median: 2.0, most: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median.to_bits(), 2.5_f64.to_bits());
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_slope_is_what_one_more_costs() {
        let slope_of = |points: &[(f64, f64)]| slope(points).map(f64::round);
        assert_eq!(slope_of(&[(0.0, 10.0), (500.0, 1010.0), (1000.0, 2010.0)]), Some(2.0));
        assert_eq!(slope_of(&[(1.0, 10.0), (1.0, 20.0)]), None);
        assert_eq!(slope_of(&[]), None);
    }
}
