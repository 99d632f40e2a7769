//! A loop as it runs: cameras, joints, commands, the arm and timing, under the names that LeRobot's own display gives
//! them.
//!
//! ```text
//! loop ─ a slot, if one is free ─▶ queue ─▶ thread `rerun` ─▶ sink
//!   ▲──────────── slots, used again and again ────┘  ▲
//!                            cameras ─ newest ────────┘
//! ```
//! The loop never waits, locks or allocates here: where no slot is free the tick is not shown, and
//! counted.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, SystemTime};

use re_sdk::blueprint::BlueprintActivation;
use re_sdk::log::ChunkBatcherConfig;
use re_sdk::{EntityPath, RecordingStream, RecordingStreamBuilder, RecordingStreamError};
use re_sdk_types::archetypes::{Scalars, SeriesLines};
use rtrb::{Consumer, Producer, RingBuffer};
use sinew_drivers::camera::Camera;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{Clock, Nanos};

use super::arm::{self, Figure};
use super::blueprint::{self, Contents, Line, Plot, Role};
use super::dataset::Wrong;
use super::pictures::{self, Counts, Pictures};
use super::target::Sink;
use crate::cli::failure::{Exit, Failure};
use crate::run::control::{Pair, value_names};
use crate::run::stats::Stats;

/// Ticks that may wait to be shown: some seconds of any loop.
const SLOTS: usize = 512;
/// How often the thread looks for new ticks.
const LOOK: Duration = Duration::from_millis(15);
/// From one pose of the arm to the next: no more than 30 a second.
const POSES: Nanos = 33 * MILLI;
/// From one mark of the limits to the next: they stay, and a line has to end somewhere.
const MARKS: Nanos = SECOND;
/// How long what goes into a file is gathered: rows that are written together take a fraction of the
/// room. A viewer is to show them at once.
const GATHERED: Duration = Duration::from_secs(2);
/// How long what is left may take at the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where what the stages took is shown.
const TIMING: &str = "timing";
/// What the loop's stages are called.
const STAGES: [&str; 4] = ["wake", "bus", "work", "tick"];

/// Shows a loop.
pub struct Viewer {
    free: Consumer<Slot>,
    filled: Producer<Slot>,
    ended: Receiver<(Counts, Result<(), Failure>)>,
    shown: Shown,
}

/// What was shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// Ticks.
    pub ticks: u64,
    /// Ticks not shown, because the viewer was slower than the loop.
    pub dropped: u64,
    /// What became of the cameras' pictures.
    pub pictures: Counts,
}

/// One tick.
#[derive(Clone)]
struct Slot {
    tick: u64,
    /// When it was over, by the loop's clock.
    done: Nanos,
    joints: Vec<Joint>,
    /// What its stages took, in microseconds.
    stages: [f64; STAGES.len()],
}

/// A joint in a tick.
#[derive(Clone, Copy)]
struct Joint {
    asked: f64,
    sent: f64,
    /// None where the reading failed.
    there: Option<f64>,
}

impl Viewer {
    /// Begins to show a loop that drives these pairs, and what these cameras see.
    pub fn start(
        sink: Sink,
        name: &str,
        pairs: &[Pair],
        cameras: Arc<[Camera]>,
        clock: &Clock,
    ) -> Result<Self, Failure> {
        let joints = value_names(pairs);
        let empty = Joint { asked: f64::NAN, sent: f64::NAN, there: None };
        let slot = Slot {
            tick: 0,
            done: 0,
            joints: vec![empty; joints.len()],
            stages: [0.0; STAGES.len()],
        };
        let figures = arm::of_loop(pairs);
        let seen = pictures::entities(&cameras);
        let recording = begin(&sink, name, &joints, seen, &figures).map_err(refused)?;
        let (filled, mut queue) = RingBuffer::new(SLOTS);
        let (mut give_back, free) = RingBuffer::new(SLOTS);
        // There is room for all of them.
        let slots = std::iter::repeat_n(slot, SLOTS);
        slots.for_each(|slot| give_back.push(slot).unwrap_or_default());
        let (end, ended) = sync_channel(1);
        let mut screen = Screen::new(&joints, pairs, figures);
        let mut pictures = Pictures::new(cameras);
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall = Nanos::try_from(epoch.as_nanos()).unwrap_or(0).saturating_sub(clock.now());
        let work = move || {
            let outcome =
                show(&recording, &mut screen, &mut pictures, wall, &mut queue, &mut give_back);
            let outcome = outcome.map_err(Failure::from).and_then(|()| {
                let flushed = recording.flush_blocking();
                flushed.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
                sink.end()
            });
            // Who does not wait for the end any more needs no word of it.
            end.try_send((pictures.counts, outcome)).unwrap_or_default();
        };
        let thread = std::thread::Builder::new().name("rerun".to_owned()).spawn(work);
        thread.map_err(|error| {
            Failure::new(Exit::Failed, format!("no thread to show the loop with: {error}"))
        })?;
        Ok(Self { free, filled, ended, shown: Shown::default() })
    }

