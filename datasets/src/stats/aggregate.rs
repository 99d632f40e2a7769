//! Statistics of several episodes or datasets put together, each weighted by its count.

use super::{AllStats, Stats};

/// The statistics of everything that `parts` describe. A feature that some of them lack is put
/// together from those that have it.
pub fn aggregate(parts: &[&AllStats]) -> AllStats {
    let mut all = AllStats::new();
    for (name, _) in parts.iter().copied().flatten() {
        if all.iter().any(|(known, _)| known == name) {
            continue;
        }
        let with = |part: &&'_ AllStats| part.iter().position(|(known, _)| known == name);
        let found: Vec<&Stats> =
            parts.iter().filter_map(|part| with(part).map(|at| &part[at].1)).collect();
        if let Some(stats) = feature(&found) {
            all.push((name.clone(), stats));
        }
    }
    all
}

fn feature(parts: &[&Stats]) -> Option<Stats> {
    let first = parts.first()?;
    let width = first.min.len();
    // Parts of another shape say nothing about this feature.
    let parts: Vec<&Stats> = parts.iter().copied().filter(|part| part.min.len() == width).collect();
    let count: u64 = parts.iter().map(|part| part.count).sum();
    let weighted = |value: &dyn Fn(&Stats) -> f64| {
        parts.iter().map(|part| value(part) * part.count as f64).sum::<f64>() / count as f64
    };
    let each = |of: &dyn Fn(usize) -> f64| (0..width).map(of).collect::<Vec<f64>>();
    let extreme = |pick: fn(&Stats) -> &Vec<f64>, better: fn(f64, f64) -> f64| {
        each(&|at| parts.iter().map(|part| pick(part)[at]).fold(pick(first)[at], better))
    };
    let mean = each(&|at| weighted(&|part| part.mean[at]));
    let std = each(&|at| {
        weighted(&|part| part.std[at].powi(2) + (part.mean[at] - mean[at]).powi(2)).sqrt()
    });
    let all_have = parts.iter().all(|part| part.quantiles.is_some());
    let quantile = |which: usize| {
        let of =
            |part: &Stats, at: usize| part.quantiles.as_ref().map_or(0.0, |lists| lists[which][at]);
        each(&|at| weighted(&|part| of(part, at)))
    };
    Some(Stats {
        of_image: first.of_image,
        min: extreme(|part| &part.min, f64::min),
        max: extreme(|part| &part.max, f64::max),
        std,
        count,
        quantiles: all_have.then(|| std::array::from_fn(quantile)),
        mean,
    })
}
