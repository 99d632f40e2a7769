//! A control tick takes nothing from the heap: not on a wire within the process, not over a port,
//! and not when answers are lost.

// All of it is test code, helpers included: a failure is a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../tests/counting.rs"]
mod counting;

use counting::{TAKEN, taken_by};
use sinew_core::calibration::Calibration;
use sinew_drivers::arm::{ArmOptions, Follower, MaxStep, OnMismatch};
use sinew_drivers::bridge::Bridge;
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{self, Body, FaultPlan, Push, Turned, VirtualBoard, VirtualBus};
use sinew_drivers::{Arm, ArmSpec, Bus, Clock, Error, Nanos, Wire, port};

/// A wire whose far end is in this thread: what the servos take is not the driver's doing.
struct Uncounted(Box<dyn Wire>);

impl Uncounted {
    fn far<T>(&mut self, work: impl FnOnce(&mut dyn Wire) -> T) -> T {
        let before = TAKEN.get();
        let result = work(&mut *self.0);
        TAKEN.set(before);
        result
    }
}

impl Wire for Uncounted {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn clock(&self) -> &Clock {
        self.0.clock()
    }

    fn baud(&self) -> u32 {
        self.0.baud()
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        self.far(|wire| wire.set_baud(baud))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        self.far(|wire| wire.send(bytes))
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        self.far(|wire| wire.receive(into, deadline))
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        self.far(|wire| wire.discard_input())
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.far(|wire| wire.reopen())
    }
}

fn spec(name: &str) -> ArmSpec {
    ArmSpec::builtin(name).unwrap()
}

fn connect(spec: ArmSpec, wire: Box<dyn Wire>) -> Arm {
    let whole_turn =
        |id| Calibration { id, drive_mode: 0, homing_offset: 0, range_min: 0, range_max: 4095 };
    let calibration: Vec<_> =
        spec.servos().map(|(name, id, _)| (name.to_owned(), whole_turn(id))).collect();
    let options = ArmOptions {
        max_step: MaxStep::All(20.0),
        max_velocity: Some(90.0),
        max_acceleration: Some(400.0),
        on_mismatch: OnMismatch::Write,
        ..ArmOptions::default()
    };
    let bus = Bus::new(wire, spec.series.protocol);
    let mut arm = Arm::connect(spec, bus, &calibration, options).unwrap();
    arm.configure().unwrap();
    arm
}

/// What so many ticks take: each a sync read, a sync write, and whatever an arm does beside.
fn taken_by_ticks(arm: &mut Arm, count: u32) -> u64 {
    let values = vec![1.0; arm.spec().value_count()];
    let clock = arm.clock().clone();
    // As a loop knows it.
    let arm: &mut dyn Follower = arm;
    let mut tick = || {
        clock.sleep(MILLI);
        arm.observe().unwrap();
        arm.command(&values).unwrap();
    };
    tick();
    taken_by(|| (0..count).for_each(|_| tick()))
}

#[test]
fn the_counter_counts() {
    assert_eq!(taken_by(|| drop(Box::new(7))), 1);
    assert_eq!(taken_by(|| ()), 0);
}

#[test]
fn a_thousand_ticks_within_the_process_take_nothing() {
    for name in ["so101_follower", "koch_follower", "lekiwi"] {
        let spec = spec(name);
        let virtual_bus = VirtualBus::new(sim::arm::devices(&spec), Clock::virtual_time(), 1);
        let mut arm = connect(spec, Box::new(Uncounted(virtual_bus.wire())));
        assert_eq!(taken_by_ticks(&mut arm, 1000), 0, "{name}");
        assert!(arm.bus_counts().requests >= 2000);
    }
}

/// Joints that turn as their motors please.
struct Loose(Vec<Turned>);

impl Body for Loose {
    fn step(&mut self, pushes: &[Push], seconds: f64) {
        for (joint, push) in self.0.iter_mut().zip(pushes) {
            joint.speed = push.duty.unwrap_or(0.0) * 1000.0;
            joint.position = push.held.unwrap_or(joint.position + joint.speed * seconds);
        }
    }

