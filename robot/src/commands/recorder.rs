//! The recorder beside the loop: what the loop hands on and keys become episodes, and whoever looks is
//! told.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sinew_drivers::camera::Camera;
use sinew_drivers::clock::MILLI;
use sinew_teleop::handover::{Baton, Turn};
use sinew_teleop::keys::{Key, Keys};

use super::hands::Listening;
use super::telling::{Course, teller};
use super::watching::{Scene, watch};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::cli::voice::Voice;
use crate::run::control::{Lap, Outcome, Pace, Pair, Tick};
use crate::run::realtime::give_way;
use crate::run::record::{Event, Session};
use crate::run::stats::{Recorded, Stats};
use crate::run::tap::{Slips, Stored, tap};
use crate::uploads::Background;

/// Records what a loop does, beside it.
pub struct Recorder {
    /// Whether things are put back now, between two episodes.
    pub resting: Arc<AtomicBool>,
    /// How often an episode began after the first, for whom each is a new begin.
    pub takes: Arc<AtomicU64>,
    /// The episodes it makes.
    pub session: Session,
    /// The keys it listens to.
    pub keys: Listening,
    /// Ticks for each row.
    pub every: u64,
    /// Which action is stored.
    pub stored: Stored,
    /// How long it takes where nobody cuts it short.
    pub course: Course,
    /// Where the dataset is.
    pub root: PathBuf,
    /// What is said aloud.
    pub voice: Voice,
    /// Whose turn it is, where a policy and a person take turns.
    pub baton: Option<Baton>,
    /// Where episodes go once they are saved, if they go anywhere.
    pub uploads: Option<Background>,
}

/// What was recorded.
pub struct Kept {
    /// The loop and its arms.
    pub outcome: Outcome,
    /// What to tell of the dataset.
    pub extra: Value,
    /// Whether all that was recorded is on the disk.
    pub saved: Result<(), sinew_datasets::Error>,
}
impl Recorder {
    /// Runs the loop, and records it until all episodes are there, somebody stops it, or `each` does.
    /// `then` sees to the arms: they wait for no disk.
    pub fn run(
        self,
        pairs: &mut [Pair],
        pace: Pace,
        stats: Stats,
        scene: Scene<'_>,
        mut each: impl FnMut(Tick, &[Pair], &Stats) -> ControlFlow<()>,
        then: impl FnOnce(&mut [Pair], Lap) -> Outcome,
    ) -> Result<Kept, Failure> {
        let Self { resting, takes, session, keys, every, stored, .. } = self;
        let Self { course, root, voice, baton, uploads, .. } = self;
        let Scene { report, cameras, .. } = scene;
        let values = pairs.iter().map(|pair| pair.asked().len()).sum();
        let (mut tap, mut slips) = tap(values, cameras, every, stored);
        let (over, waiting) = (AtomicBool::new(false), AtomicU64::new(0));
        let mut begun = false;
        let mut told = teller(report, course, voice, uploads.as_ref());
        let (mut outcome, kept) = std::thread::scope(|scope| {
            let (over, waiting) = (&over, &waiting);
            let beside = Beside { over, resting, takes, waiting, baton };
            let record = move || {
                give_way();
                let kept = follow(session, &mut slips, &keys.keys, &mut told, &beside);
                over.store(true, Ordering::Release);
                kept
            };
            let recorder = std::thread::Builder::new().name("recorder".into());
            let recorder = recorder.spawn_scoped(scope, record).map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot start the recorder: {error}"))
            })?;
            let dataset = Some((root.as_path(), waiting));
            let scene = Scene { dataset, ..scene };
            let ran = watch(pairs, pace, stats, scene, |tick, pairs, stats| {
                // On its way to where it is wanted an arm does nothing that is worth learning.
                begun |= pairs.iter().all(|pair| pair.is_there(tick.began));
                if begun {
                    tap.take(tick, pairs, &stats.last, recorder.thread());
                }
                match over.load(Ordering::Acquire) {
                    true => ControlFlow::Break(()),
                    false => each(tick, pairs, stats),
                }
            });
            let outcome = then(pairs, ran);
            // The recorder sees by it that the loop is over.
            drop(tap);
            let kept = recorder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, Failure>((outcome, kept))
        })?;
        report.progress("");
        let (recorded, skew, saved) = kept;
        outcome.lap.stats.recorded = recorded;
        let counts = cameras.iter().map(|camera| (camera.name().to_owned(), seen(camera, report)));
        let mut extra = json!({
            "dataset": root,
            "camera_skew_ms": skew,
            "cameras": counts.collect::<serde_json::Map<_, _>>(),
        });
        report.say(format!("the dataset: {}", root.display()));
        if let Some(uploads) = uploads {
            extra["upload"] = uploads.finish(report);
        }
        Ok(Kept { outcome, extra, saved })
    }
}

