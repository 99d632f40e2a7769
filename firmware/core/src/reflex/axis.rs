//! One servo in the board's care: what it was told, where it was seen, where it is to go.

use super::Micros;
use crate::bridge::{Drive, Joint, JointSeen, Torque};
use crate::limits::{Limit, Limiter, Limits, Measured};
use crate::register::{Fault, Faults};

/// How much cooler than its limit a joint must be to take hold again, in °C.
const COOLER: u8 = 5;
/// Readings older than this many cycles say nothing of a load any more.
const LOAD_LASTS: u8 = 50;
/// Readings older than this many cycles say nothing of where it stands.
const PLACE_LASTS: u8 = 3;
/// After so many cycles without an answer a joint is in trouble.
const DUMB_AFTER: u8 = 20;
/// So many answers in a row make a complaint believed.
const BELIEVED: u8 = 3;
/// No joint moves a count in less time than this, in microseconds.
const FASTEST_US: Micros = 80;
/// Counts by which two looks at a joint at rest may differ.
const PLAY: u32 = 48;
/// What makes a joint give way until its servo takes it back.
const TRIPS: [Fault; 4] = [Fault::Overload, Fault::Overheat, Fault::Overcurrent, Fault::Electrical];

/// The longest that a way takes, in microseconds.
const LONGEST_WAY: u32 = 10_000_000;

/// How long a wheel turns on without being told again, at least.
const SPEED_LASTS_US: Micros = 100_000;

/// An even way to a goal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    from: i32,
    to: i32,
    begin: Micros,
    over_us: u32,
}

impl Way {
    pub fn new(from: i32, to: i32, begin: Micros, over_us: u32) -> Self {
        Self { from, to, begin, over_us: over_us.min(LONGEST_WAY) }
    }

    /// Whether a speed told with it still counts: a wheel goes on by itself, so it stands at the first of
    /// silence.
    fn lasts(&self, now: Micros) -> bool {
        let patience = Micros::from(self.over_us).saturating_mul(3).max(SPEED_LASTS_US);
        now.saturating_sub(self.begin) < patience
    }

    /// Where it is at `now`.
    fn at(&self, now: Micros) -> i32 {
        let gone = now.saturating_sub(self.begin);
        if gone >= Micros::from(self.over_us) {
            return self.to;
        }
        // It fits: 33 bits of counts times the 24 of the longest way.
        let span = i64::from(self.to).wrapping_sub(i64::from(self.from));
        let part = span.wrapping_mul(gone as i64).checked_div(i64::from(self.over_us));
        i64::from(self.from).wrapping_add(part.unwrap_or_default()) as i32
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub joint: Joint,
    pub limiter: Limiter,
    pub seen: JointSeen,
    /// The same at the end of the latest cycle: what a host is told is of one cycle.
    pub shown: JointSeen,
    /// Its answer to the present question is still to come.
    pub open: bool,
    /// It has been seen since the board was engaged.
    pub known: bool,
    way: Option<Way>,
    /// After it gave way or held, it goes back to its goal no faster than it parks.
    catching_up: bool,
    /// The part of a count that it may go on beside, while it catches up.
    slack: f64,
    /// A place that was too far to be believed at once.
    doubted: Option<i32>,
    /// Answers in a row in which it complained.
    complaints: u8,
}

impl Axis {
    /// No servo at all.
    pub fn absent() -> Self {
        let limits = Limits {
            min: 0,
            max: 0,
            max_step: None,
            max_velocity: None,
            max_acceleration: None,
            back_off: None,
        };
        let joint = Joint { id: 0, drive: Drive::Watched, limits, rest: None, hot: 0 };
        Self::new(joint)
    }

    pub fn new(joint: Joint) -> Self {
        Self {
            joint,
            limiter: Limiter::new(joint.limits, 0),
            seen: JointSeen::NEVER,
            shown: JointSeen::NEVER,
            open: false,
            known: false,
            way: None,
            catching_up: false,
            slack: 0.0,
            doubted: None,
            complaints: 0,
        }
    }

    /// Whether it may be told a goal: one that is limp must not be taken by surprise when it is not
    /// any more.
    pub fn takes_goals(&self) -> bool {
        self.known && self.seen.torque != Torque::Off && self.joint.drive != Drive::Watched
    }

    pub fn in_trouble(&self) -> bool {
        self.seen.gives_way || self.seen.age > DUMB_AFTER
    }

    /// Takes a goal that is to be reached in `over_us`.
    pub fn aim(&mut self, now: Micros, goal: i32, over_us: u32) {
        if self.takes_goals() {
            self.way = Some(Way::new(self.limiter.goal(), goal, now, over_us));
        }
    }

    /// Whether it is known where it stands: a goal is nearer to that than a place of long ago.
    fn stands(&self) -> bool {
        self.seen.age <= PLACE_LASTS
    }

    /// Stays where it is; a wheel stands still.
    pub fn hold(&mut self) {
        self.way = None;
        if self.joint.drive == Drive::Speed {
            self.limiter.rest_at(0);
        } else if self.known && self.stands() {
            self.limiter.rest_at(self.seen.position);
        }
    }

    /// Goes to its next goals no faster than it parks, until it is there.
    pub fn catch_up(&mut self) {
        self.catching_up = true;
    }

