//! A loop as it runs: joints, commands and timing, under the names that LeRobot's own display gives
//! them.
//!
//! ```text
//! loop ─ a slot, if one is free ─▶ queue ─▶ thread `rerun` ─▶ sink
//!   ▲──────────── slots, used again and again ────┘
//! ```
//! The loop never waits, locks or allocates here: where no slot is free the tick is not shown, and
//! counted.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, SystemTime};

use re_sdk::blueprint::BlueprintActivation;
use re_sdk::{EntityPath, RecordingStream, RecordingStreamBuilder, RecordingStreamError};
use re_sdk_types::archetypes::{Scalars, SeriesLines};
use rtrb::{Consumer, Producer, RingBuffer};
use sinew_drivers::{Clock, Nanos};

use super::blueprint::{self, Contents, Line, Plot, Role};
use super::target::Sink;
use crate::cli::failure::{Exit, Failure};
use crate::run::control::{Pair, value_names};
use crate::run::stats::Stats;

/// Ticks that may wait to be shown: some seconds of any loop.
const SLOTS: usize = 512;
/// How often the thread looks for new ticks.
const LOOK: Duration = Duration::from_millis(15);
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
    ended: Receiver<Result<(), Failure>>,
    shown: Shown,
}

/// How many ticks were shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// Shown.
    pub ticks: u64,
    /// Not shown, because the viewer was slower than the loop.
    pub dropped: u64,
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
    /// Begins to show a loop that drives these pairs.
    pub fn start(sink: Sink, name: &str, pairs: &[Pair], clock: &Clock) -> Result<Self, Failure> {
        let joints = value_names(pairs);
        let empty = Joint { asked: f64::NAN, sent: f64::NAN, there: None };
        let slot = Slot {
            tick: 0,
            done: 0,
            joints: vec![empty; joints.len()],
            stages: [0.0; STAGES.len()],
        };
        let recording = begin(&sink, name, &joints).map_err(refused)?;
        let (filled, mut queue) = RingBuffer::new(SLOTS);
        let (mut give_back, free) = RingBuffer::new(SLOTS);
        // There is room for all of them.
        let slots = std::iter::repeat_n(slot, SLOTS);
        slots.for_each(|slot| give_back.push(slot).unwrap_or_default());
        let (end, ended) = sync_channel(1);
        let entities = Entities::new(&joints);
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall = Nanos::try_from(epoch.as_nanos()).unwrap_or(0).saturating_sub(clock.now());
        let work = move || {
            let outcome = show(&recording, &entities, wall, &mut queue, &mut give_back);
            let outcome = outcome.map_err(refused).and_then(|()| {
                let flushed = recording.flush_blocking();
                flushed.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
                sink.end()
            });
            // Who does not wait for the end any more needs no word of it.
            end.try_send(outcome).unwrap_or_default();
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
            Err(Failure::new(Exit::Failed, "the viewer takes nothing more: the end is not shown"))
        };
        (self.shown, arrived.unwrap_or_else(slow))
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

/// The entities of every joint: where it was, where it was asked to go, where it was sent.
struct Entities(Vec<[EntityPath; 3]>);

impl Entities {
    fn new(joints: &[String]) -> Self {
        let roles = [Role::Seen, Role::Asked, Role::Sent];
        Self(joints.iter().map(|joint| roles.map(|role| blueprint::joint(role, joint))).collect())
    }
}

fn begin(
    sink: &Sink,
    name: &str,
    joints: &[String],
) -> Result<RecordingStream, RecordingStreamError> {
    let recording = RecordingStreamBuilder::new("sinew").enabled(true).buffered()?;
    recording.set_sink(Box::new(sink.clone()));
    recording.send_recording_name(name)?;
    contents(joints).blueprint().send(&recording, BlueprintActivation::default())?;
    recording.log_static(TIMING, &SeriesLines::update_fields().with_names(STAGES))?;
    Ok(recording)
}

fn contents(joints: &[String]) -> Contents {
    let lines = [(Role::Sent, joints), (Role::Asked, joints), (Role::Seen, joints)];
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
    entities: &Entities,
    wall: Nanos,
    queue: &mut Consumer<Slot>,
    give_back: &mut Producer<Slot>,
) -> Result<(), RecordingStreamError> {
    loop {
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
        for (joint, [there, asked, sent]) in slot.joints.iter().zip(&entities.0) {
            if let Some(position) = joint.there {
                recording.log(there.clone(), &Scalars::single(position))?;
            }
            recording.log(asked.clone(), &Scalars::single(joint.asked))?;
            recording.log(sent.clone(), &Scalars::single(joint.sent))?;
        }
        recording.log(TIMING, &Scalars::new(slot.stages))?;
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
        Pair::led(leader, follower).unwrap()
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
        let mut viewer = Viewer::start(sink, "arm", &pairs, &Clock::Real).unwrap();
        let mut stats = Stats::new(0).unwrap();
        for _ in 0..SLOTS / 2 {
            tick(&mut stats);
            viewer.show(&pairs, &stats);
        }
        let (shown, arrived) = viewer.end();
        arrived.unwrap();
        assert_eq!(shown, Shown { ticks: SLOTS as u64 / 2, dropped: 0 });
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
        assert_eq!(viewer.shown, Shown { ticks: SLOTS as u64, dropped: 7 });
    }
}
