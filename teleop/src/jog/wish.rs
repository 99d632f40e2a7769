//! How fast somebody wants something to move, told by a keyboard or a gamepad.

use rtrb::{Consumer, Producer, RingBuffer};
use sinew_drivers::Nanos;
use sinew_drivers::clock::MILLI;

use super::pull::Pull;
use crate::kinematics::MOST_JOINTS;

/// A way in which something can be moved, and what its rate is told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The tip away from the base, in m/s.
    Forward,
    /// To the base's left, in m/s.
    Left,
    /// Up, in m/s.
    Up,
    /// The tool about where it points, in degrees per second.
    Roll,
    /// The tool's point upwards, in degrees per second.
    Tilt,
    /// The tool about the vertical, to the left, in degrees per second: five joints cannot.
    Swing,
    /// The gripper open, in shares of its range per second.
    Open,
    /// A joint beside the gripper, counted from the base, in degrees per second.
    Joint(u8),
    /// A base ahead, in m/s.
    DriveAhead,
    /// A base to its left, in m/s.
    DriveLeft,
    /// A base about itself, to the left, in degrees per second.
    DriveTurn,
}

/// How many ways there are.
pub const WAYS: usize = 10 + MOST_JOINTS;

impl Way {
    /// Its place among all.
    pub fn place(self) -> usize {
        match self {
            Self::Forward => 0,
            Self::Left => 1,
            Self::Up => 2,
            Self::Roll => 3,
            Self::Tilt => 4,
            Self::Swing => 5,
            Self::Open => 6,
            Self::DriveAhead => 7,
            Self::DriveLeft => 8,
            Self::DriveTurn => 9,
            Self::Joint(joint) => 10 + usize::from(joint).min(MOST_JOINTS - 1),
        }
    }

    /// Its rate at one of the speeds that hands choose from. A base is as fast as LeRobot's.
    pub fn pace(self, speed: usize) -> f64 {
        let paces: [f64; SPEEDS] = match self {
            Self::Forward | Self::Left | Self::Up => [0.02, 0.05, 0.1],
            Self::Roll | Self::Tilt | Self::Swing => [15.0, 40.0, 90.0],
            Self::Open => [0.3, 0.6, 1.2],
            Self::Joint(_) => [10.0, 30.0, 60.0],
            Self::DriveAhead | Self::DriveLeft => [0.1, 0.2, 0.3],
            Self::DriveTurn => [30.0, 60.0, 90.0],
        };
        paces.get(speed).copied().unwrap_or_default()
    }

    /// The greatest rate that is heeded. No hand needs more near an arm of this size.
    pub fn most(place: usize) -> f64 {
        match place {
            0..=2 => 0.25,
            3..=5 => 180.0,
            6 => 2.0,
            7 | 8 => 0.5,
            _ => 120.0,
        }
    }
}

/// How many speeds hands choose from: slow, usual, fast.
pub const SPEEDS: usize = 3;

/// How long a hand's wish is meant, unless it is said again.
pub const LASTS: Nanos = 250 * MILLI;

/// How long it takes from standing still to the greatest rate of a way, in seconds: a start or a stop at
/// usual rates takes a fraction of it.
pub const SLEW: f64 = 0.25;

/// Rates for all ways, by their places.
pub type Rates = [f64; WAYS];

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// How fast.
    pub rates: Rates,
    /// How far the hand has gone, if it says that.
    pub pull: Option<Pull>,
    /// Until when, unless it is said again: a hand that is not heard of any more wants nothing.
    pub until: Nanos,
}

impl Wish {
    /// To stand still.
    pub fn nothing() -> Self {
        Self { rates: [0.0; WAYS], pull: None, until: 0 }
    }

    /// Adds a rate to what is wanted of a way.
    pub fn add(&mut self, way: Way, rate: f64) {
        if let Some(place) = self.rates.get_mut(way.place()) {
            *place += rate;
        }
    }

