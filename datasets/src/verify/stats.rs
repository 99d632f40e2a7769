//! Whether the stored statistics are those of the data.

use super::camera::Watched;
use super::finding::{Code, Findings};
use super::rows::Rows;
use super::{Scene, close};
use crate::edit::NUMBERS;
use crate::schema::{Dtype, Feature};
use crate::stats::{self, AllStats, Stats};

/// How far a number may be from the stored one, in parts of the range of the values.
const CLOSE: f64 = 1e-3;
/// The same for images: LeRobot takes their statistics before they are encoded.
const CLOSE_IMAGE: f64 = 0.05;

/// The statistics as the data give them, episode by episode.
#[derive(Default)]
pub struct Redone(Vec<AllStats>);

impl Redone {
    /// Takes the statistics of an episode, and holds them against those stored with it.
    pub fn look(
        &mut self,
        scene: &Scene<'_>,
        rows: &Rows<'_>,
        watched: Vec<Watched>,
        findings: &mut Findings,
    ) {
        let mut all = AllStats::new();
        for (name, feature) in rows.features() {
            let cells = rows.cells(name);
            let fresh = cells.and_then(|c| stats::of_column(name, feature, &c, scene.info.fps));
            all.extend(fresh.map(|fresh| (name.to_owned(), fresh)));
        }
        let seen = watched.into_iter();
        all.extend(seen.filter_map(|watched| Some((watched.camera, watched.stats?))));
        compare(scene, &rows.episode.stats, &all, &rows.place(), findings);
        self.0.push(all);
    }

    /// Holds the statistics of the whole dataset against the stored ones.
    pub fn check(self, scene: &Scene<'_>, findings: &mut Findings) {
        let listed = scene.listed;
        if listed.episodes.is_empty() {
            return;
        }
        let place = "meta/stats.json";
        let old = scene.info.version == crate::schema::Version::V21;
        let Some(stored) = &listed.stats else {
            if !old {
                findings.add(Code::StatsMissing, place, "is not there, or not understood");
            }
            return;
        };
        let numbers = scene.info.features.iter().filter(|(_, f)| f.dtype != Dtype::Text);
        let lacks = |name: &&str| !stored.iter().any(|(known, _)| known == name);
        let missing: Vec<&str> = numbers.map(|(name, _)| name.as_str()).filter(lacks).collect();
        if !missing.is_empty() {
            findings.add(Code::StatsMissing, place, format!("lacks {}", missing.join(", ")));
        }
        // An episode that could not be read would be missing in the sum.
        if !listed.whole || self.0.len() != listed.episodes.len() {
            return;
        }
        let parts: Vec<&AllStats> = self.0.iter().collect();
        let has = |part: &&AllStats, name: &str| part.iter().any(|(known, _)| known == name);
        let mut all = stats::aggregate(&parts);
        all.retain(|(name, _)| parts.iter().all(|part| has(part, name)));
        compare(scene, stored, &all, place, findings);
    }
}

fn compare(
    scene: &Scene<'_>,
    stored: &AllStats,
    fresh: &AllStats,
    place: &str,
    findings: &mut Findings,
) {
    for (name, fresh) in fresh {
        // LeRobot's own edits number anew and leave these as they were; nothing is trained on them.
        if NUMBERS.contains(&name.as_str()) {
            continue;
        }
        let Some((_, stored)) = stored.iter().find(|(known, _)| known == name) else { continue };
        let Some(feature) = scene.info.feature(name) else { continue };
        if let Some(drift) = drift(feature, stored, fresh) {
            findings.add(Code::StatsDrift, format!("{place}, {name}"), drift);
        }
    }
}

/// The first number of a feature that is too far off.
pub fn drift(feature: &Feature, stored: &Stats, fresh: &Stats) -> Option<String> {
    if stored.min.len() != fresh.min.len() {
        let (had, has) = (stored.min.len(), fresh.min.len());
        return Some(format!("has {had} positions, the data have {has}"));
    }
    if !fresh.of_image && stored.count != fresh.count {
        return Some(format!("count is {}, the data have {}", stored.count, fresh.count));
    }
    let unit = feature.depth_unit();
    let scale = feature.depth_scale().and_then(|scale| scale.ok());
    if scale.is_some_and(|scale| stored.max.iter().any(|max| *max > scale.farthest_mm() * unit)) {
        // What was farther than the video can say is not in it.
        return None;
    }
    let coarse = scale.map_or(0.0, |scale| scale.coarsest_mm() * unit);
    let lists = stored.lists().zip(fresh.lists()).take(4);
    // A codec changes the darkest and the brightest pixel as it likes.
    let lists = lists.filter(|((name, _), _)| !fresh.of_image || matches!(*name, "mean" | "std"));
    for ((name, stored), (_, fresh_list)) in lists {
        for (at, (stored, new)) in stored.iter().zip(fresh_list).enumerate() {
            // Where one number is none, the others are still as far off as they are.
            let range = (fresh.max[at] - fresh.min[at]).abs();
            let range = if range.is_finite() { range } else { 0.0 };
            let tolerance = match fresh.of_image {
                true if feature.is_depth() => CLOSE_IMAGE * range + coarse + 1e-6 * new.abs(),
                true => CLOSE_IMAGE,
                false => CLOSE * range + 1e-6 * new.abs() + 1e-9,
            };
            // What is NaN in both has drifted nowhere, and is told of elsewhere.
            let same = close(*stored, *new, tolerance) || (stored.is_nan() && new.is_nan());
            if !same {
                return Some(format!("{name}[{at}] is {stored:.6}, the data give {new:.6}"));
            }
        }
    }
    None
}
