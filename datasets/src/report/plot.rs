//! Where the joints were and where they were sent, as curves over each other.

use super::html::{Page, escape};
use crate::reader::Dataset;
use crate::tables::episodes::Episode;
use crate::verify::joint_name;

/// The features that are drawn, with the class of their curve.
const DRAWN: [(&str, &str); 2] = [("observation.state", "state"), ("action", "action")];
/// More joints than any arm has.
const MOST: usize = 32;
/// More points than this nobody tells apart on a curve so small.
const POINTS: usize = 160;
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 90.0;

/// One feature's values in an episode.
struct Curves {
    class: &'static str,
    names: Vec<String>,
    values: Vec<f64>,
}

impl Curves {
    fn of(dataset: &Dataset, episode: &Episode, name: &str, class: &'static str) -> Option<Self> {
        let feature = dataset.info().feature(name).filter(|feature| feature.shape.len() == 1)?;
        let values = dataset.values(name, episode.from_index, episode.length).ok()?.numbers();
        let names = (0..feature.width().min(MOST)).map(|at| joint_name(feature, at)).collect();
        Some(Self { class, names, values: by_joint(&values, feature.width()) })
    }

    /// One joint's values in time.
    fn joint(&self, at: usize) -> &[f64] {
        let frames = self.values.len().checked_div(self.names.len()).unwrap_or(0);
        self.values.get(at * frames..(at + 1) * frames).unwrap_or_default()
    }
}

/// Row by row becomes joint by joint, of the joints that are drawn.
fn by_joint(values: &[f64], width: usize) -> Vec<f64> {
    let joints = 0..width.min(MOST);
    joints.flat_map(|at| values.iter().skip(at).step_by(width.max(1)).copied()).collect()
}

/// A small plot per joint.
pub fn joints(page: &mut Page, dataset: &Dataset, episode: &Episode) {
    let drawn = DRAWN.iter().filter_map(|(name, class)| Curves::of(dataset, episode, name, class));
    let drawn: Vec<Curves> = drawn.collect();
    let Some(most) = drawn.iter().map(|curves| curves.names.len()).max() else { return };
    let keys = drawn.iter().map(|curves| {
        format!("<span class=\"key\" style=\"background:var(--{0})\"></span>{0}", curves.class)
    });
    page.raw(&format!(
        "<h3>Joints <small>{}</small></h3><div class=\"grid\">",
        keys.collect::<String>()
    ));
    for at in 0..most {
        let name = drawn.iter().find_map(|curves| curves.names.get(at));
        let joint = drawn.iter().map(|curves| (curves.class, curves.joint(at)));
        page.raw(&curves(name.map_or("", String::as_str), &joint.collect::<Vec<_>>()));
    }
    page.raw("</div>");
}

/// A small plot of curves over each other, each with the class that colours it: `state`, `action`.
pub fn curves(name: &str, curves: &[(&str, &[f64])]) -> String {
    let all = || curves.iter().flat_map(|(_, values)| *values).filter(|value| value.is_finite());
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(*value), high.max(*value))
    });
    let name = escape(name);
    let frame = format!(
        "<rect class=\"axis\" x=\".5\" y=\"14.5\" width=\"{}\" height=\"{}\"/>\
         <text x=\"2\" y=\"10\">{name}</text>",
        WIDTH - 1.0,
        HEIGHT - 15.0
    );
    let mut lines = String::new();
    if low <= high {
        lines = format!(
            "<text x=\"{0}\" y=\"10\" text-anchor=\"end\">{low:.1} … {high:.1}</text>",
            WIDTH - 2.0
        );
        for (class, values) in curves {
            let points = points(values, low, high);
            lines += &format!("<polyline class=\"{class}\" points=\"{points}\"/>");
        }
    }
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name}\">{frame}{lines}</svg>"
    )
}

/// The curve, thinned so that every peak stays: of each stretch the lowest and the highest.
fn points(values: &[f64], low: f64, high: f64) -> String {
    let stretch = (values.len() * 2).div_ceil(POINTS).max(1);
    let mut kept: Vec<usize> = Vec::new();
    for start in (0..values.len()).step_by(stretch) {
        let stretch = start..(start + stretch).min(values.len());
        let by_value = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        let lowest = stretch.clone().min_by(by_value).unwrap_or(start);
        let highest = stretch.max_by(by_value).unwrap_or(start);
        kept.push(lowest.min(highest));
        kept.extend((lowest != highest).then_some(lowest.max(highest)));
    }
    let last = values.len().saturating_sub(1).max(1) as f64;
    let range = if high > low { high - low } else { 1.0 };
    let finite = kept.into_iter().filter(|at| values[*at].is_finite());
    let point = |at: usize| {
        let x = 2.0 + (WIDTH - 4.0) * at as f64 / last;
        let y = HEIGHT - 4.0 - (HEIGHT - 22.0) * (values[at] - low) / range;
        format!("{x:.1},{y:.1} ")
    };
    finite.map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_is_thinned_and_keeps_its_peak() {
        let mut values = vec![0.0; 10_000];
        values[7_321] = 5.0;
        let points = points(&values, 0.0, 5.0);
        assert!(points.split(' ').count() <= POINTS + 2, "{points}");
        assert!(points.contains(",18.0 "), "{points}");
    }

    #[test]
    fn rows_become_joints() {
        assert_eq!(by_joint(&[1.0, 2.0, 3.0, 4.0], 2), [1.0, 3.0, 2.0, 4.0]);
    }
}
