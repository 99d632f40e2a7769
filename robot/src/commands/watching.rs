//! A loop while somebody looks: its panel in the terminal, and what the panel tells of cameras and disk.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sinew_drivers::camera::Camera;
use sinew_drivers::clock::SECOND;
use sinew_drivers::{Clock, Nanos};

use super::dataset::bytes;
use super::space;
use crate::cli::report::Report;
use crate::cli::stage::Stage;
use crate::run::control::{Lap, Pace, Pair, Tick, lap};
use crate::run::stats::Stats;
use crate::view::panel::{EVERY, Panel, text};

/// Who is told, and what there is to be seen besides the arms.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Who is told.
    pub report: &'a Report,
    /// Their pace is seen.
    pub cameras: &'a [Camera],
    /// Where a dataset grows, and how many rows wait for it.
    pub dataset: Option<(&'a Path, &'a AtomicU64)>,
}

impl<'a> From<&'a Report> for Scene<'a> {
    fn from(report: &'a Report) -> Self {
        Self { report, cameras: &[], dataset: None }
    }
}

/// Runs the loop, with a panel where somebody looks. `each` hears of every tick, too.
pub fn watch<'a>(
    pairs: &mut [Pair],
    pace: Pace,
    stats: Stats,
    scene: impl Into<Scene<'a>>,
    mut each: impl FnMut(Tick, &[Pair], &Stats) -> ControlFlow<()>,
) -> Lap {
    let (clock, scene) = (Clock::Real, scene.into());
    if !scene.report.drawing() {
        return lap(pairs, &clock, pace, stats, each);
    }
    let panel = Panel::new(pairs);
    let stage = Arc::new(Stage::default());
    let over = AtomicBool::new(false);
    scene.report.perform(Some(Arc::clone(&stage)));
    let ran = std::thread::scope(|scope| {
        let draw = || draw(&panel, &stage, scene, &over);
        let drawer = std::thread::Builder::new().name("view".to_owned()).spawn_scoped(scope, draw);
        let ran = lap(pairs, &clock, pace, stats, |tick, pairs, stats| {
            panel.update(pairs, stats);
            each(tick, pairs, stats)
        });
        over.store(true, Ordering::Release);
        drop(drawer);
        ran
    });
    scene.report.perform(None);
    ran
}

/// Draws until the loop is over, and once more: the last picture stays.
fn draw(panel: &Panel, stage: &Stage, scene: Scene<'_>, over: &AtomicBool) {
    let mut beside = Beside::new(scene, Clock::Real.now());
    let mut before = 0;
    loop {
        let was_over = over.load(Ordering::Acquire);
        let line = beside.line(Clock::Real.now());
        let (wide, high) = terminal_size::terminal_size().map_or((80, 24), |(w, h)| (w.0, h.0));
        // The last line is the cursor's.
        let picture = panel.picture(line, &stage.doing(), wide, high.saturating_sub(1));
        scene.report.draw(&text(&picture, before, &stage.take(), scene.report.coloured()));
        before = picture.area.height;
        if was_over {
            return;
        }
        Clock::Real.sleep(EVERY);
    }
}

/// What is told of cameras and disk, with the pace of each camera since the last call but one second
/// ago or more.
pub struct Beside<'a> {
    scene: Scene<'a>,
    since: Nanos,
    shots: Vec<u64>,
    line: String,
}

impl<'a> Beside<'a> {
    /// Nothing seen yet.
    pub fn new(scene: Scene<'a>, now: Nanos) -> Self {
        let shots = scene.cameras.iter().map(|camera| camera.counts().shots).collect();
        Self { scene, since: now, shots, line: String::new() }
    }

    /// The line for now, which changes once a second.
    pub fn line(&mut self, now: Nanos) -> &str {
        let span = now - self.since;
        if span < SECOND && !self.line.is_empty() {
            return &self.line;
        }
        let mut parts = Vec::new();
        for (camera, before) in self.scene.cameras.iter().zip(&mut self.shots) {
            let shots = camera.counts().shots;
            let pace = (shots - *before) as f64 * SECOND as f64 / span.max(1) as f64;
            parts.push(match camera.trouble() {
                Some(_) => format!("{} away", camera.name()),
                None if span < SECOND => camera.name().to_owned(),
                None => format!("{} {pace:.1}/s", camera.name()),
            });
            *before = shots;
        }
        if let Some((root, waiting)) = &self.scene.dataset {
            parts.push(format!("{} rows wait", waiting.load(Ordering::Relaxed)));
            parts.extend(space::free(root).map(|free| format!("{} free", bytes(free))));
        }
        self.since = now;
        self.line = parts.join(" · ");
        &self.line
    }
}
