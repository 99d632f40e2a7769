//! A servo in a body: it keeps its electronics, the body has its mechanics.

use super::{Device, STEP_SECONDS};
use crate::Nanos;
use crate::sim::body::{Push, Turned};
use crate::sim::motor::{Drive, Mount};

impl Device {
    /// Screws it into a body whose joint stands like this. Stops and weight are the body's now.
    pub(in crate::sim) fn join(&mut self, turned: Turned) {
        self.motor.mount(Mount { stops: None, load: 0.0 });
        self.motor.take_over(turned);
        self.power_cycle();
    }

    /// Where the shaft is, in the body's counts.
    pub(in crate::sim) fn shaft(&self) -> f64 {
        self.motor.shaft()
    }

    /// Goes on along its profile by a step and says what it does to the joint.
    pub(in crate::sim) fn push(&mut self) -> Push {
        let allowed = self.allowed_duty();
        self.motor.control(&self.drive, allowed, STEP_SECONDS);
        let open = self.drive == Drive::Off || self.protection.allows() == 0.0;
        Push {
            duty: (!open).then(|| self.motor.duty()),
            volts: self.volts(),
            held: self.motor.held(),
        }
    }

    /// A step has passed, and the joint has been turned.
    pub(in crate::sim) fn turn(&mut self, turned: Turned) {
        self.motor.take_over(turned);
        self.follow_turns();
        self.endure(STEP_SECONDS);
    }

    /// It is `at`, after `seconds` in which nothing moved.
    pub(in crate::sim) fn pass(&mut self, at: Nanos, seconds: f64) {
        self.at = at;
        if seconds > 0.0 {
            self.endure(seconds);
        }
        self.watch_the_bus();
        self.show();
    }

    /// The joint was put somewhere by hand, and this is how far it went.
    pub(in crate::sim) fn seat(&mut self, turned: Turned) {
        self.motor.take_over(turned);
        self.motor.hold(self.motor.held().is_some());
        self.follow_turns();
        self.show();
    }
}
