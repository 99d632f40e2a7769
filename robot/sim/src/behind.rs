//! A world behind a virtual bus: servos turn the world's joints, and whoever drives the bus cannot tell
//! it from an arm on the table.

use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sinew_core::calibration::Calibration;
use sinew_drivers::sim::{Body, Push, Turned, VirtualBus, arm};
use sinew_drivers::{ArmSpec, Clock};

use crate::error::Error;
use crate::model::{JOINTS, Model};
use crate::motor::Order;
use crate::world::World;

/// A world that several look at: the servos that turn it, cameras, a judge.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    /// A world to be shared.
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// The world. Nobody else moves or sees it meanwhile.
    pub fn look(&self) -> MutexGuard<'_, World> {
        // A panic elsewhere leaves a world that has not finished a step: still a world.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An arm in a world, on its bus.
pub struct Embodied {
    /// What it is.
    pub spec: ArmSpec,
    /// Its bus.
    pub bus: VirtualBus,
    /// What LeRobot's file would hold.
    pub calibration: Vec<(String, Calibration)>,
    /// The world it is in.
    pub world: Shared,
}

impl Embodied {
    /// Puts the arm of this name behind a bus, screwed into this world and calibrated.
    pub fn new(name: &str, world: World, clock: Clock, seed: u64) -> Result<Self, Error> {
        let spec = arm::find(name)?;
        let mut devices = arm::assembled(&spec);
        if devices.len() != JOINTS {
            return Err(sinew_drivers::Error::BadBase { arm: spec.name }.into());
        }
        let mut joints = [Turning::default(); JOINTS];
        let ranges = world.setup().model.ranges();
        let rows = spec.joints.iter().zip(&devices).zip(ranges);
        for (turning, ((joint, device), (low, high))) in joints.iter_mut().zip(rows) {
            let centre = if joint.full_turn { 0.0 } else { low.midpoint(high) };
            *turning = Turning { middle: device.joint(), centre };
        }
        let calibration = arm::calibrate(&mut devices, &spec);
        let world = Shared::new(world);
        let body = Box::new(Behind { world: world.clone(), joints });
        let bus = VirtualBus::embodied(devices, body, clock, seed);
        Ok(Self { spec, bus, calibration, world })
    }

    /// Holds every joint by hand where it is, or lets go of all.
    pub fn hold(&self, held: bool) {
        for servo in self.bus.servos() {
            self.bus.hand(servo.id, held.then_some(servo.joint));
        }
    }
}

/// How a joint's counts and angles belong together.
#[derive(Clone, Copy, Debug, Default)]
struct Turning {
    /// Counts in the middle of its way.
    middle: f64,
    /// The angle there.
    centre: f64,
}

const COUNTS: f64 = 4096.0 / TAU;

impl Turning {
    fn counts(self, angle: f64) -> f64 {
        self.middle + (angle - self.centre) * COUNTS
    }

    fn angle(self, counts: f64) -> f64 {
        self.centre + (counts - self.middle) / COUNTS
    }
}

struct Behind {
    world: Shared,
    joints: [Turning; JOINTS],
}

impl Body for Behind {
    fn step(&mut self, pushes: &[Push], seconds: f64) {
        let mut world = self.world.look();
        for (joint, (push, turning)) in pushes.iter().zip(&self.joints).enumerate() {
            let order = push.duty.map_or(Order::Off, |duty| Order::Volts(duty * push.volts));
            world.order(joint, order);
            world.hand(joint, push.held.map(|counts| turning.angle(counts)));
        }
        world.step(seconds);
    }

    fn turned(&self, place: usize) -> Turned {
        let world = self.world.look();
        let joint = self.joints.get(place).copied().unwrap_or_default();
        let angle = world.joints().get(place).copied().unwrap_or_default();
        let speed = world.speeds().get(place).copied().unwrap_or_default();
        Turned { position: joint.counts(angle), speed: speed * COUNTS }
    }

    fn place(&mut self, place: usize, counts: f64) {
        let Some(joint) = self.joints.get(place) else { return };
        let mut world = self.world.look();
        let range = world.setup().model.ranges().get(place).copied().unwrap_or_default();
        world.place(place, joint.angle(counts).clamp(range.0, range.1));
    }
}

/// Whether an arm of this name has a world to be in.
pub fn has_body(name: &str) -> bool {
    Model::builtin(name).is_ok()
}

impl std::fmt::Debug for Embodied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {:?}", self.spec.title, self.world)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Setup;
    use sinew_drivers::Bus;
    use sinew_drivers::arm::{Arm, ArmOptions};
    use sinew_drivers::clock::{MILLI, SECOND};

    fn so101(clock: &Clock) -> (Embodied, Arm) {
        let mut setup = Setup::new(Arc::new(Model::builtin("so101").unwrap()));
        setup.angles = [0.0, -0.6, 0.6, 0.9, 0.0, 0.0];
        let arm = Embodied::new("so101", World::new(setup), clock.clone(), 0).unwrap();
        let bus = Bus::new(arm.bus.wire(), arm.spec.series.protocol);
        let options = ArmOptions { dead_man: None, ..ArmOptions::default() };
        let mut driver = Arm::connect(arm.spec.clone(), bus, &arm.calibration, options).unwrap();
        driver.configure().unwrap();
        (arm, driver)
    }

    #[test]
    fn a_driver_moves_the_joints_of_the_world_and_reads_them_in_degrees() {
        let clock = Clock::virtual_time();
        let (arm, mut driver) = so101(&clock);
        let goals = [20.0, -40.0, 40.0, 50.0, -30.0, 60.0];
        let end = clock.now() + 3 * SECOND;
        while clock.now() < end {
            driver.observe().unwrap();
            driver.command(&goals).unwrap();
            clock.sleep(20 * MILLI);
        }
        let read = driver.observe().unwrap().values.to_vec();
        let world = arm.world.look();
        for joint in 0..JOINTS - 1 {
            let angle = world.joints()[joint].to_degrees();
            assert!((read[joint] - angle).abs() < 0.2, "{joint}: {} {angle}", read[joint]);
            // Its weight makes it droop, as on the table.
            assert!((angle - goals[joint]).abs() < 6.0, "{joint}: {angle}");
        }
        let (closed, open) = world.setup().model.ranges()[5];
        let share = (world.joints()[5] - closed) / (open - closed) * 100.0;
        assert!((read[5] - share).abs() < 0.2 && (share - 60.0).abs() < 2.0, "{share}");
    }

    #[test]
    fn an_arm_without_torque_sinks_to_the_table() {
        let clock = Clock::virtual_time();
        let (arm, driver) = so101(&clock);
        drop(driver);
        for id in 1..=6 {
            arm.bus.change(id, |device| {
                device.servo.set(sinew_core::register::Reg::TorqueEnable, 0);
            });
        }
        let height = |arm: &Embodied| arm.world.look().links()[5].translation.z;
        let before = height(&arm);
        for _ in 0..40 {
            clock.sleep(SECOND / 10);
            arm.bus.settle();
        }
        assert!(height(&arm) < before - 0.03, "{} {before}", height(&arm));
    }
}
