//! An arm on a virtual board, which is driven as on a plain adapter.

/// What a wire in front of another does as that one does it.
macro_rules! hand_on {
    () => {
        fn name(&self) -> &str {
            self.wire.name()
        }
        fn clock(&self) -> &Clock {
            self.wire.clock()
        }
        fn baud(&self) -> u32 {
            self.wire.baud()
        }
        fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
            self.wire.set_baud(baud)
        }
        fn discard_input(&mut self) -> Result<(), Error> {
            self.wire.discard_input()
        }
        fn reopen(&mut self) -> Result<(), Error> {
            self.wire.reopen()
        }
    };
}

mod held;
mod setting_up;

use sinew_core::bridge::Mode;
use sinew_core::register::Reg;

use crate::arm::{ArmOptions, Notice, OnMismatch};
use crate::bridge::Bridge;
use crate::bus::Patience;
use crate::clock::{MICRO, MILLI, SECOND};
use crate::sim::{VirtualBoard, VirtualBus, arm};
use crate::stop::{Cause, StopPolicy};
use crate::{Arm, ArmSpec, Bus, Clock, Error, Nanos, Wire};

const TICK: Nanos = 20 * MILLI;

struct Rig {
    servos: VirtualBus,
    board: VirtualBoard,
    clock: Clock,
    spec: ArmSpec,
}

impl Rig {
    fn new(name: &str) -> Self {
        Self::of(arm::by_name(name).unwrap())
    }

    fn of(spec: ArmSpec) -> Self {
        Self::seeded(spec, 1)
    }

    fn seeded(spec: ArmSpec, seed: u64) -> Self {
        let mut devices = arm::assembled(&spec);
        arm::calibrate(&mut devices, &spec);
        let servos = VirtualBus::new(devices, Clock::virtual_time(), seed);
        let clock = Clock::virtual_time();
        let board = VirtualBoard::new(servos.clone(), clock.clone());
        Self { servos, board, clock, spec }
    }

    fn found(&self, wire: Box<dyn Wire>, options: ArmOptions) -> Arm {
        let wire: Box<dyn Wire> = Box::new(Bridge::open(wire).unwrap());
        let calibration = arm::calibrate(&mut arm::assembled(&self.spec), &self.spec);
        let bus = Bus::new(wire, self.spec.series.protocol);
        let options = ArmOptions { on_mismatch: OnMismatch::Write, ..options };
        Arm::connect(self.spec.clone(), bus, &calibration, options).unwrap()
    }

    fn arm_on(&self, wire: Box<dyn Wire>, options: ArmOptions) -> Arm {
        let mut arm = self.found(wire, options);
        arm.configure().unwrap();
        arm
    }

    fn arm(&self, options: ArmOptions) -> Arm {
        let arm = self.arm_on(self.board.wire(), options);
        assert!(arm.has_reflexes(), "{:?}", arm.notices());
        arm
    }

    fn tick(&self, arm: &mut Arm, values: &[f64]) -> Result<(), Error> {
        self.clock.sleep_until((self.clock.now() / TICK + 1) * TICK);
        arm.observe()?;
        arm.command(values).map(drop)
    }
}

#[test]
fn an_arm_goes_where_it_is_told_and_says_where_it_is() {
    for name in ["so101", "koch", "omx"] {
        let rig = Rig::new(name);
        let mut arm = rig.arm(ArmOptions::default());
        let mut goal = vec![0.0; rig.spec.value_count()];
        goal[0] = 20.0;
        for _ in 0..150 {
            rig.tick(&mut arm, &goal).unwrap();
            assert!(arm.observation().fresh.iter().all(|fresh| *fresh), "{name}");
        }
        let there = arm.observation().values[0];
        assert!((there - 20.0).abs() < 3.0, "{name}: {there}");
        for (servo, health) in rig.servos.servos().iter().zip(arm.health()) {
            assert!(servo.torque && health.torque == Some(true), "{name}: {health:?}");
            assert!(health.temperature.is_some_and(|degrees| degrees > 10.0));
        }
        let report = arm.stop(StopPolicy::Limp);
        let limp = rig.servos.servos().iter().all(|servo| !servo.torque);
        assert!(report.ok() && limp, "{name} {report:?}");
        assert!(!arm.has_reflexes());
    }
}

