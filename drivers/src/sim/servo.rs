//! One virtual servo: registers on one side, a motor on the other.
//!
//! What matters is not the last per cent but that whatever a driver may meet on the table (lag,
//! load, sag, heat, a trip) it meets here too.

use sinew_core::packet::Protocol;
use sinew_core::register::{Fault, Faults, Reg};
use sinew_core::servo::Servo;
use sinew_core::tables::{Homing, Model, Series};

use super::motor::{Build, Drive, Motor, Mount, build_of};
use super::protection::{Protection, Strain};
use crate::Nanos;
use crate::clock::MILLI;

/// The grid on which a motor's motion is reckoned.
const STEP: Nanos = 2 * MILLI;
const STEP_SECONDS: f64 = 0.002;
/// Steps taken one by one before the rest of a long time passes at once.
const MOST_STEPS: Nanos = 2000;
/// The air around it.
const AMBIENT: f64 = 25.0;
/// How much warmer a watt makes it, in the end, and how long that takes.
const CELSIUS_PER_WATT: f64 = 6.0;
const WARMING_SECONDS: f64 = 300.0;
/// What the electronics draw.
const IDLE_AMPS: f64 = 0.006;
/// A position this far over the end of a turn still belongs to it, so that a joint that holds at
/// the very end does not swing round the other way.
const TURN_SLACK: f64 = 64.0;

/// Volts that the supply sags per ampere.
const SAG: f64 = 0.15;

/// A virtual servo: registers, motor, and the joint it turns.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its end of the wire.
    pub servo: Servo,
    /// It never answers.
    pub dead: bool,
    build: &'static Build,
    motor: Motor,
    protection: Protection,
    drive: Drive,
    max_duty: f64,
    /// Counts of the whole turns below the position, for servos that know only one turn.
    turn: f64,
    goal_seen: i32,
    torque_seen: bool,
    celsius: f64,
    /// The supply without load, in volts.
    supply: f64,
    at: Nanos,
    heard: Nanos,
}

impl Device {
    /// A servo fresh from the factory with its joint in the middle.
    pub fn new(series: &'static Series, model: &'static Model, id: u8) -> Self {
        let build = build_of(model.name);
        let free = Mount { stops: None, load: 0.0 };
        let supply = model.supply_dv.first().map_or(build.volts, |dv| f64::from(*dv) / 10.0);
        let mut device = Self {
            servo: Servo::new(series, model, id),
            dead: false,
            build,
            motor: Motor::new(build, free, f64::from(model.counts / 2)),
            protection: Protection::default(),
            drive: Drive::Off,
            max_duty: 1.0,
            turn: 0.0,
            goal_seen: 0,
            torque_seen: false,
            celsius: AMBIENT,
            supply,
            at: 0,
            heard: 0,
        };
        device.power_cycle();
        device
    }

    /// The joint's true position in counts, whatever the offset says.
    pub fn joint(&self) -> f64 {
        self.motor.position()
    }

    /// Fixes the joint to the rest of an arm: stops it cannot pass, a weight it carries.
    pub fn mount(&mut self, mount: Mount) {
        self.motor.mount(mount);
    }

    /// Puts the joint somewhere at once, as far as its stops allow.
    pub fn place(&mut self, counts: f64) {
        self.motor.place(counts);
        self.follow_turns();
        self.show();
    }

    /// Takes the joint by hand and holds it there, or lets go.
    pub fn hand(&mut self, counts: Option<f64>) {
        let counts = counts.filter(|counts| counts.is_finite());
        self.motor.hold(counts.is_some());
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
        self.protection.clear();
        self.torque_seen = false;
        if self.dynamixel() {
            self.motor.forget_turns(self.counts());
        }
        self.turn = 0.0;
        self.follow_turns();
        self.show();
        self.servo.set(Reg::GoalPosition, self.servo.get(Reg::PresentPosition));
        self.written();
    }

    /// A request for this servo was heard at `now`.
    pub fn heard(&mut self, now: Nanos) {
        self.heard = now;
    }

    /// Goes on to `now`, on a fixed grid, so that the same questions at the same instants get the
    /// same answers. Long times at rest cost nothing.
    pub fn advance(&mut self, now: Nanos) {
        let steps = now.saturating_sub(self.at) / STEP;
        if steps <= 0 {
            return;
        }
        self.at += steps * STEP;
        let mut left = steps;
        while left > 0 && steps - left < MOST_STEPS && !self.rests() {
            self.step();
            left -= 1;
        }
        if left > 0 {
            let seconds = left as f64 * STEP_SECONDS;
            if !self.rests() {
                self.motor.skip(&self.drive, self.allowed_duty(), seconds);
                self.follow_turns();
            }
            self.warm(seconds);
            self.guard(seconds);
        }
        self.watch_the_bus();
        self.show();
    }