    /// Shows a tick, if there is room for it.
    pub fn show(&mut self, pairs: &[Pair], stats: &Stats) {
        let Ok(mut slot) = self.free.pop() else {
            self.shown.dropped += 1;
            return;
        };
        slot.fill(pairs, stats);
        match self.filled.push(slot) {
            Ok(()) => self.shown.ticks += 1,
            Err(_full) => self.shown.dropped += 1,
        }
    }

    /// Waits until what was shown has arrived, but not for long.
    pub fn end(self) -> (Shown, Result<(), Failure>) {
        drop(self.filled);
        let arrived = self.ended.recv_timeout(PATIENCE);
        let slow = |_slow| {
            let what = "the viewer takes nothing more: the end is not shown";
            (Counts::default(), Err(Failure::new(Exit::Failed, what)))
        };
        let (pictures, arrived) = arrived.unwrap_or_else(slow);
        (Shown { pictures, ..self.shown }, arrived)
    }
}

impl Slot {
    fn fill(&mut self, pairs: &[Pair], stats: &Stats) {
        let last = &stats.last;
        (self.tick, self.done) = (stats.ticks, last.done);
        self.stages = [last.wake, last.bus, last.work, last.tick].map(|span| span as f64 / 1e3);
        let mut joints = self.joints.iter_mut();
        for pair in pairs {
            let (seen, sent) = (pair.follower.observation(), pair.follower.sent());
            for (at, (asked, joint)) in pair.asked().iter().zip(joints.by_ref()).enumerate() {
                let fresh = seen.fresh.get(at).copied().unwrap_or_default();
                *joint = Joint {
                    asked: *asked,
                    sent: sent.values.get(at).copied().unwrap_or(f64::NAN),
                    there: seen.values.get(at).copied().filter(|_| fresh),
                };
            }
        }
    }
}

/// Where ticks are shown.
struct Screen {
    /// The entities of every joint: where it was, where it was asked to go, where it was sent.
    joints: Vec<[EntityPath; 3]>,
    /// The entities of what has limits, and those.
    limits: Vec<(EntityPath, [f64; 2])>,
    /// When those are marked next.
    mark: Nanos,
    figures: Vec<Figure>,
    /// Where every joint was last.
    there: Vec<f64>,
    /// When the arms are posed next.
    due: Nanos,
}

impl Screen {
    fn new(joints: &[String], pairs: &[Pair], figures: Vec<Figure>) -> Self {
        let roles = [Role::Seen, Role::Asked, Role::Sent];
        let entities = |joint: &String| roles.map(|role| blueprint::joint(role, joint));
        Self {
            joints: joints.iter().map(entities).collect(),
            limits: limits(pairs),
            mark: Nanos::MIN,
            figures,
            there: vec![f64::NAN; joints.len()],
            due: Nanos::MIN,
        }
    }

    fn show(&mut self, recording: &RecordingStream, slot: &Slot) -> Result<(), Wrong> {
        let joints = slot.joints.iter().zip(&self.joints).zip(&mut self.there);
        for ((joint, [there, asked, sent]), last) in joints {
            if let Some(position) = joint.there {
                recording.log(there.clone(), &Scalars::single(position))?;
                *last = position;
            }
            recording.log(asked.clone(), &Scalars::single(joint.asked))?;
            recording.log(sent.clone(), &Scalars::single(joint.sent))?;
        }
        recording.log(TIMING, &Scalars::new(slot.stages))?;
        if slot.done >= self.mark {
            self.mark = slot.done + MARKS;
            for (entity, ends) in &self.limits {
                recording.log(entity.clone(), &Scalars::new(*ends))?;
            }
        }
        if slot.done < self.due {
            return Ok(());
        }
        self.due = slot.done + POSES;
        let none = f64::NAN;
        for figure in &mut self.figures {
            figure.log(recording, Role::Seen, |at| self.there.get(at).copied().unwrap_or(none))?;
            figure.log(recording, Role::Asked, |at| {
                slot.joints.get(at).map_or(none, |joint| joint.asked)
            })?;
        }
        Ok(())
    }
}

/// How far each joint may go; a base has no such ends.
fn limits(pairs: &[Pair]) -> Vec<(EntityPath, [f64; 2])> {
    let joints = pairs.iter().flat_map(|pair| {
        let (names, reaches) = (pair.follower.spec().value_names(), pair.follower.reaches());
        names.into_iter().zip(reaches)
    });
    joints.map(|(name, reach)| (blueprint::joint(Role::Limit, &name), reach.range.into())).collect()
}

