//! The last word before a goal becomes a packet: pure arithmetic on one joint.
//!
//! What comes in may be anything; what goes out is inside the joint's range. Where limits disagree,
//! the range comes before the step, the step before the velocity, the velocity before the
//! acceleration.

/// What one joint may be told, in raw counts. `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The least goal.
    pub min: i32,
    /// The greatest goal.
    pub max: i32,
    /// The farthest a goal may lie from the measured position.
    pub max_step: Option<f64>,
    /// Counts per second that the goal may move.
    pub max_velocity: Option<f64>,
    /// Counts per second squared that the goal's velocity may change.
    pub max_acceleration: Option<f64>,
    /// When the joint gives way.
    pub back_off: Option<BackOff>,
}

/// A joint that pushes too hard for too long gives way before its servo trips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackOff {
    /// The load, as a part of the most the servo can give, above which it pushes too hard. What a
    /// servo needs for its speed alone does not count: a joint that moves freely never gives way.
    pub load: f32,
    /// Counts per second that a servo without load reaches at full drive.
    pub free_speed: f32,
    /// How long it may, in seconds.
    pub after: f64,
}

/// What a limit did to a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Limit {
    /// The value was no finite number: the joint holds.
    NotFinite,
    /// The goal lay outside the range.
    Range,
    /// The goal lay too far from the measured position, or that is not known.
    Step,
    /// The goal moved too fast.
    Velocity,
    /// The goal's velocity changed too fast.
    Acceleration,
    /// The joint was pushing too hard.
    BackOff,
}

/// Every limit, in the order of its bit in [`Applied`].
pub const ALL_LIMITS: [Limit; 6] = [
    Limit::NotFinite,
    Limit::Range,
    Limit::Step,
    Limit::Velocity,
    Limit::Acceleration,
    Limit::BackOff,
];

impl Limit {
    /// What messages call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFinite => "not a number",
            Self::Range => "range",
            Self::Step => "step",
            Self::Velocity => "velocity",
            Self::Acceleration => "acceleration",
            Self::BackOff => "back-off",
        }
    }
}

/// The limits that changed a goal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied(u8);

impl Applied {
    /// Nothing was changed.
    pub const NONE: Self = Self(0);

    /// The set as a byte, a bit for each of [`ALL_LIMITS`].
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set that [`Applied::bits`] gave, or `None` where a bit stands for no limit.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits >> ALL_LIMITS.len() == 0 { Some(Self(bits)) } else { None }
    }

    /// This set and `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, limit: Limit) -> Self {
        Self(self.0 | 1 << limit as u8)
    }

    /// What of this set is not in `other`.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the goal went out as it came in.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this limit changed the goal.
    pub const fn has(self, limit: Limit) -> bool {
        self.0 & (1 << limit as u8) != 0
    }

    /// The limits one by one.
    pub fn iter(self) -> impl Iterator<Item = Limit> {
        ALL_LIMITS.into_iter().filter(move |limit| self.has(*limit))
    }

    fn add(&mut self, limit: Limit) {
        *self = self.with(limit);
    }
}

/// What is known of the joint when it gets a goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Where it is, if that was read this tick.
    pub position: Option<i32>,
    /// Its load as a part of the most the servo can give, if known.
    pub load: Option<f32>,
}

/// Limits the goals of one joint, tick by tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limiter {
    limits: Limits,
    goal: f64,
    velocity: f64,
    /// Where the joint was when it was last seen.
    seen: Option<i32>,
    pushing: f64,
    /// The part of the way from the measured position to the goal that it may still want.
    reach: f64,
}

/// How fast a joint that gave way takes hold again: parts of its reach per second, and a little
/// to begin with.
const RECOVERY: (f64, f64) = (1.0, 0.02);
/// How fast it gives way: parts of its reach per second.
const RETREAT: f64 = 6.0;
/// After a longer pause than this, in seconds, a joint does not catch up.
const LONGEST_TICK: f64 = 1.0;
/// A limit in counts beyond which there is none.
const NO_LIMIT: f64 = 1e9;
/// The least it still wants: enough to take hold again from.
const LEAST_REACH: f64 = 0.005;

impl Limiter {
    /// A joint at rest at `position`.
    pub fn new(limits: Limits, position: i32) -> Self {
        let limits = Limits {
            max_step: sane(limits.max_step),
            max_velocity: sane(limits.max_velocity),
            max_acceleration: sane(limits.max_acceleration),
            ..limits
        };
        let mut limiter =
            Self { limits, goal: 0.0, velocity: 0.0, seen: None, pushing: 0.0, reach: 1.0 };
        limiter.rest_at(position);
        limiter
    }

