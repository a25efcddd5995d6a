//! Latencies in buckets whose width is at most 1/64 of their value.

use std::time::Duration;

/// Steps within one power of two.
const STEPS: u64 = 64;
const BUCKETS: usize = 64 * 64;

/// Counts of durations.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Microseconds that this many of a thousand requests do not exceed.
    pub(crate) fn permille(&self, permille: u64) -> f64 {
        let rank = (self.total * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(bucket) / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(nanos: u64) -> usize {
    let scale = nanos.checked_ilog2().unwrap_or(0).saturating_sub(6);
    let step = nanos >> scale;
    // Below 2 × STEPS the scale is 0 and every value has its own bucket.
    usize::try_from(u64::from(scale) * STEPS + step).unwrap_or(BUCKETS - 1)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a bucket is coarser than a float"
)]
fn upper(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    let scale = (bucket / STEPS).saturating_sub(1);
    let step = bucket - scale * STEPS;
    ((step + 1) << scale) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_two_percent() {
        let mut histogram = Histogram::new();
        for micros in 1..=10_000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (permille, expected) in [(500, 5000.0), (990, 9900.0), (1000, 10_000.0)] {
            let found = histogram.permille(permille);
            assert!((found / expected - 1.0).abs() < 0.02, "{permille}: {found}");
        }
    }

    #[test]
    fn every_value_lies_below_the_end_of_its_bucket() {
        for shift in 0..50 {
            for nanos in [1_u64 << shift, (1 << shift) + 1, (1 << shift) * 3 / 2] {
                let end = upper(bucket(nanos));
                let value = nanos as f64;
                assert!(value <= end && end <= value * 1.04 + 1.0, "{nanos}: {end}");
            }
        }
    }

    #[test]
    fn sums_of_histograms_count_both() {
        let (mut sum, mut other) = (Histogram::new(), Histogram::new());
        sum.record(Duration::from_micros(1));
        other.record(Duration::from_micros(100));
        sum.add(&other);
        assert_eq!(sum.total(), 2);
        assert!(sum.permille(1000) > 99.0 && sum.permille(500) < 2.0);
    }
}
