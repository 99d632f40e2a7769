//! A loop while somebody looks: its panel in the terminal, and what the panel tells of cameras and disk.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use sinew_drivers::camera::Camera;
use sinew_drivers::clock::SECOND;
use sinew_drivers::{Clock, Nanos};

use super::dataset::bytes;
use super::space;
use crate::cli::report::Report;
use crate::cli::stage::Stage;
use crate::run::control::{Lap, Pace, Pair, Tick, lap};
use crate::run::stats::Stats;
use crate::run::tap::LASTS;
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
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        if !scene.cameras.is_empty() {
            let look = || look_after(scene, &over);
            let lookout = std::thread::Builder::new().name("lookout".to_owned());
            // Without it nobody is told of a camera that is away, which the loop can do without.
            drop(lookout.spawn_scoped(scope, look));
        }
        if !scene.report.drawing() {
            let ran = lap(pairs, &clock, pace, stats, each);
            over.store(true, Ordering::Release);
            return ran;
        }
        let panel = Panel::new(pairs);
        let stage = Arc::new(Stage::default());
        scene.report.perform(Some(Arc::clone(&stage)));
        let ran = std::thread::scope(|scope| {
            let draw = || draw(&panel, &stage, scene, &over);
            let drawer = std::thread::Builder::new().name("view".to_owned());
            drop(drawer.spawn_scoped(scope, draw));
            let ran = lap(pairs, &clock, pace, stats, |tick, pairs, stats| {
                panel.update(pairs, stats);
                each(tick, pairs, stats)
            });
            over.store(true, Ordering::Release);
            ran
        });
        scene.report.perform(None);
        ran
    })
}

/// Tells of cameras that go away and come back until the loop is over.
fn look_after(scene: Scene<'_>, over: &AtomicBool) {
    let mut lookout = Lookout::default();
    while !over.load(Ordering::Acquire) {
        lookout.look(scene.cameras, Clock::Real.now(), |camera, away| {
            let (name, report) = (camera.name(), scene.report);
            report.event(&json!({"type": "camera", "camera": name, "away": away}));
            report.progress("");
            if away {
                let why = camera.trouble().map(|why| format!(" ({why})")).unwrap_or_default();
                report.warn(format!(
                    "camera {name} shows nothing new{why}; its last picture stands for what it would \
                     show, no episode begins and no policy thinks without it"
                ));
            } else {
                report.note(format!("camera {name} is back"));
            }
        });
        Clock::Real.sleep(EVERY);
    }
}

/// Which cameras are away.
#[derive(Default)]
struct Lookout(Vec<bool>);

impl Lookout {
    /// Tells of each that has gone away or come back since.
    fn look(&mut self, cameras: &[Camera], now: Nanos, mut tell: impl FnMut(&Camera, bool)) {
        self.0.resize(cameras.len(), false);
        for (camera, away) in cameras.iter().zip(&mut self.0) {
            let is_away = camera.newest().is_none_or(|shot| now - shot.at > LASTS);
            if std::mem::replace(away, is_away) != is_away {
                tell(camera, is_away);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use sinew_drivers::Error;
    use sinew_drivers::camera::{Layout, Moment, PATIENCE, Picture, Source, Taken};

    use super::*;

    /// Takes a picture at each instant that it is told.
    struct Told(Receiver<Nanos>);

    impl Source for Told {
        fn shoot(&mut self) -> Result<Taken, Error> {
            let over = |_| Error::Camera { camera: "front".into(), what: "over".into() };
            let at = self.0.recv().map_err(over)?;
            let pixels = vec![0; 3].into();
            let picture = Picture { width: 1, height: 1, layout: Layout::Rgb8, pixels };
            Ok(Taken { at, moment: Moment::Exposure, picture })
        }
    }

    #[test]
    fn a_camera_that_goes_away_and_comes_back_is_told_once_each() {
        let (tell, told) = sync_channel(4);
        tell.send(0).unwrap();
        let mut source = Some(Told(told));
        let open = move || {
            let gone = Error::Camera { camera: "front".into(), what: "gone".into() };
            source.take().map(|source| Box::new(source) as Box<dyn Source>).ok_or(gone)
        };
        let clock = Clock::virtual_time();
        let camera = Camera::start("front", Box::new(open), &clock, PATIENCE).unwrap();
        let cameras = [camera];
        let mut lookout = Lookout::default();
        let mut heard = Vec::new();
        let mut look = |now: Nanos| {
            lookout.look(&cameras, now, |camera, away| {
                heard.push((camera.name().to_owned(), away));
            });
        };
        [0, LASTS, LASTS + 1, 2 * LASTS].into_iter().for_each(&mut look);
        tell.send(2 * LASTS).unwrap();
        while cameras[0].counts().shots < 2 {
            std::thread::yield_now();
        }
        look(3 * LASTS);
        // The camera waits for what it is told next, and its end for the camera.
        drop(tell);
        assert_eq!(heard, [("front".to_owned(), true), ("front".to_owned(), false)]);
    }
}
