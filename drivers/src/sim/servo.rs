//! The motor behind a virtual servo's registers: a DC motor with friction, play and heat.
//!
//! Figures: STS3215 at 7.4 V from Rhoban's bam identification and the vendor's sheets; Dynamixel
//! from Robotis' manuals. What matters is not the last per cent but that whatever a driver may
//! meet on the table (lag, load, sag, heat, a trip) it meets here too.

use sinew_core::packet::Protocol;
use sinew_core::register::{Fault, Faults, Reg};
use sinew_core::servo::Servo;
use sinew_core::tables::{Homing, Model, Series};

use crate::Nanos;
use crate::clock::{MILLI, SECOND};

/// The longest step of the motor's equations while it is looked at regularly.
const STEP: Nanos = 4 * MILLI;
/// Steps that one look may cost; after a longer absence they are longer, which the equations
/// survive because no step goes past the goal.
const MOST_STEPS: Nanos = 64;
/// Play between motor and joint, in turns: one degree.
const PLAY: f64 = 1.0 / 360.0;
/// Share of full drive that friction eats.
const FRICTION: f64 = 0.015;
/// Drive per unit of gain and radian of error.
const DRIVE_PER_GAIN: f64 = 0.166;
/// Degrees above the room that full load heats to.
const HEAT: f64 = 65.0;
/// Seconds to get two thirds there.
const HEATING_TIME: f64 = 300.0;
/// The room, in degrees Celsius.
const ROOM: f64 = 25.0;
/// `Present_Load` and its kin at full drive.
const FULL: f64 = 1000.0;
/// Counts per second in a Dynamixel's unit of velocity, 0.229 turns a minute.
const DYNAMIXEL_SPEED: f64 = 0.229 / 60.0 * 4096.0;
/// Amperes at full drive, and volts that the supply sags per ampere.
const STALL_CURRENT: f64 = 1.4;
const SAG: f64 = 0.25;

/// A virtual servo: registers, motor, and the joint it turns.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its end of the wire.
    pub servo: Servo,
    /// It never answers.
    pub dead: bool,
    /// Where the joint is: counts without offset, turns counted on.
    joint: f64,
    /// Where the motor is, gears included.
    motor: f64,
    velocity: f64,
    drive: f64,
    temperature: f64,
    /// The supply without load, in volts.
    supply: f64,
    /// Held by hand.
    held: bool,
    pushing_for: Nanos,
    /// It tripped while pushing this way: a goal the other way lets go.
    tripped: Option<f64>,
    at: Nanos,
}

impl Device {
    /// A servo fresh from the factory with its joint in the middle.
    pub fn new(series: &'static Series, model: &'static Model, id: u8) -> Self {
        let middle = f64::from(model.counts / 2);
        let supply = model.supply_dv.first().map_or(7.4, |dv| f64::from(*dv) / 10.0);
        let mut device = Self {
            servo: Servo::new(series, model, id),
            dead: false,
            joint: middle,
            motor: middle,
            velocity: 0.0,
            drive: 0.0,
            temperature: ROOM,
            supply,
            held: false,
            pushing_for: 0,
            tripped: None,
            at: 0,
        };
        device.power_cycle();
        device
    }

    /// The joint's true position in counts, whatever the offset says.
    pub fn joint(&self) -> f64 {
        self.joint
    }

    /// Puts the joint somewhere at once.
    pub fn place(&mut self, counts: f64) {
        (self.joint, self.motor, self.velocity) = (counts, counts, 0.0);
        self.show();
    }

    /// Takes the joint by hand and holds it there, or lets go.
    pub fn hand(&mut self, counts: Option<f64>) {
        let counts = counts.filter(|counts| counts.is_finite());
        self.held = counts.is_some();
        if let Some(counts) = counts {
            self.place(counts);
        }
    }

    /// The supply without load, in volts.
    pub fn supply(&self) -> f64 {
        self.supply
    }

    /// Changes the supply, in volts without load.
    pub fn set_supply(&mut self, volts: f64) {
        self.supply = volts;
        self.show();
    }

