//! Joints: which never move although others do.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Scene;
use super::finding::{Code, Findings};
use super::rows::Rows;
use crate::schema::{Dtype, Feature};

/// Fewer frames say nothing about a joint.
const FEWEST: u64 = 10;
/// A joint has moved when it went through this much of its range in the dataset.
const MOVED: f64 = 0.05;

/// The features that hold joints.
const OF_JOINTS: [&str; 2] = ["observation.state", "action"];

/// What is known of each joint so far: its feature and place, its name, the episodes in which it
/// was dead, and how many it was in.
#[derive(Default)]
pub struct Joints(BTreeMap<(&'static str, usize), Joint>);

#[derive(Default)]
struct Joint {
    name: String,
    dead: Vec<u64>,
    episodes: u64,
}

fn features<'a>(scene: &Scene<'a>) -> impl Iterator<Item = (&'static str, &'a Feature)> {
    let info = scene.info;
    let found = OF_JOINTS.into_iter().filter_map(|name| Some((name, info.feature(name)?)));
    found.filter(|(_, feature)| {
        matches!(feature.dtype, Dtype::F32 | Dtype::F64) && feature.shape.len() == 1
    })
}

/// What a position of a feature is called.
pub fn name(feature: &Feature, at: usize) -> String {
    // A list, or lists below keys, as older datasets have them.
    let mut lists = match &feature.names {
        Json::Array(names) => vec![names],
        Json::Object(groups) => groups.values().filter_map(Json::as_array).collect(),
        _ => Vec::new(),
    };
    let names = lists.drain(..).flatten().collect::<Vec<_>>();
    names.get(at).and_then(|name| name.as_str()).map_or(format!("joint {at}"), str::to_owned)
}

/// The smallest and the largest of each position.
fn ranges(values: &[f64], width: usize) -> Vec<(f64, f64)> {
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); width];
    for row in values.chunks_exact(width.max(1)) {
        for (range, value) in ranges.iter_mut().zip(row) {
            *range = (range.0.min(*value), range.1.max(*value));
        }
    }
    ranges
}

impl Joints {
    /// Looks at an episode.
    pub fn look(&mut self, scene: &Scene<'_>, rows: &Rows<'_>) {
        for (of, feature) in features(scene) {
            let Some(values) = rows.numbers(of).filter(|_| rows.count >= FEWEST) else { continue };
            let dead: Vec<bool> = ranges(&values, feature.width())
                .into_iter()
                .map(|(low, high)| low == high)
                .collect();
            if dead.iter().all(|dead| *dead) {
                continue;
            }
            for (at, dead) in dead.into_iter().enumerate() {
                let joint = self.0.entry((of, at)).or_default();
                joint.name = name(feature, at);
                joint.episodes += 1;
                joint.dead.extend(dead.then_some(rows.episode.index));
            }
        }
    }

    /// Tells of every joint that was dead.
    pub fn check(self, findings: &mut Findings) {
        for ((of, _), joint) in self.0 {
            let place = match (&joint.dead[..], joint.episodes) {
                ([], _) => continue,
                (dead, all) if dead.len() as u64 == all => "every episode".to_owned(),
                (dead, _) => format!("episodes {}", spans(dead)),
            };
            let message = format!("{} never changes while others do", joint.name);
            findings.add(Code::DeadJoint, format!("{of}, {place}"), message);
        }
    }
}

/// `1, 3–7` of 1, 3, 4, 5, 6, 7.
fn spans(numbers: &[u64]) -> String {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => spans.push((*number, *number)),
        }
    }
    let text = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}–{last}"),
    };
    spans.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Whether any joint moved between two frames of an episode.
pub fn moved(scene: &Scene<'_>, rows: &Rows<'_>, first: u64, last: u64) -> bool {
    features(scene).any(|(of, feature)| {
        let Some(values) = rows.numbers(of) else { return false };
        let width = feature.width();
        let place = |frame: u64| usize::try_from(frame).unwrap_or(usize::MAX).saturating_mul(width);
        let Some(run) = values.get(place(first)..place(last + 1).min(values.len())) else {
            return false;
        };
        let stored = scene.listed.stats.as_ref();
        let stored = stored.and_then(|all| all.iter().find(|(name, _)| name == of));
        let whole = ranges(&values, width);
        ranges(run, width).into_iter().enumerate().any(|(at, (low, high))| {
            let known = stored.and_then(|(_, stats)| Some(stats.max.get(at)? - stats.min.get(at)?));
            let range = known.unwrap_or(0.0).max(whole[at].1 - whole[at].0);
            high > low && high - low > MOVED * range
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_a_span() {
        assert_eq!(spans(&[1, 3, 4, 5, 9]), "1, 3–5, 9");
    }
}
