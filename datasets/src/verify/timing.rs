//! What the recorder's own clock tells: images that were repeated, ticks that came late.

use super::Scene;
use super::finding::{Code, Findings};
use crate::tables::timing::{self, Instant};

/// Late ticks are told of from this part of an episode on.
const LATE: f64 = 0.01;

/// Looks at the tables of measured instants, where there are any.
pub fn check(scene: &Scene<'_>, findings: &mut Findings) {
    let (tables, errors) = timing::load(scene.root);
    errors.iter().for_each(|error| findings.add_table(scene.root, error));
    for table in &tables {
        for episode in &scene.listed.episodes {
            let rows = table.of(episode);
            if !rows.is_empty() {
                look(&format!("episode {}", episode.index), &table.cameras, rows, findings);
            }
        }
    }
}

fn look(place: &str, cameras: &[String], rows: &[(u64, Instant)], findings: &mut Findings) {
    let frames = rows.len();
    for (at, camera) in cameras.iter().enumerate() {
        let again = |(_, instant): &(u64, Instant)| instant.repeated.get(at) == Some(&true);
        let repeated = rows.iter().filter(|row| again(row)).count();
        if repeated > 0 {
            let runs = rows.chunk_by(|a, b| again(a) == again(b));
            let longest = runs.filter(|run| run.first().is_some_and(again)).map(<[_]>::len).max();
            let message = format!(
                "{repeated} of {frames} images repeat the one before, at most {} in a row",
                longest.unwrap_or(0)
            );
            findings.add(Code::DroppedFrames, format!("{place}, {camera}"), message);
        }
    }
    let late = rows.iter().filter(|(_, instant)| instant.stamps.late).count();
    if late as f64 > LATE * frames as f64 {
        findings.add(Code::LateTicks, place, format!("{late} of {frames} ticks came late"));
    }
}