    /// Power was lost and is back.
    pub fn power_cycle(&mut self) {
        self.servo.power_cycle();
        (self.velocity, self.drive, self.pushing_for, self.tripped) = (0.0, 0.0, 0, None);
        self.show();
        self.servo.set(Reg::GoalPosition, self.servo.get(Reg::PresentPosition));
    }

    /// A request has changed registers.
    pub fn written(&mut self) {
        if self.servo.get(Reg::TorqueEnable) == 0 {
            self.let_go();
            self.drive = 0.0;
        }
        self.show();
    }

    /// Goes on to `now`.
    pub fn advance(&mut self, now: Nanos) {
        let span = now.saturating_sub(self.at);
        if span <= 0 {
            return;
        }
        self.at = now;
        let steps = (span / STEP + 1).min(MOST_STEPS);
        for _ in 0..steps {
            self.step(span / steps);
        }
        self.show();
    }

    fn step(&mut self, span: Nanos) {
        let seconds = span as f64 / SECOND as f64;
        let error = self.error();
        self.drive = self.wanted_drive(error);
        let useful = (self.drive.abs() - FRICTION).max(0.0).copysign(self.drive);
        let limit = self.acceleration() * seconds;
        let wanted = useful * self.top_speed();
        self.velocity += (wanted - self.velocity).clamp(-limit, limit);
        if self.held {
            self.velocity = 0.0;
        }
        let mut way = self.velocity * seconds;
        if !self.is_wheel() {
            way = way.clamp(error.min(0.0), error.max(0.0));
        }
        self.motor += way;
        if !self.held {
            let play = PLAY * self.turn() / 2.0;
            self.joint = self.joint.clamp(self.motor - play, self.motor + play);
        }
        let target = ROOM + HEAT * self.drive * self.drive;
        self.temperature += (target - self.temperature) * (seconds / HEATING_TIME).min(1.0);
        self.protect(error, span);
    }

    /// From the joint to its goal, in counts; zero where nothing pulls.
    fn error(&self) -> f64 {
        if self.servo.get(Reg::TorqueEnable) == 0 || self.is_wheel() {
            return 0.0;
        }
        f64::from(self.goal()) - self.shown()
    }

    fn goal(&self) -> i32 {
        let goal = self.servo.get(Reg::GoalPosition);
        let min = self.servo.get(Reg::MinPositionLimit);
        let max = self.servo.get(Reg::MaxPositionLimit);
        if self.counts_turns() || min >= max { goal } else { goal.clamp(min, max) }
    }

    fn wanted_drive(&self, error: f64) -> f64 {
        if self.servo.get(Reg::TorqueEnable) == 0 {
            return 0.0;
        }
        let drive = if self.is_wheel() {
            f64::from(self.servo.get(Reg::GoalVelocity)) * self.speed_unit() / self.rated_speed()
        } else {
            error / self.turn() * std::f64::consts::TAU * self.gain() * DRIVE_PER_GAIN
        };
        let protective = f64::from(self.servo.get(Reg::ProtectiveTorque)) / 100.0;
        let most = if self.tripped.is_some() { protective } else { self.torque_limit() };
        drive.clamp(-most, most)
    }

    fn protect(&mut self, error: f64, span: Nanos) {
        if self.temperature > f64::from(self.servo.get(Reg::MaxTemperatureLimit)) {
            self.servo.raise(Fault::Overheat);
            self.servo.set(Reg::TorqueEnable, 0);
        }
        if let Some(way) = self.tripped {
            if error.signum() == -way && error.abs() > 20.0 {
                self.let_go();
            }
            return;
        }
        let limit = Nanos::from(self.servo.get(Reg::ProtectionTime)) * 10 * MILLI;
        let trip = f64::from(self.servo.get(Reg::OverloadTorque)) / 100.0;
        let pushes = trip > 0.0 && self.drive.abs() >= trip && self.velocity.abs() < 20.0;
        self.pushing_for = if pushes { self.pushing_for.saturating_add(span) } else { 0 };
        if limit > 0 && self.pushing_for >= limit && !self.is_wheel() {
            self.tripped = Some(error.signum());
            self.servo.raise(Fault::Overload);
        }
    }

