//! One virtual servo: registers on one side, a motor on the other.
//!
//! What matters is not the last per cent but that whatever a driver may meet on the table (lag,
//! load, sag, heat, a trip) it meets here too.

mod orders;
mod shaft;

use sinew_core::packet::Protocol;
use sinew_core::register::{Fault, Faults, Reg};
use sinew_core::servo::Servo;
use sinew_core::tables::{Homing, Model, Series};

use crate::Nanos;
use crate::clock::MILLI;
use crate::sim::motor::{Build, Drive, Motor, Mount, build_of};
use crate::sim::protection::{Protection, Strain};
use orders::{DYNAMIXEL_PWM, DYNAMIXEL_SPEED};

/// The grid on which a motor's motion is reckoned.
pub(super) const STEP: Nanos = 2 * MILLI;
pub(super) const STEP_SECONDS: f64 = 0.002;
/// Steps taken one by one before the rest of a long time passes at once.
pub(super) const MOST_STEPS: Nanos = 2000;
/// The air around it.
const AMBIENT: f64 = 25.0;
/// How much warmer a watt makes it, in the end, and how long that takes.
const CELSIUS_PER_WATT: f64 = 6.0;
const WARMING_SECONDS: f64 = 300.0;
/// The most of the supply that the bridge passes on.
const FULL_DUTY: f64 = 0.97;
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
        if let Some(counts) = counts {
            self.place(counts);
        }
        self.motor.hold(counts.is_some());
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

    /// Makes it as hot as long work would; it cools from there.
    pub fn heat(&mut self, celsius: f64) {
        self.celsius = celsius;
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
            self.endure(seconds);
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
        self.endure(STEP_SECONDS);
    }

    /// What a time under this strain does to it.
    fn endure(&mut self, seconds: f64) {
        self.warm(seconds);
        self.guard(seconds);
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
        self.max_duty = self.torque_limit().min(FULL_DUTY);
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
}

#[cfg(test)]
mod tests;
