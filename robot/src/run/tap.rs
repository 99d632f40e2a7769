//! From the loop to the recorder: every tick that is to be recorded, without the loop ever waiting.
//!
//! Slips of paper go round: the loop fills one that lies ready and hands it on, the recorder reads it
//! and lays it back. Nothing is allocated on the way, and nobody holds a lock. Where the recorder has
//! kept all slips, the tick is lost here, and the recorder sees from the next one's number that it is.

use std::sync::Arc;
use std::thread::Thread;

use rtrb::{Consumer, Producer, RingBuffer};
use sinew_datasets::Stages;
use sinew_drivers::Nanos;
use sinew_drivers::camera::{Camera, Shot};
use sinew_drivers::clock::SECOND;

use super::control::{Pair, Tick};
use super::stats::Last;

/// What the recorder is told of one tick.
#[derive(Clone, Debug, Default)]
pub struct Slip {
    /// Which row it is, counted from the loop's begin at the dataset's rate.
    pub row: u64,
    /// When the tick began.
    pub began: Nanos,
    /// When the joints were read: the middle of the reading, of all arms together.
    pub joints_at: Nanos,
    /// Whether the tick was late.
    pub late: bool,
    /// What the slowest of the ticks since the row before took.
    pub stages: Stages,
    /// Whether a person has taken over from a policy.
    pub corrects: bool,
    /// How many joints gave no new value, and leaders that said nothing new.
    pub stale: u64,
    /// Where the joints are.
    pub state: Vec<f64>,
    /// What they were told, as [`Stored`] chooses.
    pub action: Vec<f64>,
    /// The shot of each camera that was taken nearest to that, of those that have come.
    pub shots: Vec<Option<Arc<Shot>>>,
    /// And the one nearest to the reading of the row before, of those that have come by now.
    pub for_before: Vec<Option<Arc<Shot>>>,
}

/// A picture shows what is there for so long, and nothing to go by after it.
pub const LASTS: Nanos = SECOND;

impl Slip {
    /// The first camera that shows nothing of what was there when the joints were read, if one does.
    pub fn blind(&self) -> Option<usize> {
        let oldest = self.joints_at.saturating_sub(LASTS);
        self.shots.iter().position(|shot| shot.as_ref().is_none_or(|shot| shot.at < oldest))
    }
}

/// Which action a dataset holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Stored {
    /// What the leader asked for, as LeRobot stores it
    #[default]
    Teleop,
    /// What was really sent, behind all limits
    Sent,
    /// Where the joints are
    Measured,
}

/// The loop's end.
pub struct Tap<'a> {
    free: Consumer<Slip>,
    full: Producer<Slip>,
    cameras: &'a [Camera],
    /// Every so many ticks one is recorded.
    every: u64,
    /// The first row that has none yet.
    next: Option<u64>,
    stored: Stored,
    /// When the joints of the row before were read.
    before: Option<Nanos>,
    /// The slowest tick since the row before.
    slowest: Last,
}

/// The recorder's end.
pub struct Slips {
    free: Producer<Slip>,
    full: Consumer<Slip>,
}

/// How many ticks may wait for a recorder that is saving an episode: half a minute at 30 Hz.
const ROOM: usize = 1024;
/// How many bytes of pictures may wait with them: some seconds of a few cameras.
const PICTURES: usize = 512 << 20;
/// As many ticks may wait however large their pictures are.
const LEAST: usize = 64;

/// How many ticks may wait where each brings pictures of so many bytes.
fn room(pictures: usize) -> usize {
    PICTURES.checked_div(pictures).unwrap_or(ROOM).clamp(LEAST, ROOM)
}

/// Both ends, for so many values and these cameras.
pub fn tap(values: usize, cameras: &[Camera], every: u64, stored: Stored) -> (Tap<'_>, Slips) {
    let shots = cameras.iter().filter_map(Camera::newest);
    let room = room(shots.map(|shot| shot.picture.pixels.len()).sum());
    let (mut lay, free) = RingBuffer::new(room);
    let (full, read) = RingBuffer::new(room);
    let slips = std::iter::repeat_with(|| Slip {
        state: Vec::with_capacity(values),
        action: Vec::with_capacity(values),
        shots: Vec::with_capacity(cameras.len()),
        for_before: Vec::with_capacity(cameras.len()),
        ..Slip::default()
    });
    // There is room for all of them.
    slips.take(room).for_each(|slip| lay.push(slip).unwrap_or_default());
    (
        Tap {
            free,
            full,
            cameras,
            every: every.max(1),
            next: None,
            stored,
            before: None,
            slowest: Last::default(),
        },
        Slips { free: lay, full: read },
    )
}