#[test]
fn every_stop_leaves_the_motors_as_it_should() {
    for policy in [StopPolicy::Hold, StopPolicy::Park, StopPolicy::Limp] {
        let rig = Rig::new("so101");
        let mut arm = rig.arm(ArmOptions { park_speed: 120.0, ..ArmOptions::default() });
        for _ in 0..30 {
            rig.tick(&mut arm, &[10.0; 6]).unwrap();
        }
        assert!(arm.stop(policy).ok());
        rig.board.settle();
        for servo in rig.servos.servos() {
            assert_eq!(servo.torque, policy == StopPolicy::Hold, "{policy} {servo:?}");
        }
        arm.resume().unwrap();
        rig.tick(&mut arm, &[0.0; 6]).unwrap();
        assert!(arm.has_reflexes());
    }
}

#[test]
fn a_host_that_was_away_finds_its_arm_stopped() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    for _ in 0..30 {
        rig.tick(&mut arm, &[10.0; 6]).unwrap();
    }
    rig.clock.sleep(5 * SECOND);
    let error = arm.observe().unwrap_err();
    assert!(matches!(error, Error::Stopped { cause: Cause::DeadMan }), "{error}");
    assert!(rig.servos.servos().iter().all(|servo| !servo.torque));
    assert_eq!(rig.board.counts().stops, 1);
}

#[test]
fn a_pulled_cable_stops_the_arm_and_a_plugged_one_finds_it_so() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    for _ in 0..30 {
        rig.tick(&mut arm, &[10.0; 6]).unwrap();
    }
    rig.board.unplug();
    assert!(rig.tick(&mut arm, &[10.0; 6]).is_err());
    rig.clock.sleep(2 * SECOND);
    rig.board.settle();
    assert!(rig.servos.servos().iter().all(|servo| !servo.torque));
    rig.board.replug();
    assert!(matches!(arm.observe(), Err(Error::Stopped { cause: Cause::LostPort })));
    assert!(arm.stop_report().unwrap().ok());
    arm.resume().unwrap();
    rig.tick(&mut arm, &[10.0; 6]).unwrap();
}

#[test]
fn a_motor_that_lost_its_torque_gets_it_back_where_it_stands() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    for _ in 0..30 {
        rig.tick(&mut arm, &[10.0; 6]).unwrap();
    }
    rig.servos.change(3, |device| device.servo.set(Reg::TorqueEnable, 0));
    for _ in 0..30 {
        rig.tick(&mut arm, &[10.0; 6]).unwrap();
    }
    assert!(rig.servos.servo(3).unwrap().torque);
    assert_eq!(arm.counts().torque_lost, 1);
    assert!(arm.has_reflexes());
}

#[test]
fn a_board_that_lost_its_power_is_engaged_again() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    for _ in 0..10 {
        rig.tick(&mut arm, &[10.0; 6]).unwrap();
    }
    rig.board.power_cycle();
    for _ in 0..10 {
        rig.tick(&mut arm, &[10.0; 6]).unwrap();
    }
    assert_eq!(rig.board.mode(), Mode::Running);
    assert!(arm.observation().ages.iter().all(|age| (0..TICK).contains(age)));
    assert!(arm.observation().fresh.iter().all(|fresh| *fresh));
}