    /// Ends an overload.
    fn let_go(&mut self) {
        self.pushing_for = 0;
        if self.tripped.take().is_some() {
            self.servo.set_faults(Faults::NONE);
        }
    }

    fn dynamixel(&self) -> bool {
        self.servo.series().protocol == Protocol::Dynamixel2
    }

    fn turn(&self) -> f64 {
        f64::from(self.servo.model().counts)
    }

    fn gain(&self) -> f64 {
        let gain = f64::from(self.servo.get(Reg::PCoefficient));
        if self.dynamixel() { gain / 25.0 } else { gain }
    }

    fn torque_limit(&self) -> f64 {
        let most = f64::from(self.servo.get(Reg::MaxTorqueLimit));
        let limit = match self.servo.series().protocol {
            Protocol::Dynamixel2 => f64::from(self.servo.get(Reg::PwmLimit)) / 885.0,
            Protocol::Feetech0 => most.min(f64::from(self.servo.get(Reg::TorqueLimit))) / FULL,
            Protocol::Feetech1 => most / FULL,
        };
        limit.clamp(0.0, 0.97)
    }

    /// Wheel mode: the goal is a speed.
    fn is_wheel(&self) -> bool {
        self.servo.get(Reg::OperatingMode) == 1
    }

    /// Positions count on over many turns.
    fn counts_turns(&self) -> bool {
        self.dynamixel() && matches!(self.servo.get(Reg::OperatingMode), 4 | 5)
    }

    /// Counts per second in the servo's unit of velocity.
    fn speed_unit(&self) -> f64 {
        if self.dynamixel() { DYNAMIXEL_SPEED } else { 1.0 }
    }

    /// Counts per second at full drive without load.
    fn rated_speed(&self) -> f64 {
        if !self.dynamixel() {
            return 3450.0;
        }
        f64::from(self.servo.get(Reg::VelocityLimit).max(1)) * DYNAMIXEL_SPEED
    }

    fn top_speed(&self) -> f64 {
        let profile = if self.dynamixel() { Reg::ProfileVelocity } else { Reg::GoalVelocity };
        let limit = f64::from(self.servo.get(profile)).abs() * self.speed_unit();
        let limited = limit > 0.0 && !self.is_wheel();
        if limited { self.rated_speed().min(limit) } else { self.rated_speed() }
    }

    /// Counts per second squared; a setting of zero is no limit.
    fn acceleration(&self) -> f64 {
        let setting = if self.dynamixel() {
            f64::from(self.servo.get(Reg::ProfileAcceleration)) * 214.577 / 3600.0 * 4096.0
        } else {
            f64::from(self.servo.get(Reg::Acceleration)) * 100.0
        };
        if setting > 0.0 { setting } else { 1.0e6 }
    }

    /// The position as the servo tells it: offset applied, within the turn unless it counts them.
    fn shown(&self) -> f64 {
        let offset = f64::from(self.servo.get(Reg::HomingOffset));
        let homed = match self.servo.series().homing {
            Homing::Subtracts => self.joint - offset,
            Homing::Adds => self.joint + offset,
            Homing::None => self.joint,
        };
        if self.counts_turns() { homed } else { homed.rem_euclid(self.turn()) }
    }

