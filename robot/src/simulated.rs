//! An arm of virtual servos inside this process: `--robot sim`, and both arms of the demo.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use sinew_core::calibration::Calibration;
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{VirtualBus, arm};
use sinew_drivers::{ArmSpec, Bus, Clock, Error, Nanos};
use sinew_sim::behind::{Embodied, Shared, has_body};
use sinew_sim::model::Model;
use sinew_sim::{Setup, Task, World};
use sinew_teleop::scripted::ScriptedHand;

use crate::cameras::painted::Sight;
use crate::cli::failure::Failure;

/// What lies before an arm that stands on a table, unless something else is asked for.
pub const USUAL_TASK: &str = "so101_pick_place";

/// In how many steps an arm without torque comes to rest, about twice as long as it takes.
const SETTLING: usize = 500;

/// How long such a step is, in seconds.
const STEP: f64 = 0.002;

/// A calibrated, simulated arm on its own bus.
pub struct Simulated {
    /// What it is.
    pub spec: ArmSpec,
    /// Its bus, to push its joints and break its cables.
    pub bus: VirtualBus,
    /// What LeRobot's file would hold.
    pub calibration: Vec<(String, Calibration)>,
    /// The table that it stands on, and what lies there.
    world: Option<Shared>,
}

impl Simulated {
    /// Builds the arm of this name, on a table where its masses are known; everything random in it
    /// follows `seed`.
    pub fn new(name: &str, seed: u64) -> Result<Self, Failure> {
        let spec = arm::find(name)?;
        if has_body(&spec.name) {
            return Self::before(&Task::find(USUAL_TASK)?, &spec, seed);
        }
        let mut devices = arm::assembled(&spec);
        let calibration = arm::calibrate(&mut devices, &spec);
        let bus = VirtualBus::new(devices, Clock::Real, seed);
        Ok(Self { spec, bus, calibration, world: None })
    }

    /// Puts an arm on a table, at rest before what this task is about.
    pub fn before(task: &Task, spec: &ArmSpec, seed: u64) -> Result<Self, Failure> {
        let model = Arc::new(Model::builtin(&spec.name)?);
        let (mut setup, _marks) = task.setup(model, seed);
        rest(&mut setup, spec);
        let mut world = World::new(setup);
        // Whoever looks first sees it lie, not fall.
        for _ in 0..SETTLING {
            world.step(STEP);
        }
        let Embodied { spec, bus, calibration, world } =
            Embodied::new(&spec.name, world, Clock::Real, seed)?;
        Ok(Self { spec, bus, calibration, world: Some(world) })
    }

    /// What cameras see, where there is anything.
    pub fn sight(&self) -> Option<Sight> {
        Some(Sight { bus: self.bus.clone(), world: self.world.clone()? })
    }

    /// Its joints.
    pub fn joints(&self) -> Joints {
        Joints::of(std::iter::once(self))
    }

    /// A driver's end of its bus.
    pub fn open(&self) -> Bus {
        Bus::new(self.bus.wire(), self.spec.series.protocol)
    }

    /// Each servo and the range of its joint.
    fn ranges(&self) -> Vec<Ranged> {
        let true_count = |row: &Calibration, count: i32| f64::from(count + row.homing_offset);
        let rows = self.calibration.iter().map(|(_, row)| {
            (row.id, true_count(row, row.range_min), true_count(row, row.range_max))
        });
        rows.collect()
    }
}

/// Lets an arm begin about where it rests: it has no torque yet and would fall from anywhere else.
fn rest(setup: &mut Setup, spec: &ArmSpec) {
    let ranges = setup.model.ranges();
    for ((angle, joint), (low, high)) in setup.angles.iter_mut().zip(&spec.joints).zip(ranges) {
        if let Some(rest) = joint.rest {
            *angle = low.midpoint(high) + rest / 100.0 * (high - low) / 2.0;
        }
    }
}

/// Of a Feetech's encoder.
const COUNTS_PER_DEGREE: f64 = 4096.0 / 360.0;

/// The joints of simulated arms, to be looked at and moved beside the driver.
#[derive(Clone, Default)]
pub struct Joints(Vec<(VirtualBus, Vec<Ranged>)>);

/// A servo, and the range of its joint in counts, without the offset.
type Ranged = (u8, f64, f64);

impl Joints {
    /// The joints of these arms together.
    pub fn of<'a>(arms: impl Iterator<Item = &'a Simulated>) -> Self {
        Self(arms.map(|arm| (arm.bus.clone(), arm.ranges())).collect())
    }

    /// Where each is in its range: 0 is one end, 1 the other.
    pub fn shares(&self, shares: &mut Vec<f64>) {
        shares.clear();
        for (bus, ranges) in &self.0 {
            shares.extend(ranges.iter().map(|(id, low, high)| {
                let there = bus.servo(*id).map_or(f64::NAN, |servo| servo.joint);
                (there - low) / (high - low)
            }));
        }
    }

    /// Holds each where an arm's own numbers say: degrees from the middle, and the last, a gripper's, in
    /// hundredths of its way.
    pub fn hold_at(&self, values: &[f64]) {
        for (bus, ranges) in &self.0 {
            let joints = ranges.iter().zip(values).enumerate();
            for (number, ((id, low, high), value)) in joints {
                let counts = if number + 1 == ranges.len() {
                    low + value / 100.0 * (high - low)
                } else {
                    low.midpoint(*high) + value * COUNTS_PER_DEGREE
                };
                bus.hand(*id, Some(counts));
            }
        }
    }

    /// Holds each where the scripted hand is at this time.
    fn hold(&self, script: &ScriptedHand, time: Nanos) {
        let joints = self.0.iter().flat_map(|(bus, ranges)| ranges.iter().map(move |of| (bus, of)));
        for (joint, (bus, (id, low, high))) in joints.enumerate() {
            bus.hand(*id, Some(low + script.position(joint, time) * (high - low)));
        }
    }
}

/// A scripted hand that moves joints until it is dropped.
pub struct Hand {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hand {
    /// Begins to move them; other seeds move otherwise.
    pub fn moving(joints: Joints, seed: u64) -> Result<Self, Error> {
        let count = joints.0.iter().map(|(_, ranges)| ranges.len()).sum();
        let script = ScriptedHand::new(count, seed);
        let over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&over);
        let run = move || {
            let clock = Clock::Real;
            let began = clock.now();
            while !theirs.load(Ordering::Acquire) {
                joints.hold(&script, clock.now() - began);
                clock.sleep(8 * MILLI);
            }
        };
        let spawned = std::thread::Builder::new().name("hand".to_owned()).spawn(run);
        let source = |source| Error::Port { port: "sim".to_owned(), source };
        Ok(Self { over, thread: Some(spawned.map_err(source)?) })
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // A thread that panicked has already said so.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a simulated {}", self.spec.title)
    }
}