#[test]
fn a_plain_adapter_drives_the_arm_too_and_says_that_it_is_one() {
    let rig = Rig::new("so101");
    let servos = VirtualBus::new(arm::assembled(&rig.spec), rig.clock.clone(), 1);
    let calibration = arm::calibrate(&mut arm::assembled(&rig.spec), &rig.spec);
    let bus = Box::new(Bridge::open(servos.wire()).unwrap());
    let bus = Bus::new(bus, rig.spec.series.protocol);
    let options = ArmOptions { on_mismatch: OnMismatch::Write, ..ArmOptions::default() };
    let mut arm = Arm::connect(rig.spec.clone(), bus, &calibration, options).unwrap();
    // That is said before anything moves.
    assert!(arm.notices().iter().any(|notice| matches!(notice, Notice::NoReflexes { .. })));
    arm.configure().unwrap();
    assert!(!arm.has_reflexes());
    assert!(arm.notices().iter().any(|notice| matches!(notice, Notice::NoReflexes { .. })));
    rig.tick(&mut arm, &[0.0; 6]).unwrap();
}

/// Servos that cannot all be asked at once.
const SCS: &str = r#"
name = "jaw"
title = "Jaw"
role = "follower"
calibration = ["jaw", "jaw"]
baud = 1_000_000
supply = [6.0]
torque = true

[[joint]]
name = "jaw"
id = 1
model = "scs0009"
units = "degrees"
mode = "position"
travel = 200
rest = 0
"#;

#[test]
fn servos_that_a_board_cannot_run_are_driven_through_it_and_that_is_said_first() {
    let rig = Rig::of(ArmSpec::parse("jaw.toml", SCS).unwrap());
    let wire: Box<dyn Wire> = Box::new(Bridge::open(rig.board.wire()).unwrap());
    let calibration = arm::calibrate(&mut arm::assembled(&rig.spec), &rig.spec);
    let bus = Bus::new(wire, rig.spec.series.protocol);
    let options = ArmOptions { on_mismatch: OnMismatch::Write, ..ArmOptions::default() };
    let mut arm = Arm::connect(rig.spec.clone(), bus, &calibration, options).unwrap();
    let told = |notice: &Notice| notice.to_string().contains("cannot run a bus of these servos");
    assert!(arm.notices().iter().any(told), "{:?}", arm.notices());
    arm.configure().unwrap();
    assert!(!arm.has_reflexes());
    for _ in 0..50 {
        rig.tick(&mut arm, &[10.0]).unwrap();
    }
    let there = arm.observation().values[0];
    assert!((there - 10.0).abs() < 3.0, "{there}");
    assert!(arm.stop(StopPolicy::Limp).ok());
}

#[test]
fn a_base_on_wheels_rolls_and_stands_still_with_its_arm() {
    let rig = Rig::new("lekiwi");
    let mut arm = rig.arm(ArmOptions::default());
    let mut values = vec![0.0; rig.spec.value_count()];
    values[6] = 0.1;
    for _ in 0..100 {
        rig.tick(&mut arm, &values).unwrap();
    }
    let speed = arm.observation().values[6];
    assert!((speed - 0.1).abs() < 0.03, "{speed}");
    rig.clock.sleep(5 * SECOND);
    rig.board.settle();
    for servo in rig.servos.servos() {
        assert!(!servo.torque);
    }
}

#[test]
fn a_board_behind_a_port_is_found_by_its_scheme() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("board");
    let spec = arm::by_name("so101").unwrap();
    let mut devices = arm::assembled(&spec);
    let calibration = arm::calibrate(&mut devices, &spec);
    let servos = VirtualBus::new(devices, Clock::Real, 1);
    let board = VirtualBoard::new(servos.clone(), Clock::Real);
    let _server = crate::sim::pty::serve_board(&board, &link).unwrap();
    let port = format!("bridge:{}", link.display());
    let mut bus =
        Bus::new(crate::port::open(&port, spec.baud, Clock::Real).unwrap(), spec.series.protocol);
    // A busy machine may forget about any of the threads for a while. Each try waits twice as long.
    bus.set_patience(Patience { retries: 10, ..bus.patience() });
    let options = ArmOptions { dead_man: Some(20 * SECOND), ..ArmOptions::default() };
    let mut arm = Arm::connect(spec, bus, &calibration, options).unwrap();
    arm.configure().unwrap();
    assert!(arm.has_reflexes(), "{:?}", arm.notices());
    for _ in 0..10 {
        Clock::Real.sleep(TICK);
        arm.observe().unwrap();
        arm.command(&[0.0; 6]).unwrap();
    }
    assert!(arm.stop(StopPolicy::Limp).ok());
    assert!(servos.servos().iter().all(|servo| !servo.torque));
}

