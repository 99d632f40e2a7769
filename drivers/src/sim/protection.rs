//! How a servo guards itself: overload, overcurrent, heat, and a supply outside its limits.

use sinew_core::packet::Protocol;
use sinew_core::register::{Fault, Reg};
use sinew_core::servo::Servo;

/// What a servo measures about itself.
#[derive(Clone, Copy, Debug)]
pub struct Strain {
    /// The part of the full duty on the motor, 0 to 1.
    pub duty: f64,
    /// Whether the motor fails to turn under it.
    pub blocked: bool,
    /// Amperes.
    pub amps: f64,
    /// Degrees Celsius.
    pub celsius: f64,
}

/// The limits in a servo's settings, and how long each has been exceeded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protection {
    overload: Option<Limit>,
    current: Option<Limit>,
    max_celsius: f64,
    volts: (f64, f64),
    /// The duty left after an overload.
    weak: f64,
    heat_cuts: bool,
    overload_for: f64,
    current_for: f64,
    tripped: Option<Fault>,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    above: f64,
    seconds: f64,
}

/// A Feetech current register counts in these amperes.
const FEETECH_AMPS: f64 = 0.0065;

impl Protection {
    /// Takes the limits from the settings, keeping what has already tripped.
    pub fn configure(&mut self, servo: &Servo) {
        let get = |reg| f64::from(servo.get(reg));
        self.max_celsius = get(Reg::MaxTemperatureLimit);
        self.volts = (get(Reg::MinVoltageLimit) / 10.0, get(Reg::MaxVoltageLimit) / 10.0);
        if servo.series().protocol == Protocol::Dynamixel2 {
            let shutdown = servo.get(Reg::Shutdown);
            // The manual gives no figures; a blocked motor trips after about two seconds.
            self.overload = (shutdown & 32 != 0).then_some(Limit { above: 0.9, seconds: 2.0 });
            self.current = None;
            self.heat_cuts = shutdown & 4 != 0;
            self.weak = 0.0;
            return;
        }
        let cuts = servo.get(Reg::UnloadingCondition);
        let limit = |bit: i32, above: f64, time: Reg| {
            let wanted = cuts & bit != 0 && servo.series().get(time).is_some() && above > 0.0;
            wanted.then(|| Limit { above, seconds: get(time) * 0.01 })
        };
        self.overload = limit(32, get(Reg::OverloadTorque) / 100.0, Reg::ProtectionTime);
        self.current =
            limit(8, get(Reg::ProtectionCurrent) * FEETECH_AMPS, Reg::OverCurrentProtectionTime);
        self.heat_cuts = cuts & 4 != 0;
        self.weak = get(Reg::ProtectiveTorque) / 100.0;
    }

    /// Lets `dt` seconds pass under `strain` and returns the fault that trips now, if any.
    pub fn watch(&mut self, strain: &Strain, dt: f64) -> Option<Fault> {
        let over = |limit: Option<Limit>, value: f64, held: &mut f64| {
            let Some(limit) = limit else { return false };
            *held = if value > limit.above { *held + dt } else { 0.0 };
            *held > limit.seconds
        };
        if self.tripped.is_some() {
            return None;
        }
        let pushed = if strain.blocked { strain.duty } else { 0.0 };
        let fault = if over(self.overload, pushed, &mut self.overload_for) {
            Fault::Overload
        } else if over(self.current, strain.amps, &mut self.current_for) {
            Fault::Overcurrent
        } else if self.heat_cuts && strain.celsius > self.max_celsius {
            Fault::Overheat
        } else {
            return None;
        };
        self.tripped = Some(fault);
        Some(fault)
    }

    /// The duty that what has tripped leaves to the motor.
    pub fn allows(&self) -> f64 {
        match self.tripped {
            None => 1.0,
            Some(Fault::Overload) => self.weak,
            Some(_) => 0.0,
        }
    }

    /// What has tripped.
    pub fn tripped(&self) -> Option<Fault> {
        self.tripped
    }

    /// Whether the supply is outside the limits.
    pub fn voltage_wrong(&self, volts: f64) -> bool {
        let (min, max) = self.volts;
        volts < min || volts > max
    }

    /// Forgets what has tripped.
    pub fn clear(&mut self) {
        self.tripped = None;
        self.overload_for = 0.0;
        self.current_for = 0.0;
    }
}