fn begin(
    sink: &Sink,
    name: &str,
    joints: &[String],
    cameras: Vec<EntityPath>,
    figures: &[Figure],
) -> Result<RecordingStream, RecordingStreamError> {
    let mut builder = RecordingStreamBuilder::new("sinew").enabled(true);
    if sink.path().is_some() {
        let gathered = ChunkBatcherConfig { flush_tick: GATHERED, ..ChunkBatcherConfig::DEFAULT };
        builder = builder.batcher_config(gathered);
    }
    let recording = builder.buffered()?;
    recording.set_sink(Box::new(sink.clone()));
    recording.send_recording_name(name)?;
    let arm = (!figures.is_empty()).then(arm::root);
    let contents = Contents { cameras, arm, ..contents(joints) };
    contents.blueprint().send(&recording, BlueprintActivation::default())?;
    recording.log_static(TIMING, &SeriesLines::update_fields().with_names(STAGES))?;
    figures.iter().try_for_each(|figure| figure.begin(&recording))?;
    Ok(recording)
}

fn contents(joints: &[String]) -> Contents {
    let lines = [Role::Limit, Role::Sent, Role::Asked, Role::Seen].map(|role| (role, joints));
    let mut plots = blueprint::joints(&lines);
    plots.push(Plot {
        title: "timing, µs".to_owned(),
        lines: vec![Line { entity: blueprint::entity(TIMING), role: Role::Other }],
    });
    Contents { joints: plots, timeline: "time", ..Contents::default() }
}

/// Shows what comes until nothing more can come.
fn show(
    recording: &RecordingStream,
    screen: &mut Screen,
    pictures: &mut Pictures,
    wall: Nanos,
    queue: &mut Consumer<Slot>,
    give_back: &mut Producer<Slot>,
) -> Result<(), Wrong> {
    // What is seen before the first tick.
    recording.set_time_sequence("tick", 0);
    loop {
        pictures.show(recording, wall)?;
        // Before the look, so that nothing that came before the end is missed.
        let over = queue.is_abandoned();
        let Ok(slot) = queue.pop() else {
            if over {
                return Ok(());
            }
            std::thread::sleep(LOOK);
            continue;
        };
        recording.set_time_sequence("tick", i64::try_from(slot.tick).unwrap_or(i64::MAX));
        recording.set_timestamp_nanos_since_epoch("time", wall.saturating_add(slot.done));
        screen.show(recording, &slot)?;
        // There is room: there are no more slots than it holds.
        give_back.push(slot).unwrap_or_default();
    }
}

fn refused(error: RecordingStreamError) -> Failure {
    Failure::new(Exit::Failed, format!("Rerun did not take it: {error}"))
}

#[cfg(test)]
#[cfg(feature = "sim")]
mod tests {
    use sinew_drivers::arm::{Arm, ArmOptions};

    use super::*;
    use crate::run::stats::Last;
    use crate::simulated::Simulated;
    use crate::view::rerun::file::tests::ends_well;
    use crate::view::rerun::target::Target;

    fn pair() -> Pair {
        let [leader, follower] = ["so101_leader", "so101_follower"].map(|name| {
            let arm = Simulated::new(name, 1).unwrap();
            let options = ArmOptions { dead_man: None, ..ArmOptions::default() };
            Arm::connect(arm.spec.clone(), arm.open(), &arm.calibration, options).unwrap()
        });
        Pair::led(leader, Box::new(follower)).unwrap()
    }

    fn tick(stats: &mut Stats) {
        stats.count(Last { done: stats.last.done + 1, ..Last::default() });
    }

    #[test]
    fn everything_that_was_shown_has_arrived_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rrd");
        let sink = Target::File(path.clone()).open(&mut |_| {}).unwrap();
        let pairs = [pair()];
        let mut viewer = Viewer::start(sink, "arm", &pairs, Arc::default(), &Clock::Real).unwrap();
        let mut stats = Stats::new(0).unwrap();
        for _ in 0..SLOTS / 2 {
            tick(&mut stats);
            viewer.show(&pairs, &stats);
        }
        let (shown, arrived) = viewer.end();
        arrived.unwrap();
        assert_eq!((shown.ticks, shown.dropped), (SLOTS as u64 / 2, 0));
        assert!(ends_well(&std::fs::read(&path).unwrap()));
    }

    #[test]
    fn what_a_stuck_viewer_does_not_take_is_counted() {
        let (filled, _nobody_looks) = RingBuffer::new(SLOTS);
        let (mut give_back, free) = RingBuffer::new(SLOTS);
        for _ in 0..SLOTS {
            let slot = Slot { tick: 0, done: 0, joints: Vec::new(), stages: [0.0; STAGES.len()] };
            give_back.push(slot).unwrap();
        }
        let (_end, ended) = sync_channel(1);
        let mut viewer = Viewer { free, filled, ended, shown: Shown::default() };
        let mut stats = Stats::new(0).unwrap();
        for _ in 0..SLOTS + 7 {
            tick(&mut stats);
            viewer.show(&[], &stats);
        }
        assert_eq!((viewer.shown.ticks, viewer.shown.dropped), (SLOTS as u64, 7));
    }
}