impl Tap<'_> {
    /// Takes down what a tick saw and did, if it is one to be recorded.
    pub fn take(&mut self, tick: Tick, pairs: &[Pair], last: &Last, recorder: &Thread) {
        if last.tick > self.slowest.tick {
            self.slowest = *last;
        }
        let row = tick.number / self.every;
        // Where the loop had to leave a row's first tick out, one of those behind it will do.
        let is_due = match self.next {
            Some(next) => row >= next,
            None => tick.number.is_multiple_of(self.every),
        };
        if !is_due {
            return;
        }
        self.next = Some(row + 1);
        let Last { wake, bus, work, .. } = std::mem::take(&mut self.slowest);
        let Ok(mut slip) = self.free.pop() else { return };
        slip.row = row;
        slip.began = tick.began;
        slip.late = tick.late;
        slip.stages = [wake, bus, work].into();
        slip.corrects = pairs.iter().any(Pair::corrects);
        slip.stale = 0;
        (slip.joints_at, slip.state, slip.action) = (0, cleared(slip.state), cleared(slip.action));
        let mut read = (Nanos::MAX, Nanos::MIN);
        for pair in pairs {
            let seen = pair.follower.observation();
            read = (read.0.min(seen.timing.first_out), read.1.max(seen.timing.last_in));
            slip.stale += seen.fresh.iter().map(|fresh| u64::from(!*fresh)).sum::<u64>();
            slip.stale += u64::from(pair.is_unled());
            slip.state.extend(&seen.values);
            slip.action.extend(match self.stored {
                Stored::Teleop => pair.asked(),
                Stored::Sent => &pair.follower.sent().values,
                Stored::Measured => &seen.values,
            });
        }
        if !pairs.is_empty() {
            slip.joints_at = read.0.midpoint(read.1);
        }
        slip.shots.clear();
        let joints_at = slip.joints_at;
        slip.shots.extend(self.cameras.iter().map(|camera| camera.nearest(joints_at)));
        slip.for_before.clear();
        if let Some(before) = self.before.replace(joints_at) {
            slip.for_before.extend(self.cameras.iter().map(|camera| camera.nearest(before)));
        }
        // Never full: there are no more slips than places.
        if self.full.push(slip).is_ok() {
            recorder.unpark();
        }
    }
}

fn cleared(mut values: Vec<f64>) -> Vec<f64> {
    values.clear();
    values
}

impl Slips {
    /// The next tick, if there is one.
    pub fn next(&mut self) -> Option<Slip> {
        self.full.pop().ok()
    }

    /// How many ticks wait.
    pub fn waiting(&self) -> usize {
        self.full.slots()
    }

    /// Whether the loop is over and everything was read.
    pub fn is_over(&self) -> bool {
        self.full.is_abandoned() && self.full.is_empty()
    }

    /// Lays a slip back.
    pub fn lay_back(&mut self, mut slip: Slip) {
        // Images are let go here and not in the loop.
        slip.shots.clear();
        slip.for_before.clear();
        // Nobody takes it any more once the loop is over.
        self.free.push(slip).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_drivers::camera::{Layout, Moment, Picture};

    #[test]
    fn a_camera_is_blind_where_its_picture_is_of_long_ago() {
        let shot = |at| {
            let pixels = [0; 3].to_vec().into();
            let picture = Picture { width: 1, height: 1, layout: Layout::Rgb8, pixels };
            Some(Arc::new(Shot { number: 1, at, moment: Moment::Exposure, picture }))
        };
        let blind = |shots| Slip { joints_at: 5 * SECOND, shots, ..Slip::default() }.blind();
        assert_eq!(blind(vec![]), None);
        assert_eq!(blind(vec![shot(4 * SECOND), shot(6 * SECOND)]), None);
        assert_eq!(blind(vec![shot(5 * SECOND), shot(4 * SECOND - 1)]), Some(1));
        assert_eq!(blind(vec![None, shot(0)]), Some(0));
    }

    #[test]
    fn large_pictures_leave_room_for_fewer() {
        assert_eq!(room(0), ROOM);
        assert_eq!(room(2 * 640 * 480 * 3), 291);
        assert_eq!(room(usize::MAX), LEAST);
    }

    #[test]
    fn a_row_whose_first_tick_is_left_out_is_taken_from_one_behind_it() {
        let (mut tap, mut slips) = tap(0, &[], 3, Stored::Sent);
        let numbers = [1, 2, 3, 4, 5, 7, 8, 9, 10, 17, 18].into_iter();
        for number in numbers {
            let began = Nanos::try_from(number).unwrap();
            let last = Last { tick: began % 5, work: began, ..Last::default() };
            tap.take(Tick { number, began, late: false }, &[], &last, &std::thread::current());
        }
        let rows: Vec<_> = std::iter::from_fn(|| slips.next()).collect();
        let taken: Vec<_> = rows.iter().map(|slip| (slip.row, slip.began)).collect();
        assert_eq!(taken, [(1, 3), (2, 7), (3, 9), (5, 17), (6, 18)]);
        // Of each row's ticks the slowest, up to the one that stands for it.
        let slowest: Vec<_> = rows.iter().map(|slip| slip.stages.work_ns).collect();
        assert_eq!(slowest, [3, 4, 9, 17, 18]);
    }
}