    fn rests(&self) -> bool {
        self.motor.rests(&self.drive, self.allowed_duty())
    }

    fn step(&mut self) {
        self.motor.step(&self.drive, self.allowed_duty(), STEP_SECONDS);
        self.follow_turns();
        self.warm(STEP_SECONDS);
        self.guard(STEP_SECONDS);
    }

    fn allowed_duty(&self) -> f64 {
        self.max_duty.min(self.protection.allows())
    }

    fn warm(&mut self, seconds: f64) {
        let watts = self.motor.amps() * self.volts() * self.motor.duty().abs();
        let end = AMBIENT + watts * CELSIUS_PER_WATT;
        self.celsius += (end - self.celsius) * (1.0 - (-seconds / WARMING_SECONDS).exp());
    }

    fn guard(&mut self, seconds: f64) {
        let duty = self.motor.duty().abs();
        let slow = self.motor.speed().abs() < 0.1 * duty * self.build.max_speed;
        let strain = Strain { duty, blocked: slow, amps: self.motor.amps(), celsius: self.celsius };
        if let Some(fault) = self.protection.watch(&strain, seconds) {
            self.servo.raise(fault);
            if self.dynamixel() {
                self.servo.set(Reg::TorqueEnable, 0);
                self.written();
            }
        }
    }

    /// The current it draws, in amperes.
    fn amps(&self) -> f64 {
        self.motor.amps() + IDLE_AMPS
    }

    /// The supply under load.
    fn volts(&self) -> f64 {
        (self.supply - SAG * self.motor.amps()).max(0.0)
    }

    fn dynamixel(&self) -> bool {
        self.servo.series().protocol == Protocol::Dynamixel2
    }

    fn torque(&self) -> bool {
        self.servo.get(Reg::TorqueEnable) == 1
    }

    /// A Dynamixel stops by itself when the bus falls silent for longer than its watchdog's time.
    fn watch_the_bus(&mut self) {
        let watchdog = self.servo.get(Reg::BusWatchdog);
        let patience = Nanos::from(watchdog) * 20 * MILLI;
        let armed = (1..=127).contains(&watchdog) && self.torque();
        if armed && self.at.saturating_sub(self.heard) > patience {
            self.servo.trip_watchdog();
            let still = self.servo.get(Reg::PresentPosition);
            self.servo.set(Reg::GoalPosition, still);
            self.servo.set(Reg::GoalVelocity, 0);
            self.servo.set(Reg::GoalPwm, 0);
            self.written();
        }
    }

    fn counts(&self) -> f64 {
        f64::from(self.servo.model().counts)
    }

    /// Which way the registers count: Dynamixel can turn its direction round.
    fn direction(&self) -> f64 {
        let reversed = self.dynamixel() && self.servo.get(Reg::DriveMode) & 1 == 1;
        if reversed { -1.0 } else { 1.0 }
    }

    /// The shaft's position with the homing offset applied, over any number of turns.
    fn homed(&self) -> f64 {
        let offset = f64::from(self.servo.get(Reg::HomingOffset));
        let shaft = self.motor.position() * self.direction();
        match self.servo.series().homing {
            Homing::Subtracts => shaft - offset,
            Homing::Adds => shaft + offset,
            Homing::None => shaft,
        }
    }

    /// Whether positions count on past a turn: always on Dynamixel, on Feetech by a bit of
    /// `Phase`.
    fn counts_turns(&self) -> bool {
        self.dynamixel() || self.servo.get(Reg::Phase) & 0x10 != 0
    }

    fn follow_turns(&mut self) {
        if self.counts_turns() {
            self.turn = 0.0;
            return;
        }
        let counts = self.counts();
        let place = self.homed() - self.turn;
        if !(-TURN_SLACK..counts + TURN_SLACK).contains(&place) {
            self.turn = (self.homed() / counts).floor() * counts;
        }
    }

