//! What a calibration says of one joint, and how a sweep by hand becomes one.

use crate::tables::Homing;

/// One joint's calibration, field for field as LeRobot keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// The servo's id.
    pub id: u8,
    /// Not zero: the joint counts backwards.
    pub drive_mode: u8,
    /// What the servo takes off (Feetech) or adds (Dynamixel) to its own count.
    pub homing_offset: i32,
    /// The least position, offset applied.
    pub range_min: i32,
    /// The greatest position, offset applied.
    pub range_max: i32,
}

/// The greatest homing offset, either way: what an STS servo's sign-magnitude register holds.
pub const MAX_OFFSET: i32 = 2047;

/// A joint swept by hand, counted on across the end of a turn.
///
/// The servo may hold any homing offset meanwhile: it is taken out first, so that nothing needs to
/// be written before the sweep is done and found good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    counts: i32,
    homing: Homing,
    /// What the servo's own count would be without an offset, within a turn, at the latest look.
    raw: i32,
    /// The same counted on: it neither wraps nor jumps.
    position: i32,
    min: i32,
    max: i32,
    longest_step: i32,
}

/// Why a sweep gives no calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepError {
    /// The joint was not moved.
    NotMoved,
    /// The joint went round a whole turn.
    WholeTurn,
    /// Between two looks the joint moved so far that nobody knows which way round.
    TooFast,
}

impl core::fmt::Display for SweepError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotMoved => "was not moved: sweep it from stop to stop",
            Self::WholeTurn => "went round a whole turn: is its horn loose, or its screw missing?",
            Self::TooFast => "moved too fast to follow, or its answers are missing: sweep it again",
        })
    }
}

impl core::error::Error for SweepError {}

impl Sweep {
    /// A sweep that begins at `present`, read from a servo with `counts` per turn that holds
    /// `offset`.
    pub fn new(counts: u16, homing: Homing, offset: i32, present: i32) -> Self {
        let counts = i32::from(counts).max(2);
        let raw = without_offset(counts, homing, offset, present);
        Self { counts, homing, raw, position: raw, min: raw, max: raw, longest_step: 0 }
    }

    /// Notes the next look.
    pub fn see(&mut self, offset: i32, present: i32) {
        let raw = without_offset(self.counts, self.homing, offset, present);
        let half = self.counts / 2;
        // The shorter way round is the way it went.
        let step = (raw - self.raw + half).rem_euclid(self.counts) - half;
        self.raw = raw;
        self.position = self.position.saturating_add(step);
        self.min = self.min.min(self.position);
        self.max = self.max.max(self.position);
        self.longest_step = self.longest_step.max(step.abs());
    }

    /// Begins anew where the joint is.
    pub fn restart(&mut self) {
        (self.position, self.min, self.max, self.longest_step) = (self.raw, self.raw, self.raw, 0);
    }

    /// Where the joint is, counted on from where it began.
    pub fn position(&self) -> i32 {
        self.position
    }

    /// The least position so far.
    pub fn min(&self) -> i32 {
        self.min
    }

    /// The greatest position so far.
    pub fn max(&self) -> i32 {
        self.max
    }

    /// Counts from end to end.
    pub fn span(&self) -> i32 {
        self.max.saturating_sub(self.min)
    }

    /// The calibration that puts the middle of what was swept on the middle of the turn. Its
    /// offset fits every servo, and its range neither wraps nor is empty.
    pub fn finish(&self, id: u8, drive_mode: u8) -> Result<Calibration, SweepError> {
        let span = self.span();
        if span == 0 {
            return Err(SweepError::NotMoved);
        }
        if self.longest_step > self.counts / 4 {
            return Err(SweepError::TooFast);
        }
        if span >= self.counts {
            return Err(SweepError::WholeTurn);
        }
        let middle = self.min + span / 2;
        let (homing_offset, at) = self.homed(middle);
        let range_min = (at - (middle - self.min)).max(0);
        let range_max = (at + (self.max - middle)).min(self.counts - 1);
        Ok(Calibration { id, drive_mode, homing_offset, range_min, range_max })
    }

    /// The calibration of a joint that turns on without end: where it is now becomes the middle,
    /// and its range is the whole turn.
    pub fn reference(&self, id: u8, drive_mode: u8) -> Calibration {
        let (homing_offset, _) = self.homed(self.raw);
        Calibration { id, drive_mode, homing_offset, range_min: 0, range_max: self.counts - 1 }
    }

    /// The offset that puts `middle` on the middle of the turn, and where it really puts it: one
    /// count off where the offset would not fit.
    fn homed(&self, middle: i32) -> (i32, i32) {
        let half = (self.counts - 1) / 2;
        let most = half.min(MAX_OFFSET);
        let taken_off = (middle.rem_euclid(self.counts) - half).clamp(-most, most);
        let at = middle.rem_euclid(self.counts) - taken_off;
        match self.homing {
            Homing::Subtracts => (taken_off, at),
            Homing::Adds => (-taken_off, at),
            // Nothing to correct with: the range is where the servo's own count has it.
            Homing::None => (0, middle.rem_euclid(self.counts)),
        }
    }
}

