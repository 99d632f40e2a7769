//! A smooth way from where a follower stands to where it is asked to be: it never jumps there.

use sinew_drivers::Nanos;
use sinew_drivers::clock::{MILLI, SECOND};

/// A command later than this after the one before begins a new way: whoever leads may have gone
/// elsewhere meanwhile.
pub const PAUSE: Nanos = 200 * MILLI;

/// A gap that needs no ramp, in a joint's units (degrees, or percent).
const NEAR: f64 = 3.0;

/// How fast the widest gap is closed on average, in units per second.
const SPEED: f64 = 60.0;

/// A ramp lasts at least so long.
const SHORTEST: Nanos = 300 * MILLI;

/// The widest gap between where values are and where they are to be.
fn gap(from: &[f64], to: &[f64]) -> f64 {
    from.iter().zip(to).map(|(from, to)| (to - from).abs()).fold(0.0, f64::max)
}

/// How long it takes to close a gap.
fn time_for(gap: f64) -> Nanos {
    (gap / SPEED * SECOND as f64) as Nanos
}

/// How long the way from one row of values to another takes at a ramp's speed.
pub fn way(from: &[f64], to: &[f64]) -> Nanos {
    time_for(gap(from, to))
}

/// Brings a follower to whatever leads it, however that moves meanwhile.
#[derive(Clone, Debug)]
pub struct Ramp {
    from: Vec<f64>,
    goal: Vec<f64>,
    began: Nanos,
    span: Nanos,
    /// Even a narrow gap takes so long.
    least: Nanos,
    last: Option<Nanos>,
}

impl Ramp {
    /// A ramp for so many values.
    pub fn new(values: usize) -> Self {
        let zeros = vec![0.0; values];
        Self { from: zeros.clone(), goal: zeros, began: 0, span: 0, least: 0, last: None }
    }

    /// One that lasts at least so long, however narrow the gap.
    pub fn lasting(values: usize, least: Nanos) -> Self {
        Self { least, ..Self::new(values) }
    }

    /// The goal for now on the way from where the follower is to where it is asked to be. A value
    /// that is no number stays one, and the arm's limits refuse it; no way begins with one.
    pub fn toward(&mut self, now: Nanos, there: &[f64], asked: &[f64]) -> &[f64] {
        if self.last.is_none_or(|last| now - last > PAUSE) {
            if !there.iter().chain(asked).all(|value| value.is_finite()) {
                self.last = None;
                for ((goal, there), asked) in self.goal.iter_mut().zip(there).zip(asked) {
                    *goal = if asked.is_finite() { *there } else { *asked };
                }
                return &self.goal;
            }
            self.start(now, there, asked);
        }
        self.last = Some(now);
        let share = self.share(now);
        for ((goal, from), asked) in self.goal.iter_mut().zip(&self.from).zip(asked) {
            *goal = if share < 1.0 { from + share * (asked - from) } else { *asked };
        }
        &self.goal
    }

    /// Begins a new way with the next goal: somebody else leads.
    pub fn again(&mut self) {
        self.last = None;
    }

    /// Whether the follower has been brought to where it was asked to be.
    pub fn is_over(&self, now: Nanos) -> bool {
        self.last.is_some() && now - self.began >= self.span
    }

    fn start(&mut self, now: Nanos, there: &[f64], asked: &[f64]) {
        let gap = gap(there, asked);
        self.began = now;
        self.span = match gap > NEAR {
            true => time_for(gap).max(SHORTEST),
            false => 0,
        };
        self.span = self.span.max(self.least);
        for (from, there) in self.from.iter_mut().zip(there) {
            *from = *there;
        }
    }

    /// How much of the way is done: slow at both ends.
    fn share(&self, now: Nanos) -> f64 {
        if now - self.began >= self.span {
            return 1.0;
        }
        let part = (now - self.began) as f64 / self.span as f64;
        part * part * (3.0 - 2.0 * part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_gap_is_closed_slowly_and_a_narrow_one_at_once() {
        let mut ramp = Ramp::new(1);
        let mut last = 0.0;
        let mut steepest: f64 = 0.0;
        for tick in 0..300 {
            let now = tick * 10 * MILLI;
            let goal = ramp.toward(now, &[last], &[120.0])[0];
            steepest = steepest.max(goal - last);
            assert!(goal >= last, "{goal} after {last}");
            last = goal;
            assert_eq!(ramp.is_over(now), tick >= 200);
        }
        assert_eq!(last, 120.0);
        // Ten milliseconds at one and a half times the average speed.
        assert!(steepest < 0.91, "{steepest}");
        let mut ramp = Ramp::new(1);
        assert_eq!(ramp.toward(0, &[0.0], &[2.0]), [2.0]);
        assert!(ramp.is_over(0));
    }

    #[test]
    fn a_way_begins_where_all_values_are_numbers() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut ramp = Ramp::new(2);
            let there = [0.0, 10.0];
            for tick in 0..50 {
                let goal = ramp.toward(tick * 10 * MILLI, &there, &[odd, 70.0]);
                // What is no number is the limits' to refuse; the others wait.
                assert_eq!(goal[0].to_bits(), odd.to_bits());
                assert_eq!(goal[1], 10.0);
                assert!(!ramp.is_over(tick * 10 * MILLI));
            }
            let now = 500 * MILLI;
            assert!(ramp.toward(now, &there, &[60.0, 70.0])[1] < 11.0, "no leap after {odd}");
            for tick in 1..=100 {
                ramp.toward(now + tick * 10 * MILLI, &there, &[60.0, 70.0]);
            }
            assert_eq!(ramp.goal, [60.0, 70.0]);
            let mut ramp = Ramp::new(2);
            assert_eq!(ramp.toward(0, &[odd, 10.0], &[60.0, 70.0])[1], 10.0);
            assert!(!ramp.is_over(SECOND));
        }
    }

    #[test]
    fn one_that_lasts_takes_its_time_for_a_narrow_gap_too() {
        let mut ramp = Ramp::lasting(1, SECOND);
        for tick in 0..100 {
            assert!(ramp.toward(tick * 10 * MILLI, &[0.0], &[1.0])[0] < 1.0);
        }
        assert_eq!(ramp.toward(SECOND, &[0.0], &[1.0]), [1.0]);
    }

    #[test]
    fn a_leader_that_moves_meanwhile_is_caught_up_with() {
        let mut ramp = Ramp::new(1);
        let mut last = 0.0;
        for tick in 0..200 {
            let leader = 60.0 + f64::from(tick) * 0.1;
            last = ramp.toward(Nanos::from(tick) * 10 * MILLI, &[last], &[leader])[0];
        }
        assert_eq!(last, 60.0 + 19.9);
    }

    #[test]
    fn after_a_pause_it_begins_anew_from_where_the_follower_is() {
        let mut ramp = Ramp::new(1);
        ramp.toward(0, &[50.0], &[50.0]);
        assert_eq!(ramp.toward(100 * MILLI, &[50.0], &[90.0]), [90.0], "that is a fast hand");
        let goal = ramp.toward(SECOND, &[50.0], &[90.0])[0];
        assert_eq!(goal, 50.0);
        assert!(!ramp.is_over(SECOND));
    }

    #[test]
    fn what_is_no_number_stays_none() {
        let mut ramp = Ramp::new(2);
        let goal = ramp.toward(0, &[0.0, 0.0], &[f64::NAN, 30.0]).to_vec();
        assert!(goal[0].is_nan());
        assert_eq!(goal[1], 0.0);
    }
}
