//! What a row of measurements comes to.

use std::fmt;

/// The middle of some measurements, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
    pub mean: f64,
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} (median; {:.2} to {:.2})", self.median, self.least, self.most)
    }
}

impl Spread {
    /// Of nothing there is none.
    pub fn of(measured: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = measured.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (&least, &most) = (sorted.first()?, sorted.last()?);
        let (&below, &above) = (sorted.get((sorted.len() - 1) / 2)?, sorted.get(sorted.len() / 2)?);
        let mean = mean(&sorted)?;
        Some(Self { least, median: f64::midpoint(below, above), most, mean })
    }
}

fn mean(of: &[f64]) -> Option<f64> {
    let count = u32::try_from(of.len()).ok().filter(|count| *count > 0)?;
    Some(of.iter().sum::<f64>() / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_lies_between_the_two_in_the_middle() {
        let odd = Spread::of([6.0, 1.0, 2.0]).unwrap();
        assert_eq!(odd, Spread { least: 1.0, median: 2.0, most: 6.0, mean: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median.to_bits(), 2.5_f64.to_bits());
        assert_eq!(Spread::of([]), None);
    }
}