    /// Puts what it measures into its registers.
    fn show(&mut self) {
        let homed = self.homed();
        let position = if self.counts_turns() {
            homed.floor()
        } else {
            homed.floor().rem_euclid(self.counts())
        };
        let direction = self.direction();
        let speed = self.motor.speed() * direction;
        let duty = self.motor.duty() * direction;
        let amps = self.amps();
        let volts = self.volts();
        let wire = &mut self.servo;
        wire.set(Reg::PresentPosition, position as i32);
        wire.set(Reg::PresentTemperature, self.celsius.round() as i32);
        wire.set(Reg::PresentVoltage, (volts * 10.0).round() as i32);
        wire.set(Reg::Moving, i32::from(speed.abs() > 5.0));
        if wire.series().protocol == Protocol::Dynamixel2 {
            wire.set(Reg::PresentVelocity, (speed / DYNAMIXEL_SPEED).round() as i32);
            wire.set(Reg::PresentPwm, (duty * DYNAMIXEL_PWM).round() as i32);
            // The XL430 has no current sensor: the register holds its load in tenths of a percent.
            let milliamps = amps.copysign(duty) * 1000.0;
            let sensed = if wire.get(Reg::CurrentLimit) > 0 { milliamps } else { duty * 1000.0 };
            wire.set(Reg::PresentCurrent, sensed.round() as i32);
            let tick = (self.at / MILLI).rem_euclid(32_768);
            wire.set(Reg::RealtimeTick, i32::try_from(tick).unwrap_or_default());
        } else {
            wire.set(Reg::PresentVelocity, speed.round() as i32);
            wire.set(Reg::PresentLoad, (duty * 1000.0).round() as i32);
            wire.set(Reg::PresentCurrent, (amps / 0.0065).round() as i32);
        }
        self.complain(volts);
    }

    fn complain(&mut self, volts: f64) {
        let mut faults = Faults::NONE;
        if let Some(fault) = self.protection.tripped() {
            faults = faults.with(fault);
        }
        if self.protection.voltage_wrong(volts) {
            faults = faults.with(Fault::Voltage);
        }
        if faults != self.servo.faults() {
            self.servo.set_faults(faults);
        }
    }

    /// Something has changed registers: reads its orders anew.
    pub fn written(&mut self) {
        if self.servo.get(Reg::TorqueEnable) == 128 && !self.dynamixel() {
            self.centre_here();
        }
        self.protection.configure(&self.servo);
        let torque = self.torque();
        let goal = self.servo.get(Reg::GoalPosition);
        if !self.dynamixel() && (!torque || goal != self.goal_seen) {
            // An STS lets go of an overload once it is told something new.
            self.protection.clear();
        }
        if torque && !self.torque_seen {
            self.motor.start_profile();
            if self.dynamixel() {
                // Dynamixel forgets goals from before torque came on.
                let position = self.servo.get(Reg::PresentPosition);
                self.servo.set(Reg::GoalPosition, position);
            }
        }
        self.torque_seen = torque;
        self.goal_seen = self.servo.get(Reg::GoalPosition);
        self.follow_turns();
        self.max_duty = self.torque_limit();
        self.drive = if torque { self.ordered() } else { Drive::Off };
        self.show();
    }

    /// Feetech's order to call the present position the middle.
    fn centre_here(&mut self) {
        let middle = self.counts() / 2.0;
        let offset = (self.motor.position().rem_euclid(self.counts()) - middle).round();
        self.servo.set(Reg::HomingOffset, offset as i32);
        self.servo.set(Reg::TorqueEnable, 0);
    }

    fn torque_limit(&self) -> f64 {
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
        part(Reg::MaxTorqueLimit, 1000.0).min(part(Reg::TorqueLimit, 1000.0)).min(0.97)
    }

