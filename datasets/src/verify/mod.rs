//! Looks a dataset over: everything that LeRobot's users have met in a dataset that would not train.
//!
//! ```text
//! info.json ─ tables ─▶ rows of each data file, an episode at a time ─▶ episode: numbers, indices
//!                              │                                        joints:  dead or alive
//!                              └▶ images, or video decoded beside it ─▶ camera:  frozen, histograms
//!                                                                       stats:   as they are stored
//! ```
//!
//! Nothing ends the look: what is broken is a finding, and the rest is looked at without it.

mod camera;
mod episode;
mod files;
mod finding;
mod joints;
mod rows;
mod stats;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod timing;
mod video;

use std::path::Path;

use serde::Serialize;

pub use finding::{Code, Finding, Severity};
pub use joints::name as joint_name;
pub(crate) use stats::drift;
pub(crate) use tables::Listed;
pub(crate) use video::untrue;

use crate::schema::Info;
use finding::Findings;

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Decode only so many images of each camera in each episode, spread evenly; all without it.
    pub sample: Option<u64>,
    /// How long an image may stay the same while joints move, in seconds.
    pub frozen_s: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { sample: None, frozen_s: 1.0 }
    }
}

/// How far the look has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Frames looked at.
    pub done: u64,
    /// Frames there are.
    pub of: u64,
    /// Findings so far.
    pub findings: usize,
}

/// What came of a look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing is wrong; what is merely odd does not count.
    pub ok: bool,
    /// How many episodes were looked at.
    pub episodes: u64,
    /// How many frames were looked at.
    pub frames: u64,
    /// How many images were decoded.
    pub images: u64,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

/// What every check knows.
struct Scene<'a> {
    root: &'a Path,
    info: &'a Info,
    listed: &'a Listed,
    options: &'a Options,
}

/// Looks over the dataset in a folder.
pub fn verify(root: &Path, options: &Options, progress: &mut dyn FnMut(Progress)) -> Report {
    let mut findings = Findings::default();
    let mut report = Report::default();
    match Info::load(root) {
        Ok(info) => look(root, &info, options, progress, &mut findings, &mut report),
        Err(error) => findings.add_error(Code::Info, root, &error),
    }
    report.findings = findings.finish();
    report.ok = report.findings.iter().all(|finding| finding.severity < Severity::Error);
    report
}

fn look(
    root: &Path,
    info: &Info,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    findings: &mut Findings,
    report: &mut Report,
) {
    let listed = Listed::load(root, info, findings);
    let scene = Scene { root, info, listed: &listed, options };
    tables::check(&scene, findings);
    files::check(&scene, findings);
    let mut joints = joints::Joints::default();
    let mut redone = stats::Redone::default();
    let mut videos = video::cameras(&scene);
    let mut at = Progress { of: listed.frames(), ..Progress::default() };
    rows::each(&scene, findings, &mut |rows, findings| {
        episode::check(&scene, rows, findings);
        joints.look(&scene, rows);
        let mut watched = std::mem::take(&mut rows.watched);
        watched.extend(video::check(&scene, &mut videos, rows, findings));
        for watch in &watched {
            report.images += watch.images;
            camera::check(&scene, rows, watch, findings);
        }
        redone.look(&scene, rows, watched, findings);
        report.episodes += 1;
        report.frames += rows.count;
        at = Progress { done: report.frames, findings: findings.len(), ..at };
        progress(at);
    });
    joints.check(findings);
    redone.check(&scene, findings);
    timing::check(&scene, findings);
}

/// Whether two numbers are so close; what is NaN is close to nothing.
fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}