    /// The limits it applies.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The goal it gave last.
    pub fn goal(&self) -> i32 {
        self.goal as i32
    }

    /// Forgets all motion: the joint rests at `position`, or at the nearest end of its range.
    /// Returns the goal that keeps it there.
    pub fn rest_at(&mut self, position: i32) -> i32 {
        self.goal = self.in_range(f64::from(position));
        self.velocity = 0.0;
        self.seen = None;
        self.pushing = 0.0;
        self.reach = 1.0;
        self.goal()
    }

    /// The goal to send for the goal wanted, `None` being no position at all, `dt` seconds after
    /// the one before.
    pub fn limit(&mut self, wanted: Option<i32>, measured: Measured, dt: f64) -> (i32, Applied) {
        let mut applied = Applied::NONE;
        let dt = if dt.is_finite() { between(dt, 0.0, LONGEST_TICK) } else { 0.0 };
        let wanted = wanted.map(f64::from).unwrap_or_else(|| {
            applied.add(Limit::NotFinite);
            self.goal
        });
        let mut goal = self.in_range(wanted);
        if goal != wanted {
            applied.add(Limit::Range);
        }
        goal = self.paced(goal, dt, &mut applied);
        goal = self.reached(goal, measured, dt, &mut applied);
        goal = self.near(goal, measured.position, &mut applied);
        goal = self.in_range(goal);
        self.velocity = if dt > 0.0 { (goal - self.goal) / dt } else { 0.0 };
        self.goal = goal;
        (self.goal(), applied)
    }

    /// The goal after the velocity and acceleration limits.
    fn paced(&self, wanted: f64, dt: f64, applied: &mut Applied) -> f64 {
        let Limits { max_velocity, max_acceleration, .. } = self.limits;
        if max_velocity.is_none() && max_acceleration.is_none() {
            return wanted;
        }
        if dt == 0.0 {
            return self.goal;
        }
        let way = wanted - self.goal;
        let mut velocity = way / dt;
        if let Some(most) = max_velocity
            && velocity.abs() > most
        {
            velocity = between(velocity, -most, most);
            applied.add(Limit::Velocity);
        }
        if let Some(most) = max_acceleration {
            // Fast enough to get there, slow enough to stop there.
            let half = most * dt / 2.0;
            let root = square_root(half * half + 2.0 * most * way.abs());
            let stoppable = (root - half).max(0.0);
            let planned = between(velocity, -stoppable, stoppable);
            let change = between(planned - self.velocity, -most * dt, most * dt);
            if self.velocity + change != velocity {
                applied.add(Limit::Acceleration);
            }
            velocity = self.velocity + change;
            if let Some(most) = max_velocity {
                velocity = between(velocity, -most, most);
            }
        }
        if applied.has(Limit::Velocity) || applied.has(Limit::Acceleration) {
            self.goal + velocity * dt
        } else {
            wanted
        }
    }

    /// The goal after the back-off.
    fn reached(&mut self, goal: f64, measured: Measured, dt: f64, applied: &mut Applied) -> f64 {
        let Some(back_off) = self.limits.back_off else { return goal };
        let effort =
            measured.load.map(|load| load.abs() - self.speed_share(measured, dt, &back_off));
        self.seen = measured.position;
        match effort {
            Some(effort) if effort >= back_off.load => {
                let after = if back_off.after > 0.0 { back_off.after } else { 0.0 };
                self.pushing = (self.pushing + dt).min(after);
                if self.pushing >= after {
                    self.reach = (self.reach * (1.0 - RETREAT * dt)).max(LEAST_REACH);
                }
            }
            // Unknown load neither pushes nor recovers.
            None => {}
            Some(_) => {
                self.pushing = (self.pushing - dt).max(0.0);
                let (grows, begins) = RECOVERY;
                self.reach = (self.reach + (self.reach * grows + begins) * dt).min(1.0);
            }
        }
        match measured.position {
            Some(position) if self.reach < 1.0 => {
                applied.add(Limit::BackOff);
                let position = f64::from(position);
                position + (goal - position) * self.reach
            }
            _ => goal,
        }
    }

    /// The part of full drive that the joint's speed takes.
    fn speed_share(&self, measured: Measured, dt: f64, back_off: &BackOff) -> f32 {
        let (Some(before), Some(now)) = (self.seen, measured.position) else { return 0.0 };
        let speed = (f64::from(now) - f64::from(before)).abs() / dt;
        let share = (speed / f64::from(back_off.free_speed)) as f32;
        if share.is_finite() { share.max(0.0) } else { 0.0 }
    }