    /// Puts what the servo measures into its registers.
    fn show(&mut self) {
        let amperes = STALL_CURRENT * self.drive.abs();
        let tenths = (self.supply - SAG * amperes) * 10.0;
        let current_unit = if self.dynamixel() { 0.001 } else { 0.0065 };
        let shown = self.shown();
        let speed = self.velocity / self.speed_unit();
        self.servo.set(Reg::PresentPosition, shown as i32);
        self.servo.set(Reg::PresentVelocity, speed as i32);
        self.servo.set(Reg::PresentLoad, (self.drive * FULL) as i32);
        self.servo.set(Reg::PresentPwm, (self.drive * 885.0) as i32);
        self.servo.set(Reg::PresentCurrent, (amperes / current_unit) as i32);
        self.servo.set(Reg::PresentVoltage, tenths.round() as i32);
        self.servo.set(Reg::PresentTemperature, self.temperature as i32);
        self.servo.set(Reg::Moving, i32::from(self.velocity.abs() > 5.0));
        let low = tenths < f64::from(self.servo.get(Reg::MinVoltageLimit));
        let high = tenths > f64::from(self.servo.get(Reg::MaxVoltageLimit));
        let faults = self.servo.faults();
        if (low || high) != faults.has(Fault::Voltage) {
            let rest = faults.without(Fault::Voltage);
            self.servo.set_faults(if low || high { rest.with(Fault::Voltage) } else { rest });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_core::tables::by_name;

    fn sts3215() -> Device {
        let (series, model) = by_name("sts3215").unwrap();
        Device::new(series, model, 1)
    }

    fn run(device: &mut Device, from: Nanos, span: Nanos) -> Nanos {
        let mut now = from;
        while now < from + span {
            now += 10 * MILLI;
            device.advance(now);
        }
        now
    }

    #[test]
    fn goes_to_its_goal_within_play_and_friction_and_takes_its_time() {
        let mut device = sts3215();
        device.servo.set(Reg::TorqueEnable, 1);
        device.servo.set(Reg::GoalPosition, 3000);
        let now = run(&mut device, 0, 100 * MILLI);
        let early = device.servo.get(Reg::PresentPosition);
        assert!((2048..2700).contains(&early), "{early}");
        run(&mut device, now, 2 * SECOND);
        let there = device.servo.get(Reg::PresentPosition);
        assert!((2980..=3000).contains(&there), "{there}");
    }

    #[test]
    fn without_torque_nothing_moves_but_the_hand() {
        let mut device = sts3215();
        device.servo.set(Reg::GoalPosition, 3000);
        run(&mut device, 0, SECOND);
        assert_eq!(device.servo.get(Reg::PresentPosition), 2048);
        device.hand(Some(1500.0));
        assert_eq!(device.servo.get(Reg::PresentPosition), 1500);
    }

    #[test]
    fn the_offset_is_taken_off_and_the_turn_wraps() {
        let mut device = sts3215();
        device.servo.set(Reg::HomingOffset, -1000);
        device.place(3500.0);
        assert_eq!(device.servo.get(Reg::PresentPosition), 404);
    }

    #[test]
    fn pushing_against_a_hand_trips_the_overload_and_torque_off_ends_it() {
        let mut device = sts3215();
        device.servo.set(Reg::TorqueEnable, 1);
        device.servo.set(Reg::GoalPosition, 3500);
        device.hand(Some(2048.0));
        let now = run(&mut device, 0, SECOND);
        assert!(device.servo.faults().is_empty());
        assert!(device.servo.get(Reg::PresentLoad) > 900);
        run(&mut device, now, 2 * SECOND);
        assert!(device.servo.faults().has(Fault::Overload));
        assert_eq!(device.servo.get(Reg::PresentLoad), 200);
        device.servo.set(Reg::TorqueEnable, 0);
        device.written();
        assert!(device.servo.faults().is_empty());
    }

    #[test]
    fn ten_hours_in_one_look_end_where_they_should() {
        let mut device = sts3215();
        device.servo.set(Reg::TorqueEnable, 1);
        device.servo.set(Reg::GoalPosition, 1000);
        device.advance(36_000 * SECOND);
        let there = device.servo.get(Reg::PresentPosition);
        assert!((990..=1020).contains(&there), "{there}");
    }

    #[test]
    fn a_wheel_turns_on_and_wraps() {
        let mut device = sts3215();
        device.servo.set(Reg::OperatingMode, 1);
        device.servo.set(Reg::TorqueEnable, 1);
        device.servo.set(Reg::GoalVelocity, -2000);
        run(&mut device, 0, 5 * SECOND);
        assert!(device.joint() < -5000.0, "{}", device.joint());
        assert!((0..4096).contains(&device.servo.get(Reg::PresentPosition)));
    }
}
