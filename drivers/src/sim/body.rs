//! A body: what the servos of a bus are screwed into, where joints weigh on each other and meet
//! other things, so that no servo can reckon its own motion.

use super::Device;
use super::servo::{MOST_STEPS, STEP, STEP_SECONDS};
use crate::clock::MILLI;
use crate::{Clock, Nanos};

/// How long a body may keep everybody waiting while it catches up.
const PATIENCE: Nanos = 50 * MILLI;

/// What a servo does to its joint for one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Push {
    /// The part of the supply that the bridge puts on the motor, from −1 to 1. Nothing where the
    /// bridge is open: the joint turns freely but for its friction.
    pub duty: Option<f64>,
    /// The supply under load.
    pub volts: f64,
    /// Where a hand that is stronger than everything holds the joint, in counts.
    pub held: Option<f64>,
}

/// How a joint stands, in counts of its servo's output shaft from the encoder's zero, every turn
/// counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Turned {
    /// Where it is.
    pub position: f64,
    /// Counts per second.
    pub speed: f64,
}

/// What turns the joints of a bus instead of each motor by itself. Places are those of the servos
/// on the bus.
pub trait Body: Send {
    /// Lets one step pass, with what every servo does to its joint meanwhile. Steps are all of one
    /// length.
    fn step(&mut self, pushes: &[Push], seconds: f64);

    /// How a joint stands.
    fn turned(&self, place: usize) -> Turned;

    /// Puts a joint somewhere at once, as far as the body allows, and at rest.
    fn place(&mut self, place: usize, counts: f64);
}

/// A body with the servos' side of it.
pub(super) struct Embodied {
    body: Box<dyn Body>,
    pushes: Vec<Push>,
    clock: Clock,
    at: Nanos,
}

impl Embodied {
    /// Screws the servos into the body; they wake up where its joints are, now.
    pub fn new(body: Box<dyn Body>, devices: &mut [Device], clock: Clock) -> Self {
        for (place, device) in devices.iter_mut().enumerate() {
            device.join(body.turned(place));
        }
        let now = clock.now();
        Self { body, pushes: vec![Push::default(); devices.len()], clock, at: now - now % STEP }
    }

    /// Goes on to `now` with all joints together, on the grid on which a servo alone goes on. Of a
    /// time longer than [`MOST_STEPS`] the body sees the first part only; for the rest of it
    /// everything stands still, and the servos cool down or wear out as they are. So it is where a step
    /// takes longer than it lasts, on a machine too slow for this body: to catch up would take ever
    /// longer, and nobody would be answered meanwhile.
    pub fn advance(&mut self, devices: &mut [Device], now: Nanos) {
        let steps = now.saturating_sub(self.at) / STEP;
        if steps <= 0 {
            return;
        }
        self.at += steps * STEP;
        let begun = self.clock.now();
        let mut taken = 0;
        while taken < steps.min(MOST_STEPS) && self.clock.now() - begun < PATIENCE {
            taken += 1;
            for (push, device) in self.pushes.iter_mut().zip(&mut *devices) {
                *push = device.push();
            }
            self.body.step(&self.pushes, STEP_SECONDS);
            for (place, device) in devices.iter_mut().enumerate() {
                device.turn(self.body.turned(place));
            }
        }
        let left = (steps - taken) as f64 * STEP_SECONDS;
        devices.iter_mut().for_each(|device| device.pass(self.at, left));
    }

    /// Lets somebody change a servo, and moves its joint along where that moves the shaft.
    pub fn change(&mut self, place: usize, device: &mut Device, change: impl FnOnce(&mut Device)) {
        let before = device.shaft();
        change(device);
        if device.shaft() != before {
            self.body.place(place, device.shaft());
            device.seat(self.body.turned(place));
        }
    }
}

#[cfg(test)]
mod tests;
