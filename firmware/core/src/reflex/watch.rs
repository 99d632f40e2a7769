//! When the board acts by itself: a silent host, and a supply that nothing should move on.

use super::{Axis, Board, Micros};
use crate::bridge::{Mode, Stop, Torque};

/// How long the supply must be wrong before nothing moves, and right before things move again.
const SUPPLY_US: (Micros, Micros) = (100_000, 500_000);
/// How long a parking joint may trail behind its last goal.
const PARK_SETTLES_US: Micros = 1_000_000;
/// Milliseconds to microseconds.
const MS: Micros = 1_000;

/// Whether the motors get the voltage they need.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Supply {
    wrong: bool,
    /// Since when it is the other way round.
    since: Option<Micros>,
}

impl Supply {
    /// Whether nothing should move.
    pub fn wrong(&self) -> bool {
        self.wrong
    }

    /// Takes a look; whether it has become wrong.
    fn see(&mut self, now: Micros, wrong: bool) -> bool {
        if wrong == self.wrong {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let patience = if wrong { SUPPLY_US.0 } else { SUPPLY_US.1 };
        if now.saturating_sub(since) >= patience {
            (self.wrong, self.since) = (wrong, None);
            return wrong;
        }
        false
    }
}

impl Board {
    /// When the host's silence is next a reason to act.
    pub(super) fn deadline(&self) -> Micros {
        let after = |ms: u16| self.heard.saturating_add(Micros::from(ms).saturating_mul(MS));
        let (hold, stop) = (after(self.plan.hold_ms), after(self.plan.stop_ms));
        match self.mode {
            Mode::Running => hold.min(stop),
            Mode::Held => stop,
            Mode::Free | Mode::Parking | Mode::Stopped => Micros::MAX,
        }
    }

    /// Looks whether the host has been silent for too long.
    pub(super) fn watch(&mut self, now: Micros) {
        let silent = now.saturating_sub(self.heard);
        let longer = |ms: u16| silent >= Micros::from(ms).saturating_mul(MS);
        match self.mode {
            Mode::Running | Mode::Held if longer(self.plan.stop_ms) => {
                self.counts.stops = self.counts.stops.wrapping_add(1);
                self.stop_motors(now, self.plan.stop);
            }
            Mode::Running if longer(self.plan.hold_ms) => {
                self.counts.holds = self.counts.holds.wrapping_add(1);
                self.hold();
            }
            Mode::Parking if now >= self.park_until || self.axes().iter().all(Axis::parked) => {
                self.stop_motors(now, Stop::Limp);
            }
            _ => {}
        }
    }

    fn hold(&mut self) {
        self.axes_mut().iter_mut().for_each(Axis::hold);
        self.mode = Mode::Held;
        self.urgent = true;
    }

    /// Stops the motors, in the next cycle, which does not wait for its time.
    pub(super) fn stop_motors(&mut self, now: Micros, stop: Stop) {
        if stop == Stop::Park {
            let speed = f64::from(self.plan.park_speed).max(1.0);
            let seconds =
                self.axes_mut().iter_mut().map(|axis| axis.park(speed)).fold(0.0, f64::max);
            self.park_until = now.saturating_add((seconds * 1e6) as Micros);
            self.park_until = self.park_until.saturating_add(PARK_SETTLES_US);
            self.mode = Mode::Parking;
        } else {
            // One that is limp already must not be pulled anywhere by what comes later.
            self.axes_mut().iter_mut().for_each(Axis::hold);
            self.mode = Mode::Stopped;
        }
        self.stop = stop;
        self.urgent = true;
        // The host may have put one under torque since it was asked.
        self.doubt_torque();
    }

    /// What motors that are to be limp have said of that proves nothing any more.
    pub(super) fn doubt_torque(&mut self) {
        if self.mode == Mode::Stopped && self.stop == Stop::Limp {
            self.axes_mut().iter_mut().for_each(|axis| axis.seen.torque = Torque::Unknown);
        }
    }

    /// What the servos say of their supply.
    pub(super) fn look_at_supply(&mut self, now: Micros) {
        let (low, high) = self.plan.supply_dv;
        let wrong = |axis: &Axis| {
            let volts = axis.seen.supply_dv;
            axis.seen.age == 0 && (volts < low || (high > 0 && volts > high))
        };
        let wrong = self.axes().iter().any(wrong);
        if self.supply.see(now, wrong) {
            self.counts.supply = self.counts.supply.wrapping_add(1);
        }
    }
}
