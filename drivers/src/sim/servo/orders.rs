//! From registers to the motor: what each operating mode of each maker asks for.

use sinew_core::register::Reg;
use sinew_core::tables::Homing;

use super::Device;
use crate::sim::motor::Drive;

/// Counts per second in a Dynamixel's unit of speed, 0.229 rpm.
pub(super) const DYNAMIXEL_SPEED: f64 = 0.229 * 4096.0 / 60.0;
/// Counts per second squared in a Dynamixel's unit of acceleration, 214.577 rev/min².
const DYNAMIXEL_ACCELERATION: f64 = 214.577 * 4096.0 / 3600.0;
/// A Dynamixel's full PWM.
pub(super) const DYNAMIXEL_PWM: f64 = 885.0;
/// Counts per second squared in a Feetech's unit of acceleration.
const FEETECH_ACCELERATION: f64 = 100.0;
/// A Feetech's duty per count of error and unit of its P coefficient: 0.166 per radian, as the
/// authors of the servo model "bam" measured.
const FEETECH_GAIN: f64 = 0.166 * std::f64::consts::TAU / 4096.0;

/// A profile register, where zero means that there is no limit.
fn or_endless(value: i32, unit: f64) -> f64 {
    if value == 0 { f64::INFINITY } else { f64::from(value) * unit }
}

impl Device {
    /// The most duty that the settings allow.
    pub(super) fn torque_limit(&self) -> f64 {
        let part = |reg, whole: f64| match self.servo.get(reg) {
            0 if self.servo.series().get(reg).is_none() => 1.0,
            value => f64::from(value.abs()) / whole,
        };
        if self.dynamixel() {
            let limit = part(Reg::PwmLimit, DYNAMIXEL_PWM);
            // Only mode 5 bounds a position loop by current; mode 16 uses the goal itself.
            if self.servo.get(Reg::OperatingMode) == 5 && self.servo.get(Reg::CurrentLimit) > 0 {
                let amps = f64::from(self.servo.get(Reg::GoalCurrent).abs()) / 1000.0;
                return limit.min(amps / self.build.stall_amps);
            }
            return limit;
        }
        part(Reg::MaxTorqueLimit, 1000.0).min(part(Reg::TorqueLimit, 1000.0))
    }

    /// What the registers ask of the motor.
    pub(super) fn ordered(&self) -> Drive {
        let mode = self.servo.get(Reg::OperatingMode);
        if self.dynamixel() {
            return match mode {
                0 => {
                    let amps = f64::from(self.servo.get(Reg::GoalCurrent)) / 1000.0;
                    Drive::Duty(amps / self.build.stall_amps * self.direction())
                }
                1 => {
                    self.turn_at(DYNAMIXEL_SPEED, Reg::ProfileAcceleration, DYNAMIXEL_ACCELERATION)
                }
                16 => {
                    let pwm = f64::from(self.servo.get(Reg::GoalPwm)) / DYNAMIXEL_PWM;
                    Drive::Duty(pwm * self.direction())
                }
                _ => self.go(
                    f64::from(self.servo.get(Reg::PCoefficient)) / 128.0 / DYNAMIXEL_PWM,
                    0.0,
                    (Reg::ProfileVelocity, DYNAMIXEL_SPEED),
                    (Reg::ProfileAcceleration, DYNAMIXEL_ACCELERATION),
                ),
            };
        }
        match mode {
            1 => self.turn_at(1.0, Reg::Acceleration, FEETECH_ACCELERATION),
            2 => {
                let raw = self.servo.get(Reg::GoalTime);
                let sign = if raw & 0x400 != 0 { -1.0 } else { 1.0 };
                Drive::Duty(f64::from(raw & 0x3FF) / 1000.0 * sign)
            }
            _ => self.go(
                f64::from(self.servo.get(Reg::PCoefficient)) * FEETECH_GAIN,
                f64::from(self.servo.get(Reg::MinimumStartupForce)) / 1000.0,
                (Reg::GoalVelocity, 1.0),
                (Reg::Acceleration, FEETECH_ACCELERATION),
            ),
        }
    }

    fn turn_at(&self, unit: f64, ramp: Reg, ramp_unit: f64) -> Drive {
        let speed = f64::from(self.servo.get(Reg::GoalVelocity)) * unit * self.direction();
        Drive::Speed { speed, acceleration: or_endless(self.servo.get(ramp), ramp_unit) }
    }

    fn go(&self, gain: f64, startup: f64, speed: (Reg, f64), ramp: (Reg, f64)) -> Drive {
        let fastest = self.build.max_speed;
        let speed = or_endless(self.servo.get(speed.0).abs(), speed.1).min(fastest);
        let acceleration = or_endless(self.servo.get(ramp.0), ramp.1);
        Drive::Position { goal: self.goal_on_shaft(), speed, acceleration, gain, startup }
    }

    /// Where the shaft must be for the goal register to be met.
    fn goal_on_shaft(&self) -> f64 {
        let goal = f64::from(self.servo.get(Reg::GoalPosition));
        let min = f64::from(self.servo.get(Reg::MinPositionLimit));
        let max = f64::from(self.servo.get(Reg::MaxPositionLimit));
        // A Feetech servo with both limits at zero turns without end.
        let bounded = min < max && !(self.dynamixel() && self.servo.get(Reg::OperatingMode) != 3);
        let goal = if bounded { goal.clamp(min, max) } else { goal };
        let offset = f64::from(self.servo.get(Reg::HomingOffset));
        let homed = goal + self.turn;
        match self.servo.series().homing {
            Homing::Subtracts => homed + offset,
            Homing::Adds => (homed - offset) * self.direction(),
            Homing::None => homed,
        }
    }
}
