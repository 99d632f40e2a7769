//! A hand that says how far it has gone since it took hold, instead of how fast it goes.
//!
//! What is moved follows as fast as it may, and comes to stand where the hand stands without going beyond.

use super::wish::{Rates, SLEW, Way};

/// The ways that a hand can go: ahead, left, up, and turned by roll, tilt and swing, as [`Way`] has them
/// in its first places.
pub const PULLED: usize = 6;

/// How far a hand has gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pull {
    /// Which time it has taken hold, counted up: what came before is done with.
    pub hold: u64,
    /// How far it has gone since: metres and degrees.
    pub way: [f64; PULLED],
}

/// How fast what is off goes away near its end, in shares of it per second.
const KEEN: f64 = 8.0;

/// How far behind a hand something may be, in metres and degrees: what is farther is forgotten, or an arm
/// that could not follow would rush after it once it can.
const LEASHES: [f64; PULLED] = [0.1, 0.1, 0.1, 45.0, 45.0, 45.0];

/// What follows a hand.
#[derive(Debug, Default)]
pub(super) struct Chase {
    hold: u64,
    gone: [f64; PULLED],
}

impl Chase {
    /// The rates at which it goes where the hand is, besides those that are wanted anyway.
    pub fn rates(&mut self, pull: &Pull, rates: &mut Rates) {
        if pull.hold != self.hold {
            *self = Self { hold: pull.hold, gone: [0.0; PULLED] };
        }
        let ways = self.gone.iter_mut().zip(pull.way).zip(LEASHES);
        for (place, ((gone, way), leash)) in ways.enumerate() {
            *gone = gone.max(way - leash).min(way + leash);
            if let Some(rate) = rates.get_mut(place) {
                *rate += keen(way - *gone, Way::most(place));
            }
        }
    }

    /// Counts how far it really went.
    pub fn went(&mut self, way: &[f64; PULLED]) {
        self.gone.iter_mut().zip(way).for_each(|(gone, way)| *gone += way);
    }
}

/// The rate at which what is so far off is gone for: as great as can still be slowed down from in time.
fn keen(off: f64, most: f64) -> f64 {
    let slowing = most / SLEW;
    let near = slowing / (KEEN * KEEN);
    let rate = match off.abs() {
        far if far > near => (2.0 * slowing * (far - near / 2.0)).sqrt(),
        off => KEEN * off,
    };
    rate.min(most).copysign(off)
}

#[cfg(test)]
mod tests {
    use super::super::wish::{WAYS, slew};
    use super::*;

    /// Where a hand's step leads, tick by tick.
    fn followed(step: f64, ticks: usize) -> Vec<f64> {
        let (mut chase, mut rates, mut place) = (Chase::default(), [0.0; WAYS], 0.0);
        let pull = Pull { hold: 1, way: [step, 0.0, 0.0, 0.0, 0.0, 0.0] };
        let tick = |_| {
            let mut wanted = [0.0; WAYS];
            chase.rates(&pull, &mut wanted);
            slew(&mut rates, &wanted, 1.0 / 60.0);
            let way = rates[0] / 60.0;
            chase.went(&[way, 0.0, 0.0, 0.0, 0.0, 0.0]);
            place += way;
            place
        };
        (0..ticks).map(tick).collect()
    }

    #[test]
    fn a_step_is_followed_to_its_end_and_hardly_beyond() {
        for step in [0.001, 0.01, -0.03, 0.1] {
            let places = followed(step, 120);
            assert!((places[119] - step).abs() < 1e-4, "{step}: {}", places[119]);
            let beyond = places.iter().map(|place| place / step).fold(0.0, f64::max);
            assert!(beyond < 1.1, "{step}: {beyond}");
        }
    }

    #[test]
    fn what_is_too_far_is_forgotten_and_a_new_hold_begins_anew() {
        let mut chase = Chase::default();
        let mut wanted = [0.0; WAYS];
        chase.rates(&Pull { hold: 1, way: [5.0, 0.0, 0.0, 0.0, 0.0, 0.0] }, &mut wanted);
        assert_eq!(wanted[0], Way::most(0));
        chase.went(&[0.1, 0.0, 0.0, 0.0, 0.0, 0.0]);
        for (hold, way) in [(1, 5.0), (2, 0.0)] {
            let mut wanted = [0.0; WAYS];
            chase.rates(&Pull { hold, way: [way, 0.0, 0.0, 0.0, 0.0, 0.0] }, &mut wanted);
            assert!(wanted[0].abs() < 1e-9, "{hold}: {}", wanted[0]);
        }
    }
}