    fn turned(&self, place: usize) -> Turned {
        self.0[place]
    }

    fn place(&mut self, place: usize, counts: f64) {
        self.0[place].position = counts;
    }
}

#[test]
fn the_steps_of_a_body_take_nothing() {
    let spec = spec("so101_follower");
    let body = Loose(vec![Turned { position: 2048.0, speed: 0.0 }; 6]);
    let devices = sim::arm::devices(&spec);
    let bus = VirtualBus::embodied(devices, Box::new(body), Clock::virtual_time(), 1);
    let mut arm = connect(spec, bus.wire());
    arm.command(&[1.0; 6]).unwrap();
    let taken = taken_by(|| {
        for _ in 0..1000 {
            bus.clock().sleep(7 * MILLI);
            bus.settle();
        }
    });
    assert_eq!(taken, 0);
}

#[test]
fn a_leader_that_moves_by_itself_for_a_while_takes_nothing() {
    for name in ["so101_leader", "koch_leader"] {
        let spec = spec(name);
        let virtual_bus = VirtualBus::new(sim::arm::devices(&spec), Clock::virtual_time(), 1);
        let mut arm = connect(spec, Box::new(Uncounted(virtual_bus.wire())));
        let values = vec![1.0; arm.spec().value_count()];
        let clock = arm.clock().clone();
        let taken = taken_by(|| {
            for tick in 0..200 {
                clock.sleep(MILLI);
                arm.observe().unwrap();
                match tick {
                    0..10 => assert_eq!(
                        arm.brace().unwrap(),
                        tick >= 5 - u32::from(name == "koch_leader")
                    ),
                    10..100 => assert!(arm.command(&values).is_ok()),
                    _ => assert!(arm.release().is_ok()),
                }
            }
        });
        assert_eq!(taken, 0, "{name}");
        assert!(!arm.is_braced());
    }
}

#[test]
fn a_thousand_ticks_through_a_board_take_nothing() {
    for name in ["so101_follower", "koch_follower", "lekiwi"] {
        let spec = spec(name);
        let servos = VirtualBus::new(sim::arm::devices(&spec), Clock::virtual_time(), 1);
        let board = VirtualBoard::new(servos, Clock::virtual_time());
        let wire = Bridge::open(Box::new(Uncounted(board.wire()))).unwrap();
        let mut arm = connect(spec, Box::new(wire));
        assert!(arm.has_reflexes(), "{name}");
        assert_eq!(taken_by_ticks(&mut arm, 1000), 0, "{name}");
        assert!(arm.has_reflexes() && arm.counts().stale < 100, "{name}: {:?}", arm.counts());
    }
}

#[test]
fn lost_and_damaged_answers_take_nothing_either() {
    let spec = spec("so101_follower");
    let virtual_bus = VirtualBus::new(sim::arm::devices(&spec), Clock::virtual_time(), 0);
    let mut arm = connect(spec, Box::new(Uncounted(virtual_bus.wire())));
    virtual_bus.faults(FaultPlan::answers(0.02));
    assert_eq!(taken_by_ticks(&mut arm, 1000), 0);
    let counts = arm.bus_counts();
    assert!(counts.retries > 50 && counts.corrupt > 50, "{counts:?}");
}

#[test]
fn two_hundred_ticks_over_a_port_take_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("port");
    let spec = spec("so101_follower");
    let virtual_bus = VirtualBus::new(sim::arm::devices(&spec), Clock::Real, 0);
    let _server = sim::pty::serve(&virtual_bus, &link).unwrap();
    let wire = port::open(link.to_str().unwrap(), 1_000_000, Clock::Real).unwrap();
    let mut arm = connect(spec, wire);
    assert_eq!(taken_by_ticks(&mut arm, 200), 0);
    assert!(arm.bus_counts().requests >= 400);
}
