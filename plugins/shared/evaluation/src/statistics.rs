//! Counts over many verdicts.

/// Lower and upper end of Wilson's band of 95 % for a share.
#[must_use]
pub fn wilson(successes: usize, of: usize) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (of as f64, successes as f64 / of as f64);
    let centre = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let below = 1.0 + Z * Z / n;
    (((centre - spread) / below).max(0.0), ((centre + spread) / below).min(1.0))
}

/// Fisher's exact test, two-sided: how likely are two such shares, or ones further apart, when nothing differs.
#[must_use]
pub fn fisher(first: (usize, usize), second: (usize, usize)) -> f64 {
    let ((a, first_of), (c, second_of)) = (first, second);
    let (a, c) = (a.min(first_of), c.min(second_of));
    let (all, right) = (first_of + second_of, a + c);
    if first_of == 0 || second_of == 0 {
        return 1.0;
    }
    let logs = log_factorials(all);
    let log = |n: usize| logs.get(n).copied().unwrap_or(0.0);
    let choose = |n: usize, k: usize| log(n) - log(k) - log(n - k);
    let likely = |a: usize| (choose(first_of, a) + choose(second_of, right - a) - choose(all, right)).exp();
    let seen = likely(a);
    let least = right.saturating_sub(second_of);
    let sum: f64 = (least..=right.min(first_of)).map(likely).filter(|one| *one <= seen * (1.0 + 1e-9)).sum();
    sum.min(1.0)
}

fn log_factorials(up_to: usize) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain((1..=up_to).map(|n| {
            sum += (n as f64).ln();
            sum
        }))
        .collect()
}

/// Runs of one case: how many there were, and how many were right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Those that came to an end.
    pub of: usize,
    /// The right ones.
    pub right: usize,
}

/// Share of cases that are right in at least one run (pass@k), and in every run (pass^k). Cases without a run do not count.
#[must_use]
pub fn pass(cases: &[Runs]) -> (usize, usize, usize) {
    let run = cases.iter().filter(|case| case.of > 0);
    run.fold((0, 0, 0), |(once, always, of), case| {
        (once + usize::from(case.right > 0), always + usize::from(case.right == case.of), of + 1)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        let near = |a: f64, b: f64| (a - b).abs() < 5e-4;
        let (low, high) = wilson(8, 10);
        assert!(near(low, 0.4902) && near(high, 0.9433), "{low} {high}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        // The lady who tastes tea, and two tables of R's documentation of fisher.test.
        assert!(near(fisher((3, 4), (1, 4)), 0.4857));
        assert!(near(fisher((10, 12), (2, 17)), 0.0003) || fisher((10, 12), (2, 17)) < 6e-4);
        // Three against three can never be significant.
        assert!(fisher((3, 3), (0, 3)) >= 0.1 - 1e-9);
    }

    #[test]
    fn at_least_once_and_always() {
        let runs = |right, of| Runs { of, right };
        assert_eq!(pass(&[runs(3, 3), runs(1, 3), runs(0, 3), runs(0, 0)]), (2, 1, 3));
    }

    proptest! {
        #[test]
        fn a_probability_is_one(a in 0_usize..60, b in 0_usize..60, c in 0_usize..60, d in 0_usize..60) {
            let p = fisher((a, a + b), (c, c + d));
            prop_assert!((0.0..=1.0).contains(&p), "{}", p);
            let (q, same) = (fisher((c, c + d), (a, a + b)), fisher((b, a + b), (d, c + d)));
            prop_assert!((p - q).abs() < 1e-9 && (p - same).abs() < 1e-9);
            let (low, high) = wilson(a, a + b);
            let share = if a + b == 0 { 0.5 } else { a as f64 / (a + b) as f64 };
            prop_assert!(low <= share + 1e-12 && share <= high + 1e-12);
        }
    }
}