    /// The goal no farther from the measured position than allowed.
    fn near(&self, goal: f64, position: Option<i32>, applied: &mut Applied) -> f64 {
        let Some(step) = self.limits.max_step else { return goal };
        let Some(position) = position else {
            // Nobody knows how far the step would be: stay.
            if goal != self.goal {
                applied.add(Limit::Step);
            }
            return self.goal;
        };
        let position = f64::from(position);
        let near = between(goal, position - step, position + step);
        if near != goal {
            applied.add(Limit::Step);
        }
        near
    }

    fn in_range(&self, goal: f64) -> f64 {
        let (low, high) = (self.limits.min, self.limits.max);
        between(goal, f64::from(low.min(high)), f64::from(high.max(low)))
    }
}

/// A limit that arithmetic can rely on: what is no number allows nothing.
fn sane(limit: Option<f64>) -> Option<f64> {
    let size = limit.map(|most| if most.is_nan() { 0.0 } else { most.abs() });
    size.filter(|most| *most <= NO_LIMIT)
}

/// `f64::clamp` panics where the ends are the wrong way round; a board has nobody to tell.
fn between(value: f64, low: f64, high: f64) -> f64 {
    value.max(low).min(high)
}

/// Newton's square root, which `core` does not have.
fn square_root(square: f64) -> f64 {
    if !(square.is_normal() && square > 0.0) {
        return 0.0;
    }
    // Halving the exponent is a guess within a few percent.
    let mut root = f64::from_bits((square.to_bits() >> 1) + (0x3FF << 51));
    for _ in 0..4 {
        root = (root + square / root) / 2.0;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits() -> Limits {
        Limits {
            min: 0,
            max: 4095,
            max_step: None,
            max_velocity: None,
            max_acceleration: None,
            back_off: None,
        }
    }

    fn at(position: i32) -> Measured {
        Measured { position: Some(position), load: Some(0.0) }
    }

    fn any_limits() -> impl Strategy<Value = Limits> {
        let option = || proptest::option::of(proptest::num::f64::ANY);
        let number = (proptest::num::f32::ANY, proptest::num::f32::ANY, proptest::num::f64::ANY);
        let back_off = proptest::option::of(number);
        (any::<i32>(), any::<i32>(), option(), option(), option(), back_off).prop_map(
            |(a, b, max_step, max_velocity, max_acceleration, back_off)| Limits {
                min: a,
                max: b,
                max_step,
                max_velocity,
                max_acceleration,
                back_off: back_off.map(|(load, free_speed, after)| BackOff {
                    load,
                    free_speed,
                    after,
                }),
            },
        )
    }

    type Tick = (Option<i32>, Option<i32>, Option<f32>, f64);

    fn any_ticks() -> impl Strategy<Value = std::vec::Vec<Tick>> {
        let load = proptest::option::of(proptest::num::f32::ANY);
        let tick = (any::<Option<i32>>(), any::<Option<i32>>(), load, proptest::num::f64::ANY);
        proptest::collection::vec(tick, 1..40)
    }

    proptest! {
        #[test]
        fn whatever_comes_in_the_goal_is_inside_the_range(
            limits in any_limits(), start: i32, ticks in any_ticks(),
        ) {
            let range = limits.min.min(limits.max)..=limits.max.max(limits.min);
            let mut limiter = Limiter::new(limits, start);
            prop_assert!(range.contains(&limiter.goal()));
            for (wanted, position, load, dt) in ticks {
                let (goal, _) = limiter.limit(wanted, Measured { position, load }, dt);
                prop_assert!(range.contains(&goal), "{goal} {limits:?}");
                prop_assert!(limiter.goal.is_finite() && !limiter.reach.is_nan());
            }
        }

        #[test]
        fn no_goal_is_farther_than_a_step_from_where_the_joint_is(
            step in 0.0..4095.0f64, start in 0..4096, wanted in any::<Option<i32>>(), here in 0..4096,
        ) {
            let mut limiter = Limiter::new(Limits { max_step: Some(step), ..limits() }, start);
            let (goal, _) = limiter.limit(wanted, at(here), 0.02);
            prop_assert!(f64::from((goal - here).abs()) <= step.ceil());
        }

        #[test]
        fn no_goal_moves_faster_than_allowed(
            most in 1.0..5000.0f64, start in 0..4096,
            wishes in proptest::collection::vec((0..4096, 0.001..0.1f64), 1..60),
        ) {
            let limits = Limits { max_velocity: Some(most), ..limits() };
            let mut limiter = Limiter::new(limits, start);
            for (wanted, dt) in wishes {
                let before = limiter.goal;
                limiter.limit(Some(wanted), at(start), dt);
                prop_assert!((limiter.goal - before).abs() <= most * dt * 1.000_001);
            }
        }

        #[test]
        fn no_velocity_changes_faster_than_allowed(
            most in 10.0..20000.0f64, start in 0..4096,
            wishes in proptest::collection::vec(0..4096, 1..200),
        ) {
            let limits = Limits { max_acceleration: Some(most), ..limits() };
            let mut limiter = Limiter::new(limits, start);
            for wanted in wishes {
                let (before, inside) = (limiter.velocity, limiter.goal);
                limiter.limit(Some(wanted), at(start), 0.02);
                // At the ends of the range the range comes first.
                if limiter.goal > 0.0 && limiter.goal < 4095.0 && inside > 0.0 && inside < 4095.0 {
                    let change = (limiter.velocity - before).abs();
                    prop_assert!(change <= most * 0.02 * 1.000_001 + 1e-6, "{change}");
                }
            }
        }

        #[test]
        fn without_limits_a_goal_inside_the_range_is_left_alone(wanted in 0..4096, start in 0..4096) {
            let mut limiter = Limiter::new(limits(), start);
            prop_assert_eq!(limiter.limit(Some(wanted), at(start), 0.0), (wanted, Applied::NONE));
        }

        #[test]
        fn the_root_is_a_root(square in 1e-9..1e12f64) {
            prop_assert!((square_root(square) / square.sqrt() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_value_that_is_no_number_holds_the_joint() {
        let mut limiter = Limiter::new(limits(), 1000);
        limiter.limit(Some(1500), at(1400), 0.02);
        let (goal, applied) = limiter.limit(None, at(1450), 0.02);
        assert_eq!(goal, 1500);
        assert!(applied.has(Limit::NotFinite));
    }

    #[test]
    fn a_paced_goal_arrives_and_stays() {
        let limits =
            Limits { max_velocity: Some(600.0), max_acceleration: Some(1200.0), ..limits() };
        let mut limiter = Limiter::new(limits, 100);
        let mut previous = 100;
        for _ in 0..400 {
            let (goal, _) = limiter.limit(Some(2000), at(previous), 0.02);
            assert!((previous..=2001).contains(&goal), "{previous} {goal}");
            previous = goal;
        }
        assert!((1999..=2000).contains(&previous), "{previous}");
    }

    #[test]
    fn a_joint_that_cannot_be_seen_does_not_step() {
        let mut limiter = Limiter::new(Limits { max_step: Some(50.0), ..limits() }, 1000);
        let blind = Measured { position: None, load: None };
        let (goal, applied) = limiter.limit(Some(3000), blind, 0.02);
        assert_eq!(goal, 1000);
        assert!(applied.has(Limit::Step));
    }

    #[test]
    fn a_joint_that_pushes_gives_way_in_time_and_takes_hold_again() {
        let back_off = Some(BackOff { load: 0.7, free_speed: 3400.0, after: 1.0 });
        let mut limiter = Limiter::new(Limits { back_off, ..limits() }, 1000);
        let mut gave_way_after = None;
        for tick in 0..200 {
            let pushing = Measured { position: Some(1000), load: Some(0.9) };
            let (goal, applied) = limiter.limit(Some(2000), pushing, 0.02);
            if applied.has(Limit::BackOff) && gave_way_after.is_none() {
                gave_way_after = Some(f64::from(tick) * 0.02);
            }
            assert!(tick < 100 || goal <= 1050, "{goal}");
        }
        let after = gave_way_after.unwrap();
        assert!((0.9..1.1).contains(&after), "{after}");
        let mut goal = 0;
        for _ in 0..250 {
            goal = limiter.limit(Some(2000), at(1000), 0.02).0;
        }
        assert_eq!(goal, 2000);
    }

    #[test]
    fn a_joint_that_only_moves_fast_does_not_give_way() {
        let back_off = Some(BackOff { load: 0.25, free_speed: 3400.0, after: 0.5 });
        let mut limiter = Limiter::new(Limits { back_off, ..limits() }, 0);
        for tick in 0..80 {
            let position = tick * 40;
            let measured = Measured { position: Some(position), load: Some(0.65) };
            let (_, applied) = limiter.limit(Some(4000), measured, 0.02);
            assert!(applied.is_empty(), "tick {tick}");
        }
    }
}
