//! The histogram behind the quantiles: 5000 bins from just below the smallest value to just above
//! the largest, its edges computed in the precision of the data.

/// How many bins there are.
const BINS: usize = 5000;
/// How far the outer edges lie beyond the values.
const MARGIN: f64 = 1e-10;

/// The precision in which edges and means are computed.
pub trait Real: Copy + PartialOrd {
    /// Rounds to this precision.
    fn of(value: f64) -> Self;
    /// Widens, without loss.
    fn wide(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}

/// An operation of two numbers in precision `T`: widening to 64 bits, computing there and rounding
/// back gives the correctly rounded result for sums, differences, products and quotients.
fn rounded<T: Real>(value: f64) -> f64 {
    T::of(value).wide()
}

/// The edge before bin `n` of a range that numpy's `linspace` would divide.
struct Edges<T> {
    start: f64,
    stop: f64,
    delta: f64,
    step: f64,
    precision: std::marker::PhantomData<T>,
}

impl<T: Real> Edges<T> {
    fn new(min: T, max: T) -> Self {
        let start = rounded::<T>(min.wide() - rounded::<T>(MARGIN));
        let stop = rounded::<T>(max.wide() + rounded::<T>(MARGIN));
        let delta = rounded::<T>(stop - start);
        let step = rounded::<T>(delta / BINS as f64);
        Self { start, stop, delta, step, precision: std::marker::PhantomData }
    }

    fn at(&self, n: usize) -> f64 {
        if n == BINS {
            return self.stop;
        }
        let along = match self.step == 0.0 {
            true => rounded::<T>(rounded::<T>(n as f64 / BINS as f64) * self.delta),
            false => rounded::<T>(n as f64 * self.step),
        };
        rounded::<T>(along + self.start)
    }
}

/// The quantiles of `count` values from `min` to `max`; `below` tells how many values are smaller
/// than an edge, `up_to` how many are not larger.
pub fn quantiles<T: Real>(
    min: T,
    max: T,
    count: u64,
    below: impl Fn(f64) -> u64,
    up_to: impl Fn(f64) -> u64,
) -> [f64; 5] {
    let edges = Edges::new(min, max);
    let first = below(edges.at(0));
    // How many values lie in the bins up to and with bin n.
    let through = |bin: usize| match bin + 1 == BINS {
        true => up_to(edges.stop).saturating_sub(first),
        false => below(edges.at(bin + 1)).saturating_sub(first),
    };
    super::QUANTILES.map(|(quantile, _)| {
        let target = quantile * count as f64;
        // The first bin that reaches the target.
        let (mut low, mut high) = (0, BINS);
        while low < high {
            let middle = usize::midpoint(low, high);
            if (through(middle) as f64) < target { low = middle + 1 } else { high = middle }
        }
        let bin = low;
        if bin == 0 {
            return edges.at(0);
        }
        if bin >= BINS {
            return edges.stop;
        }
        let before = through(bin - 1) as f64;
        let inside = through(bin) as f64 - before;
        let (left, right) = (edges.at(bin), edges.at(bin + 1));
        if inside == 0.0 {
            return left;
        }
        left + (target - before) / inside * rounded::<T>(right - left)
    })
}
