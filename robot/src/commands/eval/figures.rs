//! What can be said of successes: how sure they are, and whether two policies differ.

/// The interval that holds the true rate in 95 of 100 cases (Wilson, 1927), of so many successes.
pub fn interval(successes: usize, of: usize) -> [f64; 2] {
    if of == 0 {
        return [0.0, 1.0];
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, z2) = (of as f64, Z * Z);
    let rate = successes as f64 / n;
    let middle = (rate + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// How likely a difference at least as great is between equals, where one of two succeeded alone so
/// often and the other so often (McNemar's exact test, two-sided).
pub fn by_chance(first_alone: usize, second_alone: usize) -> f64 {
    let of = first_alone + second_alone;
    // In logarithms: of a thousand and more, a half to that power is nothing.
    let mut share = of as f64 * 0.5_f64.ln();
    let mut sum = 0.0;
    for taken in 0..=first_alone.min(second_alone) {
        sum += share.exp();
        share += ((of - taken) as f64 / (taken + 1) as f64).ln();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // By scipy 1.18.1: binomtest(k, n).proportion_ci(method="wilson").
        for (successes, of, low, high) in [
            (9, 10, 0.595_849_973_204_761_5, 0.982_123_786_904_927),
            (0, 20, 0.0, 0.161_125_158_052_819),
            (183, 200, 0.868_104_129_284_329, 0.946_254_249_822_524),
        ] {
            let [ours_low, ours_high] = interval(successes, of);
            assert!((ours_low - low).abs() < 1e-12, "{successes} {ours_low}");
            assert!((ours_high - high).abs() < 1e-12, "{successes} {ours_high}");
        }
        assert_eq!(interval(0, 0), [0.0, 1.0]);
    }

    #[test]
    fn chance_is_mcnemars() {
        // By scipy's binomtest(1, 10).pvalue; and nothing to tell apart.
        assert!((by_chance(1, 9) - 0.021_484_375).abs() < 1e-12);
        assert_eq!(by_chance(600, 600), 1.0);
        // By scipy's binomtest(700, 1500).pvalue.
        assert!((by_chance(700, 800) - 0.010559255466711506).abs() < 1e-9);
        assert_eq!(by_chance(9, 1), by_chance(1, 9));
        assert_eq!((by_chance(0, 0), by_chance(3, 3)), (1.0, 1.0));
    }
}