#[test]
fn a_leader_is_read_through_a_board_and_never_stopped_by_it() {
    for name in ["so101_leader", "koch_leader"] {
        let rig = Rig::new(name);
        let mut arm = rig.arm_on(rig.board.wire(), ArmOptions::default());
        assert!(!arm.has_reflexes() && arm.notices().is_empty(), "{:?}", arm.notices());
        for _ in 0..20 {
            rig.clock.sleep(TICK);
            assert!(arm.observe().unwrap().fresh.iter().all(|fresh| *fresh));
        }
        rig.clock.sleep(10 * SECOND);
        arm.observe().unwrap();
    }
}

#[test]
fn an_arm_that_nobody_commands_yet_stands_as_long_as_somebody_looks() {
    for dead_man in [None, ArmOptions::default().dead_man] {
        let rig = Rig::new("so101");
        let mut arm = rig.arm(ArmOptions { dead_man, ..ArmOptions::default() });
        for _ in 0..200 {
            rig.clock.sleep(TICK);
            arm.observe().unwrap();
        }
        assert_eq!(rig.board.counts().holds, 0);
        assert!(rig.servos.servos().iter().all(|servo| servo.torque));
    }
}

#[test]
fn whoever_opens_the_port_of_a_dead_host_finds_the_motors_stopped() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    for _ in 0..30 {
        rig.tick(&mut arm, &[10.0; 6]).unwrap();
    }
    // It is dead: nobody stops anything any more.
    std::mem::forget(arm);
    let bridge = Bridge::open(rig.board.wire()).unwrap();
    assert!(rig.servos.servos().iter().all(|servo| !servo.torque));
    assert_eq!(rig.board.mode(), Mode::Free);
    drop(bridge);
    let mut arm = rig.arm(ArmOptions::default());
    rig.tick(&mut arm, &[10.0; 6]).unwrap();
}

#[test]
fn a_board_that_goes_on_stopping_a_motor_keeps_the_bus_from_whoever_comes() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    for _ in 0..10 {
        rig.tick(&mut arm, &[10.0; 6]).unwrap();
    }
    assert!(rig.servos.set_dead(4, true));
    assert!(!arm.stop(StopPolicy::Limp).ok());
    let bridge = Bridge::open(rig.board.wire()).unwrap();
    assert!(bridge.board().is_ok());
    assert_eq!(rig.board.mode(), Mode::Stopped);
}

/// A wire on which every answer to being engaged is lost.
struct Unheard {
    wire: Box<dyn Wire>,
    lost: bool,
}

impl Wire for Unheard {
    hand_on!();

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        // The kind of a message comes first in it.
        self.lost = bytes.get(1) == Some(&5);
        self.wire.send(bytes)
    }
    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        let got = self.wire.receive(into, deadline)?;
        Ok(if self.lost { 0 } else { got })
    }
}

#[test]
fn a_board_that_may_run_the_bus_unheard_is_no_plain_adapter() {
    let rig = Rig::new("so101");
    let calibration = arm::calibrate(&mut arm::assembled(&rig.spec), &rig.spec);
    let wire = Box::new(Unheard { wire: rig.board.wire(), lost: false });
    let bus = Bus::new(Box::new(Bridge::open(wire).unwrap()), rig.spec.series.protocol);
    let options = ArmOptions { on_mismatch: OnMismatch::Write, ..ArmOptions::default() };
    let mut arm = Arm::connect(rig.spec.clone(), bus, &calibration, options).unwrap();
    assert!(matches!(arm.configure(), Err(Error::Board { .. })));
    assert_eq!(rig.board.mode(), Mode::Free);
    assert!(rig.servos.servos().iter().all(|servo| !servo.torque));
}
