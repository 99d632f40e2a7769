//! What the recorder's own clock tells: images that were repeated, ticks that came late.

use super::Scene;
use super::finding::{Code, Findings};
use crate::reader::v30;
use crate::tables::timing::{self, Timing};

/// Late ticks are told of from this part of an episode on.
const LATE: f64 = 0.01;

/// Looks at the tables of measured instants, where there are any.
pub fn check(scene: &Scene<'_>, findings: &mut Findings) {
    let folder = scene.root.join("meta/sinew/timing");
    if !folder.is_dir() {
        return;
    }
    let tables = match v30::files(&folder) {
        Ok(tables) => tables,
        Err(error) => return findings.add_table(scene.root, &error),
    };
    for path in tables {
        match timing::read(&path) {
            Ok(timing) => look(scene, &timing, findings),
            Err(error) => findings.add_table(scene.root, &error),
        }
    }
}

fn look(scene: &Scene<'_>, timing: &Timing, findings: &mut Findings) {
    let first = timing.first_index;
    let episode = scene.listed.episodes.iter().find(|episode| episode.from_index == first);
    let place =
        episode.map_or_else(|| format!("frame {first}"), |e| format!("episode {}", e.index));
    let frames = timing.instants.len();
    for (at, camera) in timing.cameras.iter().enumerate() {
        let again = |instant: &&timing::Instant| instant.repeated.get(at) == Some(&true);
        let repeated = timing.instants.iter().filter(again).count();
        if repeated > 0 {
            let runs = timing.instants.chunk_by(|a, b| a.repeated.get(at) == b.repeated.get(at));
            let longest = runs.filter(|run| run.first().is_some_and(|i| again(&i))).map(<[_]>::len);
            let message = format!(
                "{repeated} of {frames} images repeat the one before, at most {} in a row",
                longest.max().unwrap_or(0)
            );
            findings.add(Code::DroppedFrames, format!("{place}, {camera}"), message);
        }
    }
    let late = timing.instants.iter().filter(|instant| instant.stamps.late).count();
    if late as f64 > LATE * frames as f64 {
        findings.add(Code::LateTicks, place, format!("{late} of {frames} ticks came late"));
    }
}