    /// The rate wanted of a way.
    pub fn rate(&self, way: Way) -> f64 {
        self.rates.get(way.place()).copied().unwrap_or_default()
    }
}

/// Where wishes are told.
pub struct Stick {
    told: Producer<Wish>,
}

/// Where they are heard.
pub struct Ear {
    heard: Consumer<Wish>,
    newest: Wish,
}

/// Wishes that may wait for a loop that is late.
const ROOM: usize = 64;

/// Both ends.
pub fn stick() -> (Stick, Ear) {
    let (told, heard) = RingBuffer::new(ROOM);
    (Stick { told }, Ear { heard, newest: Wish::nothing() })
}

impl Stick {
    /// Says what is wanted now. Where nobody has listened for long, it is lost: it would be out of date.
    pub fn tell(&mut self, wish: Wish) {
        self.told.push(wish).unwrap_or_default();
    }
}

impl Ear {
    /// How fast it is wanted now. What is no number is nothing.
    pub fn rates(&mut self, now: Nanos) -> Rates {
        while let Ok(wish) = self.heard.pop() {
            self.newest = wish;
        }
        if now > self.newest.until { [0.0; WAYS] } else { heeded(&self.newest.rates) }
    }

    /// How far the hand had gone when it was heard last, if it said so and that is not out of date.
    pub fn pull(&self, now: Nanos) -> Option<&Pull> {
        let pull = self.newest.pull.as_ref().filter(|_| now <= self.newest.until);
        pull.filter(|pull| pull.way.iter().all(|way| way.is_finite()))
    }
}

/// What is heeded of rates: what is no number is nothing.
pub fn heeded(rates: &Rates) -> Rates {
    let mut heeded = [0.0; WAYS];
    for (place, (rate, wanted)) in heeded.iter_mut().zip(rates).enumerate() {
        let most = Way::most(place);
        *rate = if wanted.is_finite() { wanted.clamp(-most, most) } else { 0.0 };
    }
    heeded
}

/// Brings rates nearer to those wanted, no faster than a way's greatest in [`SLEW`].
pub fn slew(rates: &mut Rates, wanted: &Rates, seconds: f64) {
    for (place, (rate, wanted)) in rates.iter_mut().zip(wanted).enumerate() {
        let change = Way::most(place) * seconds / SLEW;
        *rate += (wanted - *rate).clamp(-change, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_a_place_of_its_own() {
        let joints = (0..MOST_JOINTS).map(|joint| Way::Joint(u8::try_from(joint).unwrap()));
        let others = [
            Way::Forward,
            Way::Left,
            Way::Up,
            Way::Roll,
            Way::Tilt,
            Way::Swing,
            Way::Open,
            Way::DriveAhead,
            Way::DriveLeft,
            Way::DriveTurn,
        ];
        let mut places: Vec<_> = others.into_iter().chain(joints).map(Way::place).collect();
        places.sort_unstable();
        assert_eq!(places, (0..WAYS).collect::<Vec<_>>());
    }

    #[test]
    fn the_newest_wish_counts_until_its_time() {
        let (mut stick, mut ear) = stick();
        for rate in [0.1, 0.2, f64::NAN, 9.0, -0.05] {
            let mut wish = Wish { until: 100, ..Wish::nothing() };
            wish.add(Way::Up, rate);
            stick.tell(wish);
        }
        assert_eq!(ear.rates(100)[Way::Up.place()], -0.05);
        assert_eq!(ear.rates(101), [0.0; WAYS]);
        for (rate, heeded) in [(f64::NAN, 0.0), (9.0, 0.25), (f64::NEG_INFINITY, 0.0)] {
            let mut wish = Wish { until: 200, ..Wish::nothing() };
            wish.add(Way::Up, rate);
            stick.tell(wish);
            assert_eq!(ear.rates(102)[Way::Up.place()], heeded);
        }
    }
}
