//! Raw counts to the units people and policies use, and back, exactly as LeRobot computes them.

use crate::calibration::Calibration;

/// The unit a joint is told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// Degrees from the middle of the range.
    Degrees,
    /// −100 to 100 over the range.
    RangeM100,
    /// 0 to 100 over the range.
    Range0To100,
}

/// Why a value cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum JointError {
    /// The calibration's range is empty.
    EmptyRange,
    /// Not a finite number.
    NotFinite(f64),
}

impl core::fmt::Display for JointError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::EmptyRange => write!(f, "the calibration's range is empty: calibrate this joint"),
            Self::NotFinite(value) => write!(f, "{value} is not a position"),
        }
    }
}

impl core::error::Error for JointError {}

/// Converts one joint's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    units: Units,
    /// Counts per turn.
    counts: u16,
    min: i32,
    max: i32,
    inverted: bool,
}

impl Scale {
    /// The scale of a joint with this calibration on a servo with `counts` per turn. Only Feetech
    /// buses take `drive_mode` into account, as `drive_mode_counts` says.
    pub fn new(
        units: Units,
        counts: u16,
        calibration: &Calibration,
        drive_mode_counts: bool,
    ) -> Result<Self, JointError> {
        let (min, max) = (calibration.range_min, calibration.range_max);
        if min == max {
            return Err(JointError::EmptyRange);
        }
        Ok(Self {
            units,
            counts,
            min,
            max,
            inverted: drive_mode_counts && calibration.drive_mode != 0,
        })
    }

    /// The unit of [`Scale::user`].
    pub fn units(&self) -> Units {
        self.units
    }

    /// The calibrated range in counts.
    pub fn range(&self) -> (i32, i32) {
        (self.min, self.max)
    }

    /// The position `raw` in the joint's units.
    pub fn user(&self, raw: i32) -> f64 {
        let (min, max) = (f64::from(self.min), f64::from(self.max));
        // In LeRobot's order, which decides where a range stands backwards.
        let bounded = f64::from(raw.max(self.min).min(self.max));
        match self.units {
            Units::RangeM100 => {
                let value = (bounded - min) / (max - min) * 200.0 - 100.0;
                if self.inverted { -value } else { value }
            }
            Units::Range0To100 => {
                let value = (bounded - min) / (max - min) * 100.0;
                if self.inverted { 100.0 - value } else { value }
            }
            Units::Degrees => (f64::from(raw) - self.middle()) * 360.0 / self.last_count(),
        }
    }

    /// The count that stands for `user`, truncated towards zero as LeRobot does. Far values end
    /// at the ends of `i32`; what is not finite is refused.
    pub fn raw(&self, user: f64) -> Result<i32, JointError> {
        if !user.is_finite() {
            return Err(JointError::NotFinite(user));
        }
        let (min, max) = (f64::from(self.min), f64::from(self.max));
        let count = match self.units {
            Units::RangeM100 => {
                let value = if self.inverted { -user } else { user };
                (value.clamp(-100.0, 100.0) + 100.0) / 200.0 * (max - min) + min
            }
            Units::Range0To100 => {
                let value = if self.inverted { 100.0 - user } else { user };
                value.clamp(0.0, 100.0) / 100.0 * (max - min) + min
            }
            Units::Degrees => user * self.last_count() / 360.0 + self.middle(),
        };
        Ok(count as i32)
    }

    /// How many degrees one unit is; zero degrees are the middle of the range.
    pub fn degrees(&self) -> f64 {
        let range = f64::from(self.max) - f64::from(self.min);
        let whole = match self.units {
            Units::Degrees => return 1.0,
            Units::RangeM100 => 200.0,
            Units::Range0To100 => 100.0,
        };
        let size = range * 360.0 / self.last_count() / whole;
        if self.inverted { -size } else { size }
    }

    fn middle(&self) -> f64 {
        (f64::from(self.min) + f64::from(self.max)) / 2.0
    }

    fn last_count(&self) -> f64 {
        f64::from(self.counts) - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_size_in_degrees_is_the_same_range_told_otherwise() {
        let calibration = Calibration {
            id: 1,
            drive_mode: 1,
            homing_offset: 0,
            range_min: 1000,
            range_max: 3000,
        };
        let scale = |units, turned| Scale::new(units, 4096, &calibration, turned).unwrap();
        let degrees = scale(Units::Degrees, true);
        for units in [Units::RangeM100, Units::Range0To100] {
            for turned in [false, true] {
                let other = scale(units, turned);
                let from_middle = other.user(3000) - other.user(2000);
                let same = from_middle * other.degrees() - degrees.user(3000) * degrees.degrees();
                assert!(same.abs() < 1e-9, "{units:?} {turned}");
            }
        }
    }
}
