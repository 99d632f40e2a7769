//! Three omni wheels: from the speed of a base to the speeds of its wheels and back.
//!
//! This is part of an arm and not of the hands that lead it, because what is sent to the wheels
//! and what was really sent are told in the base's speeds, as LeRobot's data sets have them.

use crate::spec::BaseSpec;

/// The speed of a base: ahead and left in m/s, turning left in degrees per second.
pub type BodySpeed = [f64; 3];
/// The wheels' speeds in counts per second.
pub type WheelSpeeds = [i32; 3];

/// Counts per degree: Feetech counts speed as it counts position.
const COUNTS_PER_DEGREE: f64 = 4096.0 / 360.0;

/// How a base turns its speed into its wheels'.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Base {
    /// A row per wheel: the wheel's rim speed for each of the body's speeds.
    matrix: [[f64; 3]; 3],
    inverse: [[f64; 3]; 3],
    wheel_radius: f64,
    max_speed: f64,
}

impl Base {
    /// The base of a spec, or `None` if its wheels do not span the floor.
    pub fn new(spec: &BaseSpec) -> Option<Self> {
        let mut matrix = [[0.0; 3]; 3];
        for (row, wheel) in matrix.iter_mut().zip(&spec.wheels) {
            let angle = wheel.angle.to_radians();
            *row = [angle.cos(), angle.sin(), spec.radius];
        }
        Some(Self {
            matrix,
            inverse: inverse(&matrix)?,
            wheel_radius: spec.wheel_radius,
            max_speed: f64::from(spec.max_speed),
        })
    }

    /// The wheels' speeds for the base's, all slowed down alike if one would be too fast. A speed
    /// that is no number stops the base.
    pub fn wheels(&self, body: BodySpeed) -> WheelSpeeds {
        if !body.iter().all(|speed| speed.is_finite()) {
            return [0; 3];
        }
        let body = [body[0], body[1], body[2].to_radians()];
        let counts = times(&self.matrix, body)
            .map(|rim| (rim / self.wheel_radius).to_degrees() * COUNTS_PER_DEGREE);
        let fastest = counts.iter().fold(0.0_f64, |most, count| most.max(count.abs()));
        if !fastest.is_finite() {
            return [0; 3];
        }
        let slower = if fastest > self.max_speed { self.max_speed / fastest } else { 1.0 };
        counts.map(|count| (count * slower).round_ties_even() as i32)
    }

    /// The base's speed for the wheels'.
    pub fn body(&self, wheels: WheelSpeeds) -> BodySpeed {
        let rims = wheels
            .map(|count| (f64::from(count) / COUNTS_PER_DEGREE).to_radians() * self.wheel_radius);
        let [x, y, turn] = times(&self.inverse, rims);
        [x, y, turn.to_degrees()]
    }
}

fn times(matrix: &[[f64; 3]; 3], [a, b, c]: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row[0] * a + row[1] * b + row[2] * c)
}

fn inverse(m: &[[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let cofactor = |row: usize, column: usize| {
        let (r, s) = ((row + 1) % 3, (row + 2) % 3);
        let (c, d) = ((column + 1) % 3, (column + 2) % 3);
        m[r][c] * m[s][d] - m[r][d] * m[s][c]
    };
    let determinant: f64 = (0..3).map(|column| m[0][column] * cofactor(0, column)).sum();
    if determinant.abs() < 1e-9 {
        return None;
    }
    let mut inverse = [[0.0; 3]; 3];
    for (row, values) in inverse.iter_mut().enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            *value = cofactor(column, row) / determinant;
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ArmSpec;
    use proptest::prelude::*;

    fn lekiwi() -> Base {
        Base::new(ArmSpec::builtin("lekiwi").unwrap().base.as_ref().unwrap()).unwrap()
    }

    #[test]
    fn known_speeds_match_lerobots() {
        // From LeRobot 0.6.1's LeKiwi._body_to_wheel_raw.
        let base = lekiwi();
        assert_eq!(base.wheels([0.1, 0.0, 0.0]), [-1129, 0, 1129]);
        assert_eq!(base.wheels([0.0, 0.1, 0.0]), [652, -1304, 652]);
        assert_eq!(base.wheels([0.0, 0.0, 30.0]), [853, 853, 853]);
        assert_eq!(base.wheels([0.3, 0.0, 90.0]).map(i32::abs).into_iter().max(), Some(3000));
        assert_eq!(base.wheels([0.1, f64::NAN, 0.0]), [0; 3]);
        assert_eq!(base.wheels([f64::MAX, f64::MAX, f64::MAX]), [0; 3]);
    }

    proptest! {
        #[test]
        fn no_wheel_is_too_fast_and_slow_speeds_come_back(
            x in -2.0..2.0f64, y in -2.0..2.0f64, turn in -400.0..400.0f64,
        ) {
            let base = lekiwi();
            let wheels = base.wheels([x, y, turn]);
            prop_assert!(wheels.iter().all(|speed| speed.abs() <= 3000));
            if wheels.iter().all(|speed| speed.abs() < 2999) {
                let back = base.body(wheels);
                prop_assert!((back[0] - x).abs() < 1e-3 && (back[1] - y).abs() < 1e-3);
                prop_assert!((back[2] - turn).abs() < 0.5);
            }
        }
    }
}