fn without_offset(counts: i32, homing: Homing, offset: i32, present: i32) -> i32 {
    let (present, offset) = (present.rem_euclid(counts), offset.rem_euclid(counts));
    match homing {
        Homing::Subtracts => (present + offset).rem_euclid(counts),
        Homing::Adds => (present - offset).rem_euclid(counts),
        Homing::None => present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// What a servo at `physical` says while it holds `offset`.
    fn present(homing: Homing, physical: i32, offset: i32, wraps: bool) -> i32 {
        let raw = physical.rem_euclid(4096);
        let present = if homing == Homing::Adds { raw + offset } else { raw - offset };
        if wraps { present.rem_euclid(4096) } else { present }
    }

    fn homing() -> impl Strategy<Value = Homing> {
        prop_oneof![Just(Homing::Subtracts), Just(Homing::Adds)]
    }

    /// A hand's way through a joint's travel, from stop to stop with detours.
    fn way() -> impl Strategy<Value = Vec<i32>> {
        (0..4096, 1..4096, 0.0..1.0f64, any::<bool>(), proptest::collection::vec(0.0..1.0f64, 0..6))
            .prop_map(|(low, span, start, upward, detours)| {
                let at = |part: f64| low + (part * f64::from(span)) as i32;
                let ends = if upward { [1.0, 0.0] } else { [0.0, 1.0] };
                let mut way = std::vec![at(start)];
                for stop in detours.into_iter().chain(ends).map(at) {
                    while let Some(last) = way.last().copied().filter(|last: &i32| *last != stop) {
                        let step: i32 = stop - last;
                        way.push(last + step.clamp(-700, 700));
                    }
                }
                way
            })
    }

    proptest! {
        #[test]
        fn any_sweep_becomes_a_calibration_that_holds_every_place_it_went(
            way in way(), offset in -2047..2048, homing in homing(), wraps: bool,
        ) {
            let mut sweep = Sweep::new(4096, homing, offset, present(homing, way[0], offset, wraps));
            for place in &way {
                sweep.see(offset, present(homing, *place, offset, wraps));
            }
            let done = sweep.finish(3, 0).unwrap();
            prop_assert!(done.homing_offset.abs() <= MAX_OFFSET);
            prop_assert!(0 <= done.range_min && done.range_min < done.range_max);
            prop_assert!(done.range_max <= 4095);
            let (low, high) = (way.iter().min().unwrap(), way.iter().max().unwrap());
            // One count may be lost where the whole turn but one was swept.
            prop_assert!((high - low) - (done.range_max - done.range_min) <= 1);
            let mut previous: Option<(i32, i32)> = None;
            for place in &way {
                let now = present(homing, *place, done.homing_offset, true);
                if high - low < 4095 {
                    prop_assert!((done.range_min..=done.range_max).contains(&now), "{now} {done:?}");
                    if let Some((before, said)) = previous {
                        // No wrap inside the range: as far as the hand, so far the count.
                        prop_assert_eq!(place - before, now - said);
                    }
                }
                previous = Some((*place, now));
            }
        }

        #[test]
        fn a_full_turn_joint_gets_an_offset_that_fits_from_any_pose(
            place in 0..4096, offset in -2047..2048, homing in homing(),
        ) {
            let sweep = Sweep::new(4096, homing, offset, present(homing, place, offset, false));
            let done = sweep.reference(5, 0);
            prop_assert!(done.homing_offset.abs() <= MAX_OFFSET);
            prop_assert_eq!((done.range_min, done.range_max), (0, 4095));
            let now = present(homing, place, done.homing_offset, true);
            prop_assert!((2047..=2048).contains(&now), "{now}");
        }

        #[test]
        fn no_answer_however_wrong_makes_it_panic(
            counts: u16, offset: i32, looks in proptest::collection::vec(any::<(i32, i32)>(), 1..50),
        ) {
            let mut sweep = Sweep::new(counts, Homing::Subtracts, offset, 0);
            for (offset, present) in looks {
                sweep.see(offset, present);
            }
            if let Ok(done) = sweep.finish(1, 0) {
                prop_assert!(done.homing_offset.abs() <= MAX_OFFSET);
            }
        }
    }

    #[test]
    fn lerobots_overflow_cannot_happen() {
        // Raw 4095 in the middle: LeRobot's formula gives 2048, which no register holds.
        let mut sweep = Sweep::new(4096, Homing::Subtracts, 0, 4095);
        for step in (-500..=500).chain((-500..=500).rev()) {
            sweep.see(0, (4095_i32 + step).rem_euclid(4096));
        }
        let done = sweep.finish(1, 0).unwrap();
        assert_eq!((done.homing_offset, done.range_min, done.range_max), (2047, 1548, 2548));
    }

    #[test]
    fn a_sweep_that_says_nothing_is_refused() {
        let mut sweep = Sweep::new(4096, Homing::Subtracts, 0, 100);
        assert_eq!(sweep.finish(1, 0), Err(SweepError::NotMoved));
        sweep.see(0, 1900);
        assert_eq!(sweep.finish(1, 0), Err(SweepError::TooFast));
        sweep.restart();
        for step in 0..50 {
            sweep.see(0, (1900 + step * 100) % 4096);
        }
        assert_eq!(sweep.finish(1, 0), Err(SweepError::WholeTurn));
    }
}