    /// Goes to its rest pose at `speed`, in counts per second. Returns how many seconds that takes.
    pub fn park(&mut self, speed: f64) -> f64 {
        self.hold();
        let Some(rest) = self.joint.rest.filter(|_| self.parks()) else { return 0.0 };
        let limits = Limits {
            max_velocity: Some(speed),
            max_acceleration: Some(speed * PARK_RAMP),
            max_step: None,
            ..self.joint.limits
        };
        self.limiter = Limiter::new(limits, self.limiter.goal());
        self.way = Some(Way::new(rest, rest, 0, 0));
        let way = f64::from(rest) - f64::from(self.limiter.goal());
        (if way < 0.0 { -way } else { way }) / speed + 2.0 / PARK_RAMP
    }

    fn parks(&self) -> bool {
        self.takes_goals() && self.joint.drive == Drive::Position
    }

    /// Whether it need not go on parking.
    pub fn parked(&self) -> bool {
        let Some(rest) = self.joint.rest.filter(|_| self.parks()) else { return true };
        let near = |place: i32, by: u32| place.abs_diff(rest) <= by;
        near(self.limiter.goal(), 1) && near(self.seen.position, PARK_NEAR)
    }

    /// The goal for this cycle, `dt` seconds after the one before.
    pub fn next_goal(&mut self, now: Micros, dt: f64, still: bool, gentle: f64) {
        if self.joint.drive == Drive::Speed {
            let wanted = self.way.filter(|way| !still && way.lasts(now)).map_or(0, |way| way.to);
            self.limiter.rest_at(wanted);
            self.seen.goal = self.limiter.goal();
            return;
        }
        let stands = self.seen.position;
        if self.seen.torque == Torque::Off || self.seen.gives_way {
            // Where it is, is where it goes on from.
            let off = self.seen.torque == Torque::Off;
            if off {
                self.way = None;
            }
            self.catching_up = self.seen.gives_way;
            if self.seen.gives_way {
                self.held_back_by(Limit::BackOff);
            }
            if off || self.stands() {
                self.limiter.rest_at(stands);
            }
            self.seen.goal = self.limiter.goal();
            return;
        }
        self.catching_up |= still;
        let here = self.limiter.goal();
        let mut wanted = self.way.filter(|_| !still).map_or(here, |way| way.at(now));
        if self.catching_up && !still {
            // A slow one takes several cycles for a count.
            self.slack += gentle * dt;
            let most = self.slack as i32;
            self.slack -= f64::from(most);
            let near = wanted.max(here.saturating_sub(most)).min(here.saturating_add(most));
            self.catching_up = near != wanted;
            if self.catching_up {
                self.held_back_by(Limit::Velocity);
            }
            wanted = near;
        }
        let fresh = self.seen.age == 0;
        let measured = Measured {
            position: fresh.then_some(stands),
            load: (self.seen.age < LOAD_LASTS).then(|| f32::from(self.seen.load) / 1000.0),
        };
        let (goal, applied) = self.limiter.limit(Some(wanted), measured, dt);
        self.seen.goal = goal;
        self.seen.applied = self.seen.applied.and(applied);
    }

    fn held_back_by(&mut self, limit: Limit) {
        self.seen.applied = self.seen.applied.with(limit);
    }

    /// Takes what it said of everything, `since` its last answer. Returns whether that can be true: a
    /// damaged answer in some hundred looks sound, and a joint does not jump.
    pub fn see(&mut self, seen: JointSeen, hot: u8, since: Micros) -> bool {
        let most = u32::try_from(since / FASTEST_US).unwrap_or(u32::MAX).saturating_add(PLAY);
        let near = |place: i32| place.abs_diff(seen.position) <= most;
        let believed = self.known && near(self.seen.position);
        let doubted = self.doubted.replace(seen.position);
        if !believed && !doubted.is_some_and(near) {
            // The first one has nothing to be compared with, and is no miss.
            self.open &= self.known;
            return false;
        }
        self.doubted = None;
        self.note(JointSeen { age: 0, ..seen }, hot);
        if !self.known {
            self.known = true;
            self.hold();
            self.seen.goal = self.limiter.goal();
        }
        self.open = false;
        true
    }

    /// Takes what it said of its state.
    pub fn note(&mut self, seen: JointSeen, hot: u8) {
        let hot = if self.joint.hot > 0 { self.joint.hot } else { hot };
        let limit = if self.seen.gives_way { hot.saturating_sub(COOLER) } else { hot };
        let tripped = |faults: Faults| TRIPS.into_iter().any(|fault| faults.has(fault));
        let complains = seen.celsius >= limit || tripped(seen.faults);
        self.complaints = if complains { self.complaints.saturating_add(1) } else { 0 };
        let gives_way = complains && (self.seen.gives_way || self.complaints >= BELIEVED);
        let JointSeen { goal, applied, .. } = self.seen;
        self.seen = JointSeen { goal, applied, gives_way, ..seen };
    }
}

/// How near to its rest pose a joint has arrived, in counts.
const PARK_NEAR: u32 = 34;
/// How fast parking speeds up, as a part of its speed per second.
const PARK_RAMP: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_even_and_ends_where_it_should() {
        let way = Way::new(100, -100, 1_000, 200);
        let places: std::vec::Vec<i32> =
            [0, 1_000, 1_050, 1_100, 1_200, 9_999].map(|now| way.at(now)).to_vec();
        assert_eq!(places, [100, 100, 50, 0, -100, -100]);
        let far = Way::new(i32::MIN, i32::MAX, 0, u32::MAX);
        assert_eq!(far.at(u64::from(LONGEST_WAY) / 2), -1);
    }
}
