//! A calibrated arm on a virtual bus, and a witness of every goal that goes over the line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sinew_core::calibration::Calibration;
use sinew_core::packet::{Decoder, Request};
use sinew_core::register::Reg;
use sinew_drivers::arm::{ArmOptions, OnMismatch};
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{self, VirtualBus};
use sinew_drivers::{Arm, ArmSpec, Bus, Clock, Nanos};

pub const TICK: Nanos = 20 * MILLI;

/// A virtual bus with an arm's servos on it.
pub struct World {
    pub bus: VirtualBus,
    pub spec: ArmSpec,
    pub calibration: Vec<(String, Calibration)>,
    witness: Arc<Mutex<Witness>>,
}

/// What the line itself saw of goals.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    ranges: BTreeMap<u8, (i32, i32)>,
    /// Goal positions that went over the line.
    pub goals: u64,
    /// Those that lay outside their joint's range.
    pub unsafe_goals: Vec<(u8, i32)>,
    /// The latest of each servo.
    pub latest: BTreeMap<u8, i32>,
}

impl Witness {
    fn see(&mut self, id: u8, bytes: &[u8]) {
        let goal = i32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        let (min, max) = self.ranges[&id];
        self.goals += 1;
        self.latest.insert(id, goal);
        if !(min..=max).contains(&goal) && self.unsafe_goals.len() < 10 {
            self.unsafe_goals.push((id, goal));
        }
    }

    fn packet(&mut self, protocol: sinew_core::packet::Protocol, goal: u16, bytes: &[u8]) {
        let mut decoder: Decoder = Decoder::new(protocol);
        let mut bytes = bytes;
        while let Some(frame) = decoder.next(&mut bytes) {
            match frame.request() {
                Some(Request::Write { address, data }) if address == goal => {
                    self.see(frame.id, data);
                }
                Some(Request::SyncWrite { address, width, rows }) if address == goal => {
                    for row in rows.chunks_exact(usize::from(width) + 1) {
                        self.see(row[0], &row[1..]);
                    }
                }
                _ => {}
            }
        }
    }
}

impl World {
    /// An SO-101 follower whose joints may use the inner part of their turn.
    pub fn new(seed: u64) -> Self {
        let spec = ArmSpec::builtin("so101_follower").unwrap();
        let bus = VirtualBus::new(sim::arm::devices(&spec), Clock::virtual_time(), seed);
        let row = |id: u8| Calibration {
            id,
            drive_mode: 0,
            homing_offset: 10 * i32::from(id),
            range_min: 700 + i32::from(id),
            range_max: 3300 - i32::from(id),
        };
        let calibration: Vec<_> =
            spec.servos().map(|(name, id, _)| (name.to_owned(), row(id))).collect();
        let ranges = calibration.iter().map(|(_, row)| (row.id, (row.range_min, row.range_max)));
        let witness = Witness { ranges: ranges.collect(), ..Witness::default() };
        let witness = Arc::new(Mutex::new(witness));
        let (told, protocol) = (witness.clone(), spec.series.protocol);
        let goal = spec.series.get(Reg::GoalPosition).unwrap().address;
        bus.observe(Box::new(move |packet| {
            if packet.from_host {
                told.lock().unwrap().packet(protocol, goal, packet.bytes);
            }
        }));
        Self { bus, spec, calibration, witness }
    }

    /// Connects the arm.
    pub fn connected(&self, options: ArmOptions) -> Arm {
        let options = ArmOptions { on_mismatch: OnMismatch::Write, ..options };
        let bus = Bus::new(self.bus.wire(), self.spec.series.protocol);
        Arm::connect(self.spec.clone(), bus, &self.calibration, options).unwrap()
    }

    /// Connects and configures the arm.
    pub fn arm(&self, options: ArmOptions) -> Arm {
        let mut arm = self.connected(options);
        arm.configure().unwrap();
        arm
    }

    /// What the line saw.
    pub fn witness(&self) -> Witness {
        self.witness.lock().unwrap().clone()
    }

    /// Whether each servo is under torque, in the order of their ids.
    pub fn torques(&self) -> Vec<bool> {
        self.bus.servos().iter().map(|servo| servo.torque).collect()
    }
}

/// Where a restless leader wants the arm at `now`: slow waves, other ones for each joint.
pub fn wave(now: Nanos, amplitude: f64) -> [f64; 6] {
    let seconds = now as f64 / 1e9;
    let mut values = [0.0; 6];
    for (joint, value) in values.iter_mut().enumerate() {
        let phase = seconds * (0.3 + 0.13 * joint as f64) + joint as f64;
        *value = phase.sin() * amplitude;
    }
    values[5] = values[5].abs();
    values
}
