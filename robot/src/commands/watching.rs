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
    /// Whether the loop's figures are told stage by stage.
    pub stats: bool,
}

impl<'a> Scene<'a> {
    /// Nothing to be seen but the arms.
    pub fn new(report: &'a Report, stats: bool) -> Self {
        Self { report, cameras: &[], dataset: None, stats }
    }
}

/// From one line of figures to the next, where no panel shows them.
const FIGURES: Nanos = 3 * SECOND;

/// Runs the loop, with a panel where somebody looks. `each` hears of every tick, too.
pub fn watch(
    pairs: &mut [Pair],
    pace: Pace,
    stats: Stats,
    scene: Scene<'_>,
    mut each: impl FnMut(Tick, &[Pair], &Stats) -> ControlFlow<()>,
) -> Lap {
    let drawing = scene.report.drawing();
    let panel = (drawing || scene.stats).then(|| Panel::new(pairs, scene.stats));
    let stage = drawing.then(Arc::<Stage>::default);
    let over = AtomicBool::new(false);
    scene.report.perform(stage.clone());
    let ran = std::thread::scope(|scope| {
        let (panel, over) = (panel.as_ref(), &over);
        // Without these threads nobody is told or shown anything, which the loop can do without.
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let told = panel.filter(|_| !drawing);
        if told.is_some() || !scene.cameras.is_empty() {
            drop(thread("lookout").spawn_scoped(scope, move || look_after(scene, told, over)));
        }
        if let Some((panel, stage)) = panel.zip(stage) {
            drop(thread("view").spawn_scoped(scope, move || draw(panel, &stage, scene, over)));
        }
        let ran = lap(pairs, &Clock::Real, pace, stats, |tick, pairs, stats| {
            if let Some(panel) = panel {
                panel.update(pairs, stats);
            }
            each(tick, pairs, stats)
        });
        over.store(true, Ordering::Release);
        ran
    });
    scene.report.perform(None);
    ran
}

/// Tells of cameras that go away and come back, and the loop's figures where no panel shows them, until
/// the loop is over.
fn look_after(scene: Scene<'_>, figures: Option<&Panel>, over: &AtomicBool) {
    let mut lookout = Lookout::default();
    let mut due = Clock::Real.now() + FIGURES;
    while !over.load(Ordering::Acquire) {
        let now = Clock::Real.now();
        lookout.look(scene.cameras, now, |camera, away| {
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
        if let Some(panel) = figures.filter(|_| now >= due) {
            due += FIGURES;
            let going = panel.going();
            scene.report.event(&going.json());
            scene.report.progress("");
            scene.report.say(going.to_string());
        }
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