/// How a camera did, for scripts; what is odd about it is told.
fn seen(camera: &Camera, report: &Report) -> Value {
    let (counts, name) = (camera.counts(), camera.name());
    if counts.doubted > 0 {
        report.warn(format!(
            "camera {name}: its driver gave {} of {} pictures an instant that cannot be; they count \
             as taken when they came",
            counts.doubted, counts.shots
        ));
    }
    json!({
        "shots": counts.shots,
        "failures": counts.failures,
        "longest_gap_ms": counts.longest_gap / MILLI,
        "doubted_stamps": counts.doubted,
        "stamped_at": camera.newest().map(|shot| shot.moment.name()),
    })
}

/// What others see of the recorder.
struct Beside<'a> {
    /// Whether the loop is to end.
    over: &'a AtomicBool,
    /// Whether a policy has nothing to do.
    resting: Arc<AtomicBool>,
    takes: Arc<AtomicU64>,
    /// How many rows wait.
    waiting: &'a AtomicU64,
    baton: Option<Baton>,
}

/// Reads what the loop hands on, and keys, until all is recorded or the loop is over; then everything
/// is made part of the dataset. Returns what was recorded, the skew of its pictures, and whether all of it is
/// on the disk.
fn follow(
    mut session: Session,
    slips: &mut Slips,
    keys: &Keys,
    told: &mut dyn FnMut(Event<'_>),
    beside: &Beside<'_>,
) -> (Recorded, Value, Result<(), sinew_datasets::Error>) {
    let done = attend(&mut session, slips, keys, told, beside);
    // The arm need not wait for the disk.
    beside.over.store(true, Ordering::Release);
    let skew = session.skew().json_ms();
    let (recorded, done) = session.finish(done, told);
    (recorded, skew, done)
}

/// Until all is recorded or the loop is over.
fn attend(
    session: &mut Session,
    slips: &mut Slips,
    keys: &Keys,
    told: &mut dyn FnMut(Event<'_>),
    beside: &Beside<'_>,
) -> Result<(), sinew_datasets::Error> {
    let mut trouble = None;
    while !session.is_over() {
        let was_over = slips.is_over();
        beside.waiting.store(slips.waiting() as u64, Ordering::Relaxed);
        session.take(slips, told)?;
        while let Some(key) = keys.pressed() {
            match (key, &beside.baton) {
                (Key::Pause | Key::Correct, Some(baton)) => {
                    let turn = baton.turn();
                    let next = if key == Key::Pause { turn.paused() } else { turn.corrected() };
                    baton.give(next);
                    told(Event::Turn { turn: next, smooth: baton.is_smooth() });
                }
                _ => session.key(key, told)?,
            }
        }
        if trouble.is_none() {
            trouble = beside.baton.as_ref().and_then(Baton::trouble);
            trouble.into_iter().for_each(|trouble| told(Event::Trouble(trouble)));
        }
        let drives = beside.baton.as_ref().is_none_or(|baton| baton.turn() == Turn::Policy);
        // Whoever sees that the rest is over sees this as well.
        beside.takes.store(session.takes(), Ordering::Release);
        beside.resting.store(session.is_resting() || !drives, Ordering::Release);
        if was_over {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}