    fn ordered(&self) -> Drive {
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

/// Counts per second in a Dynamixel's unit of speed, 0.229 rpm.
const DYNAMIXEL_SPEED: f64 = 0.229 * 4096.0 / 60.0;
/// Counts per second squared in a Dynamixel's unit of acceleration, 214.577 rev/min².
const DYNAMIXEL_ACCELERATION: f64 = 214.577 * 4096.0 / 3600.0;
/// A Dynamixel's full PWM.
const DYNAMIXEL_PWM: f64 = 885.0;
/// Counts per second squared in a Feetech's unit of acceleration.
const FEETECH_ACCELERATION: f64 = 100.0;
/// A Feetech's duty per count of error and unit of its P coefficient: 0.166 per radian, as the
/// authors of the servo model "bam" measured.
const FEETECH_GAIN: f64 = 0.166 * std::f64::consts::TAU / 4096.0;

/// A profile register, where zero means that there is no limit.
fn or_endless(value: i32, unit: f64) -> f64 {
    if value == 0 { f64::INFINITY } else { f64::from(value) * unit }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
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
        device.written();
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
        device.written();
        device.place(3500.0);
        assert_eq!(device.servo.get(Reg::PresentPosition), 404);
    }

    #[test]
    fn pushing_against_a_hand_trips_the_overload_and_torque_off_ends_it() {
        let mut device = sts3215();
        device.servo.set(Reg::TorqueEnable, 1);
        device.servo.set(Reg::GoalPosition, 3500);
        device.written();
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
        device.written();
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
        device.written();
        run(&mut device, 0, 5 * SECOND);
        assert!(device.joint() < -5000.0, "{}", device.joint());
        assert!((0..4096).contains(&device.servo.get(Reg::PresentPosition)));
    }

    #[test]
    fn both_series_apply_their_offset_and_direction() {
        let (series, model) = by_name("xl330-m288").unwrap();
        let mut device = Device::new(series, model, 1);
        device.place(1000.0);
        device.servo.set(Reg::HomingOffset, -3000);
        device.written();
        assert_eq!(device.servo.get(Reg::PresentPosition), -2000);
        device.servo.set(Reg::DriveMode, 1);
        device.written();
        assert_eq!(device.servo.get(Reg::PresentPosition), -4000);
    }

    #[test]
    fn a_dynamixel_holds_where_torque_finds_it_and_an_sts_goes_to_its_old_goal() {
        let (series, model) = by_name("xl330-m288").unwrap();
        let mut dynamixel = Device::new(series, model, 1);
        let mut sts = sts3215();
        for device in [&mut dynamixel, &mut sts] {
            device.servo.set(Reg::GoalPosition, 3000);
            device.servo.set(Reg::TorqueEnable, 1);
            device.written();
            run(device, 0, 2 * SECOND);
        }
        assert_eq!(dynamixel.servo.get(Reg::PresentPosition), 2048);
        assert!(sts.servo.get(Reg::PresentPosition) > 2980);
    }

    #[test]
    fn a_dynamixel_stops_when_the_bus_falls_silent() {
        let (series, model) = by_name("xl330-m288").unwrap();
        let mut device = Device::new(series, model, 1);
        for (reg, value) in [
            (Reg::OperatingMode, 4),
            (Reg::ProfileVelocity, 10),
            (Reg::BusWatchdog, 5),
            (Reg::TorqueEnable, 1),
        ] {
            device.servo.set(reg, value);
        }
        device.written();
        device.servo.set(Reg::GoalPosition, 4000);
        device.written();
        let now = run(&mut device, 0, SECOND);
        let stopped = device.servo.get(Reg::PresentPosition);
        assert!((2049..2200).contains(&stopped), "{stopped}");
        run(&mut device, now, SECOND);
        assert!((device.servo.get(Reg::PresentPosition) - stopped).abs() < 5);
        assert_eq!(device.servo.get(Reg::BusWatchdog), 255);
    }

    #[test]
    fn a_joint_at_the_end_of_its_turn_does_not_swing_round() {
        let mut device = sts3215();
        device.place(30.0);
        device.servo.set(Reg::TorqueEnable, 1);
        device.servo.set(Reg::GoalPosition, 0);
        device.written();
        for tick in 1..200 {
            device.advance(tick * 20 * MILLI);
            device.written();
            assert!(device.joint().abs() < 40.0, "{}", device.joint());
        }
    }

    #[test]
    fn the_middle_can_be_set_by_order() {
        let mut device = sts3215();
        device.place(3000.0);
        device.servo.set(Reg::TorqueEnable, 128);
        device.written();
        assert_eq!(device.servo.get(Reg::PresentPosition), 2048);
        assert_eq!(device.servo.get(Reg::TorqueEnable), 0);
    }

    #[test]
    fn stops_block_a_joint_until_it_trips_and_a_new_goal_lets_go() {
        let mut device = sts3215();
        device.mount(Mount { stops: Some((1500.0, 2500.0)), load: 0.0 });
        device.servo.set(Reg::TorqueEnable, 1);
        device.servo.set(Reg::GoalPosition, 4000);
        device.written();
        let now = run(&mut device, 0, 4 * SECOND);
        assert_eq!(device.servo.get(Reg::PresentPosition), 2500);
        assert!(device.servo.faults().has(Fault::Overload));
        device.servo.set(Reg::GoalPosition, 2400);
        device.written();
        assert!(device.servo.faults().is_empty());
        run(&mut device, now, SECOND);
        assert!((device.servo.get(Reg::PresentPosition) - 2400).abs() < 20);
    }

    #[test]
    fn work_warms_it_and_rest_cools_it() {
        let mut device = sts3215();
        device.servo.set(Reg::OverloadTorque, 0);
        device.mount(Mount { stops: Some((2000.0, 2100.0)), load: 0.0 });
        device.servo.set(Reg::TorqueLimit, 300);
        device.servo.set(Reg::TorqueEnable, 1);
        device.servo.set(Reg::GoalPosition, 4000);
        device.written();
        let now = run(&mut device, 0, 120 * SECOND);
        let hot = device.servo.get(Reg::PresentTemperature);
        assert!(hot > 26, "{hot}");
        device.servo.set(Reg::TorqueEnable, 0);
        device.written();
        device.advance(now + 3600 * SECOND);
        assert_eq!(device.servo.get(Reg::PresentTemperature), 25);
    }
}
