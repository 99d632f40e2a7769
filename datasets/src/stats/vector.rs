//! Statistics of a column of numbers.

use super::Stats;
use super::bins::{Real, quantiles};

/// Statistics of `frames` rows in the precision in which LeRobot computes them: `values` holds the
/// rows one after the other, each `width` numbers long. None when there is nothing to look at.
pub fn of<T: Real>(values: &[T], width: usize, frames: u64) -> Option<Stats> {
    let rows = values.len().checked_div(width)?;
    if rows == 0 {
        return None;
    }
    let columns: Vec<Column> = (0..width).map(|at| column(values, width, at, rows)).collect();
    let list = |pick: fn(&Column) -> f64| columns.iter().map(pick).collect::<Vec<f64>>();
    Some(Stats {
        of_image: false,
        min: list(|column| column.min),
        max: list(|column| column.max),
        mean: list(|column| column.mean),
        std: list(|column| column.std),
        count: frames,
        quantiles: Some([
            list(|column| column.quantiles[0]),
            list(|column| column.quantiles[1]),
            list(|column| column.quantiles[2]),
            list(|column| column.quantiles[3]),
            list(|column| column.quantiles[4]),
        ]),
    })
}

struct Column {
    min: f64,
    max: f64,
    mean: f64,
    std: f64,
    quantiles: [f64; 5],
}

fn column<T: Real>(values: &[T], width: usize, at: usize, rows: usize) -> Column {
    let mut sorted: Vec<T> = values.iter().copied().skip(at).step_by(width).collect();
    let sum = |square: bool| {
        let round = |value: f64| T::of(value).wide();
        let term =
            |value: T| if square { round(value.wide() * value.wide()) } else { value.wide() };
        let sum = match width {
            // A single column lies close together, and numpy then adds in pairs.
            1 => pairwise::<T>(rows, &|row| term(values[row])),
            _ => {
                let column = values.iter().skip(at).step_by(width);
                column.fold(0.0, |sum, value| round(sum + term(*value)))
            }
        };
        T::of(sum / rows as f64)
    };
    let (mean, squares) = (sum(false).wide(), sum(true).wide());
    let variance = T::of(squares - T::of(mean * mean).wide()).wide();
    // A NaN sorts last, so that it shows as the maximum and is not lost.
    sorted.sort_unstable_by(|a, b| a.wide().total_cmp(&b.wide()));
    let (min, max) = (sorted[0], sorted[rows - 1]);
    if rows < 2 {
        return Column { min: min.wide(), max: max.wide(), mean, std: 0.0, quantiles: [mean; 5] };
    }
    let below = |edge: f64| sorted.partition_point(|value| value.wide() < edge) as u64;
    let up_to = |edge: f64| sorted.partition_point(|value| value.wide() <= edge) as u64;
    Column {
        min: min.wide(),
        max: max.wide(),
        mean,
        std: T::of(variance.max(0.0).sqrt()).wide(),
        quantiles: quantiles(min, max, rows as u64, below, up_to),
    }
}

/// numpy's order of adding: eight running sums over at most 128 numbers, halves beyond that.
fn pairwise<T: Real>(count: usize, term: &impl Fn(usize) -> f64) -> f64 {
    pairwise_from::<T>(0, count, term)
}

fn pairwise_from<T: Real>(from: usize, count: usize, term: &impl Fn(usize) -> f64) -> f64 {
    let add = |a: f64, b: f64| T::of(a + b).wide();
    if count < 8 {
        return (from..from + count).fold(0.0, |sum, at| add(sum, term(at)));
    }
    if count > 128 {
        let half = count / 2 - (count / 2) % 8;
        let left = pairwise_from::<T>(from, half, term);
        return add(left, pairwise_from::<T>(from + half, count - half, term));
    }
    let mut sums: [f64; 8] = std::array::from_fn(|lane| term(from + lane));
    let whole = count - count % 8;
    for at in (8..whole).step_by(8) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = add(*sum, term(from + at + lane));
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let sum = add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h)));
    (from + whole..from + count).fold(sum, |sum, at| add(sum, term(at)))
}
