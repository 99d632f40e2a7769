//! What a board holds back of what it is told: a joint that gives way, a step that its own limits cut, a
//! supply on which nothing moves.

use sinew_core::bridge::{Counts, JointSeen, Mode, Observation};
use sinew_core::limits::Applied;
use sinew_core::register::Faults;

use crate::arm::{Arm, Notice};

/// The board goes evenly from one goal to the next, a little behind, and farther where ticks are uneven and
/// its limits let it make up for nothing: it is on its way while it is between the latest so many.
const LATEST: usize = 8;
/// Counts by which an even way may be beside the goals it goes between.
const ROUNDING: i32 = 2;

/// What became of one joint's goals.
#[derive(Clone, Copy, Default)]
struct Way {
    /// The latest goals told, in the servo's own counts.
    told: [i32; LATEST],
    /// Where the board keeps it instead, and why, as it told last.
    kept: Option<(i32, Applied)>,
    /// How it was when it gave way first: °C, and what its servo complained of.
    gave_way: Option<(u8, Faults)>,
}

/// What a board has been seen to hold back since it was engaged.
pub(in crate::arm) struct Held {
    /// One per joint.
    ways: Vec<Way>,
    counts: Counts,
    /// Between which tenths of a volt the supply may be.
    limits: (u8, u8),
    /// Which joint's supply was wrong first, and its tenths of a volt.
    supply: Option<(usize, u8)>,
}

impl Held {
    /// Nothing yet, as the board was seen first, on a supply between these tenths of a volt.
    pub fn new(seen: &Observation, supply_dv: (u8, u8)) -> Self {
        let way = |joint: &JointSeen| Way { told: [joint.goal; LATEST], ..Way::default() };
        let ways = seen.joints().iter().map(way).collect();
        Self { ways, counts: seen.counts, limits: supply_dv, supply: None }
    }

    /// Takes down what the board is told.
    pub fn told(&mut self, goals: impl Iterator<Item = i32>) {
        for (way, goal) in self.ways.iter_mut().zip(goals) {
            way.told.rotate_right(1);
            way.told[0] = goal;
        }
    }
}

impl Way {
    /// Whether a joint that is to go to this goal just now is on its way.
    fn has(&self, goal: i32) -> bool {
        let low = self.told.into_iter().fold(i32::MAX, i32::min).saturating_sub(ROUNDING);
        let high = self.told.into_iter().fold(i32::MIN, i32::max).saturating_add(ROUNDING);
        (low..=high).contains(&goal)
    }
}

impl Arm {
    /// Takes down what the board says that it does otherwise.
    pub(super) fn see_held(&mut self, seen: &Observation) {
        let Self { reflexes: Some(reflexes), counts, .. } = self else { return };
        if seen.mode == Mode::Free {
            // It has started anew, and counts from nothing.
            return;
        }
        let held = &mut reflexes.held;
        for (way, joint) in held.ways.iter_mut().zip(seen.joints()) {
            // One that it has not seen for long, or never, has no goal that is worth a word.
            let elsewhere = joint.age < u8::MAX && (joint.gives_way || !way.has(joint.goal));
            way.kept = elsewhere.then_some((joint.goal, joint.applied));
            if joint.gives_way {
                way.gave_way.get_or_insert((joint.celsius, joint.faults));
            }
        }
        let before = std::mem::replace(&mut held.counts, seen.counts);
        let more =
            |count: fn(&Counts) -> u16| u64::from(count(&seen.counts).wrapping_sub(count(&before)));
        counts.gave_way += more(|counts| counts.gave_way);
        counts.supply += more(|counts| counts.supply);
        counts.board_missed += more(|counts| counts.missed);
        counts.board_late += more(|counts| counts.late);
        counts.board_lost += more(|counts| counts.lost);
        if seen.counts.supply != before.supply && held.supply.is_none() {
            let (low, high) = held.limits;
            let wrong = |volts: u8| volts < low || (high > 0 && volts > high);
            let mut volts = seen.joints().iter().map(|joint| joint.supply_dv).enumerate();
            held.supply = volts.find(|(_, volts)| wrong(*volts));
        }
    }

    /// What was really sent is what the board makes of it: a joint that it holds back goes where it says.
    pub(in crate::arm) fn own_to_held(&mut self) {
        let Self { reflexes: Some(reflexes), sent, axes, counts, .. } = self else { return };
        let places = sent.values.iter_mut().zip(&mut sent.applied).zip(&mut sent.goals);
        for ((axis, way), ((value, applied), goal)) in
            axes.iter().zip(&reflexes.held.ways).zip(places)
        {
            let driven = axis.torque && axis.spring.is_none();
            let Some((kept, why)) = way.kept.filter(|_| driven) else { continue };
            *goal = kept.saturating_sub(axis.turn);
            *value = axis.scale.user(*goal);
            counts.count_limits(why.less(*applied));
            *applied = applied.and(why);
        }
        self.own_to_held_wheels();
    }

    /// The same of a base, which goes as its wheels turn. What gives way is a joint: a hot wheel turns on.
    fn own_to_held_wheels(&mut self) {
        let Self { reflexes: Some(reflexes), base: Some(base), sent, axes, .. } = self else {
            return;
        };
        let ways = reflexes.held.ways.get(axes.len()..).unwrap_or_default();
        let elsewhere = |way: &Way| way.kept.map(|(kept, _)| kept).filter(|kept| !way.has(*kept));
        if ways.iter().all(|way| elsewhere(way).is_none()) {
            return;
        }
        let mut speeds = [0; 3];
        for (speed, way) in speeds.iter_mut().zip(ways) {
            *speed = elsewhere(way).unwrap_or(way.told[0]);
        }
        for (value, speed) in sent.values.iter_mut().skip(axes.len()).zip(base.body(speeds)) {
            *value = speed;
        }
    }

    /// Says what the board has held back, now that it is to be forgotten.
    pub(super) fn say_held(&mut self, held: &Held) {
        let name = |joint: usize| {
            let joint = self.spec.servos().nth(joint);
            joint.map(|(name, _, _)| name.to_owned()).unwrap_or_default()
        };
        let ways = held.ways.iter().enumerate();
        let gave_way = ways.filter_map(|(joint, way)| {
            let (celsius, faults) = way.gave_way?;
            Some(Notice::GaveWay { joint: name(joint), celsius, faults })
        });
        let supply = held.supply.map(|(joint, volts)| Notice::SupplyWrong {
            joint: name(joint),
            volts: f64::from(volts) / 10.0,
        });
        let notices: Vec<Notice> = gave_way.chain(supply).collect();
        notices.into_iter().for_each(|notice| notice.note(&mut self.notices));
    }
}
