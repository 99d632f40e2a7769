//! Where every joint is to be in this cycle.

use super::{Board, Micros};
use crate::bridge::Goals;

/// The longest time from one action to the next that a board bridges by itself.
const LONGEST_PACE_US: u32 = 100_000;

impl Board {
    /// Works out this cycle's goals.
    pub(super) fn aim(&mut self, now: Micros, dt: f64) {
        let still = self.supply.wrong();
        let gentle = f64::from(self.plan.park_speed).max(1.0);
        for axis in self.axes_mut().iter_mut().filter(|axis| axis.known) {
            axis.next_goal(now, dt, still, gentle);
        }
    }

    /// Takes an action.
    pub(super) fn act(&mut self, now: Micros, over_us: u32, goals: &Goals) {
        if let Some(before) = self.acted.replace(now) {
            let took = u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
            let took = took.min(LONGEST_PACE_US);
            // An even pace among uneven ones: a quarter of what is new.
            let pace = if self.pace_us == 0 { took } else { self.pace_us };
            self.pace_us = pace.saturating_sub(pace / 4).saturating_add(took / 4);
        }
        let over_us = if over_us == 0 { self.pace_us } else { over_us };
        for (axis, goal) in self.axes_mut().iter_mut().zip(goals.as_slice()) {
            axis.aim(now, *goal, over_us);
        }
    }
}
